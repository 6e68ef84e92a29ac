#include "message/reader.h"

#include <assert.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/xalloc.h"
#include "message/packed.h"
#include "message/version.h"
#include "record/rules.h"
#include "json/error.h"
#include "json/reader.h"
#include "json/writer.h"

static_assert(MESSAGE_VERSION_READ == 2, "read_batch knows version 1, read_packed 2");

enum {
    /* A text grows at most so many times when written anew: one byte may become "\u007f". */
    JSON_GROWTH_MAX = 6,
    AROUND_DEPTH = 3,   /* levels around an item: those of a batch, with attributes as a member */
    KEPT_MESSAGES = 16, /* messages whose memory is kept for reuse */
    FIRST_PACKED = 1024,
};

/* What the records of one message point into. */
struct message_memory {
    struct json_doc doc;
    struct buffer attributes; /* text of the attributes of all its items */
};

struct message_reader {
    struct record_item_scratch scratch;
    struct message_memory *messages; /* messages_len hold records, the others are for reuse */
    size_t messages_len;
    size_t messages_capacity;
    struct buffer item; /* text of one that is rejected */
    struct buffer seed; /* of an id */

    struct record *packed; /* records of the message of version 2 that is read */
    size_t packed_len;
    size_t packed_capacity;
};

struct message_reader *message_reader_new(void)
{
    struct message_reader *r = xcalloc(1, sizeof(*r));

    /* Neither grows past a small multiple of the text that is being read. */
    buffer_init(&r->item, SIZE_MAX / 2);
    buffer_init(&r->seed, SIZE_MAX / 2);
    return r;
}

static void memory_release(struct message_memory *m)
{
    json_doc_release(&m->doc);
    buffer_release(&m->attributes);
}

static struct message_memory *next_memory(struct message_reader *r)
{
    if (r->messages_len == r->messages_capacity) {
        size_t old = r->messages_capacity;

        r->messages = array_reserve(r->messages, &r->messages_capacity, r->messages_len + 1,
                                    sizeof(*r->messages));
        for (size_t i = old; i < r->messages_capacity; i++) {
            json_doc_init(&r->messages[i].doc);
            buffer_init(&r->messages[i].attributes, SIZE_MAX / 2);
        }
    }
    return &r->messages[r->messages_len++];
}

void message_reader_reset(struct message_reader *r)
{
    /* What only a burst needed is let go of. */
    for (size_t i = KEPT_MESSAGES; i < r->messages_len; i++)
        memory_release(&r->messages[i]);
    r->messages_len = 0;
}

void message_reader_free(struct message_reader *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->messages_capacity; i++)
        memory_release(&r->messages[i]);
    free(r->messages);
    record_item_scratch_release(&r->scratch);
    buffer_release(&r->item);
    buffer_release(&r->seed);
    free(r->packed);
    free(r);
}

/* ---- One message ---- */

struct reading {
    struct message_reader *r;
    struct message_memory *memory;
    const struct message_source *source;
    record_sink *sink;
    message_reject *reject;
    void *ctx;
    size_t index;
    struct errbuf why; /* the current item is wrong */
};

/* Adds "field: what is wrong" to why; `ctx` is a struct reading. */
static void explain(const struct record_wrong *wrong, void *ctx)
{
    struct reading *m = ctx;
    struct errbuf before = m->why;
    struct slice field = wrong->path_len ? wrong->path[0].name : SLICE_LITERAL("");
    char text[RECORD_WRONG_TEXT_SIZE];

    errbuf_set(&m->why, "%s%s%.*s%s%s", before.text, before.text[0] ? "; " : "", SLICE_ARG(field),
               field.len ? ": " : "", record_wrong_text(wrong, text));
}

static struct uuid derive_id(struct reading *m, int64_t timestamp_us)
{
    struct buffer *seed = &m->r->seed;

    buffer_clear(seed);
    buffer_append_slice(seed, m->source->id);
    buffer_append_char(seed, '/');
    buffer_append_u64(seed, m->index);
    return uuid7_derived(timestamp_us, buffer_slice(seed));
}

static int reject_item(struct reading *m, yyjson_val *value)
{
    struct buffer *text = &m->r->item;

    buffer_clear(text);
    json_append_value(text, value);
    if (buffer_error(text) == LM_ETOOBIG) /* nested beyond all measure: only the reason is left */
        buffer_clear(text);
    if (buffer_error(text))
        return buffer_error(text);
    return m->reject(buffer_slice(text), m->why.text, m->ctx);
}

static int read_item(struct reading *m, yyjson_val *value)
{
    struct record_item item;

    m->why.text[0] = '\0';
    int error = record_item_read(&m->r->scratch, value, RECORD_ITEM_QUEUED, &m->memory->attributes,
                                 &item, explain, m);
    if (error == LM_ETOOBIG)
        errbuf_set(&m->why, "nested more than %d levels deep", RECORD_STORED_DEPTH_MAX);
    if (error == LM_EINVAL || error == LM_ETOOBIG)
        return reject_item(m, value);
    if (error)
        return error;
    struct log_key *key = &item.record.key;
    if (!item.has_timestamp)
        key->timestamp_us = m->source->sent_us;
    if (!item.has_id)
        key->id = derive_id(m, key->timestamp_us);
    return m->sink(&item.record, m->ctx);
}

static int read_items(struct reading *m, yyjson_val *array)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    int error = 0;

    for (yyjson_val *value; !error && (value = yyjson_arr_iter_next(&iter)); m->index++)
        error = read_item(m, value);
    return error;
}

/* An object with a version and no message is a batch, though maybe of a version we cannot read. */
static bool is_batch(yyjson_val *root)
{
    return yyjson_is_obj(root) && yyjson_obj_get(root, "v") && !yyjson_obj_get(root, "message");
}

static int read_batch(struct reading *m, yyjson_val *root, struct errbuf *reason)
{
    yyjson_val *version = yyjson_obj_get(root, "v");
    yyjson_val *logs = yyjson_obj_get(root, "logs");

    if (!yyjson_is_raw(version))
        return errbuf_fail(reason, LM_EINVAL, "the batch version is not a number");
    if (!slice_equal(json_text(version), SLICE_LITERAL("1")))
        return errbuf_fail(reason, LM_EINVAL,
                           "unknown batch version %.*s, as JSON this logmill reads %d",
                           SLICE_ARG(json_text(version)), MESSAGE_V1);
    if (!yyjson_is_arr(logs))
        return errbuf_fail(reason, LM_EINVAL, "the batch has no array \"logs\"");
    return read_items(m, logs);
}

static int add_packed(struct message_reader *r, const struct record *record)
{
    if (r->packed_len == r->packed_capacity) {
        size_t capacity = r->packed_capacity ? r->packed_capacity * 2 : FIRST_PACKED;
        struct record *records = try_realloc(r->packed, capacity * sizeof(*records));

        if (!records)
            return LM_ENOMEM;
        r->packed = records;
        r->packed_capacity = capacity;
    }
    r->packed[r->packed_len++] = *record;
    return 0;
}

/* All are read before the first is handed over: from a message that is wrong nothing is taken. */
static int read_packed(struct reading *m, struct slice text, struct errbuf *reason)
{
    struct message_reader *r = m->r;
    int error = packed_open(&text, reason);

    r->packed_len = 0;
    while (!error && text.len > 0) {
        struct record record;

        if (packed_next(&text, &record))
            return errbuf_fail(reason, LM_EINVAL, "log %zu of the batch cannot be understood",
                               r->packed_len);
        error = add_packed(r, &record);
    }
    for (size_t i = 0; !error && i < r->packed_len; i++)
        error = m->sink(&r->packed[i], m->ctx);
    return error;
}

static int say_no_json(struct slice text, struct errbuf *reason)
{
    struct json_error why;

    json_explain(text, RECORD_STORED_DEPTH_MAX + AROUND_DEPTH, &why);
    return errbuf_fail(reason, LM_EINVAL, "not JSON: %s at character %zu", why.message,
                       why.position);
}

int message_reader_read(struct message_reader *r, const struct message_source *source,
                        record_sink *sink, message_reject *reject, void *ctx, struct errbuf *reason)
{
    struct reading m = {.r = r, .source = source, .sink = sink, .reject = reject, .ctx = ctx};
    struct slice text = json_without_bom(source->body);
    size_t nuls = 0;

    if (source->ours_alone && packed_is(source->body))
        return read_packed(&m, source->body, reason);
    m.memory = next_memory(r);

    int error = json_doc_read_cleaned(&m.memory->doc, text, &nuls);
    if (error)
        return error == LM_EINVAL ? say_no_json(text, reason) : error;
    /* All of it at once, so that growing never moves what the sink has been given. */
    buffer_clear(&m.memory->attributes);
    if (!buffer_reserve(&m.memory->attributes, JSON_GROWTH_MAX * text.len))
        return buffer_error(&m.memory->attributes);

    yyjson_val *root = yyjson_doc_get_root(m.memory->doc.doc);
    if (is_batch(root))
        return read_batch(&m, root, reason);
    if (yyjson_is_arr(root))
        return read_items(&m, root);
    if (yyjson_is_obj(root))
        return read_item(&m, root);
    return errbuf_fail(reason, LM_EINVAL, "neither a batch, a log nor an array of logs");
}
