#include "api/upload.h"

#include <stdlib.h>

#include "access/access.h"
#include "access/stamp.h"
#include "answers/answers.h"
#include "api/intake.h"
#include "base/container_of.h"
#include "base/xalloc.h"
#include "formats/journal.h"
#include "metrics/senders.h"

struct upload {
    struct uploads *all;
    struct upload *prev, *next;
    struct http_request *req;
    struct ingest *ingest;
    struct access *access;
    unsigned sender; /* metrics/senders.h */
    struct account *account;
    bool is_silent; /* the next lot was asked for, and has not come */
    bool owes;      /* it is not asked for before what has come is paid off */
    struct journal_reader *reader;
    struct stamp stamp;
    struct entry *spare;
    size_t spare_len;
    size_t waiting;    /* entries of the lot that are not durable yet */
    int queue_error;   /* of one of them */
    int error;         /* of reading the lot */
    struct errbuf why; /* of LM_EINVAL */
    bool is_last;
    bool has_room; /* for the answer */
};

/* One entry that is on its way. */
struct entry {
    struct ingest_ticket ticket;
    struct upload *upload;
    struct entry *next_spare;
};

static void on_lot(void *ctx);
static void on_over(void *ctx);
static void on_done(struct ingest_ticket *ticket, int error);

static const struct http_lot_hooks hooks = {.lot = on_lot, .over = on_over};

/* ---- Its life ---- */

static void on_look(uv_timer_t *timer);

static struct upload *upload_new(struct uploads *all, struct http_request *req)
{
    struct upload *u = xcalloc(1, sizeof(*u));

    u->all = all;
    u->next = all->first;
    if (u->next)
        u->next->prev = u;
    else
        uv_timer_start(&all->timer, on_look, UPLOAD_LOOK_MS, UPLOAD_LOOK_MS);
    all->first = u;
    u->req = req;
    u->ingest = all->ingest;
    u->access = all->access;
    u->sender = senders_find(access_name(req));
    u->account = all->account;
    u->reader = journal_reader_new(u->account);
    stamp_init(&u->stamp, u->account);
    return u;
}

static struct entry *entry_new(struct upload *u)
{
    struct entry *e = u->spare;

    if (e) {
        u->spare = e->next_spare;
        u->spare_len--;
    } else {
        if (!account_take(u->account, sizeof(*e)))
            return NULL;
        e = try_malloc(sizeof(*e));
        if (!e) {
            account_give(u->account, sizeof(*e));
            return NULL;
        }
    }
    *e = (struct entry){.ticket = {.done = on_done, .patience_ms = UPLOAD_HOLD_MS}, .upload = u};
    return e;
}

static void entry_free(struct entry *e)
{
    struct upload *u = e->upload;

    if (u->spare_len < UPLOAD_SPARE_TICKETS) {
        e->next_spare = u->spare;
        u->spare = e;
        u->spare_len++;
        return;
    }
    account_give(u->account, sizeof(*e));
    free(e);
}

static void upload_free(struct upload *u)
{
    while (u->spare) {
        struct entry *next = u->spare->next_spare;

        free(u->spare);
        account_give(u->account, sizeof(*next));
        u->spare = next;
    }
    journal_reader_free(u->reader);
    stamp_release(&u->stamp);
    if (u->prev)
        u->prev->next = u->next;
    else
        u->all->first = u->next;
    if (u->next)
        u->next->prev = u->prev;
    if (!u->all->first)
        uv_timer_stop(&u->all->timer);
    free(u);
}

/* The server has answered what there was to answer. */
static void on_over(void *ctx)
{
    upload_free(ctx);
}

/* ---- Answers ---- */

static void answer_taken(struct upload *u)
{
    char room[FORMAT_ANSWER_BYTES];
    struct buffer body;

    buffer_init_over(&body, room, sizeof(room));

    struct format_answer answer = journal_upload.answer(NULL, &body);

    http_respond(u->req, &(struct http_response){.status = answer.status,
                                                 .content_type = answer.content_type,
                                                 .body = buffer_slice(&body)});
}

static void refuse_invalid(struct upload *u)
{
    metrics_add(METRIC_LOGS_REFUSED_INVALID, 1);
    senders_receive(u->sender, PROTOCOL_JOURNAL, METRIC_REFUSED_INVALID, 1);
    http_respond(u->req,
                 &(struct http_response){.status = journal_upload.refusal.status,
                                         .content_type = journal_upload.refusal.content_type,
                                         .body = slice_of_string(u->why.text)});
}

static void refuse_overload(struct upload *u)
{
    metrics_add(METRIC_LOGS_REFUSED_OVERLOAD, 1);
    senders_receive(u->sender, PROTOCOL_JOURNAL, METRIC_REFUSED_OVERLOAD, 1);
    answers_refuse(u->req, u->error == LM_ENOMEM ? REFUSED_NO_MEMORY : REFUSED_INTAKE_FULL, 0);
}

static void ask_for_next(struct upload *u)
{
    u->owes = false;
    u->is_silent = true;
    http_request_lot_done(u->req); /* `u` may be gone */
}

/* Who has brought more than may be sent waits, which its client feels as a slow reader. */
static void wait_or_ask(struct upload *u)
{
    struct access_excess excess;

    u->owes =
        !http_request_is_hurried(u->req) && !access_may_send(u->access, u->req, 1, 1, &excess);
    if (!u->owes)
        ask_for_next(u);
}

/* What became of all of the lot is known. */
static void lot_told(struct upload *u)
{
    if (!access_holds(u->req)) { /* of what came before all is known to be durable, or is not */
        answers_refuse(u->req, REFUSED_KEY, 0);
    } else if (u->queue_error) {
        senders_receive(u->sender, PROTOCOL_JOURNAL, METRIC_REFUSED_QUEUE, 1);
        answers_refuse(u->req, intake_refusal_of(u->queue_error), 0);
    } else if (u->error == LM_EINVAL) {
        refuse_invalid(u);
    } else if (u->error) {
        refuse_overload(u);
    } else if (!u->is_last) {
        wait_or_ask(u);
        return;
    } else {
        answer_taken(u);
    }
    upload_free(u);
}

/* ---- Entries ---- */

static void on_done(struct ingest_ticket *ticket, int error)
{
    struct entry *e = container_of(ticket, struct entry, ticket);
    struct upload *u = e->upload;

    entry_free(e);
    if (!error)
        senders_receive(u->sender, PROTOCOL_JOURNAL, METRIC_TAKEN, 1);
    else if (error == LM_EDATA || error == LM_ETOOBIG)
        ingest_leave_out(u->ingest, PROTOCOL_JOURNAL); /* refused, it would come again for ever */
    else
        u->queue_error = error;
    if (--u->waiting == 0)
        lot_told(u);
}

static int add(const struct record *r, void *ctx)
{
    struct upload *u = ctx;
    struct entry *e = entry_new(u);

    if (!e)
        return LM_EBUSY;
    ingest_open(u->ingest, &e->ticket);

    struct record stamped;
    int error = stamp_apply(&u->stamp, access_grant(u->req), r, &stamped);
    if (!error)
        error = ingest_add(&e->ticket, &stamped);
    e->ticket.has_room = u->has_room;
    if (!error)
        error = ingest_commit(&e->ticket);
    if (!error) {
        u->waiting++;
        return 0;
    }
    ingest_cancel(&e->ticket);
    entry_free(e);
    if (error != LM_ETOOBIG && error != LM_EDATA)
        return error;
    ingest_leave_out(u->ingest, PROTOCOL_JOURNAL);
    return 0;
}

static void on_lot(void *ctx)
{
    struct upload *u = ctx;
    struct format_counts counts = {0};

    u->is_silent = false;
    if (!access_holds(u->req)) { /* nothing more is taken by that key */
        lot_told(u);
        return;
    }
    u->is_last = http_request_is_whole(u->req);
    u->error = journal_read(u->reader, http_request_body(u->req), add, u, &counts, &u->why);
    if (!u->error && u->is_last)
        u->error = journal_finish(u->reader, add, u, &counts, &u->why);
    /* Refused amid it, all of it would come again, and no further: what comes next has to wait. */
    access_sent(u->access, u->req, counts.records, http_request_body(u->req).len);
    senders_bytes(u->sender, PROTOCOL_JOURNAL, http_request_body(u->req).len);
    senders_receive(u->sender, PROTOCOL_JOURNAL, METRIC_LEFT_OUT, counts.refused);
    if (counts.nul_characters)
        metrics_add(METRIC_NUL_REPLACED, counts.nul_characters);
    if (u->waiting == 0)
        lot_told(u);
}

/* ---- Those that are open ---- */

static void look_at(struct upload *u)
{
    if (!u->is_silent && !u->owes) /* what has come is on its way */
        return;
    if (!access_holds(u->req))
        lot_told(u);
    else if (u->owes)
        wait_or_ask(u);
}

static void on_look(uv_timer_t *timer)
{
    struct uploads *all = timer->data;
    struct upload *next;

    for (struct upload *u = all->first; u; u = next) {
        next = u->next; /* one that ends takes no other with it */
        look_at(u);
    }
}

int uploads_init(struct uploads *u, uv_loop_t *loop, struct errbuf *err)
{
    int error = uv_timer_init(loop, &u->timer);

    if (error < 0)
        return errbuf_fail(err, LM_ENOMEM, "cannot make a timer: %s", uv_strerror(error));
    u->timer.data = u;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct uploads *u = handle->data;

    u->closed(u);
}

void uploads_close(struct uploads *u, void (*closed)(struct uploads *u))
{
    u->closed = closed;
    uv_close((uv_handle_t *)&u->timer, on_timer_closed);
}

void upload_take(struct uploads *all, struct http_request *req)
{
    struct access_excess excess;

    if (!access_may_send(all->access, req, 1, 1, &excess)) {
        metrics_add(METRIC_LOGS_REFUSED_RATE, 1);
        senders_receive(senders_find(access_name(req)), PROTOCOL_JOURNAL, METRIC_REFUSED_RATE, 1);
        answers_refuse_for(req, excess.why, excess.number, excess.wait_s);
        return;
    }
    if (!http_reserve_answer(req)) {
        answers_refuse(req, REFUSED_NO_MEMORY, 0);
        return;
    }

    struct upload *u = upload_new(all, req);

    u->has_room = true;
    http_request_take_lots(req, &hooks, u);
    on_lot(u);
}
