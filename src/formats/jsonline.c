#include "formats/jsonline.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "formats/fastapi.h"
#include "formats/members.h"
#include "formats/repeats.h"
#include "formats/validation.h"
#include "json/reader.h"
#include "json/writer.h"

struct memory {
    struct json_doc doc;
    struct record_draft draft;
};

static void *memory_new(struct account *account)
{
    struct memory *m = xcalloc(1, sizeof(*m));

    json_doc_init(&m->doc);
    record_draft_init(&m->draft);
    return m;
}

static void memory_free(void *memory)
{
    struct memory *m = memory;

    if (!m)
        return;
    json_doc_release(&m->doc);
    record_draft_release(&m->draft);
    free(m);
}

struct parse {
    struct memory *memory;
    struct members_first first;
    struct slice extra; /* NAME=VALUE,…: attributes that each log gets */
    struct repeats repeats;
    record_sink *sink;
    void *ctx;
    struct format_counts *counts;
    int64_t arrival_us;
    size_t number;   /* of the line or item, from 0 on */
    bool leaves_out; /* what can never be a log is no reason to refuse the others */
    /* Told what is wrong with one. */
    void (*report)(struct parse *p, const char *why);
    struct validation *list; /* of jsonline_auto */
    struct buffer *wrong;    /* of jsonline_insert */
};

/* ---- One log ---- */

static void refuse(struct parse *p, const char *why)
{
    p->counts->refused++;
    p->report(p, why);
}

/* Gives the sink what is in the draft, or tells what is wrong with it. */
static int finish(struct parse *p)
{
    struct errbuf why = ERRBUF_INIT;
    struct record record;
    int error = record_draft_finish(&p->memory->draft, p->arrival_us, &record, &why);

    if (error == LM_EINVAL || (error == LM_EDATA && p->leaves_out)) {
        refuse(p, error == LM_EDATA ? "too large" : why.text);
        return 0;
    }
    if (!error)
        error = p->sink(&record, p->ctx);
    p->counts->records += !error;
    return error;
}

/* Behind the log's own, of whose place they take. */
static void put_extra(struct parse *p)
{
    struct slice rest = p->extra;

    for (size_t i = 0; i < JSONLINE_EXTRA_MAX && rest.len > 0; i++) {
        struct slice value = slice_cut(&rest, ',');
        struct slice name = slice_trim(slice_cut(&value, '='));

        if (name.len)
            record_draft_text(&p->memory->draft, name, value);
    }
}

static int take_object(struct parse *p, yyjson_val *object)
{
    struct members members = members_find(object, &p->first);

    record_draft_begin(&p->memory->draft);
    members_put(&p->memory->draft, object, &members);
    put_extra(p);
    if (members.time_key)
        repeats_name(&p->repeats, &p->memory->draft, p->number, members.time_us, members.below_us);
    return finish(p);
}

static int take_text(struct parse *p, struct slice text)
{
    record_draft_begin(&p->memory->draft);
    record_draft_message(&p->memory->draft, text);
    put_extra(p);
    return finish(p);
}

/* ---- Bodies ---- */

/* LM_EINVAL: the text is no object of JSON, and nothing has been done. */
static int read_object(struct parse *p, struct slice text)
{
    struct json_doc *doc = &p->memory->doc;

    if (text.data[0] != '{')
        return LM_EINVAL;
    int error = json_doc_read_cleaned(doc, text, &p->counts->nul_characters);
    if (!error && !yyjson_is_obj(yyjson_doc_get_root(doc->doc)))
        error = LM_EINVAL;
    return error;
}

static int take_array(struct parse *p, yyjson_val *array)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    int error = 0;

    for (yyjson_val *item; (item = yyjson_arr_iter_next(&iter));)
        if (members_look(&p->repeats, item, &p->first))
            break;
    iter = yyjson_arr_iter_with(array);
    for (yyjson_val *item; !error && (item = yyjson_arr_iter_next(&iter)); p->number++) {
        if (yyjson_is_obj(item))
            error = take_object(p, item);
        else if (yyjson_is_str(item))
            error = take_text(p, json_text(item));
        else
            refuse(p, "neither an object nor a text");
    }
    return error;
}

static void look_at_lines(struct parse *p, struct slice body)
{
    size_t before = p->counts->nul_characters; /* the lines are read again */

    while (body.len > 0) {
        struct slice line = slice_trim(slice_cut(&body, '\n'));

        if (line.len == 0)
            continue;
        yyjson_val *root = read_object(p, line) ? NULL : yyjson_doc_get_root(p->memory->doc.doc);
        if (members_look(&p->repeats, root, &p->first))
            break;
    }
    p->counts->nul_characters = before;
}

static int take_lines(struct parse *p, struct slice body)
{
    int error = 0;

    look_at_lines(p, body);
    while (!error && body.len > 0) {
        struct slice line = slice_trim(slice_cut(&body, '\n'));

        if (line.len == 0)
            continue;
        error = read_object(p, line);
        if (!error)
            error = take_object(p, yyjson_doc_get_root(p->memory->doc.doc));
        else if (error == LM_EINVAL && !p->leaves_out)
            error = take_text(p, line);
        else if (error == LM_EINVAL) {
            refuse(p, "no JSON object");
            error = 0;
        }
        p->number++;
    }
    return error;
}

/*
 * A body that is one JSON text over more than a line, or an array: such a one is read as a whole.
 * LM_EINVAL: it is none.
 */
static int take_whole(struct parse *p, struct slice body)
{
    struct json_doc *doc = &p->memory->doc;
    struct slice rest = body;
    struct slice first = slice_trim(slice_cut(&rest, '\n'));
    int error;

    if (!first.len || (first.data[0] != '[' && first.data[0] != '{'))
        return LM_EINVAL;
    if (first.data[0] == '{' && (!rest.len || !read_object(p, first)))
        return LM_EINVAL; /* its first line is an object: so are the others */
    error = json_doc_read_cleaned(doc, body, &p->counts->nul_characters);
    if (error)
        return error;
    yyjson_val *root = yyjson_doc_get_root(doc->doc);
    if (yyjson_is_arr(root))
        return take_array(p, root);
    (void)members_look(&p->repeats, root, &p->first);
    return take_object(p, root);
}

static int take_all(struct parse *p, struct slice body)
{
    size_t before = p->counts->nul_characters;
    int error = take_whole(p, body);

    if (error != LM_EINVAL || p->counts->records > 0 || p->counts->refused > 0)
        return error;
    p->counts->nul_characters = before; /* the lines are read again */
    return take_lines(p, body);
}

static struct slice parameter(const struct format_options *options, const char *name)
{
    const struct format_request *request = options->request;

    return request ? request->parameter(request, name) : (struct slice){NULL, 0};
}

static struct parse parse_begin(struct slice body, const struct format_options *options,
                                record_sink *sink, void *ctx, struct format_counts *counts)
{
    struct parse p = {
        .memory = options->memory,
        .first = {parameter(options, "_msg_field"), parameter(options, "_time_field"),
                  parameter(options, "ignore_fields")},
        .extra = parameter(options, "extra_fields"),
        .sink = sink,
        .ctx = ctx,
        .counts = counts,
        .arrival_us = clock_arrival_us(),
        .wrong = options->wrong,
    };

    *counts = (struct format_counts){0};
    repeats_begin(&p.repeats, body);
    repeats_add(&p.repeats, p.first.message);
    repeats_add(&p.repeats, p.first.ignored);
    repeats_add(&p.repeats, p.extra);
    return p;
}

static void parse_end(struct parse *p)
{
    p->counts->nul_characters += p->memory->draft.nul_characters;
    p->memory->draft.nul_characters = 0;
}

/* ---- POST /logs?format=auto ---- */

static void report_auto(struct parse *p, const char *why)
{
    const struct validation_step loc[] = {{.name = SLICE_LITERAL("body")}, {.index = p->number}};

    validation_add(
        p->list, &(struct validation_entry){
                     .type = "log_refused", .loc = loc, .loc_len = 2, .msg = slice_of_string(why)});
}

static int parse_auto(struct slice body, const struct format_options *options, record_sink *sink,
                      void *ctx, struct format_counts *counts)
{
    struct parse p = parse_begin(body, options, sink, ctx, counts);
    struct slice text = json_without_bom(body);
    struct validation list;

    validation_init(&list, options->wrong);
    p.list = &list;
    p.report = report_auto;
    int error = take_all(&p, text);
    parse_end(&p);
    if (error || counts->refused == 0)
        return error;
    error = validation_finish(&list);
    return error == LM_ETOOBIG ? LM_EBUSY : error ? error : LM_EINVAL;
}

/* ---- VictoriaLogs ---- */

/* The first reason is enough. */
static void report_insert(struct parse *p, const char *why)
{
    if (p->wrong->len == 0)
        buffer_appendf(p->wrong, "line %zu: %s\n", p->number + 1, why);
}

static int parse_insert(struct slice body, const struct format_options *options, record_sink *sink,
                        void *ctx, struct format_counts *counts)
{
    struct parse p = parse_begin(body, options, sink, ctx, counts);

    p.report = report_insert;
    p.leaves_out = true;
    int error = take_all(&p, json_without_bom(body));
    parse_end(&p);
    if (error || counts->refused == 0 || counts->records > 0)
        return error;
    return buffer_error(options->wrong) ? buffer_error(options->wrong) : LM_EINVAL;
}

static struct format_answer answer_auto(const struct format_taken *taken, struct buffer *body)
{
    return fastapi_lines.answer(taken, body);
}

static struct format_answer answer_insert(const struct format_taken *taken, struct buffer *body)
{
    return (struct format_answer){.status = 200, .content_type = "text/plain"};
}

static const char *const auto_types[] = {
    "application/json",  "application/*+json",      "application/x-ndjson", "application/ndjson",
    "application/jsonl", "application/x-jsonlines", "text/plain",           NULL};
static const char *const insert_types[] = {"application/x-ndjson",
                                           "application/stream+json",
                                           "application/json",
                                           "application/jsonl",
                                           "application/octet-stream",
                                           "text/plain",
                                           NULL};

const struct format jsonline_auto = {
    .name = "auto",
    .media_types = auto_types,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .parse = parse_auto,
    .answer = answer_auto,
    .refusal = {.status = 422},
};

const struct format jsonline_insert = {
    .name = "jsonline",
    .media_types = insert_types,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .parse = parse_insert,
    .answer = answer_insert,
    .refusal = {.status = 400, .content_type = "text/plain"},
};
