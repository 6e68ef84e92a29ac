#include "formats/json.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "record/rules.h"
#include "json/reader.h"
#include "json/writer.h"

enum {
    ARRAY_DEPTH = 1,  /* levels around an item of an array */
    MERGED_DEPTH = 1, /* attributes may be sent as a member, one level deeper than they count */
};

struct json_body_memory {
    struct json_doc doc;
    struct record_item_scratch scratch;
    struct buffer attributes; /* text of the attributes of an item */
};

struct json_body_memory *json_body_memory_new(void)
{
    struct json_body_memory *m = xcalloc(1, sizeof(*m));

    json_doc_init(&m->doc);
    buffer_init(&m->attributes, SIZE_MAX / 2); /* at most a small multiple of the text */
    return m;
}

void json_body_memory_free(struct json_body_memory *m)
{
    if (!m)
        return;
    json_doc_release(&m->doc);
    record_item_scratch_release(&m->scratch);
    buffer_release(&m->attributes);
    free(m);
}

struct body_parse {
    struct json_body_memory *memory;
    record_sink *sink;
    void *ctx;
    struct format_counts *counts;
    json_body_report *report;
    void *report_ctx;
    int64_t arrival_us; /* of all its logs; 0 before the first one that needs it */
    size_t text;        /* the number of the one that is being parsed */
    size_t max_depth;   /* of that text */
    bool wrong;         /* some item is: nothing goes to the sink any more */
    bool judged;        /* too_deep has been found out, as far as that is possible */
    bool too_deep;      /* the text is: that is all that is wrong with it */
    int failed;         /* LM_ENOMEM or LM_EBUSY: what is wrong cannot be told */
    bool checking;      /* nothing goes to the sink as yet */
    bool indexed;       /* the body holds many items, and this is number … */
    size_t index;
};

static void report(struct body_parse *b, struct json_body_wrong wrong)
{
    wrong.text = b->text;
    wrong.in_item = b->indexed;
    wrong.item = b->index;
    if (b->report)
        b->failed = b->report(&wrong, b->report_ctx);
    b->wrong = true;
}

/* Whether the text that is being parsed is too deep, as far as its attributes do not show it. */
static bool is_too_deep(struct body_parse *b)
{
    const struct json_doc *d = &b->memory->doc;

    if (!b->judged)
        b->too_deep =
            json_doc_deeper_than(d, yyjson_doc_get_root(d->doc), b->max_depth + MERGED_DEPTH);
    b->judged = true;
    return b->too_deep;
}

/* `ctx` is a struct body_parse. */
static void report_record(const struct record_wrong *wrong, void *ctx)
{
    struct body_parse *b = ctx;

    if (!b->failed && !is_too_deep(b))
        report(b, (struct json_body_wrong){.problem = JSON_BODY_NO_RECORD, .record = wrong});
}

/* Gives the sink the record of `value`, or reports what is wrong with it. */
static int parse_item(struct body_parse *b, yyjson_val *value)
{
    struct json_body_memory *m = b->memory;
    struct record_item item;

    buffer_clear(&m->attributes);
    int error = record_item_read(&m->scratch, value, RECORD_ITEM_SENT, &m->attributes, &item,
                                 report_record, b);
    if (error == LM_ETOOBIG)
        b->too_deep = true;
    if (b->failed)
        return b->failed;
    if (b->too_deep)
        return LM_EINVAL;
    if (error)
        return error == LM_EINVAL ? 0 : error;
    if (item.record.level.len + item.record.message.len + item.record.attributes.len >
        RECORD_BYTES_MAX)
        return LM_EDATA;
    if (b->wrong || b->checking)
        return 0;
    struct log_key *key = &item.record.key;
    if (!item.has_timestamp) {
        if (b->arrival_us == 0)
            b->arrival_us = clock_arrival_us();
        key->timestamp_us = b->arrival_us;
    }
    if (!item.has_id)
        key->id = uuid7_new(key->timestamp_us);
    error = b->sink(&item.record, b->ctx);
    if (!error)
        b->counts->records++;
    return error;
}

static int parse_array(struct body_parse *b, yyjson_val *root)
{
    yyjson_arr_iter iter;
    int error = 0;

    b->indexed = false;
    if (!yyjson_arr_iter_init(root, &iter)) {
        if (!is_too_deep(b))
            report(b, (struct json_body_wrong){
                          .problem = JSON_BODY_NO_ARRAY,
                          .record = &(struct record_wrong){.value = root},
                      });
        return b->failed;
    }
    b->indexed = true;
    b->index = 0;
    for (yyjson_val *value; !error && (value = yyjson_arr_iter_next(&iter)); b->index++)
        error = parse_item(b, value);
    return error;
}

/* Gives the root of the text, which has been read, to `parse`; and so once more without NULs. */
static int parse_root(struct body_parse *b, struct slice text,
                      int parse(struct body_parse *, yyjson_val *))
{
    struct json_doc *d = &b->memory->doc;

    if (json_doc_may_hold_nul(text)) {
        /* Errors speak of the text as it was sent; only what is stored has its NULs replaced. */
        b->checking = true;
        int error = parse(b, yyjson_doc_get_root(d->doc));
        b->checking = false;
        if (error || b->wrong)
            return error;
        error = json_doc_read_cleaned(d, text, &b->counts->nul_characters);
        if (error)
            return error;
    }
    return parse(b, yyjson_doc_get_root(d->doc));
}

/* Reads a JSON text and gives its root to `parse`. */
static int parse_text(struct body_parse *b, struct slice text, size_t max_depth,
                      int parse(struct body_parse *, yyjson_val *))
{
    int error = json_doc_read(&b->memory->doc, text);

    b->max_depth = max_depth;
    b->judged = b->too_deep = false;
    if (!error) {
        error = parse_root(b, text, parse);
        if (!b->too_deep)
            return error;
        error = LM_EINVAL;
    }
    if (error != LM_EINVAL)
        return error;

    struct json_error why;
    json_explain(text, max_depth, &why);
    report(b, (struct json_body_wrong){.problem = JSON_BODY_NO_JSON, .error = &why});
    return b->failed;
}

static bool is_blank(struct slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r')
            return false;
    }
    return true;
}

static int parse_ndjson(struct body_parse *b, struct slice text)
{
    int error = 0;

    b->indexed = true;
    while (!error && text.len > 0) {
        const char *newline = memchr(text.data, '\n', text.len);
        size_t len = newline ? (size_t)(newline - text.data) : text.len;
        size_t skip = newline ? len + 1 : len;
        struct slice line = slice_of(text.data, len);

        if (!is_blank(line)) {
            b->text = b->index;
            error = parse_text(b, line, RECORD_DEPTH_MAX, parse_item);
            b->index++;
        }
        text = slice_of(text.data + skip, text.len - skip);
    }
    return error;
}

int json_body_parse(struct json_body_memory *m, enum json_body kind, struct slice body,
                    record_sink *sink, void *ctx, struct format_counts *counts,
                    json_body_report *report_wrong, void *report_ctx)
{
    struct body_parse b = {.memory = m,
                           .sink = sink,
                           .ctx = ctx,
                           .counts = counts,
                           .report = report_wrong,
                           .report_ctx = report_ctx};
    struct slice text = json_without_bom(body);
    int error = 0;

    *counts = (struct format_counts){.records = 0};
    if (body.len == 0) {
        report(&b, (struct json_body_wrong){.problem = JSON_BODY_EMPTY});
        error = b.failed;
    } else if (kind == JSON_BODY_OBJECT) {
        error = parse_text(&b, text, RECORD_DEPTH_MAX, parse_item);
    } else if (kind == JSON_BODY_ARRAY) {
        error = parse_text(&b, text, RECORD_DEPTH_MAX + ARRAY_DEPTH, parse_array);
    } else {
        error = parse_ndjson(&b, text);
    }
    return !error && b.wrong ? LM_EINVAL : error;
}
