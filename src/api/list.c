/*
 * A list goes around: a job reads a piece, in as many turns as that takes ──► it is written ──► the
 * socket has taken it all ──► the next job. A page of JSON usually is one piece, and is answered
 * whole. The request is answered only when the first piece is there, so that a store that fails can
 * still be told.
 *
 * It is at one of these: building (`job_runs`), or waiting for the socket; and for a page that is
 * full, looking whether there is one more log.
 */
#include "api/list.h"

#include <stddef.h>
#include <stdlib.h>

#include "answers/answers.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "http/accept.h"
#include "metrics/metrics.h"
#include "read/answer.h"
#include "read/params.h"

enum {
    OUT_BYTES_MAX = 1 << 30, /* a ceiling because every buffer has one */
    FIRST_PIECE_LOGS = 250,  /* of a download, until it is known how large they are */
};

static const uint64_t LOOK_AHEAD_US = 1000000; /* for one more log after a page is full */
static const uint64_t PIECE_US = 1000000;      /* a piece with something in it is sent after this */

struct list {
    struct read_job job; /* its until_us is 0 for an answer that takes what it takes */
    struct api *api;
    struct http_request *req;
    enum list_format format;
    bool ends_early; /* a page of LIST_PAGE_BYTES is full */
    struct log_matcher *matcher;
    struct log_query query; /* for the cache; its slices point into the matcher */
    struct store_scan scan;
    struct log_key start; /* where the scan began */
    uint64_t left;        /* logs that may still come */
    uint64_t piece_logs;  /* of a download, to read at a time */
    bool begun;           /* the response has */
    bool job_runs;
    bool gone;         /* the client: to be freed after the job */
    uint64_t began_us; /* this piece */

    /* The job's: */
    struct buffer out;
    size_t whole_len;   /* of `out`: up to the end of the last log */
    uint64_t rows;      /* in it */
    bool looked;        /* in the cache, if there is one */
    const char *cached; /* for X-Cache: "hit", "miss", "bypass"; NULL: there is no cache */
    bool any;           /* there was a log, in this piece or one before: `last` */
    struct log_key last;
    bool more;        /* a log was met that belongs to the next page */
    bool ended;       /* this piece is the last */
    uint64_t full_us; /* since when the page has been full; 0: it is not */
    int row_error;    /* of the callback */
    int error;
    struct errbuf detail;
};

static struct list *list_of(struct read_job *job)
{
    return (struct list *)((char *)job - offsetof(struct list, job));
}

/* ---- What is asked for ---- */

enum { ANYTHING = 3, RANGES = 4 };

static int range_of(struct slice type)
{
    if (slice_equal_ascii_nocase(type, SLICE_LITERAL("application/x-ndjson")) ||
        slice_equal_ascii_nocase(type, SLICE_LITERAL("application/ndjson")) ||
        slice_equal_ascii_nocase(type, SLICE_LITERAL("application/jsonl")))
        return LIST_NDJSON;
    if (slice_equal_ascii_nocase(type, SLICE_LITERAL("text/csv")))
        return LIST_CSV;
    if (slice_equal_ascii_nocase(type, SLICE_LITERAL("application/json")))
        return LIST_JSON;
    if (slice_equal_ascii_nocase(type, SLICE_LITERAL("application/*")) ||
        slice_equal_ascii_nocase(type, SLICE_LITERAL("*/*")))
        return ANYTHING;
    return -1;
}

enum list_format list_format(struct slice accept, const struct query_string *params)
{
    struct slice format = query_string_last(params, "format");
    int weights[RANGES] = {-1, 0, 0, 0};
    struct accept_item item;
    int best = LIST_JSON;

    if (slice_equal(format, SLICE_LITERAL("ndjson")))
        return LIST_NDJSON;
    if (slice_equal(format, SLICE_LITERAL("csv")))
        return LIST_CSV;
    if (slice_equal(format, SLICE_LITERAL("json")))
        return LIST_JSON;
    while (accept_next(&accept, &item)) {
        int range = range_of(item.name);

        if (range >= 0 && item.weight > weights[range])
            weights[range] = item.weight;
    }
    if (weights[LIST_JSON] < 0) /* whoever takes anything gets what it always got */
        weights[LIST_JSON] = weights[ANYTHING];
    for (int i = 0; i < ANYTHING; i++)
        if (weights[i] > weights[best])
            best = i;
    return (enum list_format)best;
}

/* ---- Rows ---- */

static void append_csv(struct buffer *b, struct slice s)
{
    buffer_append_char(b, '"');
    while (s.len > 0) {
        const char *quote = memchr(s.data, '"', s.len);
        size_t n = quote ? (size_t)(quote - s.data) + 1 : s.len;

        buffer_append(b, s.data, n);
        if (quote)
            buffer_append_char(b, '"');
        s = slice_of(s.data + n, s.len - n);
    }
    buffer_append_char(b, '"');
}

static void append_csv_row(struct buffer *b, const struct record *r)
{
    char id[UUID_TEXT_LEN];

    timestamp_append(b, r->key.timestamp_us);
    buffer_append_char(b, ',');
    uuid_format(&r->key.id, id);
    buffer_append(b, id, sizeof(id));
    buffer_append_char(b, ',');
    append_csv(b, r->level);
    buffer_append_char(b, ',');
    append_csv(b, r->message);
    buffer_append_char(b, ',');
    append_csv(b, r->attributes.len > 0 ? r->attributes : SLICE_LITERAL("{}"));
    buffer_append_string(b, "\r\n");
}

/* ---- One turn ---- */

static void append_log(struct list *l, const struct record *record)
{
    if (l->format == LIST_CSV) {
        append_csv_row(&l->out, record);
        return;
    }
    if (l->format == LIST_JSON && l->any)
        buffer_append_char(&l->out, ',');
    record_append_json(&l->out, record);
    if (l->format == LIST_NDJSON)
        buffer_append_char(&l->out, '\n');
}

/* A page of JSON that is full only looks for one log more, to tell whether there is a next page. */
static bool is_page_full(const struct list *l)
{
    return l->format == LIST_JSON &&
           (l->left == 0 || (l->ends_early && l->out.len >= LIST_PAGE_BYTES));
}

static bool is_piece_full(const struct list *l)
{
    return !l->ends_early && l->out.len >= LIST_PIECE_BYTES;
}

static int take_row(const struct record *record, void *ctx)
{
    struct list *l = ctx;

    if (is_page_full(l)) {
        l->more = true;
        return LM_ESTOPPED;
    }
    append_log(l, record);
    l->row_error = buffer_error(&l->out);
    if (l->row_error)
        return l->row_error;
    l->whole_len = l->out.len;
    l->any = true;
    l->rows++;
    l->left--;
    l->last = record->key;
    return is_piece_full(l) ? LM_ESTOPPED : 0;
}

/*
 * Returns true where the cache had the answer. What had no room is then looked for in the store.
 * A last turn does not look: its client has gone, or its time is over.
 */
static bool look_in_cache(struct list *l, struct cache_client *cache,
                          const struct read_slice *slice)
{
    static const struct {
        const char *name;
        enum metric_counter metric;
    } results[] = {[CACHE_HIT] = {"hit", METRIC_CACHE_HIT},
                   [CACHE_MISS] = {"miss", METRIC_CACHE_MISS},
                   [CACHE_BYPASS] = {"bypass", METRIC_CACHE_BYPASS}};
    enum cache_result result = CACHE_BYPASS;

    if (!slice->last)
        result = cache_query(cache, &l->query, slice->until_us, take_row, l);
    if (cache)
        l->cached = results[result].name;
    metrics_add(results[result].metric, 1);
    if (result != CACHE_HIT)
        return false;
    if (l->row_error || is_piece_full(l))
        store_scan_init(&l->scan, l->matcher, l->any ? &l->last : NULL, l->any ? 0 : l->scan.skip);
    else
        l->scan.done = true;
    l->error = l->row_error;
    return true;
}

static void look_in_store(struct list *l, struct store_reader *reader, uint64_t until_us)
{
    struct store_slice slice = {.rows = l->piece_logs - l->rows, .until_us = until_us};

    if (l->format == LIST_JSON)
        slice.rows = l->left + 1; /* that is whether there is a next page */
    else if (slice.rows > l->left)
        slice.rows = l->left;
    l->error = store_scan_next(reader, &l->scan, &slice, take_row, l, &l->detail);
    if (l->error == LM_EBUSY && !l->row_error) /* it is not the ledger that is */
        l->error = LM_EUNAVAILABLE;
}

/* Ends a page; `next` is where the next one begins. */
static enum read_step end_page(struct list *l)
{
    struct read_place place = {.more = l->more || !l->scan.done,
                               .out_of_time = !l->more && !is_page_full(l),
                               .before = l->more ? l->last : l->scan.before};

    if (place.more && place.out_of_time)
        metrics_add(METRIC_READS_PARTIAL, 1);
    buffer_append_string(&l->out, "],");
    read_answer_append_place(&l->out, &place);
    buffer_append_char(&l->out, '}');
    if (!l->error)
        l->error = buffer_error(&l->out);
    l->ended = true;
    return READ_DONE;
}

/*
 * A page whose time is over is an answer if the search has got on at all. Else the store is to
 * blame.
 */
static enum read_step end_of_time(struct list *l)
{
    if (!l->any && log_key_compare(&l->scan.before, &l->start) >= 0)
        l->error = LM_ETIMEOUT;
    return l->error ? READ_DONE : end_page(l);
}

static enum read_step judge_page(struct list *l, const struct read_slice *slice)
{
    uint64_t now_us = clock_monotonic_us();

    if (l->more || l->scan.done)
        return end_page(l);
    if (is_page_full(l)) {
        if (!l->full_us)
            l->full_us = now_us;
        return slice->last || now_us - l->full_us > LOOK_AHEAD_US ? end_page(l) : READ_MORE;
    }
    if (is_piece_full(l))
        return READ_DONE;
    if (slice->last)
        return l->job.until_us ? end_of_time(l) : READ_DONE;
    return READ_MORE;
}

static enum read_step judge_download(struct list *l, const struct read_slice *slice)
{
    l->ended = l->scan.done || l->left == 0;
    if (l->ended || slice->last || is_piece_full(l) || l->rows >= l->piece_logs ||
        (l->rows > 0 && clock_monotonic_us() - l->began_us > PIECE_US))
        return READ_DONE;
    return READ_MORE;
}

/*
 * What was found before an error is an answer, too, where it is lack of room, or of time in a page.
 * Returns false where it is none.
 */
static bool can_go_on(struct list *l)
{
    if (l->error == LM_EBUSY && l->rows > 0) {
        buffer_truncate(&l->out, l->whole_len);
        l->more = l->ends_early;
    } else if (l->error != LM_ETIMEOUT || !l->job.until_us) {
        return false;
    }
    l->error = l->row_error = 0;
    return true;
}

static enum read_step work(struct read_job *job, struct read_thread *thread,
                           const struct read_slice *slice)
{
    struct list *l = list_of(job);
    struct read_slice now = *slice;
    /* A page whose time is over only has to be ended. */
    bool is_done = l->looked && l->job.until_us && slice->until_us <= clock_monotonic_us();

    if (!l->looked && l->format == LIST_JSON)
        is_done = look_in_cache(l, thread->cache, slice);
    l->looked = true;
    if (!is_done)
        look_in_store(l, thread->reader, slice->until_us);
    if (l->error) {
        now.last = true; /* the last turn of this piece */
        if (!can_go_on(l))
            return READ_DONE;
    }
    return l->format == LIST_JSON ? judge_page(l, &now) : judge_download(l, &now);
}

/* ---- The response ---- */

static void free_list(struct list *l)
{
    log_matcher_unref(l->matcher);
    buffer_release(&l->out);
    free(l);
}

static void finish(struct read_job *job);

/* Begins to read the next piece. Fails where too many reads wait and the response has not begun. */
static int submit(struct list *l, struct errbuf *err)
{
    int error;

    l->rows = l->whole_len = 0;
    l->began_us = clock_monotonic_us();
    /* A page whose time is over, since its client took so long, is still to be ended. */
    if (l->begun && l->job.until_us && l->job.until_us < l->began_us)
        l->job.until_us = l->began_us;
    l->job.lane = l->begun                                 ? READ_SCAN
                  : log_matcher_has_predicates(l->matcher) ? READ_SEARCH
                                                           : READ_PAGE;
    l->job.goes_on = l->begun;
    error = read_job_submit(l->api->readers, &l->job, err);
    l->job_runs = !error;
    return error;
}

static void break_off(struct list *l, const char *reason)
{
    diag(DIAG_WARN, "a download was broken off", DIAG_STR("reason", reason));
    http_stream_abort(l->req);
    free_list(l);
}

/* An answer that has begun is not refused the rest. */
static void go_on(struct list *l)
{
    if (submit(l, &l->detail))
        break_off(l, l->detail.text);
}

static void on_drained(void *ctx)
{
    struct list *l = ctx;

    if (!l->job_runs)
        go_on(l);
}

static void on_closed(void *ctx)
{
    struct list *l = ctx;

    l->gone = true;
    if (l->job_runs)
        read_job_leave(l->api->readers, &l->job);
    else
        free_list(l);
}

/* Before the response has begun. The client may still read it. */
static void on_gone(void *ctx)
{
    struct list *l = ctx;

    read_job_leave(l->api->readers, &l->job);
}

static struct http_response head_of(const struct list *l, struct http_header headers[2])
{
    static const char *const types[] = {
        [LIST_NDJSON] = "application/x-ndjson",
        [LIST_CSV] = "text/csv; charset=utf-8; header=present",
    };
    static const struct slice names[] = {
        [LIST_NDJSON] = {"attachment; filename=\"logs.ndjson\"", 34},
        [LIST_CSV] = {"attachment; filename=\"logs.csv\"", 31},
    };
    struct http_response head = {.status = 200, .headers = headers};

    if (l->format != LIST_JSON) {
        head.content_type = types[l->format];
        headers[0] = (struct http_header){"Content-Disposition", names[l->format]};
        headers[1] = (struct http_header){"Vary", SLICE_LITERAL("Accept")};
        head.headers_len = 2;
    } else if (l->cached) {
        headers[0] = (struct http_header){"X-Cache", slice_of_string(l->cached)};
        head.headers_len = 1;
    }
    return head;
}

/* For the first piece. Another may take the room meanwhile: then the answer is broken off. */
static bool has_room_to_begin(const struct list *l)
{
    struct account *answers = ledger_account(&l->api->ledger, LEDGER_ANSWERS);

    if (!account_take(answers, l->out.len))
        return false;
    account_give(answers, l->out.len);
    return true;
}

static bool begin(struct list *l)
{
    static const struct http_stream_hooks hooks = {.drained = on_drained, .closed = on_closed};
    struct http_header headers[2];
    const struct http_response head = head_of(l, headers);

    http_request_on_gone(l->req, NULL, NULL);
    l->begun = http_stream_begin(l->req, &head, &hooks, l);
    return l->begun;
}

static void answer_whole(struct list *l)
{
    struct http_header headers[2];
    struct http_response response = head_of(l, headers);

    response.body_buffer = &l->out;
    http_respond(l->req, &response);
    free_list(l);
}

/*
 * So many logs that the next piece probably stays below LIST_PIECE_BYTES. To stop the store in the
 * middle is possible, but costs it: PostgreSQL a new connection.
 */
static uint64_t fitting_logs(const struct list *l)
{
    uint64_t n = l->rows * (LIST_PIECE_BYTES * 3 / 4) / (l->out.len + 1);

    return n < 1 ? 1 : n > LIST_PIECE_LOGS ? LIST_PIECE_LOGS : n;
}

static void write_piece(struct list *l)
{
    bool written = l->out.len == 0 || !http_stream_write(l->req, buffer_slice(&l->out));
    bool waits = l->out.len > 0; /* on_drained comes */

    if (l->rows > 0)
        l->piece_logs = fitting_logs(l);
    buffer_release(&l->out); /* a client may take its time */
    if (!written) {
        break_off(l, "MAX_INFLIGHT_BYTES are used up");
    } else if (l->ended) {
        http_stream_end(l->req);
        free_list(l);
    } else if (!waits) {
        go_on(l);
    }
}

static void finish(struct read_job *job)
{
    struct list *l = list_of(job);

    l->job_runs = false;
    if (job->unserved)
        l->error = errbuf_fail(&l->detail, LM_ESTOPPED, "no reader had time for it");
    if (l->gone) {
        free_list(l);
    } else if (l->begun) {
        if (l->error)
            break_off(l, l->detail.text[0] ? l->detail.text : lm_error_text(l->error));
        else
            write_piece(l);
    } else if (l->error) {
        read_answer_failure(l->req, l->error, &l->detail);
        free_list(l);
    } else if (l->ended && l->format == LIST_JSON) {
        answer_whole(l);
    } else if (!has_room_to_begin(l)) {
        read_answer_failure(l->req, LM_EBUSY, &l->detail);
        free_list(l);
    } else if (begin(l)) {
        write_piece(l);
    } else {
        free_list(l);
    }
}

/* ---- The request ---- */

static struct list *list_new(struct http_request *req, struct api_thread *t,
                             enum list_format format)
{
    struct list *l = xcalloc(1, sizeof(*l));

    l->api = t->api;
    l->req = req;
    l->format = format;
    l->piece_logs = FIRST_PIECE_LOGS;
    l->job.work = work;
    l->job.finish = finish;
    l->job.box = &t->box;
    l->job.client = http_request_client(req);
    buffer_init(&l->out, OUT_BYTES_MAX);
    return l;
}

/* Reads what is asked for; fails as log_params_parse_list does, with the refusal in l->out. */
static int read_params(struct list *l, const struct query_string *params)
{
    unsigned slice_s = l->api->query_timeout_ms / 1000;
    bool has_offset = query_string_last(params, "offset").data;
    bool has_slice = query_string_last(params, "slice").data;
    int error;

    if (l->format == LIST_JSON) {
        error = log_params_parse_list(params, &l->query, &slice_s, &l->out);
        l->left = l->query.limit++; /* one more tells whether there is a next page */
    } else {
        error = log_params_parse_download(params, &l->query, &l->left, &l->out);
    }
    if (error)
        return error;
    buffer_clear(&l->out);
    l->ends_early = l->format == LIST_JSON && !has_offset && (has_slice || l->query.has_cursor);
    if (l->format == LIST_JSON && !has_offset)
        l->job.until_us = clock_monotonic_us() + slice_s * UINT64_C(1000000);
    return 0;
}

/* Makes what the scan needs: copies of all texts, since those of the request go. */
static int prepare(struct list *l)
{
    l->matcher = log_matcher_new(&l->query.filter);
    if (!l->matcher)
        return LM_ENOMEM;
    l->query.filter = *log_matcher_filter(l->matcher);
    store_scan_init(&l->scan, l->matcher, l->query.has_cursor ? &l->query.cursor : NULL,
                    l->query.offset);
    l->start = l->scan.before;
    if (!buffer_charge(&l->out, ledger_account(&l->api->ledger, LEDGER_READS)))
        return LM_EBUSY;
    if (l->format == LIST_JSON)
        buffer_append_string(&l->out, "{\"logs\":[");
    if (l->format == LIST_CSV)
        buffer_append_string(&l->out, "timestamp,id,level,message,attributes\r\n");
    return buffer_error(&l->out);
}

static void start(struct list *l)
{
    int error = prepare(l);

    if (error) {
        read_answer_failure(l->req, error, &l->detail);
        free_list(l);
    } else if (submit(l, &l->detail)) {
        answers_refuse_failed(l->req, 503, &l->detail);
        free_list(l);
    } else {
        http_request_on_gone(l->req, on_gone, l);
    }
}

void list_routes_get(struct http_request *req, void *thread)
{
    struct query_string params;
    struct list *l;
    int error = query_string_parse(&params, http_request_query(req));

    if (error) {
        read_answer_refuse(req, error, slice_of(NULL, 0));
        query_string_release(&params);
        return;
    }
    l = list_new(req, thread, list_format(http_request_header(req, "accept"), &params));
    error = read_params(l, &params);
    if (error) {
        read_answer_refuse(req, error, buffer_slice(&l->out));
        free_list(l);
    } else {
        start(l);
    }
    query_string_release(&params);
}
