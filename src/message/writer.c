#include "message/writer.h"

#include "base/check.h"
#include "message/packed.h"

static const struct slice batch_head = {MESSAGE_V1_HEAD, sizeof(MESSAGE_V1_HEAD) - 1};
static const struct slice batch_tail = {MESSAGE_V1_TAIL, sizeof(MESSAGE_V1_TAIL) - 1};

/* Of "complete" the ends alone are looked at: what is between them is another one's to check. */
void batch_check(const struct batch *b)
{
    const struct buffer *t = &b->text;

    CHECK(b->version == MESSAGE_V1 || b->version == MESSAGE_V2);
    CHECK((t->len == 0) == (b->count == 0));
    if (b->count == 0)
        return;
    if (b->version == MESSAGE_V2) {
        CHECK(t->len <= b->max_bytes && t->len > PACKED_HEAD_LEN + b->count * LOG_KEY_CURSOR_LEN);
        CHECK(packed_is(buffer_slice(t)) && t->data[t->len - 1] == '\n');
        return;
    }
    CHECK(t->len + batch_tail.len <= t->capacity && t->len + batch_tail.len <= b->max_bytes);
    CHECK(t->len > batch_head.len + b->count); /* "{…}," for each, at least */
    CHECK(memcmp(t->data, batch_head.data, batch_head.len) == 0);
    CHECK(t->data[batch_head.len] == '{' && t->data[t->len - 1] == '}');
}

void batch_init(struct batch *b, enum message_version version, size_t max_bytes)
{
    buffer_init(&b->text, max_bytes);
    b->count = 0;
    b->max_bytes = max_bytes;
    b->version = version;
}

void batch_release(struct batch *b)
{
    buffer_release(&b->text);
    b->count = 0;
}

void batch_clear(struct batch *b)
{
    buffer_clear(&b->text);
    b->count = 0;
}

/* Where the first record begins; before each other one, `separator` bytes are not its own. */
static size_t records_start(const struct batch *b, size_t *separator)
{
    *separator = b->version == MESSAGE_V1;
    return b->version == MESSAGE_V1 ? batch_head.len : PACKED_HEAD_LEN;
}

/* The head is written with the first record, so that an empty batch holds no memory. */
static void begin_record(struct batch *b)
{
    if (b->count == 0 && b->version == MESSAGE_V2)
        packed_begin(&b->text);
    else if (b->count == 0)
        buffer_append_slice(&b->text, batch_head);
    else if (b->version == MESSAGE_V1)
        buffer_append_char(&b->text, ',');
}

/* `n` records have been written since `mark`. */
static int end_records(struct batch *b, struct batch_mark mark, size_t n)
{
    if (b->version == MESSAGE_V1)
        buffer_reserve(&b->text, batch_tail.len); /* batch_finish must not fail */

    int error = buffer_error(&b->text);
    if (error) {
        batch_rewind(b, mark);
        return error;
    }
    b->count += n;
    return 0;
}

int batch_append(struct batch *b, const struct record *r)
{
    struct batch_mark mark = batch_mark(b);

    CHECKED(batch_check(b));
    begin_record(b);
    if (b->version == MESSAGE_V2)
        packed_append(&b->text, r);
    else
        record_append_json(&b->text, r);
    return end_records(b, mark, 1);
}

int batch_append_part(struct batch *b, const struct batch *from, struct batch_mark begin,
                      struct batch_mark end)
{
    struct batch_mark mark = batch_mark(b);
    size_t separator;
    size_t start = records_start(from, &separator);

    if (begin.count > 0)
        start = begin.len + separator;
    CHECKED(batch_check(b));
    CHECKED(batch_check(from));
    CHECK(b->version == from->version);
    CHECK(begin.count <= end.count && end.count <= from->count && end.len <= from->text.len);
    if (begin.count == end.count)
        return 0;
    begin_record(b);
    buffer_append(&b->text, from->text.data + start, end.len - start);
    return end_records(b, mark, end.count - begin.count);
}

struct batch_mark batch_mark(const struct batch *b)
{
    return (struct batch_mark){.len = b->text.len, .count = b->count};
}

void batch_rewind(struct batch *b, struct batch_mark mark)
{
    buffer_truncate(&b->text, mark.len);
    b->count = mark.count;
    CHECKED(batch_check(b));
}

struct slice batch_finish(struct batch *b)
{
    CHECKED(batch_check(b));
    if (b->count == 0) /* which every reader knows */
        return SLICE_LITERAL(MESSAGE_V1_HEAD MESSAGE_V1_TAIL);
    if (b->version == MESSAGE_V2) {
        packed_seal(b->text.data, b->text.len);
        return buffer_slice(&b->text);
    }
    /* The tail lies behind the end, where the next record overwrites it: `b` stays open. */
    memcpy(b->text.data + b->text.len, batch_tail.data, batch_tail.len);
    return slice_of(b->text.data, b->text.len + batch_tail.len);
}
