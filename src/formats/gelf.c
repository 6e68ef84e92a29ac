#include "formats/gelf.h"

#include <stdlib.h>

#include <zlib.h>

#include "base/clock.h"
#include "base/errbuf.h"
#include "base/xalloc.h"
#include "formats/gelf_chunks.h"
#include "formats/members.h"
#include "formats/names.h"
#include "json/reader.h"
#include "json/writer.h"

enum {
    ANY_HEADER = 15 + 32, /* of zlib or gzip: zlib's own way to say so */
    UNPACK_STEP = 16 * 1024,
    UNPACKED_KEPT_MAX = 256 * 1024, /* bytes that are kept for the next message */
};

struct memory {
    struct json_doc doc;
    struct record_draft draft;
    z_stream zlib;
    bool has_zlib;
    struct buffer unpacked;
};

static void *memory_new(struct account *account)
{
    struct memory *m = xcalloc(1, sizeof(*m));

    json_doc_init(&m->doc);
    record_draft_init(&m->draft);
    buffer_init_within(&m->unpacked, GELF_MESSAGE_MAX + UNPACK_STEP, account);
    return m;
}

static void memory_free(void *memory)
{
    struct memory *m = memory;

    if (!m)
        return;
    json_doc_release(&m->doc);
    record_draft_release(&m->draft);
    if (m->has_zlib)
        inflateEnd(&m->zlib);
    buffer_release(&m->unpacked);
    free(m);
}

/* ---- Packed messages ---- */

static bool is_packed(struct slice body)
{
    return body.len >= 2 &&
           ((unsigned char)body.data[0] == 0x78 || memcmp(body.data, "\x1f\x8b", 2) == 0);
}

static int begin_zlib(struct memory *m)
{
    int result = m->has_zlib ? inflateReset(&m->zlib) : inflateInit2(&m->zlib, ANY_HEADER);

    m->has_zlib |= result == Z_OK;
    return result == Z_OK ? 0 : LM_ENOMEM;
}

/* LM_EINVAL: it is not packed as it says; LM_EDATA: it would be too large. */
static int unpack(struct memory *m, struct slice body)
{
    int error = begin_zlib(m);
    int result = Z_OK;

    buffer_clear(&m->unpacked);
    m->zlib.next_in = (unsigned char *)body.data;
    m->zlib.avail_in = (unsigned)body.len;
    while (!error && result != Z_STREAM_END) {
        char *room = buffer_reserve(&m->unpacked, UNPACK_STEP);

        if (!room)
            return buffer_error(&m->unpacked) == LM_ETOOBIG ? LM_EDATA : buffer_error(&m->unpacked);
        m->zlib.next_out = (unsigned char *)room;
        m->zlib.avail_out = UNPACK_STEP;
        result = inflate(&m->zlib, Z_NO_FLUSH);
        m->unpacked.len += UNPACK_STEP - m->zlib.avail_out;
        if (result == Z_MEM_ERROR)
            error = LM_ENOMEM;
        else if (result != Z_OK && result != Z_STREAM_END) /* Z_BUF_ERROR: it is cut short */
            error = LM_EINVAL;
        else if (m->unpacked.len > GELF_MESSAGE_MAX)
            error = LM_EDATA;
    }
    return error;
}

/* ---- Messages ---- */

static bool is_own_name(struct slice name)
{
    static const char *const names[] = {"host",  "full_message", "facility",
                                        "file",  "line",         "timestamp",
                                        "level", "version",      "short_message"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (slice_equal(name, slice_of_string(names[i])))
            return true;
    return false;
}

/* Without white space and the zero byte at its end: so messages end over TCP, and so do texts. */
static struct slice without_end(struct slice text)
{
    while (text.len && (unsigned char)text.data[text.len - 1] <= ' ')
        text.len--;
    return text;
}

/* What is in a message beside its attributes; a key is NULL if there is none of use. */
struct message {
    struct slice text;
    yyjson_val *text_key, *full_key, *time_key, *level_key;
    struct slice level;
    int64_t us;
    unsigned below_us;
};

static struct message read_message(yyjson_val *object)
{
    struct message m = {.text = {NULL, 0}};
    struct slice full = {NULL, 0};
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);

    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);

        if (yyjson_equals_str(key, "short_message") && yyjson_is_str(value)) {
            m.text_key = key;
            m.text = json_text(value);
        } else if (yyjson_equals_str(key, "full_message") && yyjson_is_str(value)) {
            m.full_key = key;
            full = json_text(value);
        } else if (yyjson_equals_str(key, "timestamp") && json_text(value).len &&
                   !time_of_text(json_text(value), &m.us, &m.below_us)) {
            m.time_key = key;
        } else if (yyjson_equals_str(key, "level") && members_level(value).len) {
            m.level_key = key;
            m.level = members_level(value);
        }
    }
    if (!m.text.len) {
        m.text_key = m.full_key;
        m.text = full;
    }
    if (!slice_equal(without_end(full), without_end(m.text)))
        m.full_key = NULL; /* then it is an attribute */
    return m;
}

static void put_message(struct record_draft *d, yyjson_val *object, const struct message *m)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);

    record_draft_message(d, m->text);
    if (m->level_key)
        record_draft_level(d, m->level);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        struct slice name = json_text(key);

        if (key == m->text_key || key == m->full_key || key == m->time_key || key == m->level_key ||
            slice_equal(name, SLICE_LITERAL("version")))
            continue;
        if (name.len > 1 && name.data[0] == '_' &&
            !is_own_name(slice_of(name.data + 1, name.len - 1)))
            name = slice_of(name.data + 1, name.len - 1);
        record_draft_json(d, name, yyjson_obj_iter_get_val(key));
    }
    if (m->time_key)
        members_put_time(d, m->us, m->below_us);
}

/* ---- The format ---- */

static int refuse_message(struct buffer *wrong, const char *why)
{
    buffer_append_string(wrong, why);
    buffer_append_char(wrong, '\n');
    return buffer_error(wrong) ? buffer_error(wrong) : LM_EINVAL;
}

/* What a log gets that says nothing of it. */
struct origin {
    int64_t arrival_us;
    const uint64_t *bits; /* of its stream; NULL: the log gets a new id */
    uint64_t number;      /* … and its number in it */
};

/* LM_EINVAL: it can never be a log; `why` says it. */
static int take(struct memory *m, struct slice text, const struct origin *from, record_sink *sink,
                void *ctx, struct format_counts *counts, struct errbuf *why)
{
    struct record record;

    text = without_end(text);
    int error = json_doc_read_cleaned(&m->doc, json_without_bom(text), &counts->nul_characters);
    if (error && error != LM_EINVAL)
        return error;
    yyjson_val *root = error ? NULL : yyjson_doc_get_root(m->doc.doc);
    if (!yyjson_is_obj(root))
        return errbuf_fail(why, LM_EINVAL, "no JSON object");
    struct message message = read_message(root);
    m->draft.nul_characters = 0;
    record_draft_begin(&m->draft);
    put_message(&m->draft, root, &message);
    if (from->bits)
        record_draft_within(&m->draft, from->bits, from->number);
    error = record_draft_finish(&m->draft, from->arrival_us, &record, why);
    if (!error)
        error = sink(&record, ctx);
    counts->records += !error;
    counts->nul_characters += m->draft.nul_characters;
    return error;
}

static int parse(struct slice body, const struct format_options *options, record_sink *sink,
                 void *ctx, struct format_counts *counts)
{
    struct memory *m = options->memory;
    struct errbuf why = ERRBUF_INIT;
    bool packed = is_packed(body);
    int error = packed ? unpack(m, body) : 0;

    *counts = (struct format_counts){.unpacked = packed ? buffer_wanted(&m->unpacked) : 0};
    if (error == LM_EINVAL)
        errbuf_set(&why, "neither zlib nor gzip, as its first bytes say");
    else if (!error)
        error = take(m, packed ? buffer_slice(&m->unpacked) : body,
                     &(struct origin){.arrival_us = clock_arrival_us()}, sink, ctx, counts, &why);
    if (m->unpacked.capacity > UNPACKED_KEPT_MAX)
        buffer_release(&m->unpacked);
    return error == LM_EINVAL ? refuse_message(options->wrong, why.text) : error;
}

/* ---- Over TCP ---- */

struct session {
    uint64_t searched; /* bytes of what is not used among which there is no zero byte */
    bool skips;        /* up to the next zero byte: it is of a message that was too large */
};

static void *stream_memory_new(const struct stream_setup *setup, struct account *account)
{
    return memory_new(account);
}

/* Frees what a large message has made large: nobody is charged for it. */
static void forget(struct memory *m)
{
    json_doc_release(&m->doc);
    json_doc_init(&m->doc);
    record_draft_release(&m->draft);
    record_draft_init(&m->draft);
    buffer_release(&m->unpacked);
}

/* One message, of a stream or a datagram. What can never be a log is counted. */
static int take_next(struct memory *m, struct slice text, const struct stream_input *in,
                     record_sink *sink, void *ctx, struct format_counts *counts)
{
    const struct origin from = {
        .arrival_us = in->arrival_us, .bits = in->bits, .number = in->number + counts->records};
    struct errbuf why = ERRBUF_INIT;

    if (without_end(text).len == 0)
        return 0;

    size_t records = counts->records;
    int error = take(m, text, &from, sink, ctx, counts, &why);

    if (text.len > UNPACKED_KEPT_MAX)
        forget(m);
    if ((error != LM_EINVAL && error != LM_EDATA) || counts->records > records)
        return error;
    counts->refused++;
    return 0;
}

/*
 * A message ends with a zero byte, or where nothing comes any more. Of one that is too large the
 * rest is left out with it.
 */
static int read_stream(void *memory, void *session, const struct stream_input *in,
                       record_sink *sink, void *ctx, struct stream_output *out)
{
    struct memory *m = memory;
    struct session *state = session;
    struct slice rest = in->bytes;

    while (rest.len) {
        const char *zero =
            memchr(rest.data + state->searched, '\0', rest.len - (size_t)state->searched);
        struct slice text = {rest.data, zero ? (size_t)(zero - rest.data) : rest.len};
        bool is_whole = zero || in->is_over;
        int error = 0;

        state->searched = 0;
        if (!is_whole && !state->skips && !in->has_waited) {
            state->searched = rest.len;
            break;
        }
        if (is_whole && !state->skips)
            error = take_next(m, text, in, sink, ctx, &out->counts);
        else if (!state->skips)
            out->counts.refused++;
        if (error)
            return error;
        state->skips = !is_whole;
        text.len += zero != NULL;
        rest = slice_of(rest.data + text.len, rest.len - text.len);
        out->used += text.len;
    }
    return 0;
}

static struct format_answer answer(const struct format_taken *taken, struct buffer *body)
{
    return (struct format_answer){.status = 202, .content_type = "text/plain"};
}

static const char *const media_types[] = {"application/json", NULL};

const struct format gelf_message = {
    .name = "gelf",
    .media_types = media_types,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .parse = parse,
    .answer = answer,
    .refusal = {.status = 400, .content_type = "text/plain"},
};

/* ---- Over UDP ---- */

static int read_datagram(void *memory, void *session, const struct stream_input *in,
                         record_sink *sink, void *ctx, struct stream_output *out)
{
    struct memory *m = memory;
    bool packed = is_packed(in->bytes);
    int error = packed ? unpack(m, in->bytes) : 0;

    out->used = in->bytes.len;
    if (!error)
        error = take_next(m, packed ? buffer_slice(&m->unpacked) : in->bytes, in, sink, ctx,
                          &out->counts);
    else if (error == LM_EINVAL || error == LM_EDATA)
        error = (out->counts.refused++, 0);
    if (m->unpacked.capacity > UNPACKED_KEPT_MAX)
        buffer_release(&m->unpacked);
    return error;
}

const struct stream_format gelf_datagram = {
    .name = "gelf",
    .message_max = GELF_MESSAGE_MAX,
    .memory_new = stream_memory_new,
    .memory_free = memory_free,
    .read = read_datagram,
    .joiner = &gelf_chunks,
};

const struct stream_format gelf_stream = {
    .name = "gelf",
    .message_max = GELF_MESSAGE_MAX,
    .session_bytes = sizeof(struct session),
    .memory_new = stream_memory_new,
    .memory_free = memory_free,
    .read = read_stream,
};
