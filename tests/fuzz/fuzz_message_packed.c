/*
 * Messages of version 2 whose checksum is right, whatever they hold: the input is what comes behind
 * the head. Nothing is taken, or all of it, as views of the message; and it comes back the same
 * from a batch.
 */
#include <stdlib.h>
#include <string.h>

#include "base/timestamp.h"
#include "message/packed.h"
#include "message/reader.h"
#include "message/writer.h"
#include "must.h"

enum { OUTPUT_MAX = 64 << 20 };

struct taken {
    struct slice message; /* what the records have to lie in */
    struct batch batch;
    size_t records;
};

static void must_lie_in(struct slice whole, struct slice part)
{
    must(part.data >= whole.data && part.len <= whole.len);
    must(part.data + part.len <= whole.data + whole.len);
}

static int take(const struct record *r, void *ctx)
{
    struct taken *t = ctx;

    must_lie_in(t->message, r->level);
    must_lie_in(t->message, r->message);
    must_lie_in(t->message, r->attributes);
    must(r->key.timestamp_us >= TIMESTAMP_MIN_US && r->key.timestamp_us <= TIMESTAMP_MAX_US);
    must(uuid_is_v7(&r->key.id));
    must(batch_append(&t->batch, r) == 0);
    t->records++;
    return 0;
}

static int no_reject(struct slice item, const char *reason, void *ctx)
{
    abort();
}

static int read_message(struct message_reader *reader, struct slice body, struct taken *t)
{
    struct message_source source = {body, SLICE_LITERAL("id"), 0, true};
    struct errbuf reason = ERRBUF_INIT;

    t->message = body;
    batch_init(&t->batch, MESSAGE_V2, OUTPUT_MAX);
    int error = message_reader_read(reader, &source, take, no_reject, t, &reason);
    must(!error || (error == LM_EINVAL && reason.text[0] != '\0' && t->records == 0));
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message_reader *reader = message_reader_new();
    struct taken first = {.records = 0};
    struct taken second = {.records = 0};
    struct buffer body;

    buffer_init(&body, OUTPUT_MAX);
    packed_begin(&body);
    buffer_append(&body, data, size);
    packed_seal(body.data, body.len);
    if (!read_message(reader, buffer_slice(&body), &first) && first.records > 0) {
        must(read_message(reader, batch_finish(&first.batch), &second) == 0);
        must(first.records == second.records);
        must(slice_equal(batch_finish(&first.batch), batch_finish(&second.batch)));
        batch_release(&second.batch);
    }
    batch_release(&first.batch);
    buffer_release(&body);
    message_reader_free(reader);
    return 0;
}
