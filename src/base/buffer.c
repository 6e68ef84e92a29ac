#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/xalloc.h"

enum { FIRST_CAPACITY = 256 };

void buffer_check(const struct buffer *b)
{
    CHECK(b->len <= b->capacity);
    CHECK(b->capacity <= b->ceiling);
    CHECK(!b->data == (b->capacity == 0));
    CHECK(!b->error || b->error == LM_ETOOBIG || b->error == LM_ENOMEM || b->error == LM_EBUSY);
    CHECK(!b->account || account_used(b->account) >= b->capacity);
}

void buffer_init(struct buffer *b, size_t ceiling)
{
    *b = (struct buffer){.ceiling = ceiling};
}

void buffer_init_small(struct buffer *b)
{
    *b = (struct buffer){.ceiling = SIZE_MAX / 2, .is_small = true};
}

void buffer_init_within(struct buffer *b, size_t ceiling, struct account *account)
{
    bool is_scarce = account && account->ceiling / 2 < ceiling;

    buffer_init(b, is_scarce ? account->ceiling / 2 : ceiling);
    b->account = account;
}

void buffer_init_over(struct buffer *b, char *memory, size_t size)
{
    *b = (struct buffer){.data = memory, .capacity = size, .ceiling = size};
}

bool buffer_charge(struct buffer *b, struct account *account)
{
    CHECKED(buffer_check(b));
    if (account == b->account)
        return true;
    if (account && b->capacity > 0 && !account_take(account, b->capacity))
        return false;
    if (b->account && b->capacity > 0)
        account_give(b->account, b->capacity);
    b->account = account;
    return true;
}

void buffer_release(struct buffer *b)
{
    CHECKED(buffer_check(b));
    if (b->account && b->capacity > 0)
        account_give(b->account, b->capacity);
    free(b->data);
    *b = (struct buffer){.ceiling = b->ceiling, .account = b->account, .is_small = b->is_small};
}

void buffer_clear(struct buffer *b)
{
    CHECKED(buffer_check(b));
    b->len = 0;
    b->error = 0;
}

void buffer_truncate(struct buffer *b, size_t len)
{
    CHECKED(buffer_check(b));
    CHECK(len <= b->len);
    b->len = len;
    b->error = 0;
}

/* Makes capacity at least `need`, doubling so that n appends copy O(n) bytes. */
static int grow(struct buffer *b, size_t need)
{
    size_t capacity = b->capacity ? b->capacity : FIRST_CAPACITY;
    char *data;

    while (capacity < need)
        capacity = capacity > b->ceiling / 2 ? b->ceiling : capacity * 2;
    if (capacity > b->ceiling)
        capacity = b->ceiling;
    if (b->account && !account_take(b->account, capacity - b->capacity)) {
        b->wanted = capacity;
        return LM_EBUSY;
    }
    data = b->is_small ? xrealloc(b->data, capacity) : try_realloc(b->data, capacity);
    if (!data) {
        if (b->account)
            account_give(b->account, capacity - b->capacity);
        return LM_ENOMEM;
    }
    b->data = data;
    b->capacity = capacity;
    return 0;
}

char *buffer_reserve(struct buffer *b, size_t extra)
{
    CHECKED(buffer_check(b));
    if (b->error)
        return NULL;
    if (extra > b->ceiling - b->len) {
        b->error = LM_ETOOBIG;
        return NULL;
    }
    if (b->len + extra > b->capacity) {
        b->error = grow(b, b->len + extra);
        if (b->error)
            return NULL;
    }
    return b->data + b->len;
}

void buffer_append(struct buffer *b, const void *data, size_t len)
{
    char *to;

    if (len == 0)
        return;
    to = buffer_reserve(b, len);
    if (!to)
        return;
    memcpy(to, data, len);
    b->len += len;
}

void buffer_append_slice(struct buffer *b, struct slice s)
{
    buffer_append(b, s.data, s.len);
}

void buffer_append_string(struct buffer *b, const char *text)
{
    buffer_append(b, text, strlen(text));
}

void buffer_append_char(struct buffer *b, char c)
{
    buffer_append(b, &c, 1);
}

void buffer_append_u64(struct buffer *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    buffer_append(b, digits + at, sizeof(digits) - at);
}

void buffer_append_i64(struct buffer *b, int64_t value)
{
    if (value < 0) {
        buffer_append_char(b, '-');
        buffer_append_u64(b, -(uint64_t)value);
    } else {
        buffer_append_u64(b, (uint64_t)value);
    }
}

void buffer_appendf(struct buffer *b, const char *format, ...)
{
    va_list args;
    char text[1024];
    int n;
    char *to;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n < 0) {
        b->error = b->error ? b->error : LM_ENOMEM;
    } else if ((size_t)n < sizeof(text)) {
        buffer_append(b, text, (size_t)n);
    } else {
        to = buffer_reserve(b, (size_t)n + 1); /* vsnprintf ends it with a NUL */
        if (!to)
            return;
        va_start(args, format);
        vsnprintf(to, (size_t)n + 1, format, args);
        va_end(args);
        b->len += (size_t)n;
    }
}

void buffer_consume(struct buffer *b, size_t n)
{
    CHECKED(buffer_check(b));
    CHECK(n <= b->len);
    if (n == 0)
        return;
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}
