#include "read/around.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "metrics/metrics.h"
#include "query/path.h"
#include "read/answer.h"
#include "read/params.h"
#include "json/reader.h"
#include "json/writer.h"

enum {
    OLDER_BYTES_MAX = NEWER_BYTES_MAX, /* of the older logs' JSON, but for the first log */
    SAME_VALUES_MAX = 16,              /* of an array, of which each is a value that is the same */
};

/* Of time: where the newer ones are looked for first, and what that is guessed by at most. */
static const int64_t SPAN_US = 1000000;
static const int64_t GAP_US_MAX = INT64_C(86400) * 1000000;

/* The older logs. */
struct older {
    struct store_scan scan;
    struct log_key start;
    struct buffer texts;
    size_t len;
    struct log_key last;
    bool more; /* a log was met that comes after them */
    bool done;
    int error; /* of writing a log */
    uint64_t damage_told;
};

struct around {
    struct read_request request;
    struct log_params_around asked; /* its filter is of no use once there is a matcher */
    char *same_paths;
    bool explains;
    struct block_explain explain;

    /* The log, once it has been found: */
    bool is_found;
    struct log_key key;
    struct buffer log;
    struct query *query; /* what is asked of those around it */
    struct log_matcher *matcher;
    int log_error;

    struct older older;
    struct newer newer;
    uint64_t newer_damage_told;
    bool turn; /* whose: the newer ones' */
};

static struct around *around_of(struct read_request *r)
{
    return container_of(r, struct around, request);
}

static void around_free(struct around *a)
{
    newer_release(&a->newer);
    buffer_release(&a->older.texts);
    buffer_release(&a->log);
    log_matcher_unref(a->matcher);
    query_unref(a->query);
    query_unref(a->asked.filter.query);
    projection_release(&a->asked.fields);
    free(a->same_paths);
    read_request_release(&a->request);
    free(a);
}

static void append_log(struct buffer *b, const struct record *record, void *ctx)
{
    struct record shown = *record;
    int error = projection_apply(&((struct around *)ctx)->asked.fields, &shown);

    if (error)
        b->error = error;
    else
        record_append_json(b, &shown);
}

/* ---- The log ---- */

/* The tests that others have to pass: one for each value that the log has. */
struct same {
    struct query_builder *builder;
    struct slice path;
    unsigned values;
};

static bool add_value(yyjson_val *value, void *ctx)
{
    struct same *same = ctx;
    struct query_node test = {
        .kind = QUERY_TEST, .field = QUERY_ATTRIBUTE, .test = QUERY_EQUALS, .path = same->path};

    if (yyjson_is_bool(value))
        test.text = yyjson_get_bool(value) ? SLICE_LITERAL("true") : SLICE_LITERAL("false");
    else if (yyjson_is_null(value))
        test.text = SLICE_LITERAL("null");
    else if (yyjson_is_ctn(value))
        test.test = QUERY_EXISTS; /* what is in it is not compared */
    else
        test.text = json_text(value);
    query_builder_test(same->builder, &test);
    return ++same->values < SAME_VALUES_MAX;
}

/* One of the values of the log; or none, where it has none. */
static void add_same(struct query_builder *b, yyjson_val *attributes, struct slice path)
{
    struct same same = {.builder = b, .path = path};
    uint64_t steps = 0;

    query_builder_open(b, QUERY_OR);
    if (attributes)
        (void)path_each(attributes, path, add_value, &same, &steps);
    if (same.values == 0) {
        query_builder_open(b, QUERY_NOT);
        query_builder_test(b, &(struct query_node){.kind = QUERY_TEST,
                                                   .field = QUERY_ATTRIBUTE,
                                                   .test = QUERY_EXISTS,
                                                   .path = path});
        query_builder_close(b);
    }
    query_builder_close(b);
}

/* What was asked for, of logs that have the same values as `record`. */
static int make_query(struct around *a, const struct record *record)
{
    struct query_builder b;
    struct json_doc doc;
    int error = 0;

    json_doc_init(&doc);
    if (record->attributes.len > 0)
        error = json_doc_read(&doc, record->attributes);
    if (error && error != LM_EINVAL) {
        json_doc_release(&doc);
        return error;
    }
    query_builder_init(&b);
    query_builder_open(&b, QUERY_AND);
    if (a->asked.filter.query)
        query_builder_add(&b, a->asked.filter.query);
    for (size_t i = 0; i < a->asked.same_len; i++) {
        if (a->asked.same[i].kind == LOG_FIELD_LEVEL)
            query_builder_test(&b, &(struct query_node){.kind = QUERY_TEST,
                                                        .field = QUERY_LEVEL,
                                                        .test = QUERY_EQUALS,
                                                        .text = record->level});
        else
            add_same(&b, yyjson_doc_get_root(doc.doc), a->asked.same[i].path);
    }
    query_builder_close(&b);
    error = query_builder_finish(&b, &a->query);
    json_doc_release(&doc);
    if (error == LM_ETOOBIG)
        return errbuf_fail(&a->request.detail, error,
                           "With the values that are to be the same, it has more than %d terms",
                           QUERY_TESTS_MAX);
    return error;
}

static int take_log(const struct record *record, void *ctx)
{
    struct around *a = ctx;

    a->key = record->key;
    append_log(&a->log, record, a);
    a->log_error = buffer_error(&a->log);
    if (!a->log_error)
        a->log_error = make_query(a, record);
    return a->log_error;
}

static void start_older(struct around *a)
{
    const struct log_key *place = a->asked.has_older_place ? &a->asked.older_place : &a->key;

    a->older.done = !a->asked.older;
    store_scan_init(&a->older.scan, a->matcher, place, 0);
    a->older.scan.explain = a->explains ? &a->explain : NULL;
    a->older.start = a->older.scan.before;
}

static int start_newer(struct around *a)
{
    const struct newer_place place = a->asked.has_newer_place
                                         ? a->asked.newer_place
                                         : (struct newer_place){.from = a->key, .is_taken = true};
    struct account *account = ledger_account(a->request.service->ledger, LEDGER_READS);

    a->newer.append = append_log;
    a->newer.ctx = a;
    a->newer.explain = a->explains ? &a->explain : NULL;
    int error = newer_init(&a->newer, a->matcher, &place, a->asked.after, SPAN_US, account);

    a->newer.done |= !a->asked.newer;
    return error;
}

static int find_log(struct around *a, struct store_reader *reader)
{
    struct log_filter filter = a->asked.filter;
    int error = read_request_get(&a->request, reader, &a->asked.id, take_log, a);

    if (a->log_error)
        return a->log_error;
    if (error)
        return error == LM_EBUSY ? LM_EUNAVAILABLE : error; /* it is not the ledger that is */
    filter.query = a->query;
    a->matcher = log_matcher_new(&filter);
    if (!a->matcher)
        return LM_ENOMEM;
    a->is_found = true;
    start_older(a);
    return start_newer(a);
}

/* ---- The older ones ---- */

static int take_older(const struct record *record, void *ctx)
{
    struct around *a = ctx;
    struct older *o = &a->older;
    size_t start = o->texts.len;

    if (o->len == a->asked.before || (o->len > 0 && start >= OLDER_BYTES_MAX)) {
        o->more = true;
        return LM_ESTOPPED;
    }
    if (o->len > 0)
        buffer_append_char(&o->texts, ',');
    append_log(&o->texts, record, a);
    o->error = buffer_error(&o->texts);
    if (o->error) {
        buffer_truncate(&o->texts, start);
        return o->error;
    }
    o->len++;
    o->last = record->key;
    return 0;
}

/* They are probably about as dense on the other side. */
static void guess_span(struct around *a)
{
    int64_t gap_us = (a->key.timestamp_us - a->older.last.timestamp_us) / (int64_t)a->older.len;

    if (gap_us > GAP_US_MAX)
        gap_us = GAP_US_MAX;
    a->newer.span_us = gap_us * (int64_t)(a->asked.after + 1);
}

static int step_older(struct around *a, struct store_reader *reader, uint64_t until_us)
{
    struct older *o = &a->older;
    /* One more tells whether there is another. */
    const struct store_slice slice = {.rows = a->asked.before - o->len + 1, .until_us = until_us};
    int error = store_scan_next(reader, &o->scan, &slice, take_older, a, &a->request.detail);

    read_answer_tell_damage(&o->scan, &o->damage_told, &a->request.detail);
    o->done = o->more || o->scan.done;
    if (o->error)
        return o->error;
    if (o->done && o->len > 1 && !a->newer.moved)
        guess_span(a);
    return error == LM_EBUSY ? LM_EUNAVAILABLE : error;
}

static int step_newer(struct around *a, struct store_reader *reader, uint64_t until_us)
{
    int error = newer_step(&a->newer, reader, until_us, &a->request.detail);
    struct store_scan met = {.damaged = newer_damaged(&a->newer)};

    read_answer_tell_damage(&met, &a->newer_damage_told, &a->request.detail);
    return error;
}

/* ---- The answer ---- */

static void append_cursor(struct buffer *b, const struct newer_place *place)
{
    char text[NEWER_PLACE_LEN];

    buffer_append_char(b, '"');
    buffer_append(b, text, newer_place_format(place, text));
    buffer_append_char(b, '"');
}

/* Where the newer ones go on, and, if its time is over, up to where they were looked for. */
static void append_previous(const struct around *a, struct buffer *b)
{
    struct newer_place place = newer_next(&a->newer);

    if (!a->asked.newer || (a->newer.done && !a->newer.more)) {
        buffer_append_string(b, ",\"previous\":null,\"searched_until\":null");
        return;
    }
    buffer_append_string(b, ",\"previous\":");
    append_cursor(b, &place);
    buffer_append_string(b, ",\"searched_until\":");
    if (a->newer.done) {
        buffer_append_string(b, "null");
        return;
    }
    buffer_append_char(b, '"');
    timestamp_append(b, place.from.timestamp_us);
    buffer_append_char(b, '"');
}

static bool is_older_cut(const struct around *a)
{
    return a->asked.older && (a->older.more || !a->older.scan.done);
}

static void append_logs(const struct around *a, struct buffer *b)
{
    size_t newer = newer_append_found(&a->newer, false, b);
    bool is_whole = a->asked.older && a->asked.newer;

    if (is_whole) {
        if (newer > 0)
            buffer_append_char(b, ',');
        buffer_append_slice(b, buffer_slice(&a->log));
    }
    if (a->older.len > 0 && is_whole)
        buffer_append_char(b, ',');
    buffer_append_slice(b, buffer_slice(&a->older.texts));
    buffer_append_string(b, "],\"around\":");
    if (is_whole)
        buffer_append_u64(b, newer);
    else
        buffer_append_string(b, "null");
    buffer_append_char(b, ',');
}

static enum read_step end(struct around *a)
{
    bool is_full = a->older.more || a->older.len == a->asked.before;
    const struct read_place older = {.more = is_older_cut(a),
                                     .out_of_time = !is_full,
                                     .before = !a->older.more     ? a->older.scan.before
                                               : a->older.len > 0 ? a->older.last
                                                                  : a->older.start,
                                     .damaged = a->older.scan.damaged + newer_damaged(&a->newer)};
    struct read_request *r = &a->request;

    if ((older.more && older.out_of_time) || (a->asked.newer && !a->newer.done))
        metrics_add(METRIC_READS_PARTIAL, 1);
    buffer_append_string(&r->out, "{\"logs\":[");
    append_logs(a, &r->out);
    read_answer_append_place(&r->out, &older);
    append_previous(a, &r->out);
    if (a->explains)
        read_answer_append_explain(&r->out, &a->explain);
    buffer_append_char(&r->out, '}');
    r->error = buffer_error(&r->out);
    return READ_DONE;
}

/* ---- Turns ---- */

static bool has_moved(const struct around *a)
{
    return a->newer.moved || log_key_compare(&a->older.scan.before, &a->older.start) < 0 ||
           (a->older.done && a->newer.done);
}

/* The sides in turn, so that both have something when the time is over. */
static int step(struct around *a, struct store_reader *reader, uint64_t until_us)
{
    if (a->older.done || (a->turn && !a->newer.done)) {
        a->turn = false;
        return step_newer(a, reader, until_us);
    }
    a->turn = true;
    return step_older(a, reader, until_us);
}

static enum read_step work(struct read_job *job, struct read_thread *thread,
                           const struct read_slice *slice)
{
    struct read_request *r = container_of(job, struct read_request, job);
    struct around *a = around_of(r);

    if (!a->is_found)
        r->error = find_log(a, thread->reader);
    while (!r->error && !(a->older.done && a->newer.done)) {
        r->error = step(a, thread->reader, slice->until_us);
        if (clock_monotonic_us() >= slice->until_us)
            break;
    }
    if (r->error == LM_ETIMEOUT && a->is_found && has_moved(a))
        return end(a);
    if (r->error)
        return READ_DONE;
    return slice->last || (a->older.done && a->newer.done) ? end(a) : READ_MORE;
}

static void finish(struct read_job *job)
{
    struct read_request *r = container_of(job, struct read_request, job);

    read_request_answer(r);
    around_free(around_of(r));
}

/* ---- The request ---- */

static int read_params(struct read_request *r, const struct query_string *params)
{
    struct around *a = around_of(r);
    struct account *account = ledger_account(r->service->ledger, LEDGER_READS);
    struct log_params_answer answer = {.slice_s = r->service->timeout_ms / 1000};
    int error = log_params_parse_around(params, r->only, &a->asked, &answer, &r->out);

    if (error)
        return error;
    read_request_give_time(r, answer.slice_s * UINT64_C(1000));
    a->explains = answer.explain;
    a->same_paths = projection_copy_paths(a->asked.same, a->asked.same_len);
    if (!a->same_paths)
        return LM_ENOMEM;
    error = projection_own(&a->asked.fields, account);
    if (!error)
        error = read_request_charge(r);
    if (!error && !(buffer_charge(&a->log, account) && buffer_charge(&a->older.texts, account)))
        error = LM_EBUSY;
    return error;
}

bool read_around_is_asked(struct http_request *http)
{
    struct query_string params;
    bool asked = query_string_parse(&params, http_request_query(http)) == 0 &&
                 query_string_last(&params, "around").data;

    query_string_release(&params);
    return asked;
}

void read_around_get(const struct read_service *service, struct http_request *http)
{
    struct around *a = xcalloc(1, sizeof(*a));

    projection_init(&a->asked.fields);
    buffer_init(&a->log, 1 << 30);
    buffer_init(&a->older.texts, 1 << 30);
    read_request_init(&a->request, service, http, work, finish);
    a->request.job.lane = READ_SEARCH;
    if (!read_request_open(&a->request, read_params) || !read_request_submit(&a->request))
        around_free(a);
}
