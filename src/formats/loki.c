#include "formats/loki.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "formats/loki_labels.h"
#include "formats/members.h"
#include "formats/names.h"
#include "formats/protobuf.h"
#include "formats/repeats.h"
#include "formats/snappy.h"
#include "record/draft.h"
#include "json/error.h"
#include "json/reader.h"
#include "json/writer.h"

enum {
    WARM_BYTES_MAX = 256 << 10, /* of a push, for which memory is kept */
    NS_PER_US = 1000,
    NS_PER_S = 1000000000,
    US_PER_S = 1000000,
    JSON_DEPTH_MAX = 128,
};

/* What labels and metadata call the level, the best first. */
enum { LEVEL_NAMES = 3 };
static const struct slice level_names[LEVEL_NAMES] = {
    SLICE_LITERAL("level"), SLICE_LITERAL("severity"), SLICE_LITERAL("detected_level")};

/* Of one thread, for push after push. */
struct memory {
    struct record_draft draft;
    struct json_doc doc;
    struct buffer push;                /* decompressed */
    struct buffer label;               /* the value of one */
    struct buffer levels[LEVEL_NAMES]; /* values of a stream's labels of these names */
    struct account *account;
};

struct push {
    struct memory *memory;
    struct record_draft *draft; /* the memory's */
    record_sink *sink;
    void *ctx;
    struct format_counts *counts;
    struct repeats repeats;
    size_t number; /* of entries so far */
    int64_t arrival_us;
    struct record_draft_mark of_stream;
    bool stream_is_wrong; /* none of its entries can be taken */
    struct errbuf why;    /* what is wrong with the push */
};

struct entry {
    bool has_time, is_wrong;
    int64_t us;
    unsigned below_us;
    struct slice line;
    struct slice levels[LEVEL_NAMES]; /* values of metadata of these names */
};

/* ---- A stream, and its entries ---- */

/* Whether an error of a draft comes of what is in it. */
static bool can_never_be(int error)
{
    return error == LM_EINVAL || error == LM_EDATA;
}

/* LEVEL_NAMES if it is none of them. */
static size_t find_level(struct slice name)
{
    size_t i = 0;

    while (i < LEVEL_NAMES && !slice_equal(name, level_names[i]))
        i++;
    return i;
}

static void begin_stream(struct push *p)
{
    record_draft_begin(p->draft);
    for (size_t i = 0; i < LEVEL_NAMES; i++)
        buffer_clear(&p->memory->levels[i]);
}

/* A loki_label; `ctx` is a struct push. */
static void add_label(struct slice name, struct slice value, void *ctx)
{
    struct push *p = ctx;
    size_t i = find_level(name);

    if (i == LEVEL_NAMES) {
        record_draft_text(p->draft, name, value);
    } else {
        buffer_clear(&p->memory->levels[i]);
        buffer_append_slice(&p->memory->levels[i], value);
    }
}

/* Labels in one text: kept as it is if it cannot be read. */
static void add_labels(struct push *p, struct slice text)
{
    int error = text.len ? loki_labels_read(text, &p->memory->label, add_label, p) : 0;

    if (error == LM_EINVAL) {
        begin_stream(p);
        record_draft_text(p->draft, SLICE_LITERAL("labels"), text);
    } else {
        record_draft_fail(p->draft, error);
    }
}

/* What is wrong with labels is wrong with each entry; what is not their fault is an error. */
static int end_labels(struct push *p)
{
    struct record_draft *d = p->draft;
    struct record unused;
    int error = 0;

    for (size_t i = 0; i < LEVEL_NAMES; i++)
        record_draft_fail(d, buffer_error(&p->memory->levels[i]));
    if (d->error || buffer_error(&d->attributes))
        error = record_draft_finish(d, p->arrival_us, &unused, &p->why);
    p->stream_is_wrong = can_never_be(error);
    if (!error)
        p->of_stream = record_draft_mark(d);
    return p->stream_is_wrong ? 0 : error;
}

static void begin_entry(struct push *p)
{
    if (p->stream_is_wrong)
        record_draft_begin(p->draft);
    else
        record_draft_again(p->draft, &p->of_stream);
}

static void add_metadata(struct push *p, struct entry *e, struct slice name, struct slice value)
{
    size_t i = find_level(name);

    if (i == LEVEL_NAMES)
        record_draft_text(p->draft, name, value);
    else
        e->levels[i] = value;
}

/* The best is the level, the others are attributes; an entry's own counts before its stream's. */
static void add_levels(struct push *p, const struct entry *e)
{
    bool found = false;

    for (size_t i = 0; i < LEVEL_NAMES; i++) {
        struct slice value = e->levels[i].len ? e->levels[i] : buffer_slice(&p->memory->levels[i]);

        if (value.len && !found)
            record_draft_level(p->draft, value);
        else if (value.len)
            record_draft_text(p->draft, level_names[i], value);
        found |= value.len > 0;
    }
}

/* Hands an entry on, or leaves it out and counts it: who is told that one can never be taken sends
 * it again, with all that comes behind it. */
static int end_entry(struct push *p, struct entry *e)
{
    struct record_draft *d = p->draft;
    struct record record;
    int error = p->stream_is_wrong || e->is_wrong ? LM_EINVAL : 0;

    add_levels(p, e);
    if (e->line.len && e->line.data[e->line.len - 1] == '\n')
        e->line.len--;
    record_draft_message(d, e->line);
    if (e->has_time) {
        members_put_time(d, e->us, e->below_us);
        repeats_name(&p->repeats, d, p->number, e->us, e->below_us);
    }
    p->number++;
    if (!error)
        error = record_draft_finish(d, p->arrival_us, &record, &p->why);
    if (can_never_be(error)) {
        p->counts->refused++;
        return 0;
    }
    if (!error)
        error = p->sink(&record, p->ctx);
    if (!error)
        p->counts->records++;
    return error;
}

static bool look(struct push *p, const struct entry *e)
{
    return repeats_look(&p->repeats, e->has_time && !e->is_wrong ? &e->us : NULL, e->below_us);
}

/* ---- Protobuf ---- */

#define BYTES(number) PROTOBUF_KEY(number, PROTOBUF_BYTES)
#define VARINT(number) PROTOBUF_KEY(number, PROTOBUF_VARINT)

/* Fields by their message, as grafana/loki's push.proto numbers them. */
enum {
    PUSH_STREAMS = BYTES(1),

    STREAM_LABELS = BYTES(1),
    STREAM_ENTRIES = BYTES(2),

    ENTRY_TIMESTAMP = BYTES(1),
    ENTRY_LINE = BYTES(2),
    ENTRY_METADATA = BYTES(3),

    TIMESTAMP_SECONDS = VARINT(1),
    TIMESTAMP_NANOS = VARINT(2),

    PAIR_NAME = BYTES(1),
    PAIR_VALUE = BYTES(2),
};

/* 0 if the message has been read to its end. */
static int end_of(struct push *p, const struct protobuf *message)
{
    if (!message->error)
        return 0;
    return errbuf_fail(&p->why, LM_EINVAL, "not Loki's protobuf: %s", message->error);
}

static int read_timestamp(struct push *p, struct slice bytes, struct entry *e)
{
    struct protobuf message;
    struct protobuf_field f;
    int64_t seconds = 0, nanos = 0;

    protobuf_begin(&message, bytes);
    while (protobuf_next(&message, &f)) {
        if (f.key == TIMESTAMP_SECONDS)
            seconds = (int64_t)f.value;
        else if (f.key == TIMESTAMP_NANOS)
            nanos = (int64_t)f.value;
    }
    e->has_time = true;
    if (seconds < TIMESTAMP_MIN_US / US_PER_S || seconds > TIMESTAMP_MAX_US / US_PER_S ||
        nanos < 0 || nanos >= NS_PER_S) {
        e->is_wrong = true;
    } else {
        e->us = seconds * US_PER_S + nanos / NS_PER_US;
        e->below_us = (unsigned)(nanos % NS_PER_US);
    }
    return end_of(p, &message);
}

static int read_metadata(struct push *p, struct slice bytes, struct entry *e)
{
    struct slice name = {NULL, 0}, value = {NULL, 0};
    struct protobuf message;
    struct protobuf_field f;

    protobuf_begin(&message, bytes);
    while (protobuf_next(&message, &f)) {
        if (f.key == PAIR_NAME)
            name = f.bytes;
        else if (f.key == PAIR_VALUE)
            value = f.bytes;
    }
    add_metadata(p, e, name, value);
    return end_of(p, &message);
}

static int read_entry(struct push *p, struct slice bytes)
{
    struct entry e = {.has_time = false};
    struct protobuf message;
    struct protobuf_field f;
    int error = 0;

    begin_entry(p);
    protobuf_begin(&message, bytes);
    while (!error && protobuf_next(&message, &f)) {
        if (f.key == ENTRY_TIMESTAMP)
            error = read_timestamp(p, f.bytes, &e);
        else if (f.key == ENTRY_LINE)
            e.line = f.bytes;
        else if (f.key == ENTRY_METADATA)
            error = read_metadata(p, f.bytes, &e);
    }
    if (!error)
        error = end_of(p, &message);
    return error ? error : end_entry(p, &e);
}

/* Labels may come behind the entries. */
static int read_stream(struct push *p, struct slice bytes)
{
    struct slice labels = {NULL, 0};
    struct protobuf message;
    struct protobuf_field f;
    int error = 0;

    protobuf_begin(&message, bytes);
    while (protobuf_next(&message, &f))
        if (f.key == STREAM_LABELS)
            labels = f.bytes;
    begin_stream(p);
    add_labels(p, labels);
    error = end_labels(p);
    protobuf_begin(&message, bytes);
    while (!error && protobuf_next(&message, &f))
        if (f.key == STREAM_ENTRIES)
            error = read_entry(p, f.bytes);
    return error ? error : end_of(p, &message);
}

/* What is wrong is found by the reading. `ctx` is a struct push. */
static bool look_at_entry(void *ctx, struct slice bytes)
{
    struct push *p = ctx;
    struct entry e = {.has_time = false};
    struct protobuf message;
    struct protobuf_field f;

    protobuf_begin(&message, bytes);
    while (protobuf_next(&message, &f))
        if (f.key == ENTRY_TIMESTAMP && read_timestamp(p, f.bytes, &e))
            return true; /* the push is refused */
    return look(p, &e);
}

static int read_protobuf(struct push *p, struct slice bytes)
{
    static const uint32_t path[] = {PUSH_STREAMS, STREAM_ENTRIES, 0};
    struct protobuf message;
    struct protobuf_field f;
    int error = 0;

    repeats_begin(&p->repeats, bytes);
    (void)protobuf_each(bytes, path, look_at_entry, p);
    protobuf_begin(&message, bytes);
    while (!error && protobuf_next(&message, &f))
        if (f.key == PUSH_STREAMS)
            error = read_stream(p, f.bytes);
    return error ? error : end_of(p, &message);
}

static int read_block(struct push *p, struct slice body)
{
    struct memory *m = p->memory;

    buffer_clear(&m->push);
    if (!buffer_charge(&m->push, m->account))
        return LM_EBUSY;
    int error = snappy_decompress(body, &m->push);
    p->counts->unpacked = buffer_wanted(&m->push);
    if (error == LM_EINVAL)
        (void)errbuf_fail(&p->why, error, "not protobuf in a block of snappy");
    else if (error == LM_ETOOBIG)
        error = LM_EDATA;
    else if (!error)
        error = read_protobuf(p, buffer_slice(&m->push));
    if (m->push.capacity > WARM_BYTES_MAX)
        buffer_release(&m->push);
    /* What is kept is not charged, which always succeeds. */
    return buffer_charge(&m->push, NULL) ? error : LM_EBUSY;
}

/* ---- JSON ---- */

static void leave_out(struct push *p)
{
    p->number++;
    p->counts->refused++;
}

/* Nanoseconds since 1970 in a text, or a number; without them the entry has no time. */
static void read_nanoseconds(yyjson_val *value, struct entry *e)
{
    struct slice text = json_text(value);

    if (!value || yyjson_is_null(value))
        return;
    bool negative = text.len && text.data[0] == '-';
    int64_t ns = 0;

    e->has_time = true;
    e->is_wrong |= text.len == negative;
    for (size_t i = negative; i < text.len && !e->is_wrong; i++) {
        int digit = text.data[i] - '0';

        e->is_wrong = digit < 0 || digit > 9 || ns > (INT64_MAX - digit) / 10;
        if (!e->is_wrong)
            ns = 10 * ns + digit;
    }
    e->us = time_of_ns(negative ? -ns : ns, &e->below_us);
}

static void read_old_time(yyjson_val *value, struct entry *e)
{
    e->has_time = value && !yyjson_is_null(value);
    if (e->has_time)
        e->is_wrong = time_of_text(json_text(value), &e->us, &e->below_us) != 0;
}

static void add_members(struct push *p, yyjson_val *object, struct entry *e)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);

    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        struct slice name = json_text(key);

        if (!yyjson_is_str(value) && find_level(name) == LEVEL_NAMES)
            record_draft_json(p->draft, name, value);
        else if (e)
            add_metadata(p, e, name, json_text(value));
        else
            add_label(name, json_text(value), p);
    }
}

static int end_json_entry(struct push *p, struct entry *e, yyjson_val *line)
{
    e->is_wrong |= !yyjson_is_str(line);
    e->line = json_text(line);
    return end_entry(p, e);
}

/* ["NANOSECONDS","LINE",{METADATA}] */
static int read_value(struct push *p, yyjson_val *value)
{
    struct entry e = {.has_time = false};

    begin_entry(p);
    read_nanoseconds(yyjson_arr_get(value, 0), &e);
    add_members(p, yyjson_arr_get(value, 2), &e);
    return end_json_entry(p, &e, yyjson_arr_get(value, 1));
}

/* {"ts":"TIME","line":"LINE"}, the form before Loki 1.0 */
static int read_old_entry(struct push *p, yyjson_val *value)
{
    struct entry e = {.has_time = false};

    begin_entry(p);
    read_old_time(yyjson_obj_get(value, "ts"), &e);
    return end_json_entry(p, &e, yyjson_obj_get(value, "line"));
}

static int read_entries(struct push *p, yyjson_val *entries,
                        int read(struct push *p, yyjson_val *entry))
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(entries);
    int error = 0;

    if (entries && !yyjson_is_arr(entries))
        leave_out(p);
    for (yyjson_val *entry; !error && (entry = yyjson_arr_iter_next(&iter));)
        error = read(p, entry);
    return error;
}

static int read_json_stream(struct push *p, yyjson_val *stream)
{
    if (!yyjson_is_obj(stream)) {
        leave_out(p);
        return 0;
    }
    begin_stream(p);
    add_labels(p, json_text(yyjson_obj_get(stream, "labels")));
    add_members(p, yyjson_obj_get(stream, "stream"), NULL);
    int error = end_labels(p);
    if (!error)
        error = read_entries(p, yyjson_obj_get(stream, "values"), read_value);
    return error ? error : read_entries(p, yyjson_obj_get(stream, "entries"), read_old_entry);
}

static bool look_at_entries(struct push *p, yyjson_val *stream)
{
    yyjson_arr_iter values = yyjson_arr_iter_with(yyjson_obj_get(stream, "values"));
    yyjson_arr_iter entries = yyjson_arr_iter_with(yyjson_obj_get(stream, "entries"));
    bool enough = false;

    for (yyjson_val *value; !enough && (value = yyjson_arr_iter_next(&values));) {
        struct entry e = {.has_time = false};

        read_nanoseconds(yyjson_arr_get(value, 0), &e);
        enough = look(p, &e);
    }
    for (yyjson_val *entry; !enough && (entry = yyjson_arr_iter_next(&entries));) {
        struct entry e = {.has_time = false};

        read_old_time(yyjson_obj_get(entry, "ts"), &e);
        enough = look(p, &e);
    }
    return enough;
}

static void look_at_streams(struct push *p, yyjson_val *streams)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(streams);

    for (yyjson_val *stream; (stream = yyjson_arr_iter_next(&iter));)
        if (look_at_entries(p, stream))
            return;
}

static int read_json(struct push *p, struct slice body)
{
    struct json_doc *d = &p->memory->doc;
    struct slice text = json_without_bom(body);
    struct json_error why;
    int error = json_doc_read_cleaned(d, text, &p->counts->nul_characters);

    if (error == LM_EINVAL) {
        json_explain(text, JSON_DEPTH_MAX, &why);
        return errbuf_fail(&p->why, error, "not JSON: %s (character %zu)", why.message,
                           why.position);
    }
    if (error)
        return error;
    yyjson_val *streams = yyjson_obj_get(yyjson_doc_get_root(d->doc), "streams");
    if (!yyjson_is_arr(streams))
        return errbuf_fail(&p->why, LM_EINVAL, "there is no array \"streams\"");
    repeats_begin(&p->repeats, body);
    look_at_streams(p, streams);

    yyjson_arr_iter iter = yyjson_arr_iter_with(streams);
    for (yyjson_val *stream; !error && (stream = yyjson_arr_iter_next(&iter));)
        error = read_json_stream(p, stream);
    return error;
}

/* ---- The formats ---- */

static void *memory_new(struct account *account)
{
    struct memory *m = xcalloc(1, sizeof(*m));

    record_draft_init(&m->draft);
    json_doc_init(&m->doc);
    buffer_init(&m->push, LOKI_PUSH_BYTES_MAX);
    buffer_init(&m->label, RECORD_BYTES_MAX);
    for (size_t i = 0; i < LEVEL_NAMES; i++)
        buffer_init(&m->levels[i], RECORD_BYTES_MAX);
    m->account = account;
    return m;
}

static void memory_free(void *memory)
{
    struct memory *m = memory;

    if (!m)
        return;
    record_draft_release(&m->draft);
    json_doc_release(&m->doc);
    buffer_release(&m->push);
    buffer_release(&m->label);
    for (size_t i = 0; i < LEVEL_NAMES; i++)
        buffer_release(&m->levels[i]);
    free(m);
}

static int parse(int read(struct push *, struct slice), struct slice body,
                 const struct format_options *options, record_sink *sink, void *ctx,
                 struct format_counts *counts)
{
    struct memory *m = options->memory;
    struct push p = {.memory = m,
                     .draft = &m->draft,
                     .sink = sink,
                     .ctx = ctx,
                     .counts = counts,
                     .arrival_us = clock_arrival_us(),
                     .why = ERRBUF_INIT};

    *counts = (struct format_counts){.records = 0};
    m->draft.nul_characters = 0;
    int error = read(&p, body);
    counts->nul_characters += m->draft.nul_characters;
    if (error != LM_EINVAL)
        return error;
    buffer_appendf(options->wrong, "%s\n", p.why.text);
    error = buffer_error(options->wrong);
    if (error)
        return error == LM_ETOOBIG ? LM_EBUSY : error;
    return LM_EINVAL;
}

static int parse_protobuf(struct slice body, const struct format_options *options,
                          record_sink *sink, void *ctx, struct format_counts *counts)
{
    return parse(read_block, body, options, sink, ctx, counts);
}

static int parse_json(struct slice body, const struct format_options *options, record_sink *sink,
                      void *ctx, struct format_counts *counts)
{
    return parse(read_json, body, options, sink, ctx, counts);
}

/* Some clients take nothing else for a success. */
static struct format_answer answer(const struct format_taken *taken, struct buffer *body)
{
    (void)taken;
    (void)body;
    return (struct format_answer){.status = 204};
}

#define TEXT_TYPE "text/plain; charset=utf-8"

static struct format_answer refuse(enum format_refusal why, struct slice text, struct buffer *body)
{
    static const unsigned statuses[] = {
        [FORMAT_REFUSED_BUSY] = 503,    [FORMAT_REFUSED_TOO_LARGE] = 413,
        [FORMAT_REFUSED_CONTENT] = 400, [FORMAT_REFUSED_KEY] = 401,
        [FORMAT_REFUSED_ROLE] = 403,    [FORMAT_REFUSED_RATE] = 429,
    };

    buffer_append_slice(body, text);
    buffer_append_char(body, '\n');
    return (struct format_answer){statuses[why], TEXT_TYPE};
}

static const char *const protobuf_types[] = {"application/x-protobuf", NULL};
static const char *const json_types[] = {"application/json", NULL};

const struct format loki_protobuf = {
    .name = "loki",
    .media_types = protobuf_types,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .parse = parse_protobuf,
    .answer = answer,
    .refusal = {400, TEXT_TYPE},
    .refuse = refuse,
};

const struct format loki_json = {
    .name = "loki-json",
    .media_types = json_types,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .parse = parse_json,
    .answer = answer,
    .refusal = {400, TEXT_TYPE},
    .refuse = refuse,
};
