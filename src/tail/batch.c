#include "tail/batch.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/xalloc.h"

enum { BYTES_MAX = 1 << 30 }; /* a ceiling because every buffer has one */

struct tail_batch *tail_batch_new(void)
{
    struct tail_batch *b = xcalloc(1, sizeof(*b));

    atomic_init(&b->references, 1);
    buffer_init(&b->bytes, BYTES_MAX);
    return b;
}

void tail_append_id(struct buffer *b, const struct store_position *position)
{
    buffer_append_string(b, "id: ");
    store_position_append(b, position);
    buffer_append_char(b, '\n');
}

void tail_append_event(struct buffer *b, const struct record *record,
                       const struct store_position *position)
{
    tail_append_id(b, position);
    buffer_append_string(b, "data: ");
    record_append_json(b, record); /* in which no line ends */
    buffer_append_string(b, "\n\n");
}

/* Until the batch is sealed, a slice holds an offset in place of a pointer: `bytes` may move. */
static struct slice keep(struct buffer *b, struct slice s)
{
    size_t at = b->len;

    buffer_append_slice(b, s);
    return (struct slice){(const char *)(uintptr_t)at, s.len};
}

static void seal(const struct tail_batch *b, struct slice *s)
{
    s->data = b->bytes.data + (uintptr_t)s->data;
}

int tail_batch_add(const struct record *record, const struct store_position *position, void *ctx)
{
    struct tail_batch *b = ctx;

    b->events = array_reserve(b->events, &b->capacity, b->len + 1, sizeof(*b->events));

    struct tail_event *e = &b->events[b->len];

    e->position = *position;
    e->record.key = record->key;
    e->record.level = keep(&b->bytes, record->level);
    e->record.message = keep(&b->bytes, record->message);
    e->record.attributes = keep(&b->bytes, record->attributes);

    size_t at = b->bytes.len;

    tail_append_event(&b->bytes, record, position);
    e->text = (struct slice){(const char *)(uintptr_t)at, b->bytes.len - at};
    if (buffer_error(&b->bytes))
        return buffer_error(&b->bytes);
    b->len++;
    b->end = *position;
    return b->bytes.len >= TAIL_BATCH_BYTES ? LM_ESTOPPED : 0;
}

void tail_batch_seal(struct tail_batch *b)
{
    for (size_t i = 0; i < b->len; i++) {
        struct tail_event *e = &b->events[i];

        seal(b, &e->record.level);
        seal(b, &e->record.message);
        seal(b, &e->record.attributes);
        seal(b, &e->text);
    }
}

static void drop_verdicts(struct tail_batch *b)
{
    for (size_t i = 0; i < b->verdicts_len; i++) {
        if (b->verdicts[i].filter)
            tail_filter_unref(b->verdicts[i].filter);
        free(b->verdicts[i].bits);
    }
    free(b->verdicts);
}

void tail_batch_ref(struct tail_batch *b)
{
    atomic_fetch_add_explicit(&b->references, 1, memory_order_relaxed);
}

void tail_batch_unref(struct tail_batch *b)
{
    if (atomic_fetch_sub_explicit(&b->references, 1, memory_order_acq_rel) > 1)
        return;
    drop_verdicts(b);
    buffer_release(&b->bytes);
    free(b->events);
    free(b);
}

/* ---- Verdicts ---- */

size_t tail_batch_words(const struct tail_batch *b)
{
    return (b->len + TAIL_WORD_BITS - 1) / TAIL_WORD_BITS;
}

const struct tail_verdict *tail_batch_verdict(const struct tail_batch *b,
                                              const struct tail_filter *f)
{
    static const struct tail_verdict all = {.count = SIZE_MAX, .all = true};

    if (!f)
        return &all;
    const struct tail_verdict *v = f->slot < b->verdicts_len ? &b->verdicts[f->slot] : NULL;
    return v && v->filter == f ? v : NULL;
}

bool tail_verdict_has(const struct tail_verdict *v, size_t at)
{
    if (v->all)
        return true;
    return v->bits && v->bits[at / TAIL_WORD_BITS] >> (at % TAIL_WORD_BITS) & 1;
}

size_t tail_batch_size(const struct tail_batch *b)
{
    size_t size = sizeof(*b) + b->bytes.len + b->len * sizeof(*b->events) +
                  b->verdicts_len * sizeof(*b->verdicts);

    for (size_t i = 0; i < b->verdicts_len; i++)
        size += b->verdicts[i].bits ? tail_batch_words(b) * sizeof(uint64_t) : 0;
    return size;
}
