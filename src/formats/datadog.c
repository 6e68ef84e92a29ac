#include "formats/datadog.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "formats/members.h"
#include "formats/repeats.h"
#include "json/reader.h"
#include "json/writer.h"

enum { WORDS_MAX = 128 }; /* bytes of a small text of ours */

struct memory {
    struct json_doc doc;
    struct record_draft draft;
};

struct parse {
    struct memory *memory;
    record_sink *sink;
    void *ctx;
    struct format_counts *counts;
    struct buffer *wrong;
    int64_t arrival_us;
    struct record_draft_mark mark; /* what the parameters say */
    size_t number;                 /* of the object, from 0 on */
    struct repeats repeats;
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

static void append_refusal(struct buffer *b, unsigned status, const char *title,
                           struct slice detail)
{
    buffer_appendf(b, "{\"errors\":[{\"status\":\"%u\",\"title\":\"%s\",\"detail\":", status,
                   title);
    json_append_string(b, detail);
    buffer_append_string(b, "}]}");
}

static int refuse_object(struct parse *p, const char *why)
{
    struct buffer detail;
    char room[WORDS_MAX + ERRBUF_SIZE];

    buffer_init_over(&detail, room, sizeof(room));
    buffer_appendf(&detail, "log %zu: %s", p->number, why);
    append_refusal(p->wrong, 400, "Bad Request", buffer_slice(&detail));
    return buffer_error(p->wrong) ? buffer_error(p->wrong) : LM_EINVAL;
}

static int take_object(struct parse *p, yyjson_val *object)
{
    struct record_draft *d = &p->memory->draft;
    struct errbuf why = ERRBUF_INIT;
    struct record record;

    if (!yyjson_is_obj(object))
        return refuse_object(p, "no object");
    if (yyjson_obj_size(object) == 0) /* a check */
        return 0;
    struct members members = members_find(object, NULL);
    record_draft_again(d, &p->mark);
    members_put(d, object, &members);
    if (members.time_key)
        repeats_name(&p->repeats, d, p->number, members.time_us, members.below_us);
    int error = record_draft_finish(d, p->arrival_us, &record, &why);
    if (error == LM_EINVAL)
        return refuse_object(p, why.text);
    if (!error)
        error = p->sink(&record, p->ctx);
    p->counts->records += !error;
    return error;
}

static int take_text(struct parse *p, struct slice text)
{
    struct json_doc *doc = &p->memory->doc;
    int error = json_doc_read_cleaned(doc, text, &p->counts->nul_characters);

    if (error)
        return error == LM_EINVAL ? refuse_object(p, "no JSON") : error;
    yyjson_val *root = yyjson_doc_get_root(doc->doc);
    yyjson_arr_iter iter;
    if (!yyjson_arr_iter_init(root, &iter)) {
        error = take_object(p, root);
        p->number++;
    }
    for (yyjson_val *item; !error && (item = yyjson_arr_iter_next(&iter)); p->number++)
        error = take_object(p, item);
    return error;
}

/* Looks at the times; what is wrong is found by the reading. */
static void look(struct parse *p, struct slice rest)
{
    struct json_doc *doc = &p->memory->doc;
    size_t nul_characters = 0;
    bool enough = false;

    for (struct slice text; !enough && (text = json_cut(&rest)).len > 0;) {
        if (json_doc_read_cleaned(doc, text, &nul_characters))
            return;
        yyjson_val *root = yyjson_doc_get_root(doc->doc);
        yyjson_arr_iter iter;
        if (!yyjson_arr_iter_init(root, &iter))
            enough = members_look(&p->repeats, root, NULL);
        for (yyjson_val *item; !enough && (item = yyjson_arr_iter_next(&iter));)
            enough = members_look(&p->repeats, item, NULL);
    }
}

/* An object that has such a member comes after them, so that it counts. */
static void put_parameters(struct record_draft *d, const struct format_request *request)
{
    static const char *const names[] = {"service", "ddsource", "ddtags", "hostname"};

    for (size_t i = 0; request && i < sizeof(names) / sizeof(*names); i++) {
        struct slice value = request->parameter(request, names[i]);

        if (value.len)
            record_draft_text(d, slice_of_string(names[i]), value);
    }
}

static int parse(struct slice body, const struct format_options *options, record_sink *sink,
                 void *ctx, struct format_counts *counts)
{
    struct memory *m = options->memory;
    struct slice rest = json_without_bom(body);
    struct parse p = {
        .memory = m,
        .sink = sink,
        .ctx = ctx,
        .counts = counts,
        .wrong = options->wrong,
        .arrival_us = clock_arrival_us(),
    };

    *counts = (struct format_counts){0};
    m->draft.nul_characters = 0;
    record_draft_begin(&m->draft);
    put_parameters(&m->draft, options->request);
    p.mark = record_draft_mark(&m->draft);
    int error = buffer_error(&m->draft.attributes); /* the next draft would not know of it */
    repeats_begin(&p.repeats, body);
    repeats_add(&p.repeats, buffer_slice(&m->draft.attributes)); /* of another host, perhaps */
    look(&p, rest);
    struct slice text = json_cut(&rest);
    if (!error && text.len == 0)
        error = refuse_object(&p, "no JSON");
    for (; !error && text.len > 0; text = json_cut(&rest))
        error = take_text(&p, text);
    counts->nul_characters += m->draft.nul_characters;
    return error;
}

static struct format_answer answer(const struct format_taken *taken, struct buffer *body)
{
    buffer_append_string(body, "{}");
    return (struct format_answer){.status = 202};
}

static struct format_answer refuse(enum format_refusal why, struct slice text, struct buffer *body)
{
    static const struct {
        unsigned status;
        const char *title;
    } answers[] = {
        [FORMAT_REFUSED_BUSY] = {503, "Service Unavailable"},
        [FORMAT_REFUSED_RATE] = {429, "Too Many Requests"},
        [FORMAT_REFUSED_TOO_LARGE] = {413, "Payload Too Large"},
        [FORMAT_REFUSED_CONTENT] = {400, "Bad Request"},
        [FORMAT_REFUSED_KEY] = {401, "Unauthorized"},
        [FORMAT_REFUSED_ROLE] = {403, "Forbidden"},
    };

    append_refusal(body, answers[why].status, answers[why].title, text);
    return (struct format_answer){.status = answers[why].status};
}

static const char *const media_types[] = {"application/json", NULL};

const struct format datadog_logs = {
    .name = "datadog",
    .media_types = media_types,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .parse = parse,
    .answer = answer,
    .refusal = {.status = 400},
    .refuse = refuse,
};
