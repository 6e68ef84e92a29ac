#include "read/oldest.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "metrics/metrics.h"
#include "read/answer.h"
#include "read/list_format.h"
#include "read/params.h"

/* Of time: where logs are looked for first. */
static const int64_t SPAN_US = 1000000;

struct oldest {
    struct read_request request;
    struct log_params_oldest asked;
    size_t bytes; /* of a page; 0: not said */
    bool explains;
    struct block_explain explain;
    bool has_cache; /* which knows of no such pages */
    struct log_matcher *matcher;
    struct newer newer;
    uint64_t damage_told;
};

static struct oldest *oldest_of(struct read_request *r)
{
    return container_of(r, struct oldest, request);
}

static void oldest_free(struct oldest *o)
{
    newer_release(&o->newer);
    log_matcher_unref(o->matcher);
    query_unref(o->asked.filter.query);
    projection_release(&o->asked.fields);
    read_request_release(&o->request);
    free(o);
}

/* ---- The answer ---- */

static void append_log(struct buffer *b, const struct record *record, void *ctx)
{
    struct record shown = *record;
    int error = projection_apply(&((struct oldest *)ctx)->asked.fields, &shown);

    if (error)
        b->error = error;
    else
        record_append_json(b, &shown);
}

/* Where the next page begins and, if the time is over, up to where logs were looked for. */
static void append_place(const struct oldest *o, struct buffer *b)
{
    struct newer_place place = newer_next(&o->newer);
    uint64_t damaged = newer_damaged(&o->newer);

    if (o->newer.done && !o->newer.more) {
        buffer_append_string(b, "\"next\":null");
    } else {
        char cursor[NEWER_PLACE_LEN];

        buffer_append_string(b, "\"next\":\"");
        buffer_append(b, cursor, newer_place_format(&place, cursor));
        buffer_append_char(b, '"');
    }
    buffer_append_string(b, ",\"searched_to\":null,\"searched_until\":");
    if (o->newer.done) {
        buffer_append_string(b, "null");
    } else {
        buffer_append_char(b, '"');
        timestamp_append(b, place.from.timestamp_us);
        buffer_append_char(b, '"');
    }
    if (damaged > 0)
        buffer_appendf(b, ",\"damaged\":%llu", (unsigned long long)damaged);
}

static enum read_step end(struct oldest *o)
{
    struct buffer *out = &o->request.out;

    if (!o->newer.done)
        metrics_add(METRIC_READS_PARTIAL, 1);
    buffer_append_string(out, "{\"logs\":[");
    (void)newer_append_found(&o->newer, true, out);
    buffer_append_string(out, "],");
    append_place(o, out);
    if (o->explains)
        read_answer_append_explain(out, &o->explain);
    buffer_append_char(out, '}');
    o->request.error = buffer_error(out);
    return READ_DONE;
}

/* ---- Turns ---- */

/* One call of the store's. Its time is over: that is an answer if it has got on at all. */
static int step(struct oldest *o, struct store_reader *reader, uint64_t until_us)
{
    int error = newer_step(&o->newer, reader, until_us, &o->request.detail);
    struct store_scan met = {.damaged = newer_damaged(&o->newer)};

    read_answer_tell_damage(&met, &o->damage_told, &o->request.detail);
    return error;
}

static enum read_step work(struct read_job *job, struct read_thread *thread,
                           const struct read_slice *slice)
{
    struct read_request *r = container_of(job, struct read_request, job);
    struct oldest *o = oldest_of(r);

    if (thread->cache && !o->has_cache)
        metrics_add(METRIC_CACHE_BYPASS, 1);
    o->has_cache = thread->cache;
    while (!r->error && !o->newer.done) {
        r->error = step(o, thread->reader, slice->until_us);
        if (clock_monotonic_us() >= slice->until_us)
            break;
    }
    if (r->error == LM_ETIMEOUT && o->newer.moved)
        return end(o);
    if (r->error)
        return READ_DONE;
    return slice->last || o->newer.done ? end(o) : READ_MORE;
}

static void finish(struct read_job *job)
{
    struct read_request *r = container_of(job, struct read_request, job);
    struct oldest *o = oldest_of(r);
    const struct http_header from = {"X-Cache", SLICE_LITERAL("bypass")};
    int error = read_request_outcome(r);

    if (error)
        read_request_fail(r, error);
    else
        http_respond(r->http, &(struct http_response){.status = 200,
                                                      .body_buffer = &r->out,
                                                      .headers = &from,
                                                      .headers_len = o->has_cache ? 1 : 0});
    oldest_free(o);
}

/* ---- The request ---- */

static int begin(struct oldest *o)
{
    struct account *account = ledger_account(o->request.service->ledger, LEDGER_READS);
    struct newer_place first = {.from.timestamp_us = o->asked.filter.since_us};
    int error;

    if (first.from.timestamp_us < TIMESTAMP_MIN_US)
        first.from.timestamp_us = TIMESTAMP_MIN_US;
    o->matcher = log_matcher_new(&o->asked.filter);
    if (!o->matcher)
        return LM_ENOMEM;
    o->newer.append = append_log;
    o->newer.ctx = o;
    o->newer.explain = o->explains ? &o->explain : NULL;
    error = newer_init(&o->newer, o->matcher, o->asked.has_place ? &o->asked.place : &first,
                       o->asked.limit, SPAN_US, account);
    if (o->bytes)
        o->newer.bytes_max = o->bytes;
    return error;
}

static int read_params(struct read_request *r, const struct query_string *params)
{
    struct oldest *o = oldest_of(r);
    struct log_params_answer answer = {.slice_s = r->service->timeout_ms / 1000};
    bool is_download = list_format(http_request_header(r->http, "accept"), params) != LIST_JSON;
    int error = log_params_parse_oldest(params, r->only, is_download, &o->asked, &answer, &r->out);

    if (error)
        return error;
    read_request_give_time(r, answer.slice_s * UINT64_C(1000));
    o->bytes = answer.bytes;
    o->explains = answer.explain;
    error = projection_own(&o->asked.fields, ledger_account(r->service->ledger, LEDGER_READS));
    if (!error)
        error = read_request_charge(r);
    if (!error)
        error = begin(o);
    if (!error)
        r->job.lane = log_matcher_has_predicates(o->matcher) ? READ_SEARCH : READ_PAGE;
    return error;
}

bool read_oldest_is_asked(struct http_request *http)
{
    struct query_string params;
    bool asked = query_string_parse(&params, http_request_query(http)) == 0 &&
                 slice_equal(query_string_last(&params, "order"), SLICE_LITERAL("oldest"));

    query_string_release(&params);
    return asked;
}

void read_oldest_get(const struct read_service *service, struct http_request *http)
{
    struct oldest *o = xcalloc(1, sizeof(*o));

    projection_init(&o->asked.fields);
    read_request_init(&o->request, service, http, work, finish);
    if (!read_request_open(&o->request, read_params) || !read_request_submit(&o->request))
        oldest_free(o);
}
