#include "formats/hec.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "formats/members.h"
#include "formats/names.h"
#include "formats/repeats.h"
#include "json/reader.h"
#include "json/writer.h"

/* Splunk's, with their statuses. */
enum code {
    SUCCESS = 0,
    INVALID_AUTHORIZATION = 3,
    INVALID_TOKEN = 4,
    NO_DATA = 5,
    INVALID_DATA = 6,
    BUSY = 9,
    EVENT_REQUIRED = 12,
    EVENT_BLANK = 13,
    INDEXED_FIELDS = 15,
    TOO_LARGE = 27,
};

struct memory {
    struct json_doc doc;
    struct record_draft draft;
    struct buffer text; /* of an event that is neither text nor object */
};

struct parse {
    struct memory *memory;
    record_sink *sink;
    void *ctx;
    struct format_counts *counts;
    struct buffer *wrong;
    int64_t arrival_us;
    size_t number; /* of the event, from 0 on */
    struct repeats repeats;
};

static void *memory_new(struct account *account)
{
    struct memory *m = xcalloc(1, sizeof(*m));

    json_doc_init(&m->doc);
    record_draft_init(&m->draft);
    buffer_init(&m->text, RECORD_BYTES_MAX);
    return m;
}

static void memory_free(void *memory)
{
    struct memory *m = memory;

    if (!m)
        return;
    json_doc_release(&m->doc);
    record_draft_release(&m->draft);
    buffer_release(&m->text);
    free(m);
}

static struct parse parse_begin(const struct format_options *options, record_sink *sink, void *ctx,
                                struct format_counts *counts)
{
    struct memory *m = options->memory;

    *counts = (struct format_counts){0};
    m->draft.nul_characters = 0;
    return (struct parse){
        .memory = m,
        .sink = sink,
        .ctx = ctx,
        .counts = counts,
        .wrong = options->wrong,
        .arrival_us = clock_arrival_us(),
    };
}

/* ---- Answers ---- */

static void append_code(struct buffer *b, struct slice text, enum code code)
{
    buffer_append_string(b, "{\"text\":");
    json_append_string(b, text);
    buffer_appendf(b, ",\"code\":%d", code);
}

/* `text` is Splunk's, `why` says more; NULL: there is no more. */
static int refuse_event(struct parse *p, enum code code, const char *text, const char *why)
{
    struct buffer words;
    char room[FORMAT_ANSWER_BYTES + sizeof(struct errbuf)];

    buffer_init_over(&words, room, sizeof(room));
    buffer_append_string(&words, text);
    if (why) {
        buffer_append_string(&words, ": ");
        buffer_append_string(&words, why);
    }
    buffer_clear(p->wrong);
    append_code(p->wrong, buffer_slice(&words), code);
    if (code != NO_DATA)
        buffer_appendf(p->wrong, ",\"invalid-event-number\":%zu", p->number);
    buffer_append_char(p->wrong, '}');
    return buffer_error(p->wrong) ? buffer_error(p->wrong) : LM_EINVAL;
}

static struct format_answer answer(const struct format_taken *taken, struct buffer *body)
{
    append_code(body, SLICE_LITERAL("Success"), SUCCESS);
    buffer_append_char(body, '}');
    return (struct format_answer){.status = 200};
}

static struct format_answer refuse(enum format_refusal why, struct slice text, struct buffer *body)
{
    static const struct {
        enum code code;
        unsigned status;
    } answers[] = {
        [FORMAT_REFUSED_BUSY] = {BUSY, 503},
        [FORMAT_REFUSED_RATE] = {BUSY, 429},
        [FORMAT_REFUSED_TOO_LARGE] = {TOO_LARGE, 413},
        [FORMAT_REFUSED_CONTENT] = {INVALID_DATA, 400},
        [FORMAT_REFUSED_KEY] = {INVALID_AUTHORIZATION, 401},
        [FORMAT_REFUSED_ROLE] = {INVALID_TOKEN, 403},
    };

    append_code(body, why == FORMAT_REFUSED_BUSY ? SLICE_LITERAL("Server is busy") : text,
                answers[why].code);
    buffer_append_char(body, '}');
    return (struct format_answer){.status = answers[why].status};
}

/* ---- Events ---- */

static int finish(struct parse *p)
{
    struct errbuf why = ERRBUF_INIT;
    struct record record;
    int error = record_draft_finish(&p->memory->draft, p->arrival_us, &record, &why);

    if (error == LM_EINVAL)
        return refuse_event(p, INVALID_DATA, "Invalid data format", why.text);
    if (!error)
        error = p->sink(&record, p->ctx);
    p->counts->records += !error;
    return error;
}

static const char *const META[] = {"host", "source", "sourcetype", "index"};
static const char *const META_BESIDE[] = {"hec.host", "hec.source", "hec.sourcetype", "hec.index"};
enum { META_LEN = sizeof(META) / sizeof(*META) };

/* Before the members of the event and the fields, of which none may be lost. */
static void put_meta(struct record_draft *d, yyjson_val *root, yyjson_val *event)
{
    yyjson_val *fields = yyjson_obj_get(root, "fields");

    for (size_t i = 0; i < META_LEN; i++) {
        yyjson_val *value = yyjson_obj_get(root, META[i]);
        bool is_theirs = yyjson_obj_get(event, META[i]) || yyjson_obj_get(fields, META[i]);

        if (value && !yyjson_is_null(value))
            record_draft_json(d, slice_of_string(is_theirs ? META_BESIDE[i] : META[i]), value);
    }
}

static void put_fields(struct record_draft *d, yyjson_val *root)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(yyjson_obj_get(root, "fields"));

    for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));)
        record_draft_json(d, json_text(key), yyjson_obj_iter_get_val(key));
}

/* The level that the fields name, if the event does not. */
static struct slice level_of_fields(yyjson_val *root)
{
    static const char *const names[] = {"level", "severity", "otel.log.severity.text"};
    yyjson_val *fields = yyjson_obj_get(root, "fields");
    struct slice level = {NULL, 0};

    for (size_t i = 0; !level.len && i < sizeof(names) / sizeof(*names); i++)
        level = members_level(yyjson_obj_get(fields, names[i]));
    return level;
}

/* Gives the draft what is in `event`. */
static int put_event(struct parse *p, yyjson_val *root, yyjson_val *event, bool has_time)
{
    struct memory *m = p->memory;
    struct slice level = {NULL, 0};
    bool is_object = yyjson_is_obj(event);

    put_meta(&m->draft, root, is_object ? event : NULL);
    put_fields(&m->draft, root);
    if (is_object) {
        struct members members = members_find(event, NULL);

        if (has_time) /* then its own is one more attribute */
            members.time_key = NULL;
        else if (members.time_key)
            repeats_name(&p->repeats, &m->draft, p->number, members.time_us, members.below_us);
        level = members.level;
        members_put(&m->draft, event, &members);
    } else if (yyjson_is_str(event)) {
        record_draft_message(&m->draft, json_text(event));
    } else {
        buffer_clear(&m->text);
        json_append_value(&m->text, event);
        if (buffer_error(&m->text))
            return buffer_error(&m->text) == LM_ETOOBIG ? LM_EDATA : buffer_error(&m->text);
        record_draft_message(&m->draft, buffer_slice(&m->text));
    }
    if (!level.len)
        level = level_of_fields(root);
    if (level.len)
        record_draft_level(&m->draft, level);
    return 0;
}

static int take_event(struct parse *p, yyjson_val *root)
{
    struct record_draft *d = &p->memory->draft;
    yyjson_val *event = yyjson_obj_get(root, "event");
    yyjson_val *fields = yyjson_obj_get(root, "fields");
    struct slice time = slice_trim(json_text(yyjson_obj_get(root, "time")));
    unsigned below_us;
    int64_t us;

    if (!event)
        return refuse_event(p, EVENT_REQUIRED, "Event field is required", NULL);
    if (yyjson_is_null(event) || yyjson_equals_str(event, ""))
        return refuse_event(p, EVENT_BLANK, "Event field cannot be blank", NULL);
    if (fields && !yyjson_is_null(fields) && !yyjson_is_obj(fields))
        return refuse_event(p, INDEXED_FIELDS, "Error in handling indexed fields", NULL);
    if (time.len && time_of_text(time, &us, &below_us))
        return refuse_event(p, INVALID_DATA, "Invalid data format", "time");
    record_draft_begin(d);
    int error = put_event(p, root, event, time.len > 0);
    if (error)
        return error;
    if (time.len) {
        members_put_time(d, us, below_us);
        repeats_name(&p->repeats, d, p->number, us, below_us);
    }
    return finish(p);
}

/* Looks at the times; what is wrong is found by the reading. */
static void look(struct parse *p, struct slice body)
{
    struct json_doc *doc = &p->memory->doc;
    size_t nul_characters = 0;
    bool enough = false;

    for (struct slice text; !enough && (text = json_cut(&body)).len > 0;) {
        if (json_doc_read_cleaned(doc, text, &nul_characters))
            return;
        yyjson_val *root = yyjson_doc_get_root(doc->doc);
        struct slice time = slice_trim(json_text(yyjson_obj_get(root, "time")));
        unsigned below_us = 0;
        int64_t us;

        if (time.len)
            enough = repeats_look(&p->repeats, time_of_text(time, &us, &below_us) ? NULL : &us,
                                  below_us);
        else
            enough = members_look(&p->repeats, yyjson_obj_get(root, "event"), NULL);
    }
}

static int take_events(struct parse *p, struct slice body)
{
    struct json_doc *doc = &p->memory->doc;

    for (struct slice text; (text = json_cut(&body)).len > 0; p->number++) {
        int error = json_doc_read_cleaned(doc, text, &p->counts->nul_characters);

        if (!error && yyjson_is_obj(yyjson_doc_get_root(doc->doc)))
            error = take_event(p, yyjson_doc_get_root(doc->doc));
        else if (!error || error == LM_EINVAL)
            error = refuse_event(p, INVALID_DATA, "Invalid data format", NULL);
        if (error)
            return error;
    }
    return p->number ? 0 : refuse_event(p, NO_DATA, "No data", NULL);
}

static int parse_events(struct slice body, const struct format_options *options, record_sink *sink,
                        void *ctx, struct format_counts *counts)
{
    struct parse p = parse_begin(options, sink, ctx, counts);

    repeats_begin(&p.repeats, body);
    look(&p, json_without_bom(body));
    int error = take_events(&p, json_without_bom(body));

    counts->nul_characters += p.memory->draft.nul_characters;
    return error;
}

/* ---- Lines ---- */

static void put_parameters(struct record_draft *d, const struct format_request *request)
{
    for (size_t i = 0; request && i < META_LEN; i++) {
        struct slice value = request->parameter(request, META[i]);

        if (value.len)
            record_draft_text(d, slice_of_string(META[i]), value);
    }
}

static int parse_raw(struct slice body, const struct format_options *options, record_sink *sink,
                     void *ctx, struct format_counts *counts)
{
    struct parse p = parse_begin(options, sink, ctx, counts);
    struct record_draft *d = &p.memory->draft;
    int error = 0;

    record_draft_begin(d);
    put_parameters(d, options->request);
    struct record_draft_mark mark = record_draft_mark(d);
    error = buffer_error(&d->attributes); /* the next draft would not know of it */
    while (!error && body.len > 0) {
        struct slice line = slice_cut(&body, '\n');

        if (line.len && line.data[line.len - 1] == '\r')
            line.len--;
        if (slice_trim(line).len == 0)
            continue;
        record_draft_again(d, &mark);
        record_draft_message(d, line);
        error = finish(&p);
        p.number++;
    }
    counts->nul_characters = d->nul_characters;
    if (!error && p.number == 0)
        error = refuse_event(&p, NO_DATA, "No data", NULL);
    return error;
}

static const char *const media_types[] = {"application/json", "text/plain",
                                          "application/x-www-form-urlencoded", NULL};

const struct format hec_events = {
    .name = "hec",
    .media_types = media_types,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .parse = parse_events,
    .answer = answer,
    .refusal = {.status = 400},
    .refuse = refuse,
};

const struct format hec_raw = {
    .name = "hec-raw",
    .media_types = media_types,
    .memory_new = memory_new,
    .memory_free = memory_free,
    .parse = parse_raw,
    .answer = answer,
    .refusal = {.status = 400},
    .refuse = refuse,
};
