#include "formats/bulk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "base/uuid7.h"
#include "base/xalloc.h"
#include "formats/members.h"
#include "formats/repeats.h"
#include "json/reader.h"
#include "json/writer.h"

enum {
    ACTION_KEPT_MAX = 1024, /* bytes of an action line that is compared with the next one */
    WORDS_MAX = 256,        /* bytes of a small text of ours */
    STATUS_BAD = 400,
    STATUS_LATER = 429,
};

enum verb { CREATE, INDEX, UPDATE, DELETE, VERBS };

static const char *const VERB_NAMES[VERBS] = {"create", "index", "update", "delete"};

struct memory {
    struct json_doc doc;
    struct record_draft draft;
    /* The action that was read last, and what it says; most of a body's are the same. */
    struct buffer action;
    struct buffer index, id;
    struct buffer seed; /* of its id */
    struct buffer head; /* of its item in the answer, up to the value of "_id" */
};

struct parse {
    struct memory *memory;
    struct slice rest; /* of the body */
    struct slice path_index;
    struct repeats repeats; /* for documents without an _id */
    record_sink *sink;
    void *ctx;
    struct format_counts *counts;
    struct buffer *told, *wrong;
    const char *postponed;
    int64_t arrival_us;
    size_t line; /* the number of the one that was read last */
    /* The action: */
    enum verb verb;
    bool has_id;
    const char *bad; /* what is wrong with it; NULL: nothing */
};

static void *memory_new(struct account *account)
{
    struct memory *m = xcalloc(1, sizeof(*m));

    json_doc_init(&m->doc);
    record_draft_init(&m->draft);
    buffer_init(&m->action, ACTION_KEPT_MAX);
    buffer_init(&m->index, BULK_INDEX_MAX);
    buffer_init(&m->id, BULK_ID_MAX);
    buffer_init(&m->seed, BULK_INDEX_MAX + 1 + BULK_ID_MAX);
    buffer_init(&m->head, WORDS_MAX + 6 * BULK_INDEX_MAX);
    return m;
}

static void memory_free(void *memory)
{
    struct memory *m = memory;

    if (!m)
        return;
    json_doc_release(&m->doc);
    record_draft_release(&m->draft);
    buffer_release(&m->action);
    buffer_release(&m->index);
    buffer_release(&m->id);
    buffer_release(&m->seed);
    buffer_release(&m->head);
    free(m);
}

/* ---- Answers ---- */

static void append_error(struct buffer *b, const char *type, struct slice reason)
{
    buffer_append_string(b, "{\"type\":\"");
    buffer_append_string(b, type);
    buffer_append_string(b, "\",\"reason\":");
    json_append_string(b, reason);
    buffer_append_char(b, '}');
}

/* As Elasticsearch refuses a request. */
static void append_refusal(struct buffer *b, unsigned status, const char *type, struct slice reason)
{
    buffer_append_string(b, "{\"error\":");
    append_error(b, type, reason);
    buffer_appendf(b, ",\"status\":%u}", status);
}

/* Both have the same length, so that the one can become the other at the end. Fluent Bit looks for
 * the first one's bytes. */
static const char NO_ERRORS[] = "{\"took\":0,\"errors\":false,\"items\":[";
static const char SOME_ERRORS[] = "{\"took\":0,\"errors\":true, \"items\":[";
static_assert(sizeof(NO_ERRORS) == sizeof(SOME_ERRORS), "one is written over the other");

static void told_begin(struct parse *p)
{
    buffer_append_string(p->told, NO_ERRORS);
}

static int told_end(struct parse *p)
{
    buffer_append_string(p->told, "]}");
    if (buffer_error(p->told))
        return buffer_error(p->told);
    if (p->counts->refused || p->postponed)
        memcpy(p->told->data, SOME_ERRORS, sizeof(SOME_ERRORS) - 1);
    return 0;
}

static void told_item(struct parse *p)
{
    if (p->told->len > sizeof(NO_ERRORS) - 1)
        buffer_append_char(p->told, ',');
    buffer_append_slice(p->told, buffer_slice(&p->memory->head));
}

static void told_taken(struct parse *p, const struct uuid *id)
{
    char text[UUID_TEXT_LEN];

    told_item(p);
    if (p->has_id) {
        json_append_string(p->told, buffer_slice(&p->memory->id));
    } else {
        uuid_format(id, text);
        buffer_append_char(p->told, '"');
        buffer_append(p->told, text, sizeof(text));
        buffer_append_char(p->told, '"');
    }
    buffer_append_string(p->told, ",\"result\":\"created\",\"status\":201}}");
}

static void told_error(struct parse *p, unsigned status, const char *type, const char *reason)
{
    told_item(p);
    if (p->has_id)
        json_append_string(p->told, buffer_slice(&p->memory->id));
    else
        buffer_append_string(p->told, "null");
    buffer_appendf(p->told, ",\"status\":%u,\"error\":", status);
    append_error(p->told, type, slice_of_string(reason));
    buffer_append_string(p->told, "}}");
}

static void told_refused(struct parse *p, const char *type, const char *reason)
{
    p->counts->refused++;
    told_error(p, STATUS_BAD, type, reason);
}

/* ---- Actions ---- */

/* The next line with something in it; false: there is none. */
static bool next_line(struct parse *p, struct slice *line)
{
    while (p->rest.len > 0) {
        *line = slice_trim(slice_cut(&p->rest, '\n'));
        p->line++;
        if (line->len > 0)
            return true;
    }
    return false;
}

/* The whole body is refused: from here on nobody knows which line is what. */
static int refuse_body(struct parse *p, const char *why)
{
    struct buffer reason;
    char room[WORDS_MAX];

    buffer_init_over(&reason, room, sizeof(room));
    buffer_appendf(&reason, "line %zu: %s", p->line, why);
    buffer_clear(p->wrong);
    append_refusal(p->wrong, STATUS_BAD, "illegal_argument_exception", buffer_slice(&reason));
    return buffer_error(p->wrong) ? buffer_error(p->wrong) : LM_EINVAL;
}

/* What the action is of; NULL: it is none. Other members may stand beside it. */
static yyjson_val *find_verb(struct parse *p, yyjson_val *action)
{
    for (p->verb = 0; p->verb < VERBS; p->verb++) {
        yyjson_val *meta = yyjson_obj_get(action, VERB_NAMES[p->verb]);

        if (yyjson_is_obj(meta))
            return meta;
    }
    return NULL;
}

static int read_names(struct parse *p, yyjson_val *meta)
{
    struct memory *m = p->memory;
    struct slice index = json_text(yyjson_obj_get(meta, "_index"));
    struct slice id = json_text(yyjson_obj_get(meta, "_id"));

    if (!index.len)
        index = p->path_index;
    p->bad = NULL;
    p->has_id = id.len > 0;
    buffer_clear(&m->index);
    utf8_append_repaired(&m->index, index); /* a path may be anything */
    buffer_clear(&m->id);
    buffer_append_slice(&m->id, id);
    if (buffer_error(&m->index) == LM_ENOMEM || buffer_error(&m->id) == LM_ENOMEM)
        return LM_ENOMEM;
    if (buffer_error(&m->index))
        p->bad = "the name of the index is too long: at most 255 bytes";
    else if (buffer_error(&m->id))
        p->bad = "_id is too long: at most 512 bytes";
    p->has_id = p->has_id && !buffer_error(&m->id);
    buffer_clear(&m->seed);
    buffer_append_slice(&m->seed, buffer_slice(&m->index));
    buffer_append_char(&m->seed, '\0');
    buffer_append_slice(&m->seed, buffer_slice(&m->id));
    buffer_clear(&m->head);
    buffer_append_string(&m->head, "{\"");
    buffer_append_string(&m->head, VERB_NAMES[p->verb]);
    buffer_append_string(&m->head, "\":{\"_index\":");
    json_append_string(&m->head, buffer_slice(&m->index));
    buffer_append_string(&m->head, ",\"_id\":");
    return buffer_error(&m->head);
}

static int read_action(struct parse *p, struct slice line)
{
    struct memory *m = p->memory;
    size_t nul_characters = 0; /* in names, which is nobody's concern */

    if (slice_equal(line, buffer_slice(&m->action)))
        return 0;
    buffer_clear(&m->action);
    int error = json_doc_read_cleaned(&m->doc, line, &nul_characters);
    if (error && error != LM_EINVAL)
        return error;
    yyjson_val *meta = error ? NULL : find_verb(p, yyjson_doc_get_root(m->doc.doc));
    if (!meta)
        return refuse_body(p, "expected an action: create or index");
    error = read_names(p, meta);
    if (error)
        return error;
    buffer_append_slice(&m->action, line);
    if (buffer_error(&m->action)) /* too long to be kept */
        buffer_clear(&m->action);
    return 0;
}

/* ---- Documents ---- */

static int take_document(struct parse *p, yyjson_val *document)
{
    struct record_draft *draft = &p->memory->draft;
    struct members members = members_find(document, NULL);
    struct slice index = buffer_slice(&p->memory->index);
    struct errbuf why = ERRBUF_INIT;
    struct record record;

    record_draft_begin(draft);
    if (index.len) /* before the document's members, of which none may be lost */
        record_draft_text(draft,
                          yyjson_obj_get(document, "_index") ? SLICE_LITERAL("elasticsearch._index")
                                                             : SLICE_LITERAL("_index"),
                          index);
    members_put(draft, document, &members);
    if (p->has_id)
        record_draft_seed(draft, buffer_slice(&p->memory->seed));
    else if (members.time_key)
        repeats_name(&p->repeats, draft, p->line, members.time_us, members.below_us);
    int error = record_draft_finish(draft, p->arrival_us, &record, &why);
    if (error == LM_EINVAL || error == LM_EDATA) {
        told_refused(p, "document_parsing_exception",
                     error == LM_EDATA ? "the document is too large" : why.text);
        return 0;
    }
    if (!error && p->postponed) {
        told_error(p, STATUS_LATER, "es_rejected_execution_exception", p->postponed);
        return 0;
    }
    if (!error)
        error = p->sink(&record, p->ctx);
    if (error)
        return error;
    p->counts->records++;
    told_taken(p, &record.key.id);
    return 0;
}

static int take_item(struct parse *p, struct slice source)
{
    struct json_doc *doc = &p->memory->doc;

    if (p->bad) {
        told_refused(p, "illegal_argument_exception", p->bad);
        return 0;
    }
    int error = json_doc_read_cleaned(doc, source, &p->counts->nul_characters);
    if (error && error != LM_EINVAL)
        return error;
    yyjson_val *root = error ? NULL : yyjson_doc_get_root(doc->doc);
    if (yyjson_is_obj(root))
        return take_document(p, root);
    told_refused(p, "document_parsing_exception", "the document is no JSON object");
    return 0;
}

static int take_items(struct parse *p)
{
    struct slice line, source;

    while (next_line(p, &line)) {
        int error = read_action(p, line);

        if (error)
            return error;
        if (p->verb != DELETE && !next_line(p, &source))
            return refuse_body(p, "an action without its document");
        if (p->verb == UPDATE || p->verb == DELETE)
            told_refused(p, "illegal_argument_exception", "logs are not changed: create or index");
        else
            error = take_item(p, source);
        if (error)
            return error;
        if (buffer_error(p->told))
            return buffer_error(p->told);
    }
    return p->told->len > sizeof(NO_ERRORS) - 1 ? 0 : refuse_body(p, "request body is required");
}

/* Looks at the times of documents; what is wrong is found by the reading. */
static void look(struct parse *p)
{
    struct buffer nothing = {.ceiling = 0};
    struct parse ahead = *p;
    struct json_doc *doc = &p->memory->doc;
    struct slice line, source;
    size_t nul_characters = 0;

    ahead.wrong = &nothing;
    buffer_clear(&p->memory->action);
    while (next_line(&ahead, &line) && !read_action(&ahead, line)) {
        if (ahead.verb == DELETE)
            continue;
        if (!next_line(&ahead, &source))
            break;
        yyjson_val *root = json_doc_read_cleaned(doc, source, &nul_characters)
                               ? NULL
                               : yyjson_doc_get_root(doc->doc);
        if (members_look(&p->repeats, root, NULL))
            break;
    }
}

/* "shop" of /shop/_bulk. */
static struct slice index_of_path(const struct format_request *request)
{
    struct slice path = request ? request->path : (struct slice){NULL, 0};

    if (path.len == 0)
        return path;
    (void)slice_cut(&path, '/');
    struct slice index = slice_cut(&path, '/');
    return path.len ? index : path;
}

static int parse(struct slice body, const struct format_options *options, record_sink *sink,
                 void *ctx, struct format_counts *counts)
{
    struct memory *m = options->memory;
    struct parse p = {
        .memory = m,
        .rest = json_without_bom(body),
        .path_index = index_of_path(options->request),
        .sink = sink,
        .ctx = ctx,
        .counts = counts,
        .told = options->told,
        .wrong = options->wrong,
        .postponed = options->postponed,
        .arrival_us = clock_arrival_us(),
    };

    *counts = (struct format_counts){0};
    repeats_begin(&p.repeats, body);
    repeats_add(&p.repeats, p.path_index);
    look(&p);
    buffer_clear(&m->action);
    m->draft.nul_characters = 0;
    told_begin(&p);
    int error = take_items(&p);
    if (!error)
        error = told_end(&p);
    counts->nul_characters += m->draft.nul_characters;
    return error;
}

static struct format_answer answer(const struct format_taken *taken, struct buffer *body)
{
    return (struct format_answer){.status = 200};
}

static struct format_answer refuse(enum format_refusal why, struct slice text, struct buffer *body)
{
    switch (why) {
    case FORMAT_REFUSED_BUSY:
        return (struct format_answer){.status = 0};
    case FORMAT_REFUSED_RATE:
        append_refusal(body, STATUS_LATER, "es_rejected_execution_exception", text);
        return (struct format_answer){.status = STATUS_LATER};
    case FORMAT_REFUSED_TOO_LARGE:
        append_refusal(body, 413, "circuit_breaking_exception", text);
        return (struct format_answer){.status = 413};
    case FORMAT_REFUSED_KEY:
        append_refusal(body, 401, "security_exception", text);
        return (struct format_answer){.status = 401};
    case FORMAT_REFUSED_ROLE:
        append_refusal(body, 403, "security_exception", text);
        return (struct format_answer){.status = 403};
    case FORMAT_REFUSED_CONTENT:
        break;
    }
    append_refusal(body, STATUS_BAD, "illegal_argument_exception", text);
    return (struct format_answer){.status = STATUS_BAD};
}

static const char *const media_types[] = {
    "application/x-ndjson",
    "application/json",
    "application/vnd.elasticsearch+x-ndjson",
    "application/vnd.elasticsearch+json",
    NULL,
};

const struct format bulk_format = {
    .name = "bulk",
    .media_types = media_types,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .parse = parse,
    .answer = answer,
    .refusal = {.status = STATUS_BAD},
    .refuse = refuse,
    .hold_ms = BULK_HOLD_MS,
    .answer_headers = "X-Elastic-Product: Elasticsearch\r\n",
    .tells_each = true,
};
