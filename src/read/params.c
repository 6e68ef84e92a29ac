#include "read/params.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/int_parse.h"
#include "base/nearest.h"
#include "base/relative_time.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "formats/validation.h"
#include "query/language.h"
#include "json/writer.h"

static const int64_t SECOND_US = 1000000;
static const int64_t DAY_US = INT64_C(86400) * 1000000;

static const struct slice ATTRIBUTE_PREFIX = {"attr.", 5};
static const struct slice NOT_ATTRIBUTE_PREFIX = {"not.attr.", 9};

static_assert((int)FILTER_LEVELS_MAX == LOG_PARAMS_LEVELS_MAX, "a filter has room for them");

enum {
    BUCKETS_BY_DEFAULT_MAX = 300,
    NAMES_MAX = 24,         /* parameters of one route, but for attributes */
    REFUSAL_ROOM = 1 << 20, /* bytes, for pieces of one error: a query string is shorter by far */
};

/* A request's parameters while they are read, and the errors so far. */
struct reading {
    const struct query_string *params;
    struct query *only; /* NULL: everything */
    int64_t now_us;     /* what relative times count from, all of a request */
    struct validation errors;
    struct buffer scratch; /* the JSON texts of one error: its input, then its ctx */
    int error;             /* LM_ENOMEM: what is asked for could not be read */
};

static void reading_init(struct reading *r, const struct query_string *params, struct query *only,
                         struct buffer *refusal)
{
    r->params = params;
    r->only = only;
    r->now_us = clock_wall_us();
    r->error = 0;
    validation_init(&r->errors, refusal);
    buffer_init(&r->scratch, REFUSAL_ROOM);
}

/* `filter`, unless it is NULL, is one that was read: of no use after an error. */
static int reading_finish(struct reading *r, struct log_filter *filter)
{
    int error = r->error;

    buffer_release(&r->scratch);
    if (r->errors.count > 0)
        error = validation_finish(&r->errors) ? LM_ENOMEM : LM_EINVAL;
    if (error && filter) {
        query_unref(filter->query);
        filter->query = NULL;
    }
    return error;
}

/* ---- Errors ---- */

/* What is wrong with one parameter; `ctx` is the text of a JSON object, or empty. */
struct refusal {
    const char *in; /* "query" or "path" */
    struct slice name;
    const char *type;
    const char *msg;
    struct slice ctx;
};

/* `input`: the JSON text of what was sent, from the scratch buffer; null if memory was short. */
static void refuse(struct reading *r, const struct refusal *refusal, struct slice input)
{
    const struct validation_step loc[] = {{.name = slice_of_string(refusal->in)},
                                          {.name = refusal->name}};

    validation_add(&r->errors, &(struct validation_entry){
                                   .type = refusal->type,
                                   .loc = loc,
                                   .loc_len = 2,
                                   .msg = slice_of_string(refusal->msg),
                                   .input = buffer_error(&r->scratch) ? slice_of(NULL, 0) : input,
                                   .ctx = refusal->ctx,
                               });
}

static void refuse_text(struct reading *r, const struct refusal *refusal, struct slice text)
{
    buffer_clear(&r->scratch);
    json_append_string(&r->scratch, text);
    refuse(r, refusal, buffer_slice(&r->scratch));
}

/* The same with {"error":"…"} as ctx, and a message of `prefix`, that error and `suffix`. */
static void refuse_with_reason(struct reading *r, const struct refusal *refusal, const char *prefix,
                               const char *reason, const char *suffix, struct slice text)
{
    struct refusal complete = *refusal;
    char msg[ERRBUF_SIZE + 192];

    snprintf(msg, sizeof(msg), "%s%s%s", prefix, reason, suffix);
    buffer_clear(&r->scratch);
    json_append_string(&r->scratch, text);

    size_t input_len = r->scratch.len;

    buffer_append_string(&r->scratch, "{\"error\":");
    json_append_string(&r->scratch, slice_of_string(reason));
    buffer_append_char(&r->scratch, '}');
    complete.msg = msg;
    if (!buffer_error(&r->scratch))
        complete.ctx = slice_of(r->scratch.data + input_len, r->scratch.len - input_len);
    refuse(r, &complete, slice_of(r->scratch.data, input_len));
}

static void refuse_bound(struct reading *r, const char *name, bool too_small, int64_t bound,
                         struct slice text)
{
    char msg[96];
    char ctx[40];

    snprintf(msg, sizeof(msg), "Input should be %s than or equal to %lld",
             too_small ? "greater" : "less", (long long)bound);
    snprintf(ctx, sizeof(ctx), "{\"%s\":%lld}", too_small ? "ge" : "le", (long long)bound);
    refuse_text(r,
                &(struct refusal){"query", slice_of_string(name),
                                  too_small ? "greater_than_equal" : "less_than_equal", msg,
                                  slice_of_string(ctx)},
                text);
}

/* ---- Parameters ---- */

/* An integer of min to max; `*value` is as it was if the parameter is absent or wrong. */
static void read_int(struct reading *r, const char *name, int64_t min, int64_t max, int64_t *value)
{
    struct slice text = query_string_last(r->params, name);
    struct refusal refusal = {.in = "query", .name = slice_of_string(name)};
    int64_t n;

    if (!text.data)
        return;

    int error = int_parse_lax(text, &n);

    if (error) {
        bool too_long = error == LM_ETOOBIG;

        refusal.type = too_long ? "int_parsing_size" : "int_parsing";
        refusal.msg = too_long
                          ? "Unable to parse input string as an integer, exceeded maximum size"
                          : "Input should be a valid integer, unable to parse string as an integer";
        refuse_text(r, &refusal, text);
    } else if (n < min || n > max) {
        refuse_bound(r, name, n < min, n < min ? min : max, text);
    } else {
        *value = n;
    }
}

/* Returns true if the parameter is there and right. */
static bool read_time(struct reading *r, const char *name, int64_t *us)
{
    struct slice text = query_string_last(r->params, name);
    struct timestamp_error error = {.type = "datetime_parsing"};
    int64_t value;

    if (!text.data)
        return false;

    int result = relative_time_parse(text, r->now_us, NULL, &value);

    if (result == LM_EINVAL)
        result = timestamp_parse_text(text, &value, &error);
    else if (result)
        snprintf(error.reason, sizeof(error.reason), "outside the years 1 to 9999");
    if (result) {
        bool from_date = strcmp(error.type, "datetime_from_date_parsing") == 0;

        refuse_with_reason(
            r, &(struct refusal){.in = "query", .name = slice_of_string(name), .type = error.type},
            from_date ? "Input should be a valid datetime or date, "
                      : "Input should be a valid datetime, ",
            error.reason, "; or a time relative to now: " RELATIVE_TIME_FORMS, text);
        return false;
    }
    *us = value;
    return true;
}

static void refuse_levels(struct reading *r, struct slice name, size_t n)
{
    char msg[96];
    char ctx[96];
    char separator = '[';

    snprintf(msg, sizeof(msg), "List should have at most %d items after validation, not %zu",
             LOG_PARAMS_LEVELS_MAX, n);
    snprintf(ctx, sizeof(ctx), "{\"field_type\":\"List\",\"max_length\":%d,\"actual_length\":%zu}",
             LOG_PARAMS_LEVELS_MAX, n);
    buffer_clear(&r->scratch);
    for (size_t i = 0; i < r->params->len; i++) {
        if (!slice_equal(r->params->params[i].name, name))
            continue;
        buffer_append_char(&r->scratch, separator);
        json_append_string(&r->scratch, r->params->params[i].value);
        separator = ',';
    }
    buffer_append_char(&r->scratch, ']');
    refuse(r, &(struct refusal){"query", name, "too_long", msg, slice_of_string(ctx)},
           buffer_slice(&r->scratch));
}

/* Parameters `name`, all of which count. */
static void read_levels(struct reading *r, struct slice name, struct slice *levels,
                        size_t *levels_len)
{
    size_t given = 0;

    for (size_t i = 0; i < r->params->len; i++)
        if (slice_equal(r->params->params[i].name, name) && ++given <= LOG_PARAMS_LEVELS_MAX)
            levels[given - 1] = r->params->params[i].value;
    if (given > LOG_PARAMS_LEVELS_MAX)
        refuse_levels(r, name, given);
    else
        *levels_len = given;
}

static void read_text(struct reading *r, const char *name, struct slice *filter)
{
    struct slice text = query_string_last(r->params, name);
    char msg[64];
    char ctx[40];

    *filter = text;
    if (text.len <= LOG_PARAMS_TEXT_MAX || utf8_count(text) <= LOG_PARAMS_TEXT_MAX)
        return;
    snprintf(msg, sizeof(msg), "String should have at most %d characters", LOG_PARAMS_TEXT_MAX);
    snprintf(ctx, sizeof(ctx), "{\"max_length\":%d}", LOG_PARAMS_TEXT_MAX);
    refuse_text(r,
                &(struct refusal){.in = "query",
                                  .name = slice_of_string(name),
                                  .type = "string_too_long",
                                  .msg = msg,
                                  .ctx = slice_of_string(ctx)},
                text);
}

static bool starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_equal(slice_of(s.data, prefix.len), prefix);
}

static void read_attributes(struct reading *r, struct log_filter *filter)
{
    for (size_t i = 0; i < r->params->len; i++) {
        const struct query_param *param = &r->params->params[i];
        bool excludes = starts_with(param->name, NOT_ATTRIBUTE_PREFIX);
        struct slice prefix = excludes ? NOT_ATTRIBUTE_PREFIX : ATTRIBUTE_PREFIX;
        char msg[64];

        if (!starts_with(param->name, prefix))
            continue;
        if (filter->attributes_len == FILTER_ATTRIBUTES_MAX) {
            snprintf(msg, sizeof(msg), "At most %d attr. parameters are allowed",
                     FILTER_ATTRIBUTES_MAX);
            refuse_text(r,
                        &(struct refusal){.in = "query", param->name, "too_many_attributes", msg},
                        param->value);
            return;
        }
        filter->attributes[filter->attributes_len++] = (struct log_attribute_filter){
            .name = slice_of(param->name.data + prefix.len, param->name.len - prefix.len),
            .value = param->value,
            .excludes = excludes,
        };
    }
}

/* Returns true if there is one. */
static bool read_cursor(struct reading *r, struct log_key *key)
{
    struct slice text = query_string_last(r->params, "cursor");

    if (!text.data)
        return false;
    if (log_key_parse_cursor(text, key))
        refuse_text(r,
                    &(struct refusal){.in = "query",
                                      SLICE_LITERAL("cursor"),
                                      "cursor_invalid",
                                      "Input should be a cursor, as `next` of an answer has it"},
                    text);
    return true;
}

static void read_answer(struct reading *r, struct log_params_answer *answer)
{
    int64_t slice_s = answer->slice_s;
    int64_t explain = 0;

    read_int(r, "slice", 1, slice_s, &slice_s);
    read_int(r, "explain", 0, 1, &explain);
    if (explain && r->only)
        refuse_text(r,
                    &(struct refusal){.in = "query",
                                      .name = SLICE_LITERAL("explain"),
                                      .type = "explain_not_allowed",
                                      .msg = "It tells of logs that this key may not read"},
                    query_string_last(r->params, "explain"));
    answer->slice_s = (unsigned)slice_s;
    answer->explain = explain;
}

/* What is wrong with a query: where, what was met, what is allowed. */
static void refuse_query(struct reading *r, struct slice text, const struct query_mistake *mistake)
{
    struct refusal refusal = {
        .in = "query", .name = SLICE_LITERAL("query"), .type = "query_parsing"};
    char msg[sizeof(mistake->message) + sizeof(mistake->allowed) + 64];

    snprintf(msg, sizeof(msg), "At character %zu: %s%s%s", mistake->position + 1, mistake->message,
             mistake->allowed[0] ? "; allowed: " : "", mistake->allowed);
    buffer_clear(&r->scratch);
    json_append_string(&r->scratch, text);

    size_t input_len = r->scratch.len;

    buffer_appendf(&r->scratch,
                   "{\"position\":%zu,\"offset\":%zu,\"length\":%zu,\"met\":", mistake->position,
                   mistake->offset, mistake->len);
    json_append_string(&r->scratch, slice_of(text.data + mistake->offset, mistake->len));
    buffer_append_string(&r->scratch, ",\"allowed\":");
    json_append_string(&r->scratch, slice_of_string(mistake->allowed));
    buffer_append_char(&r->scratch, '}');
    refusal.msg = msg;
    if (!buffer_error(&r->scratch))
        refusal.ctx = slice_of(r->scratch.data + input_len, r->scratch.len - input_len);
    refuse(r, &refusal, slice_of(r->scratch.data, input_len));
}

static void read_query(struct reading *r, struct log_filter *filter)
{
    struct slice text = query_string_last(r->params, "query");
    struct query_mistake mistake;

    if (!text.data)
        return;
    int error = query_parse(text, r->now_us, NULL, &filter->query, &mistake);
    if (error == LM_EINVAL)
        refuse_query(r, text, &mistake);
    else if (error)
        r->error = error;
    else if (filter->query)
        log_filter_narrow(filter);
}

/* ANDs what whoever asks may read to the tree. */
static int restrict_to(struct query *only, struct log_filter *filter)
{
    struct query_builder b;
    struct query *both = NULL;

    if (!only)
        return 0;
    query_builder_init(&b);
    query_builder_open(&b, QUERY_AND);
    query_builder_guard(&b, only);
    if (filter->query)
        query_builder_add(&b, filter->query);
    query_builder_close(&b);

    int error = query_builder_finish(&b, &both);
    if (error)
        return error;
    query_unref(filter->query);
    filter->query = both;
    return 0;
}

/* Makes one tree of the query, the other parameters, and what may be read. */
static void join(struct reading *r, struct log_filter *filter)
{
    char msg[128];
    int error = log_filter_join(filter);

    if (!error)
        error = restrict_to(r->only, filter);

    if (error == LM_ETOOBIG) {
        snprintf(msg, sizeof(msg),
                 "With the other parameters, it has more than %d terms, or %d of AND, OR and NOT "
                 "within each other",
                 QUERY_TESTS_MAX, QUERY_DEPTH_MAX);
        refuse_text(r,
                    &(struct refusal){.in = "query",
                                      .name = SLICE_LITERAL("query"),
                                      .type = "query_too_large",
                                      .msg = msg},
                    query_string_last(r->params, "query"));
    } else if (error) {
        r->error = error;
    }
}

/* What all routes that take a filter have in common, but for the parameters of time. */
static void read_predicates(struct reading *r, struct log_filter *filter)
{
    read_query(r, filter);
    read_levels(r, SLICE_LITERAL("level"), filter->levels, &filter->levels_len);
    read_levels(r, SLICE_LITERAL("not.level"), filter->excluded_levels,
                &filter->excluded_levels_len);
    read_text(r, "q", &filter->text);
    read_text(r, "not.q", &filter->excluded_text);
    read_attributes(r, filter);
    join(r, filter);
}

/* ---- Unknown parameters ---- */

/* The names of all filters, then those of one route. */
struct names {
    const char *each[NAMES_MAX];
    size_t len;
};

static bool is_known(const struct names *names, struct slice name)
{
    if (starts_with(name, ATTRIBUTE_PREFIX) || starts_with(name, NOT_ATTRIBUTE_PREFIX))
        return true;
    for (size_t i = 0; i < names->len; i++)
        if (slice_equal(name, slice_of_string(names->each[i])))
            return true;
    return false;
}

/* What is wrong with a parameter `name`, what may have been meant, and what there is. */
static void explain_unknown(struct buffer *msg, const struct names *names, struct slice name)
{
    const char *nearest = nearest_name(name, names->each, names->len);

    buffer_append_string(msg, "Extra inputs are not permitted");
    if (nearest)
        buffer_appendf(msg, "; did you mean '%s'?", nearest);
    else if (name.len > 0 && name.len <= NEAREST_NAME_MAX)
        buffer_appendf(msg, "; for the attribute of that name: 'attr.%.*s'.", SLICE_ARG(name));
    else
        buffer_append_char(msg, '.');
    buffer_append_string(msg, " Allowed are ");
    for (size_t i = 0; i < names->len; i++)
        buffer_appendf(msg, "'%s', ", names->each[i]);
    buffer_append_string(msg, "'attr.NAME' and 'not.attr.NAME'");
}

/* `own`: what a route has besides a filter; ends with NULL. */
static void refuse_unknown(struct reading *r, const char *const *own)
{
    struct names names = {.each = {"query", "since", "until", "level", "q", "not.level", "not.q"},
                          .len = 7};

    while (*own)
        names.each[names.len++] = *own++;
    for (size_t i = 0; i < r->params->len; i++) {
        const struct query_param *param = &r->params->params[i];
        struct buffer msg;

        if (is_known(&names, param->name))
            continue;
        buffer_init_small(&msg);
        explain_unknown(&msg, &names, param->name);
        buffer_append_char(&msg, '\0');
        refuse_text(r, &(struct refusal){.in = "query", param->name, "extra_forbidden", msg.data},
                    param->value);
        buffer_release(&msg);
    }
}

static void read_format(struct reading *r)
{
    struct slice text = query_string_last(r->params, "format");

    if (!text.data || slice_equal(text, SLICE_LITERAL("json")) ||
        slice_equal(text, SLICE_LITERAL("ndjson")) || slice_equal(text, SLICE_LITERAL("csv")))
        return;
    refuse_text(r,
                &(struct refusal){
                    .in = "query",
                    .name = SLICE_LITERAL("format"),
                    .type = "literal_error",
                    .msg = "Input should be 'json', 'ndjson' or 'csv'",
                    .ctx = SLICE_LITERAL("{\"expected\":\"'json', 'ndjson' or 'csv'\"}"),
                },
                text);
}

static void refuse_list(struct reading *r, const char *name, const char *type, const char *reason)
{
    refuse_text(r,
                &(struct refusal){
                    .in = "query", .name = slice_of_string(name), .type = type, .msg = reason},
                query_string_last(r->params, name));
}

/* Which attributes are wanted. What all logs have is allowed, too. */
static void read_fields(struct reading *r, struct projection *fields)
{
    struct slice text = query_string_last(r->params, "fields");
    struct errbuf reason = ERRBUF_INIT;

    if (!fields)
        return;
    fields->asked = text.data;
    if (aggregate_fields_parse(text, "fields", fields->items, PROJECTION_FIELDS_MAX, &fields->len,
                               &reason)) {
        refuse_list(r, "fields", "fields_parsing", reason.text);
        return;
    }
    for (size_t i = 0; i < fields->len; i++)
        if (fields->items[i].kind == LOG_FIELD_PATTERN)
            refuse_list(r, "fields", "fields_parsing",
                        "fields: a log has no `pattern`; attr.pattern is its attribute of that "
                        "name");
}

/* Parameters that go with `around` alone, or with all but that. `names` end with NULL. */
static void refuse_beside(struct reading *r, const char *const *names, const char *type,
                          const char *reason)
{
    for (; *names; names++)
        if (query_string_last(r->params, *names).data)
            refuse_list(r, *names, type, reason);
}

/* The parameters of GET /logs alone, but for those of a filter. */
static const char *const list_names[] = {"limit",   "offset", "cursor", "slice", "bytes",
                                         "explain", "format", "fields", "order", "around",
                                         "before",  "after",  "same",   NULL};

static void read_order(struct reading *r)
{
    struct slice text = query_string_last(r->params, "order");

    if (!text.data || slice_equal(text, SLICE_LITERAL("newest")) ||
        slice_equal(text, SLICE_LITERAL("oldest")))
        return;
    refuse_text(r,
                &(struct refusal){
                    .in = "query",
                    .name = SLICE_LITERAL("order"),
                    .type = "literal_error",
                    .msg = "Input should be 'newest' or 'oldest'",
                    .ctx = SLICE_LITERAL("{\"expected\":\"'newest' or 'oldest'\"}"),
                },
                text);
}

/* What pages in either order have in common. */
static void read_page(struct reading *r, struct log_filter *filter, struct projection *fields,
                      struct log_params_answer *answer)
{
    int64_t bytes = 0;

    log_filter_init(filter);
    read_time(r, "since", &filter->since_us);
    read_time(r, "until", &filter->until_us);
    read_answer(r, answer);
    read_int(r, "bytes", 1, LOG_PARAMS_BYTES_MAX, &bytes);
    answer->bytes = (size_t)bytes;
    read_order(r);
    read_format(r);
    read_fields(r, fields);
    read_predicates(r, filter);
    refuse_beside(r, (const char *const[]){"before", "after", "same", NULL}, "around_missing",
                  "It goes with `around` alone, which is not there");
    refuse_unknown(r, list_names);
}

static int parse_page(const struct query_string *params, struct query *only,
                      struct log_query *query, struct projection *fields, int64_t limit_max,
                      int64_t *limit, struct log_params_answer *answer, struct buffer *refusal)
{
    struct reading r;
    int64_t offset = 0;

    reading_init(&r, params, only, refusal);
    *query = (struct log_query){0};
    read_int(&r, "limit", 1, limit_max, limit);
    read_int(&r, "offset", 0, INT64_MAX, &offset);
    query->offset = (uint64_t)offset;
    query->has_cursor = read_cursor(&r, &query->cursor);
    read_page(&r, &query->filter, fields, answer);
    return reading_finish(&r, &query->filter);
}

int log_params_parse_list(const struct query_string *params, struct query *only,
                          struct log_query *query, struct projection *fields,
                          struct log_params_answer *answer, struct buffer *refusal)
{
    int64_t limit = LOG_PARAMS_LIMIT_DEFAULT;
    int error =
        parse_page(params, only, query, fields, LOG_PARAMS_LIMIT_MAX, &limit, answer, refusal);

    query->limit = (unsigned)limit;
    return error;
}

int log_params_parse_download(const struct query_string *params, struct query *only,
                              struct log_query *query, struct projection *fields, uint64_t *limit,
                              struct buffer *refusal)
{
    int64_t given = 0;
    struct log_params_answer ignored = {.slice_s = UINT_MAX}; /* it takes what it takes */
    int error = parse_page(params, only, query, fields, INT64_MAX, &given, &ignored, refusal);

    *limit = given > 0 ? (uint64_t)given : UINT64_MAX;
    return error;
}

static void read_oldest_place(struct reading *r, struct log_params_oldest *oldest)
{
    struct slice text = query_string_last(r->params, "cursor");

    oldest->has_place = text.data;
    if (text.data && newer_place_parse(text, &oldest->place))
        refuse_list(r, "cursor", "cursor_invalid",
                    "Input should be a cursor, as `next` of an answer with order=oldest has it");
}

int log_params_parse_oldest(const struct query_string *params, struct query *only, bool is_download,
                            struct log_params_oldest *oldest, struct log_params_answer *answer,
                            struct buffer *refusal)
{
    struct reading r;
    int64_t limit = LOG_PARAMS_LIMIT_DEFAULT;

    reading_init(&r, params, only, refusal);
    read_int(&r, "limit", 1, LOG_PARAMS_LIMIT_MAX, &limit);
    oldest->limit = (size_t)limit;
    read_oldest_place(&r, oldest);
    read_page(&r, &oldest->filter, &oldest->fields, answer);
    if (is_download)
        refuse_list(&r, "order", "order_excludes",
                    "A download is newest first; with order=oldest, logs come as pages of JSON");
    refuse_beside(&r, (const char *const[]){"offset", NULL}, "order_excludes",
                  "It does not go with order=oldest; `cursor` goes on where a page has ended");
    return reading_finish(&r, &oldest->filter);
}

/* ---- Places ---- */

static bool read_place(struct reading *r, struct slice last_id, struct store_position *place)
{
    struct refusal wrong = {
        .in = "header",
        .name = SLICE_LITERAL("last-event-id"),
        .type = "last_event_id_invalid",
        .msg = "Input should be the id of an event, as this route sends it",
    };

    if (last_id.len == 0) { /* a client that has none sends none, or an empty one */
        last_id = query_string_last(r->params, "last_event_id");
        wrong.in = "query";
        wrong.name = SLICE_LITERAL("last_event_id");
    }
    if (last_id.len == 0)
        return false;
    if (store_position_parse(last_id, place))
        refuse_text(r, &wrong, last_id);
    return true;
}

int log_params_parse_tail(const struct query_string *params, struct query *only,
                          struct slice last_id, struct log_filter *filter, bool *has_place,
                          struct store_position *place, struct buffer *refusal)
{
    struct reading r;

    reading_init(&r, params, only, refusal);
    log_filter_init(filter);
    read_time(&r, "since", &filter->since_us);
    read_time(&r, "until", &filter->until_us);
    read_predicates(&r, filter);
    *has_place = read_place(&r, last_id, place);
    refuse_unknown(&r, (const char *const[]){"last_event_id", NULL});
    return reading_finish(&r, filter);
}

/* ---- Deleting ---- */

static void refuse_reason(struct reading *r, struct slice reason, const char *type, const char *msg)
{
    refuse_text(
        r,
        &(struct refusal){.in = "query", .name = SLICE_LITERAL("reason"), .type = type, .msg = msg},
        reason);
}

enum { SPACE = 0x20, DELETE = 0x7f, C1_LEAD = 0xc2, C1_FIRST = 0x80, C1_LAST = 0x9f };

/* Neither nothing but spaces nor anything that a look at the diagnostics would not show. */
static bool is_reason(struct slice text)
{
    bool shows = false;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < SPACE || c == DELETE)
            return false;
        if (c >= C1_FIRST && c <= C1_LAST && i > 0 && (unsigned char)text.data[i - 1] == C1_LEAD)
            return false; /* U+0080 to U+009F */
        shows = shows || c != SPACE;
    }
    return shows;
}

int log_params_parse_erase(const struct query_string *params, struct query *only,
                           struct log_filter *filter, struct log_params_erase *asked,
                           struct buffer *refusal)
{
    struct reading r;
    int64_t dry_run = 0, all = 0;

    reading_init(&r, params, only, refusal);
    log_filter_init(filter);
    read_time(&r, "since", &filter->since_us);
    read_time(&r, "until", &filter->until_us);
    read_predicates(&r, filter);
    read_int(&r, "dry_run", 0, 1, &dry_run);
    read_int(&r, "all", 0, 1, &all);
    asked->dry_run = dry_run;
    asked->all = all;
    asked->reason = query_string_last(params, "reason");
    if (asked->reason.len == 0 && !dry_run)
        refuse_reason(&r, asked->reason, "missing", "Field required: why, for the diagnostics");
    if (asked->reason.len > LOG_PARAMS_REASON_MAX)
        refuse_reason(&r, slice_of(asked->reason.data, 0), "string_too_long",
                      "String should have at most 1000 bytes");
    else if (asked->reason.len > 0 && !is_reason(asked->reason))
        refuse_reason(&r, slice_of(asked->reason.data, 0), "value_error",
                      "String should say why: not spaces alone, and no control characters");
    refuse_unknown(&r, (const char *const[]){"reason", "dry_run", "all", NULL});
    return reading_finish(&r, filter);
}

/* ---- Buckets ---- */

static int64_t divide_up(int64_t a, int64_t b)
{
    return a / b + (a % b > 0);
}

/* The shortest of some lengths that people think in, of which not too many fit into `range_us`. */
static int64_t default_bucket_us(int64_t range_us)
{
    static const int64_t lengths_s[] = {1,    5,    10,    30,    60,    300,   600,
                                        1800, 3600, 10800, 21600, 43200, 86400, 604800};

    for (size_t i = 0; i < sizeof(lengths_s) / sizeof(lengths_s[0]); i++)
        if (divide_up(range_us, lengths_s[i] * SECOND_US) <= BUCKETS_BY_DEFAULT_MAX)
            return lengths_s[i] * SECOND_US;
    return divide_up(divide_up(range_us, BUCKETS_BY_DEFAULT_MAX), DAY_US) * DAY_US;
}

static void read_bucket(struct reading *r, struct log_stats_query *query)
{
    int64_t range_us = query->filter.until_us - query->filter.since_us;
    int64_t seconds = 0;

    if (range_us < 0)
        range_us = 0;
    read_int(r, "bucket", 1, INT64_MAX, &seconds);
    if (seconds == 0) {
        query->bucket_us = default_bucket_us(range_us);
        return;
    }
    if (seconds > INT64_MAX / SECOND_US)
        seconds = INT64_MAX / SECOND_US; /* longer than all of time */
    query->bucket_us = seconds * SECOND_US;

    int64_t shortest = divide_up(divide_up(range_us, LOG_PARAMS_BUCKETS_MAX), SECOND_US);

    if (seconds < shortest && r->errors.count == 0) /* else the range may not be what was meant */
        refuse_bound(r, "bucket", true, shortest, query_string_last(r->params, "bucket"));
}

/* ---- Groups ---- */

static const int64_t WEEK_US = INT64_C(7) * 86400 * 1000000;
static const int64_t MONDAY_US = INT64_C(4) * 86400 * 1000000; /* the first one of 1970 */

enum { ZONE_MAX_MINUTES = 24 * 60 };

static bool read_digits(struct slice *s, size_t n, int *value)
{
    *value = 0;
    if (s->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s->data[i] < '0' || s->data[i] > '9')
            return false;
        *value = *value * 10 + (s->data[i] - '0');
    }
    *s = slice_of(s->data + n, s->len - n);
    return true;
}

/* +02:00, -0330, +02, Z. A plus sign that was not escaped has come as a blank. */
static bool parse_zone(struct slice text, int64_t *offset_us)
{
    int hours, minutes = 0;
    bool negative;

    *offset_us = 0;
    if (slice_equal_ascii_nocase(text, SLICE_LITERAL("Z")) ||
        slice_equal_ascii_nocase(text, SLICE_LITERAL("UTC")))
        return true;
    if (text.len == 0 || !strchr("+- ", text.data[0]))
        return false;
    negative = text.data[0] == '-';
    text = slice_of(text.data + 1, text.len - 1);
    if (!read_digits(&text, 2, &hours))
        return false;
    if (text.len > 0 && text.data[0] == ':')
        text = slice_of(text.data + 1, text.len - 1);
    if (text.len > 0 && !read_digits(&text, 2, &minutes))
        return false;
    if (text.len > 0 || minutes > 59 || hours * 60 + minutes > ZONE_MAX_MINUTES)
        return false;
    *offset_us = (hours * 60 + minutes) * 60 * SECOND_US * (negative ? -1 : 1);
    return true;
}

/* The last multiple of the buckets' length, in local time, that is not after `us`. */
static int64_t aligned(int64_t us, int64_t bucket_us, int64_t offset_us)
{
    int64_t longest = TIMESTAMP_MAX_US - TIMESTAMP_MIN_US;
    int64_t shift = offset_us;
    int64_t rest;

    if (bucket_us > longest)
        return us;
    if (bucket_us % WEEK_US == 0)
        shift -= MONDAY_US;
    rest = (us + shift) % bucket_us;
    us -= rest < 0 ? rest + bucket_us : rest;
    return us < TIMESTAMP_MIN_US ? TIMESTAMP_MIN_US : us;
}

static void read_alignment(struct reading *r, const struct log_stats_query *query,
                           struct log_params_groups *groups)
{
    struct slice zone = query_string_last(r->params, "zone");
    int64_t align = groups->grouped || zone.data;
    int64_t offset_us = 0;

    read_int(r, "align", 0, 1, &align);
    if (zone.data && !parse_zone(zone, &offset_us))
        refuse_text(r,
                    &(struct refusal){.in = "query",
                                      SLICE_LITERAL("zone"),
                                      "zone_parsing",
                                      "Input should be an offset from UTC, as +02:00"},
                    zone);
    groups->bucket_from_us = query->filter.since_us;
    if (align && query->bucket_us)
        groups->bucket_from_us = aligned(query->filter.since_us, query->bucket_us, offset_us);
}

static void read_groups(struct reading *r, struct log_params_groups *groups)
{
    struct slice by = query_string_last(r->params, "by");
    struct slice value = query_string_last(r->params, "value");
    struct aggregate_spec alone;
    struct errbuf reason = ERRBUF_INIT;

    groups->grouped = by.data || value.data;
    if (aggregate_spec_parse(by, slice_of(NULL, 0), &alone, &reason))
        refuse_text(
            r, &(struct refusal){.in = "query", SLICE_LITERAL("by"), "by_parsing", reason.text},
            by);
    else if (aggregate_spec_parse(by, value, &groups->spec, &reason))
        refuse_text(
            r,
            &(struct refusal){.in = "query", SLICE_LITERAL("value"), "value_parsing", reason.text},
            value);
}

static void read_top(struct reading *r, struct log_params_groups *groups, int64_t max)
{
    int64_t top = LOG_PARAMS_TOP_DEFAULT;

    read_int(r, "top", 1, max, &top);
    groups->top = (size_t)top;
}

/* What all that count have in common, with bounds on both sides. */
static void read_counted(struct reading *r, struct log_stats_query *query,
                         struct log_params_groups *groups, struct log_params_answer *answer,
                         int64_t top_max)
{
    struct log_filter *filter = &query->filter;

    *query = (struct log_stats_query){0};
    *groups = (struct log_params_groups){.new_since_us = INT64_MIN};
    log_filter_init(filter);

    bool has_since = read_time(r, "since", &filter->since_us);

    (void)read_time(r, "until", &filter->until_us);
    read_predicates(r, filter);
    if (filter->until_us == INT64_MAX)
        filter->until_us = r->now_us;
    if (!has_since && filter->since_us == TIMESTAMP_MIN_US)
        filter->since_us = filter->until_us - DAY_US;
    if (filter->since_us < TIMESTAMP_MIN_US)
        filter->since_us = TIMESTAMP_MIN_US;
    query->has_cursor = read_cursor(r, &query->cursor);
    read_answer(r, answer);
    read_top(r, groups, top_max);
}

int log_params_parse_stats(const struct query_string *params, struct query *only,
                           struct log_stats_query *query, struct log_params_groups *groups,
                           struct log_params_answer *answer, struct buffer *refusal)
{
    struct reading r;

    reading_init(&r, params, only, refusal);
    read_counted(&r, query, groups, answer, LOG_PARAMS_TOP_MAX);
    read_groups(&r, groups);
    if (!groups->grouped || query_string_last(params, "bucket").data)
        read_bucket(&r, query);
    read_alignment(&r, query, groups);
    groups->spec.bucket_us = query->bucket_us;
    groups->spec.bucket_from_us = groups->bucket_from_us;
    refuse_unknown(&r, (const char *const[]){"bucket", "by", "value", "top", "align", "zone",
                                             "cursor", "slice", "explain", NULL});
    return reading_finish(&r, &query->filter);
}

int log_params_parse_patterns(const struct query_string *params, struct query *only,
                              struct log_stats_query *query, struct log_params_groups *groups,
                              struct log_params_answer *answer, struct buffer *refusal)
{
    struct reading r;
    struct errbuf never;

    reading_init(&r, params, only, refusal);
    read_counted(&r, query, groups, answer, LOG_PARAMS_TOP_MAX);
    groups->grouped = true;
    (void)read_time(&r, "new_since", &groups->new_since_us);
    if (aggregate_spec_parse(SLICE_LITERAL("pattern"),
                             SLICE_LITERAL("levels(level),min(timestamp),max(timestamp),"
                                           "example(pattern)"),
                             &groups->spec, &never))
        r.error = LM_ENOMEM;
    refuse_unknown(&r,
                   (const char *const[]){"new_since", "top", "cursor", "slice", "explain", NULL});
    return reading_finish(&r, &query->filter);
}

int log_params_parse_fields(const struct query_string *params, struct query *only,
                            struct log_stats_query *query, struct log_params_groups *groups,
                            struct log_params_answer *answer, struct buffer *refusal)
{
    struct reading r;

    reading_init(&r, params, only, refusal);
    read_counted(&r, query, groups, answer, SURVEY_TOP_MAX);
    refuse_unknown(&r, (const char *const[]){"top", "cursor", "slice", "explain", NULL});
    return reading_finish(&r, &query->filter);
}

int log_params_parse_values(const struct query_string *params, struct query *only,
                            struct slice path, struct log_stats_query *query,
                            struct log_params_groups *groups, struct log_params_answer *answer,
                            struct buffer *refusal)
{
    struct reading r;
    struct log_field field = aggregate_field_of(path);

    reading_init(&r, params, only, refusal);
    read_counted(&r, query, groups, answer, LOG_PARAMS_TOP_MAX);
    groups->grouped = true;
    groups->prefix = query_string_last(params, "prefix");
    groups->spec.fields.items[0] = field;
    groups->spec.fields.len = groups->spec.by_len = 1;
    if (!utf8_valid(path) || field.kind == LOG_FIELD_TIMESTAMP)
        refuse_text(&r,
                    &(struct refusal){.in = "path",
                                      SLICE_LITERAL("path"),
                                      "field_invalid",
                                      "Input should be a field with values: level, message, "
                                      "pattern, or an attribute's path"},
                    utf8_valid(path) ? path : SLICE_LITERAL("?"));
    refuse_unknown(&r, (const char *const[]){"prefix", "top", "cursor", "slice", "explain", NULL});
    return reading_finish(&r, &query->filter);
}

/* ---- Ids ---- */

static void read_uuid(struct reading *r, struct refusal wrong, struct slice text, struct uuid *id)
{
    struct errbuf reason = ERRBUF_INIT;

    wrong.type = "uuid_parsing";
    if (uuid_parse(text, id, &reason)) {
        refuse_with_reason(r, &wrong, "Input should be a valid UUID, ", reason.text, "", text);
    } else if (!uuid_is_v7(id)) {
        wrong.type = "uuid_version";
        wrong.msg = "UUID version 7 expected";
        wrong.ctx = SLICE_LITERAL("{\"expected_version\":7}");
        refuse_text(r, &wrong, text);
    }
}

int log_params_parse_id(struct slice text, struct uuid *id, struct buffer *refusal)
{
    struct reading r;
    struct buffer repaired;

    reading_init(&r, NULL, NULL, refusal);
    buffer_init(&repaired, REFUSAL_ROOM);
    if (!utf8_valid(text)) {
        utf8_append_repaired(&repaired, text);
        text = buffer_slice(&repaired);
    }
    read_uuid(&r, (struct refusal){.in = "path", .name = SLICE_LITERAL("id")}, text, id);
    buffer_release(&repaired);
    return reading_finish(&r, NULL);
}

/* ---- Around a log ---- */

static void read_same(struct reading *r, struct log_params_around *around)
{
    struct slice text = query_string_last(r->params, "same");
    struct errbuf reason = ERRBUF_INIT;

    if (aggregate_fields_parse(text, "same", around->same, LOG_PARAMS_SAME_MAX, &around->same_len,
                               &reason)) {
        refuse_list(r, "same", "same_parsing", reason.text);
        return;
    }
    for (size_t i = 0; i < around->same_len; i++)
        if (around->same[i].kind != LOG_FIELD_LEVEL && around->same[i].kind != LOG_FIELD_ATTRIBUTE)
            refuse_list(r, "same", "same_parsing",
                        "same: level and attributes can be the same; attr.NAME is the attribute "
                        "of any name");
}

/* Both sides; or, with a cursor, the one that it goes on with. */
static void read_sides(struct reading *r, struct log_params_around *around)
{
    struct slice text = query_string_last(r->params, "cursor");
    int64_t before = LOG_PARAMS_AROUND_DEFAULT, after = LOG_PARAMS_AROUND_DEFAULT;
    int64_t least = text.data ? 1 : 0;

    read_int(r, "before", least, LOG_PARAMS_AROUND_MAX, &before);
    read_int(r, "after", least, LOG_PARAMS_AROUND_MAX, &after);
    around->before = (size_t)before;
    around->after = (size_t)after;
    around->older = around->newer = !text.data;
    if (!text.data)
        return;
    if (newer_place_parse(text, &around->newer_place) == 0)
        around->newer = around->has_newer_place = true;
    else if (log_key_parse_cursor(text, &around->older_place) == 0)
        around->older = around->has_older_place = true;
    else
        refuse_list(r, "cursor", "cursor_invalid",
                    "Input should be a cursor, as `next` or `previous` of an answer has it");
}

int log_params_parse_around(const struct query_string *params, struct query *only,
                            struct log_params_around *around, struct log_params_answer *answer,
                            struct buffer *refusal)
{
    struct reading r;

    reading_init(&r, params, only, refusal);
    log_filter_init(&around->filter);
    read_uuid(&r, (struct refusal){.in = "query", .name = SLICE_LITERAL("around")},
              query_string_last(params, "around"), &around->id);
    read_time(&r, "since", &around->filter.since_us);
    read_time(&r, "until", &around->filter.until_us);
    read_sides(&r, around);
    read_same(&r, around);
    read_fields(&r, &around->fields);
    read_answer(&r, answer);
    read_predicates(&r, &around->filter);
    refuse_beside(&r, (const char *const[]){"limit", "offset", "bytes", "format", "order", NULL},
                  "around_excludes",
                  "It does not go with `around`; `before` and `after` say how many logs");
    refuse_unknown(&r, list_names);
    return reading_finish(&r, &around->filter);
}
