#include <inttypes.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "tail/tail.h"

enum { BYTES_MAX = 1 << 30 }; /* a ceiling because every buffer has one */

struct tail_batch *tail_batch_new(void)
{
    struct tail_batch *b = xcalloc(1, sizeof(*b));

    atomic_init(&b->references, 1);
    buffer_init(&b->bytes, BYTES_MAX);
    return b;
}

void tail_append_event(struct buffer *b, const struct record *record,
                       const struct store_position *position)
{
    buffer_appendf(b, "id: %" PRIu64 "-%" PRIu64 "-%" PRIu32 "\ndata: ", position->transaction,
                   position->sequence, position->index);
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
    struct tail_event *e;
    size_t at;

    if (b->len == b->capacity) {
        b->capacity = b->capacity > 0 ? 2 * b->capacity : 16;
        b->events = xrealloc(b->events, b->capacity * sizeof(*b->events));
    }
    e = &b->events[b->len];
    e->position = *position;
    e->record.key = record->key;
    e->record.level = keep(&b->bytes, record->level);
    e->record.message = keep(&b->bytes, record->message);
    e->record.attributes = keep(&b->bytes, record->attributes);
    at = b->bytes.len;
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

void tail_batch_ref(struct tail_batch *b)
{
    atomic_fetch_add_explicit(&b->references, 1, memory_order_relaxed);
}

void tail_batch_unref(struct tail_batch *b)
{
    if (atomic_fetch_sub_explicit(&b->references, 1, memory_order_acq_rel) > 1)
        return;
    tail_batch_drop_verdicts(b);
    buffer_release(&b->bytes);
    free(b->events);
    free(b);
}
