/*
 * https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY: a header, then for each
 * row the number of its fields and each field as length and bytes, all integers in network order.
 */
#include <string.h>

#include "record/limits.h"
#include "store/postgres/internal.h"

enum {
    COLUMNS = 5,
    FIXED_BYTES = 2 + COLUMNS * 4 + 8 + 16 + 1, /* a row without its texts */
    JSONB_VERSION = 1,
    /* An array of one dimension: its number of dimensions, flags, type, length, lower bound. */
    ARRAY_HEAD_BYTES = 5 * 4,
    TYPE_TIMESTAMPTZ = 1184,
    TYPE_UUID = 2950,
};

static char *put_bytes(char *p, const void *data, size_t len)
{
    return len > 0 ? (char *)memcpy(p, data, len) + len : p;
}

static char *put_text(char *p, struct slice s)
{
    return put_bytes(byte_order_put32(p, (uint32_t)s.len), s.data, s.len);
}

/* ---- Numbers that jsonb does not take ---- */

/*
 * The entrance lets none in (record/limits.h), but what was acknowledged before it did, or comes
 * from a producer of its own, is stored all the same: such a number as a string of its text.
 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* True if a number with an exponent of three digits or more may stand in `json`. */
static bool may_have_exponent(struct slice json)
{
    const char *end = json.data + json.len;

    for (const char *p = json.data + 1; p + 3 < end; p++) {
        if ((*p | 0x20) != 'e' || !is_digit(p[-1]))
            continue;
        p += p[1] == '+' || p[1] == '-';
        if (p + 3 < end && is_digit(p[1]) && is_digit(p[2]) && is_digit(p[3]))
            return true;
    }
    return false;
}

/* True if a number too long for jsonb may stand in `json`: of each such a sample hits a half. */
static bool may_have_long_number(struct slice json)
{
    enum { HALF = RECORD_FRACTION_DIGITS_MAX / 2 };

    for (size_t at = HALF; at < json.len; at += HALF) {
        size_t from = at;
        size_t to = at;

        while (from > 0 && is_digit(json.data[from - 1]))
            from--;
        while (to < json.len && is_digit(json.data[to]))
            to++;
        if (to - from >= HALF)
            return true;
    }
    return false;
}

/* The end of the string or number that begins at `p`. */
static const char *end_of_token(const char *p, const char *end)
{
    const char *q = p + 1;

    if (*p != '"') {
        while (q < end && (is_digit(*q) || strchr("+-.eE", *q)))
            q++;
        return q;
    }
    while (q < end && *q != '"')
        q += *q == '\\' ? 2 : 1;
    return q < end ? q + 1 : end;
}

/* Appends `json` with each number that does not fit as a string of its text. */
static void append_tamed(struct buffer *b, struct slice json)
{
    const char *end = json.data + json.len;
    const char *copied = json.data;
    size_t huge_digits = 0;

    for (const char *p = json.data, *next; p < end; p = next) {
        bool is_number = is_digit(*p) || *p == '-';

        next = is_number || *p == '"' ? end_of_token(p, end) : p + 1;
        if (!is_number || record_number_judge(slice_of(p, (size_t)(next - p)), &huge_digits) ==
                              RECORD_NUMBER_FITS)
            continue;
        buffer_append(b, copied, (size_t)(p - copied));
        buffer_append_char(b, '"');
        buffer_append(b, p, (size_t)(next - p));
        buffer_append_char(b, '"');
        copied = next;
    }
    buffer_append(b, copied, (size_t)(end - copied));
}

/* ---- Rows ---- */

void store_postgres_rows_append(struct buffer *b, const struct record *r, struct buffer *numbers)
{
    struct slice attributes = r->attributes;
    char *start, *p;

    if (attributes.len > 0 && (may_have_exponent(attributes) || may_have_long_number(attributes))) {
        buffer_clear(numbers);
        append_tamed(numbers, attributes);
        attributes = buffer_slice(numbers);
        if (buffer_error(numbers) != 0)
            b->error = buffer_error(numbers);
    }
    start = p = buffer_reserve(b, FIXED_BYTES + r->level.len + r->message.len + attributes.len);
    if (!p)
        return;
    p = byte_order_put16(p, COLUMNS);
    p = byte_order_put32(p, 8);
    p = store_postgres_wire_put_time(p, r->key.timestamp_us);
    p = byte_order_put32(p, sizeof(r->key.id.bytes));
    p = put_bytes(p, r->key.id.bytes, sizeof(r->key.id.bytes));
    p = put_text(p, r->level);
    p = put_text(p, r->message);
    if (attributes.len > 0) {
        p = byte_order_put32(p, (uint32_t)attributes.len + 1);
        *p++ = JSONB_VERSION;
        p = put_bytes(p, attributes.data, attributes.len);
    } else {
        p = byte_order_put32(p, (uint32_t)-1);
    }
    b->len += (size_t)(p - start);
}

static char *put_array_head(char *p, uint32_t type, size_t n, size_t value_len)
{
    p = byte_order_put32(p, (uint32_t)(ARRAY_HEAD_BYTES + n * (4 + value_len)));
    p = byte_order_put32(p, 1);
    p = byte_order_put32(p, 0);
    p = byte_order_put32(p, type);
    p = byte_order_put32(p, (uint32_t)n);
    return byte_order_put32(p, 1);
}

void store_postgres_rows_append_arrival(struct buffer *b, const struct record *records, size_t n)
{
    size_t room = 2 + 2 * (4 + ARRAY_HEAD_BYTES) + n * (4 + 8 + 4 + 16);
    char *start = buffer_reserve(b, room);
    char *p = start;

    if (!p)
        return;
    p = byte_order_put16(p, 2);
    p = put_array_head(p, TYPE_TIMESTAMPTZ, n, 8);
    for (size_t i = 0; i < n; i++) {
        p = byte_order_put32(p, 8);
        p = store_postgres_wire_put_time(p, records[i].key.timestamp_us);
    }
    p = put_array_head(p, TYPE_UUID, n, sizeof(records[0].key.id.bytes));
    for (size_t i = 0; i < n; i++) {
        p = byte_order_put32(p, sizeof(records[i].key.id.bytes));
        p = put_bytes(p, records[i].key.id.bytes, sizeof(records[i].key.id.bytes));
    }
    b->len += (size_t)(p - start);
}

void store_postgres_rows_begin(struct buffer *b)
{
    static const char header[] = "PGCOPY\n\377\r\n\0" /* signature, then flags and extension: 0 */
                                 "\0\0\0\0\0\0\0";

    buffer_append(b, header, sizeof(header));
}

void store_postgres_rows_end(struct buffer *b)
{
    buffer_append(b, "\377\377", 2);
}
