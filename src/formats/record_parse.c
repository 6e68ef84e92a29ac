#include "formats/record_parse.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "record/rules.h"
#include "json/error.h"
#include "json/reader.h"
#include "json/writer.h"

enum {
    ARRAY_DEPTH = 1,  /* levels around an item of an array */
    MERGED_DEPTH = 1, /* attributes may be sent as a member, one level deeper than they count */
};

struct record_parser {
    struct record_doc doc; /* of a request's body */
    struct record_item_scratch scratch;
    struct buffer attributes; /* text of the attributes of an item of a body */
    struct buffer input;      /* text of an item that is wrong */
    struct buffer ctx;        /* "ctx" of an error */
};

struct record_parser *record_parser_new(void)
{
    struct record_parser *p = xcalloc(1, sizeof(*p));

    record_doc_init(&p->doc);
    /* None of these grows past a small multiple of the text that is being parsed. */
    buffer_init(&p->attributes, SIZE_MAX / 2);
    buffer_init(&p->input, SIZE_MAX / 2);
    buffer_init(&p->ctx, SIZE_MAX / 2);
    return p;
}

void record_parser_charge(struct record_parser *p, struct account *account)
{
    assert(p->input.capacity == 0 && p->ctx.capacity == 0);
    p->input.account = account;
    p->ctx.account = account;
}

void record_parser_free(struct record_parser *p)
{
    if (!p)
        return;
    record_doc_release(&p->doc);
    record_item_scratch_release(&p->scratch);
    buffer_release(&p->attributes);
    buffer_release(&p->input);
    buffer_release(&p->ctx);
    free(p);
}

struct body_parse {
    struct record_parser *p;
    record_sink *sink;
    void *ctx;
    struct record_parse_counts *counts;
    struct validation *v;
    int64_t arrival_us; /* of all its logs; 0 before the first one that needs it */
    bool wrong;         /* some item is: nothing goes to the sink any more */
    size_t max_depth;   /* of the text that is being parsed */
    bool judged;        /* too_deep has been found out, as far as that is possible */
    bool too_deep;      /* the text is: that is all that is wrong with it */
    int failed;         /* LM_ENOMEM or LM_EBUSY: what is wrong cannot be told */
    bool checking;      /* nothing goes to the sink as yet */
    bool indexed;       /* the body holds many items, and this is number … */
    size_t index;
};

/* Adds an error at "body", the index of the item where there are many, then `path`. */
static void add_error(struct body_parse *b, const struct validation_entry *error,
                      const struct validation_step *path, size_t path_len)
{
    struct validation_step loc[2 + RECORD_ITEM_PATH_MAX] = {{.name = SLICE_LITERAL("body")}};
    struct validation_entry entry = *error;

    entry.loc = loc;
    entry.loc_len = 1;
    if (b->indexed)
        loc[entry.loc_len++] = (struct validation_step){.index = b->index};
    for (size_t i = 0; i < path_len; i++)
        loc[entry.loc_len++] = path[i];
    validation_add(b->v, &entry);
    b->wrong = true;
}

/* Whether the text that is being parsed is too deep, as far as its attributes do not show it. */
static bool is_too_deep(struct body_parse *b)
{
    const struct record_doc *d = &b->p->doc;

    if (!b->judged)
        b->too_deep =
            record_doc_deeper_than(d, yyjson_doc_get_root(d->doc), b->max_depth + MERGED_DEPTH);
    b->judged = true;
    return b->too_deep;
}

/* The same for an error of an item; `ctx` is a struct body_parse. */
static void add_item_error(const struct record_item_error *error, void *ctx)
{
    struct body_parse *b = ctx;
    struct record_parser *p = b->p;
    struct validation_step field = {.name = slice_of_string(error->field ? error->field : "")};

    if (b->failed || is_too_deep(b))
        return;
    buffer_clear(&p->input);
    json_append_value(&p->input, error->input);
    buffer_clear(&p->ctx);
    if (error->ctx) {
        buffer_append_string(&p->ctx, error->ctx);
    } else if (error->reason) {
        buffer_append_string(&p->ctx, "{\"error\":");
        json_append_string(&p->ctx, slice_of_string(error->reason));
        buffer_append_char(&p->ctx, '}');
    }
    if (buffer_error(&p->input) == LM_ETOOBIG) { /* nested too deep to be shown */
        buffer_clear(&p->input);
        buffer_append_string(&p->input, "null");
    }
    b->failed = buffer_error(&p->input) ? buffer_error(&p->input) : buffer_error(&p->ctx);
    if (b->failed)
        return;
    struct validation_entry entry = {
        .type = error->type,
        .msg = slice_of_string(error->msg),
        .input = buffer_slice(&p->input),
        .ctx = buffer_slice(&p->ctx),
    };
    if (error->field)
        add_error(b, &entry, &field, 1);
    else
        add_error(b, &entry, error->path, error->path_len);
}

static void add_json_error(struct body_parse *b, struct slice text, size_t max_depth)
{
    struct buffer *reason = &b->p->ctx;
    struct json_error error;

    json_explain(text, max_depth, &error);
    struct validation_step position = {.index = error.position};
    buffer_clear(reason);
    buffer_append_string(reason, "{\"error\":");
    json_append_string(reason, slice_of_string(error.message));
    buffer_append_char(reason, '}');
    b->failed = buffer_error(reason);
    if (b->failed)
        return;
    struct validation_entry entry = {
        .type = "json_invalid",
        .msg = SLICE_LITERAL("JSON decode error"),
        .input = SLICE_LITERAL("{}"),
        .ctx = buffer_slice(reason),
    };
    add_error(b, &entry, &position, 1);
}

/* Gives the sink the record of `value`, or reports what is wrong with it. */
static int parse_item(struct body_parse *b, yyjson_val *value)
{
    struct record_parser *p = b->p;
    struct record_item item;

    buffer_clear(&p->attributes);
    int error = record_item_read(&p->scratch, value, RECORD_ITEM_SENT, &p->attributes, &item,
                                 add_item_error, b);
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
    if (error == 0)
        b->counts->records++;
    return error;
}

static int parse_array(struct body_parse *b, yyjson_val *root)
{
    yyjson_arr_iter iter;
    int error = 0;

    b->indexed = false;
    if (!yyjson_arr_iter_init(root, &iter)) {
        add_item_error(&(struct record_item_error){.type = "list_type",
                                                   .msg = "Input should be a valid list",
                                                   .input = root},
                       b);
        return b->failed;
    }
    b->indexed = true;
    b->index = 0;
    for (yyjson_val *value; error == 0 && (value = yyjson_arr_iter_next(&iter)) != NULL; b->index++)
        error = parse_item(b, value);
    return error;
}

/* Gives the root of the text, which has been read, to `parse`; and so once more without NULs. */
static int parse_root(struct body_parse *b, struct slice text,
                      int parse(struct body_parse *, yyjson_val *))
{
    struct record_doc *d = &b->p->doc;

    if (record_doc_may_hold_nul(text)) {
        /* Errors speak of the text as it was sent; only what is stored has its NULs replaced. */
        b->checking = true;
        int error = parse(b, yyjson_doc_get_root(d->doc));
        b->checking = false;
        if (error || b->wrong)
            return error;
        error = record_doc_read_cleaned(d, text, &b->counts->nul_characters);
        if (error)
            return error;
    }
    return parse(b, yyjson_doc_get_root(d->doc));
}

/* Reads a JSON text and gives its root to `parse`. */
static int parse_text(struct body_parse *b, struct slice text, size_t max_depth,
                      int parse(struct body_parse *, yyjson_val *))
{
    struct validation_mark before = validation_mark(b->v);
    int error = record_doc_read(&b->p->doc, text);

    b->max_depth = max_depth;
    b->judged = b->too_deep = false;
    if (!error) {
        error = parse_root(b, text, parse);
        if (!b->too_deep)
            return error;
        validation_rewind(b->v, before);
        error = LM_EINVAL;
    }
    if (error != LM_EINVAL)
        return error;
    add_json_error(b, text, max_depth);
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
    while (error == 0 && text.len > 0) {
        const char *newline = memchr(text.data, '\n', text.len);
        size_t len = newline ? (size_t)(newline - text.data) : text.len;
        size_t skip = newline ? len + 1 : len;
        struct slice line = slice_of(text.data, len);

        if (!is_blank(line)) {
            error = parse_text(b, line, RECORD_DEPTH_MAX, parse_item);
            b->index++;
        }
        text = slice_of(text.data + skip, text.len - skip);
    }
    return error;
}

int record_parse_body(struct record_parser *p, enum record_body kind, struct slice body,
                      record_sink *sink, void *ctx, struct record_parse_counts *counts,
                      struct validation *v)
{
    struct body_parse b = {.p = p, .sink = sink, .ctx = ctx, .counts = counts, .v = v};
    int error = 0;

    *counts = (struct record_parse_counts){.records = 0};
    if (body.len == 0)
        add_error(
            &b,
            &(struct validation_entry){.type = "missing", .msg = SLICE_LITERAL("Field required")},
            NULL, 0);
    else if (kind == RECORD_BODY_ONE)
        error = parse_text(&b, json_without_bom(body), RECORD_DEPTH_MAX, parse_item);
    else if (kind == RECORD_BODY_ARRAY)
        error = parse_text(&b, json_without_bom(body), RECORD_DEPTH_MAX + ARRAY_DEPTH, parse_array);
    else
        error = parse_ndjson(&b, json_without_bom(body));
    if (b.wrong || b.failed) { /* what is charged is not kept for reuse */
        buffer_release(&p->input);
        buffer_release(&p->ctx);
    }
    if (!error && b.wrong)
        error = LM_EINVAL;
    return error;
}
