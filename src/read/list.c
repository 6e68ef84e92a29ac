/*
 * A list goes around: a job reads a piece (pieces.h), in as many turns as that takes ──► it is
 * written ──► the socket has taken it all ──► the next job. A page of JSON usually is one piece,
 * and is answered whole. It is at one of these:
 *
 *   first     a job reads the first piece. The request is not answered yet, so that a store that
 *             fails can still be told.
 *   sending   what was read waits for the socket; no job runs.
 *   reading   a job reads a later piece; the socket has taken all that came before.
 *   left      the client has gone while a job read a later piece: it ends soon.
 *
 * An answer ends from first if it is whole, or a refusal; from sending once the last piece is
 * written; from any of them if it is broken off, or if its client goes. A page of which a later
 * piece cannot be had ends with what was sent before; a download is broken off.
 */
#include "read/list.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/state.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "read/oldest.h"
#include "read/params.h"
#include "read/pieces.h"

enum list_state { LIST_FIRST, LIST_SENDING, LIST_READING, LIST_LEFT, LIST_STATES };

static const state_moves list_moves[LIST_STATES] = {
    [LIST_FIRST] = STATE(LIST_SENDING),
    [LIST_SENDING] = STATE(LIST_READING),
    [LIST_READING] = STATE(LIST_SENDING) | STATE(LIST_LEFT),
    [LIST_LEFT] = 0,
};

struct list {
    struct read_request request; /* its job.until_us is 0 if the answer takes what it takes */
    enum list_state state;
    struct pieces pieces; /* the job's while one runs */
};

static struct list *list_of(struct read_request *r)
{
    return container_of(r, struct list, request);
}

static void list_move(struct list *l, enum list_state to)
{
    CHECK(state_may_move(list_moves, l->state, to));
    l->state = to;
}

static void list_free(struct list *l)
{
    pieces_release(&l->pieces);
    read_request_release(&l->request);
    free(l);
}

/* ---- The job ---- */

static enum read_step work(struct read_job *job, struct read_thread *thread,
                           const struct read_slice *slice)
{
    struct read_request *r = container_of(job, struct read_request, job);
    struct list *l = list_of(r);
    enum read_step step = pieces_turn(&l->pieces, thread, slice, &r->detail);

    r->error = l->pieces.error;
    return step;
}

static void break_off(struct list *l, const char *reason)
{
    diag(DIAG_WARN, "a download was broken off", DIAG_STR("reason", reason));
    http_stream_abort(l->request.http);
    list_free(l);
}

static void write_piece(struct list *l);

/* A piece cannot be had, or not be written. */
static void end_early(struct list *l, const char *reason)
{
    if (!pieces_end_early(&l->pieces)) {
        break_off(l, reason);
        return;
    }
    diag(DIAG_WARN, "a page ends early", DIAG_STR("reason", reason));
    write_piece(l);
}

/* Begins to read the next piece. An answer that has begun is not refused the rest. */
static void read_on(struct list *l)
{
    struct read_request *r = &l->request;

    list_move(l, LIST_READING);
    pieces_begin(&l->pieces);
    r->job.lane = READ_SCAN;
    r->job.goes_on = true;
    /* A page whose time is over, since its client took so long, is still to be ended. */
    if (r->job.until_us && r->job.until_us < l->pieces.began_us)
        r->job.until_us = l->pieces.began_us;
    if (read_job_submit(r->service->readers, &r->job, &r->detail))
        end_early(l, r->detail.text);
}

/* ---- The response in pieces ---- */

/*
 * The socket has taken all that there is yet. A download that lacks logs, since the store cannot
 * read them, has no other way to say so than not to end well: whoever takes it has the rest of it.
 */
static void go_on(struct list *l)
{
    if (!l->pieces.ended) {
        read_on(l);
    } else if (l->pieces.format != LIST_JSON && l->pieces.scan.damaged > 0) {
        break_off(l, "the store cannot read some of its logs");
    } else {
        http_stream_end(l->request.http);
        list_free(l);
    }
}

static bool ends_well(const struct list *l)
{
    return l->pieces.ended && (l->pieces.format == LIST_JSON || l->pieces.scan.damaged == 0);
}

static void on_drained(void *ctx)
{
    struct list *l = ctx;

    if (l->state == LIST_SENDING)
        go_on(l);
}

static void on_closed(void *ctx)
{
    struct list *l = ctx;

    if (l->state == LIST_SENDING) {
        list_free(l);
        return;
    }
    list_move(l, LIST_LEFT);
    read_job_leave(l->request.service->readers, &l->request.job);
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
    enum list_format format = l->pieces.format;
    struct http_response head = {.status = 200, .headers = headers};

    if (format != LIST_JSON) {
        head.content_type = types[format];
        headers[0] = (struct http_header){"Content-Disposition", names[format]};
        headers[1] = (struct http_header){"Vary", SLICE_LITERAL("Accept")};
        head.headers_len = 2;
    } else if (l->pieces.cached) {
        headers[0] = (struct http_header){"X-Cache", slice_of_string(l->pieces.cached)};
        head.headers_len = 1;
    }
    return head;
}

static void write_piece(struct list *l)
{
    struct read_request *r = &l->request;
    bool waits = r->out.len > 0; /* on_drained comes */
    bool written = !waits || !http_stream_write(r->http, buffer_slice(&r->out));

    pieces_measure(&l->pieces);
    buffer_release(&r->out); /* a client may take its time */
    if (!written) {
        end_early(l, "MAX_INFLIGHT_BYTES are used up");
        return;
    }
    list_move(l, LIST_SENDING);
    if (!waits || ends_well(l))
        go_on(l);
}

/* For the first piece. Another may take the room meanwhile: then the answer is broken off. */
static bool has_room_to_begin(const struct read_request *r)
{
    struct account *answers = ledger_account(r->service->ledger, LEDGER_ANSWERS);

    if (!account_take(answers, r->out.len))
        return false;
    account_give(answers, r->out.len);
    return true;
}

static void begin(struct list *l)
{
    static const struct http_stream_hooks hooks = {.drained = on_drained, .closed = on_closed};
    struct http_request *http = l->request.http;
    struct http_header headers[2];
    const struct http_response head = head_of(l, headers);

    http_request_on_gone(http, NULL, NULL);
    if (http_stream_begin(http, &head, &hooks, l))
        write_piece(l);
    else
        list_free(l);
}

/* ---- The first piece, and those after it ---- */

static void answer_whole(struct list *l)
{
    struct http_header headers[2];
    struct http_response response = head_of(l, headers);

    response.body_buffer = &l->request.out;
    http_respond(l->request.http, &response);
    list_free(l);
}

static void refuse(struct list *l, int error)
{
    read_request_fail(&l->request, error);
    list_free(l);
}

static void take_first(struct list *l, int error)
{
    if (error)
        refuse(l, error);
    else if (l->pieces.ended && l->pieces.format == LIST_JSON)
        answer_whole(l);
    else if (!has_room_to_begin(&l->request))
        refuse(l, LM_EBUSY);
    else
        begin(l);
}

static void take_later(struct list *l, int error)
{
    const char *detail = l->request.detail.text;

    if (error)
        end_early(l, detail[0] ? detail : lm_error_text(error));
    else
        write_piece(l);
}

static void finish(struct read_job *job)
{
    struct read_request *r = container_of(job, struct read_request, job);
    struct list *l = list_of(r);
    int error = read_request_outcome(r);

    if (l->state == LIST_LEFT)
        list_free(l);
    else if (l->state == LIST_FIRST)
        take_first(l, error);
    else
        take_later(l, error);
}

/* ---- The request ---- */

static int read_params(struct read_request *r, const struct query_string *params)
{
    struct pieces *p = &list_of(r)->pieces;
    struct log_params_answer answer = {.slice_s = r->service->timeout_ms / 1000};
    bool has_offset = query_string_last(params, "offset").data;
    bool has_slice = query_string_last(params, "slice").data;
    int error;

    p->out = &r->out;
    projection_init(&p->fields);
    p->format = list_format(http_request_header(r->http, "accept"), params);
    if (p->format == LIST_JSON) {
        error = log_params_parse_list(params, r->only, &p->query, &p->fields, &answer, &r->out);
        p->explains = answer.explain;
        p->left = p->query.limit++; /* one more tells whether there is a next page */
    } else {
        error =
            log_params_parse_download(params, r->only, &p->query, &p->fields, &p->left, &r->out);
    }
    if (error)
        return error;
    if (p->format == LIST_JSON && !has_offset) {
        p->end = has_slice || answer.bytes || p->query.has_cursor ? LIST_ENDS_BY_BYTES
                                                                  : LIST_ENDS_BY_TIME;
        p->page_bytes = answer.bytes;
        read_request_give_time(r, answer.slice_s * UINT64_C(1000));
    }

    struct query *asked = p->query.filter.query;

    error = read_request_charge(r);
    if (!error)
        error = projection_own(&p->fields, ledger_account(r->service->ledger, LEDGER_READS));
    if (!error)
        error = pieces_open(p);
    query_unref(asked);
    if (error)
        return error;
    r->job.lane = log_matcher_has_predicates(p->matcher) ? READ_SEARCH : READ_PAGE;
    return 0;
}

void read_list_get(const struct read_service *service, struct http_request *http)
{
    struct list *l;

    if (read_oldest_is_asked(http)) {
        read_oldest_get(service, http);
        return;
    }
    l = xcalloc(1, sizeof(*l));
    read_request_init(&l->request, service, http, work, finish);
    if (!read_request_open(&l->request, read_params)) {
        list_free(l);
        return;
    }
    pieces_begin(&l->pieces);
    if (!read_request_submit(&l->request))
        list_free(l);
}
