/*
 * A download goes around: a job reads a page ──► it is written ──► the socket has taken it all ──►
 * the next job. The request is answered only when the first page is there, so that a store that
 * fails can still be told.
 */
#include "api/download.h"

#include <stddef.h>
#include <stdlib.h>

#include "api/log_params.h"
#include "base/diag.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "http/accept.h"

enum {
    OUT_BYTES_MAX = 1 << 30, /* a ceiling because every buffer has one */
    FIRST_PAGE_LOGS = 250,   /* until it is known how large they are */
};

struct download {
    struct read_job job;
    struct read_scheduler *readers;
    struct http_request *req;
    enum download_format format;
    struct query_string params; /* what the query's slices point into */
    struct log_query query;     /* the next page */
    uint64_t left;              /* logs that may still come */
    uint64_t page_logs;         /* to read at a time */
    bool begun;                 /* the response has */
    bool job_runs;
    bool gone; /* the client: to be freed after the job */

    /* The job's: */
    struct buffer out;
    uint64_t rows; /* of this page */
    struct log_key last;
    int error;
    struct errbuf detail;
};

/* ---- What is asked for ---- */

enum { JSON = DOWNLOAD_NONE, ANYTHING = 3, RANGES = 4 };

static int range_of(struct slice type)
{
    if (slice_equal_ascii_nocase(type, SLICE_LITERAL("application/x-ndjson")) ||
        slice_equal_ascii_nocase(type, SLICE_LITERAL("application/ndjson")) ||
        slice_equal_ascii_nocase(type, SLICE_LITERAL("application/jsonl")))
        return DOWNLOAD_NDJSON;
    if (slice_equal_ascii_nocase(type, SLICE_LITERAL("text/csv")))
        return DOWNLOAD_CSV;
    if (slice_equal_ascii_nocase(type, SLICE_LITERAL("application/json")))
        return JSON;
    if (slice_equal_ascii_nocase(type, SLICE_LITERAL("application/*")) ||
        slice_equal_ascii_nocase(type, SLICE_LITERAL("*/*")))
        return ANYTHING;
    return -1;
}

enum download_format download_format(struct slice accept, const struct query_string *params)
{
    struct slice format = query_string_last(params, "format");
    int weights[RANGES] = {-1, 0, 0, 0};
    struct accept_item item;
    int best = JSON;

    if (slice_equal(format, SLICE_LITERAL("ndjson")))
        return DOWNLOAD_NDJSON;
    if (slice_equal(format, SLICE_LITERAL("csv")))
        return DOWNLOAD_CSV;
    if (slice_equal(format, SLICE_LITERAL("json")))
        return DOWNLOAD_NONE;
    while (accept_next(&accept, &item)) {
        int range = range_of(item.name);

        if (range >= 0 && item.weight > weights[range])
            weights[range] = item.weight;
    }
    if (weights[JSON] < 0) /* whoever takes anything gets what it always got */
        weights[JSON] = weights[ANYTHING];
    for (int i = 0; i < ANYTHING; i++)
        if (weights[i] > weights[best])
            best = i;
    return (enum download_format)best;
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

static int append_row(const struct record *record, void *ctx)
{
    struct download *d = ctx;

    if (d->format == DOWNLOAD_CSV) {
        append_csv_row(&d->out, record);
    } else {
        record_append_json(&d->out, record);
        buffer_append_char(&d->out, '\n');
    }
    d->rows++;
    d->last = record->key;
    if (buffer_error(&d->out))
        return buffer_error(&d->out);
    return d->out.len >= DOWNLOAD_PAGE_BYTES ? LM_ESTOPPED : 0;
}

/*
 * So many logs that the next page probably stays below DOWNLOAD_PAGE_BYTES. To stop the store in
 * the middle is possible, but costs it: PostgreSQL a new connection.
 */
static uint64_t fitting_logs(const struct download *d)
{
    uint64_t n = d->rows * (DOWNLOAD_PAGE_BYTES * 3 / 4) / (d->out.len + 1);

    if (d->rows == 0)
        return d->page_logs;
    return n < 1 ? 1 : n > DOWNLOAD_PAGE_LOGS ? DOWNLOAD_PAGE_LOGS : n;
}

static enum read_step work(struct read_job *job, struct read_thread *thread,
                           const struct read_slice *slice)
{
    struct download *d = (struct download *)((char *)job - offsetof(struct download, job));

    d->rows = 0;
    d->query.limit = (unsigned)(d->left < d->page_logs ? d->left : d->page_logs);
    d->error = store_query(thread->reader, &d->query, append_row, d, &d->detail);
    if (d->error == LM_ESTOPPED) {
        d->error = 0;
        d->left -= d->rows;
    } else {
        d->left = d->rows < d->query.limit ? 0 : d->left - d->rows;
    }
    d->page_logs = fitting_logs(d);
    d->query.has_cursor = true;
    d->query.cursor = d->last;
    d->query.offset = 0;
    return READ_DONE;
}

/* ---- The response ---- */

static void free_download(struct download *d)
{
    query_string_release(&d->params);
    buffer_release(&d->out);
    free(d);
}

static void finish(struct read_job *job);

/* Begins to read the next page. Fails where too many reads wait and the response has not begun. */
static int submit(struct download *d, struct mailbox *box, struct errbuf *err)
{
    int error;

    d->job.work = work;
    d->job.finish = finish;
    d->job.box = box;
    d->job.client = http_request_client(d->req);
    d->job.lane = d->begun ? READ_SCAN : READ_PAGE;
    d->job.goes_on = d->begun;
    error = read_job_submit(d->readers, &d->job, err);
    d->job_runs = !error;
    return error;
}

static void break_off(struct download *d, const char *reason)
{
    diag(DIAG_WARN, "a download was broken off", DIAG_STR("reason", reason));
    http_stream_abort(d->req);
    free_download(d);
}

static void on_drained(void *ctx)
{
    struct download *d = ctx;

    if (!d->job_runs && submit(d, d->job.box, &d->detail))
        break_off(d, d->detail.text);
}

static void on_closed(void *ctx)
{
    struct download *d = ctx;

    d->gone = true;
    if (d->job_runs)
        read_job_leave(d->readers, &d->job);
    else
        free_download(d);
}

/* Before the response has begun; the client may still read it. */
static void on_gone(void *ctx)
{
    struct download *d = ctx;

    read_job_leave(d->readers, &d->job);
}

static bool begin(struct download *d)
{
    static const struct http_stream_hooks hooks = {.drained = on_drained, .closed = on_closed};
    bool csv = d->format == DOWNLOAD_CSV;
    const struct http_header headers[] = {
        {"Content-Disposition", csv ? SLICE_LITERAL("attachment; filename=\"logs.csv\"")
                                    : SLICE_LITERAL("attachment; filename=\"logs.ndjson\"")},
        {"Vary", SLICE_LITERAL("Accept")},
    };
    const struct http_response head = {
        .status = 200,
        .content_type = csv ? "text/csv; charset=utf-8; header=present" : "application/x-ndjson",
        .headers = headers,
        .headers_len = sizeof(headers) / sizeof(headers[0]),
    };

    http_request_on_gone(d->req, NULL, NULL);
    d->begun = http_stream_begin(d->req, &head, &hooks, d);
    return d->begun;
}

/* Answers that there is no download, now. */
static void refuse(struct download *d)
{
    if (d->error != LM_ETIMEOUT)
        diag(DIAG_WARN, "a read failed", DIAG_STR("reason", d->detail.text));
    http_respond_error(d->req, 503,
                       d->error == LM_ETIMEOUT
                           ? "the query took longer than QUERY_TIMEOUT allows: narrow it with "
                             "since and until"
                           : "the store cannot be read now, try again later");
    free_download(d);
}

static void finish(struct read_job *job)
{
    struct download *d = (struct download *)((char *)job - offsetof(struct download, job));
    bool written;

    d->job_runs = false;
    if (job->unserved)
        d->error = errbuf_fail(&d->detail, LM_ETIMEOUT, "no reader had time for it");
    if (d->gone) {
        free_download(d);
        return;
    }
    if (d->error && !d->begun) {
        refuse(d);
        return;
    }
    if (!d->begun && !begin(d)) {
        free_download(d);
        return;
    }
    if (d->error) {
        break_off(d, d->detail.text);
        return;
    }
    written = d->out.len == 0 || http_stream_write(d->req, buffer_slice(&d->out)) == 0;
    buffer_release(&d->out); /* a client may take its time, and no budget counts this */
    if (!written) {
        break_off(d, "MAX_INFLIGHT_BYTES are used up");
    } else if (d->left == 0) {
        http_stream_end(d->req);
        free_download(d);
    } /* else on_drained comes */
}

void download_start(struct read_scheduler *readers, struct mailbox *box, struct http_request *req,
                    enum download_format format)
{
    struct download *d = xcalloc(1, sizeof(*d));
    int error;

    d->readers = readers;
    d->req = req;
    d->format = format;
    d->page_logs = FIRST_PAGE_LOGS;
    buffer_init(&d->out, OUT_BYTES_MAX);
    if (query_string_parse(&d->params, http_request_query(req))) {
        http_respond_error(req, 400, "too many query parameters: at most 128");
        free_download(d);
        return;
    }
    error = log_params_parse_download(&d->params, &d->query, &d->left, &d->out);
    if (error == LM_EINVAL) {
        http_respond(req, &(struct http_response){.status = 422, .body = buffer_slice(&d->out)});
        free_download(d);
        return;
    }
    buffer_clear(&d->out);
    if (format == DOWNLOAD_CSV)
        buffer_append_string(&d->out, "timestamp,id,level,message,attributes\r\n");
    if (error)
        errbuf_set(&d->detail, "out of memory, try again later");
    else
        error = submit(d, box, &d->detail);
    if (error) {
        http_respond_error(req, 503, d->detail.text);
        free_download(d);
        return;
    }
    http_request_on_gone(req, on_gone, d);
}
