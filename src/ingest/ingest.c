#include "ingest/ingest.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/array.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/state.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "ingest/gathering.h"
#include "metrics/metrics.h"

enum {
    MESSAGE_BYTES_TARGET = 256 << 10, /* a message this large takes no further log */
    SEND_BYTES_MAX = 4 << 20,         /* a send of several messages is closed past this size */
    UNPAID_BYTES_MAX = 64 << 10,      /* of a ticket that is growing */
    RECORD_OWN_BYTES = 64,            /* of a log beside its texts */
    SAY_FAILURE_S = 10,               /* between two diagnostics about sends that fail */
    SPARE_MESSAGE_BYTES = 256 << 10,  /* a batch that grew past this is not kept for reuse */
};

enum send_state {
    SEND_SPARE,     /* empty, kept for reuse: in ingest.spare */
    SEND_FILLING,   /* takes records: the open one, or a half of one that was refused */
    SEND_READY,     /* closed, and waits for a slot: in ingest.ready */
    SEND_HELD,      /* not taken, and to be handed over again: in ingest.waits */
    SEND_IN_FLIGHT, /* the queue's, or back from it: counted in ingest.in_flight */
    SEND_STATES
};

static const state_moves send_moves[SEND_STATES] = {
    [SEND_SPARE] = STATE(SEND_FILLING),
    [SEND_FILLING] = STATE(SEND_READY) | STATE(SEND_HELD) | STATE(SEND_SPARE),
    [SEND_READY] = STATE(SEND_IN_FLIGHT),
    [SEND_HELD] = STATE(SEND_READY),
    [SEND_IN_FLIGHT] = STATE(SEND_HELD) | STATE(SEND_SPARE),
};

static const state_moves stage_moves[INGEST_STAGES] = {
    [INGEST_NEW] = STATE(INGEST_TAKING),
    [INGEST_TAKING] = STATE(INGEST_WAITING) | STATE(INGEST_NEW),
    [INGEST_WAITING] = STATE(INGEST_NEW),
};

struct send {
    struct queue_send base;
    struct mail mail;
    struct ingest *in;
    enum send_state state;
    struct send *next; /* in ingest.ready, ingest.waits or ingest.spare */

    struct batch *batches; /* batches_len of them hold records, the others are memory for reuse */
    size_t batches_len;
    size_t batches_capacity;
    struct slice *messages; /* the texts of those, while it is in flight */
    size_t messages_capacity;
    struct ingest_ticket *tickets; /* that wait for it, in the order of their records */
    struct ingest_ticket **tickets_end;
    size_t tickets_len;

    size_t logs;
    size_t bytes; /* of all batches: what is charged to the account */
    uint64_t handed_over_us;
    uint64_t due_us; /* of one that is held */
    int error;
};

struct ingest {
    struct queue *queue;
    struct queue_limits limits;
    struct account *account;
    struct mailbox *box;
    struct hold *hold;       /* of a queue whose sends cost nothing; its timer serves any */
    struct gathering gather; /* of one whose sends do */

    struct send *open;  /* never NULL */
    struct send *ready; /* closed ones that wait for a slot, oldest first */
    struct send **ready_end;
    struct send *waits; /* held ones, oldest first */
    struct send **waits_end;
    size_t held_bytes;  /* of those */
    struct send *spare; /* for reuse */
    unsigned in_flight;
    size_t waiting;               /* tickets that are committed and not told */
    struct ingest_ticket *taking; /* the ticket that is open, or NULL */
    struct diag_seldom left_out;
};

/* ---- What is always true ---- */

static void send_check(const struct send *s)
{
    size_t logs = 0;

    CHECK(s->batches_len <= s->batches_capacity);
    for (size_t i = 0; i < s->batches_len; i++) {
        CHECKED(batch_check(&s->batches[i]));
        logs += s->batches[i].count;
    }
    if (!s->in->taking)
        CHECK(s->logs == logs);
    CHECK((s->tickets_len == 0) == !s->tickets);
    CHECK(!*s->tickets_end);
}

/* The same for one that goes to the queue: each of its logs belongs to one of its tickets. */
static void send_check_tickets(const struct send *s)
{
    size_t logs = 0;
    size_t tickets = 0;

    for (const struct ingest_ticket *t = s->tickets; t; t = t->next) {
        CHECK(t->stage == INGEST_WAITING && t->in == s->in && t->has_room);
        CHECK(t->logs > 0 && t->begin.batches <= s->batches_len);
        logs += t->logs;
        tickets++;
    }
    CHECK(logs == s->logs);
    CHECK(tickets == s->tickets_len && tickets > 0);
}

static size_t send_text_bytes(const struct send *s)
{
    size_t bytes = 0;

    for (size_t i = 0; i < s->batches_len; i++)
        bytes += s->batches[i].text.len;
    return bytes;
}

void ingest_check(const struct ingest *in)
{
    struct send *const *end = &in->ready;
    size_t tickets = in->open->tickets_len; /* that wait, but for those in flight */

    CHECK(in->open && in->open->state == SEND_FILLING);
    send_check(in->open);
    if (in->taking)
        CHECK(in->taking->stage == INGEST_TAKING && in->taking->in == in);
    else
        CHECK(in->open->bytes == send_text_bytes(in->open));
    for (; *end; end = &(*end)->next) {
        CHECK((*end)->state == SEND_READY && (*end)->tickets_len > 0);
        tickets += (*end)->tickets_len;
    }
    CHECK(in->ready_end == end);
    for (end = &in->waits; *end; end = &(*end)->next) {
        CHECK((*end)->state == SEND_HELD && (*end)->tickets_len > 0);
        tickets += (*end)->tickets_len;
    }
    CHECK(in->waits_end == end);
    for (const struct send *s = in->spare; s; s = s->next)
        CHECK(s->state == SEND_SPARE && s->tickets_len == 0 && s->batches_len == 0);
    CHECK(in->in_flight <= in->limits.send_slots);
    CHECK(tickets <= in->waiting && (in->in_flight > 0 || tickets == in->waiting));
}

/* ---- Sends ---- */

static void on_durable(struct queue_send *base, int error, const char *detail);
static void take_back(struct mail *mail);

/* Takes `s` out of the list that belongs to its state, into that of `state`. */
static void send_move(struct send *s, enum send_state state)
{
    struct ingest *in = s->in;

    CHECK(state_may_move(send_moves, s->state, state));
    switch (s->state) {
    case SEND_SPARE: /* the first of them */
        in->spare = s->next;
        break;
    case SEND_READY: /* the oldest of them */
        in->ready = s->next;
        if (!in->ready)
            in->ready_end = &in->ready;
        break;
    case SEND_HELD: /* the oldest of them */
        in->waits = s->next;
        if (!in->waits)
            in->waits_end = &in->waits;
        in->held_bytes -= s->bytes;
        break;
    case SEND_IN_FLIGHT:
        in->in_flight--;
        break;
    default:
        break;
    }
    s->state = state;
    s->next = NULL;
    switch (state) {
    case SEND_SPARE:
        s->next = in->spare;
        in->spare = s;
        break;
    case SEND_READY:
        CHECKED(send_check_tickets(s));
        *in->ready_end = s;
        in->ready_end = &s->next;
        break;
    case SEND_HELD:
        CHECKED(send_check_tickets(s));
        *in->waits_end = s;
        in->waits_end = &s->next;
        in->held_bytes += s->bytes;
        break;
    case SEND_IN_FLIGHT:
        in->in_flight++;
        break;
    default:
        break;
    }
}

static void move_ticket(struct ingest_ticket *t, enum ingest_stage stage)
{
    CHECK(state_may_move(stage_moves, t->stage, stage));
    if (t->stage == INGEST_TAKING)
        t->in->taking = NULL;
    else if (t->stage == INGEST_WAITING)
        t->in->waiting--;
    t->stage = stage;
    if (stage == INGEST_TAKING)
        t->in->taking = t;
    else if (stage == INGEST_WAITING)
        t->in->waiting++;
}

/* An empty one that is filling. */
static struct send *send_new(struct ingest *in)
{
    struct send *s = in->spare;

    if (!s) {
        s = xcalloc(1, sizeof(*s));
        s->base.done = on_durable;
        s->base.ctx = s;
        s->mail.deliver = take_back;
        s->in = in;
        s->tickets_end = &s->tickets;
        in->spare = s;
    }
    send_move(s, SEND_FILLING);
    return s;
}

static void send_free(struct send *s)
{
    for (size_t i = 0; i < s->batches_capacity; i++)
        batch_release(&s->batches[i]);
    free(s->batches);
    free(s->messages);
    free(s);
}

/* Empties `s` and keeps it for reuse, but not the memory that only a burst needed. */
static void send_recycle(struct send *s)
{
    for (size_t i = 0; i < s->batches_len; i++) {
        if (i > 0 || s->batches[i].text.capacity > SPARE_MESSAGE_BYTES)
            batch_release(&s->batches[i]);
        else
            batch_clear(&s->batches[i]);
    }
    s->batches_len = 0;
    s->tickets = NULL;
    s->tickets_end = &s->tickets;
    s->tickets_len = 0;
    s->logs = 0;
    s->bytes = 0;
    send_move(s, SEND_SPARE);
}

/* The next empty batch of `s`. */
static struct batch *send_add_batch(struct send *s)
{
    if (s->batches_len == s->batches_capacity) {
        size_t old = s->batches_capacity;

        s->batches = array_reserve(s->batches, &s->batches_capacity, s->batches_len + 1,
                                   sizeof(*s->batches));
        s->messages = array_reserve(s->messages, &s->messages_capacity, s->batches_capacity,
                                    sizeof(*s->messages));
        for (size_t i = old; i < s->batches_capacity; i++)
            batch_init(&s->batches[i],
                       s->in->limits.no_older_readers ? MESSAGE_VERSION_READ : MESSAGE_V1,
                       s->in->limits.max_message_bytes);
    }
    batch_clear(&s->batches[s->batches_len]);
    return &s->batches[s->batches_len++];
}

/* The batch that takes the next record. */
static struct batch *open_batch(struct send *s)
{
    struct batch *b = s->batches_len ? &s->batches[s->batches_len - 1] : NULL;

    if (!b || (s->in->limits.atomic_send && b->text.len >= MESSAGE_BYTES_TARGET))
        b = send_add_batch(s);
    return b;
}

static void send_add_ticket(struct send *s, struct ingest_ticket *t)
{
    t->next = NULL;
    *s->tickets_end = t;
    s->tickets_end = &t->next;
    s->tickets_len++;
    s->logs += t->logs;
}

static struct ingest_mark send_end(const struct send *s)
{
    struct ingest_mark mark = {.batches = s->batches_len};

    if (s->batches_len)
        mark.last = batch_mark(&s->batches[s->batches_len - 1]);
    return mark;
}

static void send_rewind(struct send *s, struct ingest_mark mark)
{
    for (; s->batches_len > mark.batches; s->batches_len--)
        if (s->batches_len > 1) /* the first one's memory is kept */
            batch_release(&s->batches[s->batches_len - 1]);
    if (mark.batches)
        batch_rewind(&s->batches[mark.batches - 1], mark.last);
}

/* Appends to `to` what lies between two marks of `from`. Returns 0 or LM_ENOMEM. */
static int copy_records(struct send *to, const struct send *from, struct ingest_mark begin,
                        struct ingest_mark end)
{
    size_t first = begin.batches ? begin.batches - 1 : 0;
    int error = 0;

    for (size_t i = first; !error && i < end.batches; i++) {
        const struct batch *b = &from->batches[i];
        struct batch_mark since = i == first ? begin.last : (struct batch_mark){0};
        struct batch_mark until = i == end.batches - 1 ? end.last : batch_mark(b);

        error = batch_append_part(open_batch(to), b, since, until);
        if (error == LM_ETOOBIG)
            error = batch_append_part(send_add_batch(to), b, since, until);
    }
    return error;
}

/* ---- Taking logs ---- */

/* Moves `s`, which was the open send, to the ready ones. */
static void make_ready(struct send *s)
{
    send_move(s, SEND_READY);
    gathering_went(&s->in->gather, s->in->waiting);
}

/* Moves the open send to the ready ones, opens another, and returns the former. */
static struct send *close_open(struct ingest *in)
{
    struct send *closed = in->open;

    in->open = send_new(in);
    make_ready(closed);
    return closed;
}

void ingest_open(struct ingest *in, struct ingest_ticket *t)
{
    CHECK(!in->taking);
    CHECKED(ingest_check(in));
    t->in = in;
    t->logs = 0;
    t->bytes = t->held = 0;
    t->begin = send_end(in->open);
    move_ticket(t, INGEST_TAKING);
}

/* Closes the open send without the records of `t`, which begin the next one. */
static int begin_next_send(struct ingest_ticket *t)
{
    struct ingest *in = t->in;
    struct send *closed = in->open;
    struct ingest_mark begin = t->begin;
    int error;

    in->open = send_new(in);
    t->begin = (struct ingest_mark){0};
    error = copy_records(in->open, closed, begin, send_end(closed));
    send_rewind(closed, begin);
    make_ready(closed);
    return error;
}

size_t ingest_bytes_max(const struct ingest *in)
{
    return in->account->ceiling;
}

/* Bytes of a record as it stands in a message, about. */
static size_t record_bytes(const struct record *r)
{
    return r->level.len + r->message.len + r->attributes.len + RECORD_OWN_BYTES;
}

static bool take(struct ingest_ticket *t, size_t bytes)
{
    struct account *account = t->in->account;

    return account_take(account, bytes) || (t->exchange && t->exchange(t, account, bytes));
}

/*
 * Takes from the account the `bytes` that `t` has grown by. A format may make of a small body logs
 * that are large together: what all of a stream have in common stands in each. Small tickets pay
 * once, at the end.
 */
static int pay(struct ingest_ticket *t, size_t bytes)
{
    size_t lot;

    t->bytes += bytes;
    if (t->bytes <= t->held + UNPAID_BYTES_MAX)
        return 0;
    if (t->bytes > ingest_bytes_max(t->in))
        return LM_ETOOBIG;
    lot = t->bytes - t->held;
    if (!take(t, lot))
        return LM_EBUSY;
    t->held += lot;
    return 0;
}

/*
 * If the queue cannot make several messages durable together, a send is one message, and all
 * logs of a ticket are in it: a ticket that was refused must not be there by half.
 */
int ingest_add(struct ingest_ticket *t, const struct record *r)
{
    struct ingest *in = t->in;

    CHECK(in->taking == t);

    size_t bytes = record_bytes(r);
    int error = pay(t, bytes);
    if (error)
        return error;

    struct batch *b = open_batch(in->open);
    size_t before = b->text.len;
    error = batch_append(b, r);
    if (error == LM_ETOOBIG && in->limits.atomic_send) {
        if (b->count > 0) {
            b = send_add_batch(in->open);
            before = 0;
            error = batch_append(b, r);
        }
    } else if (error == LM_ETOOBIG && in->open->tickets_len > 0) {
        error = begin_next_send(t);
        if (!error) {
            b = open_batch(in->open);
            before = b->text.len;
            error = batch_append(b, r);
        }
    }
    if (!error && b->text.len - before > bytes) /* escaped, a byte may be six */
        error = pay(t, b->text.len - before - bytes);
    if (!error)
        t->logs++;
    return error;
}

void ingest_leave_out(struct ingest *in, enum metric_protocol protocol)
{
    int64_t unsaid;

    metrics_receive(protocol, METRIC_LEFT_OUT, 1);
    if (diag_may_say(&in->left_out, clock_monotonic_us(), &unsaid))
        diag(DIAG_WARN, "a log was left out: the queue takes none so large, or not what is in it",
             DIAG_STR("protocol", metrics_protocol_label(protocol)), DIAG_INT("unsaid", unsaid));
}

void ingest_cancel(struct ingest_ticket *t)
{
    struct ingest *in = t->in;

    CHECKED(ingest_check(in));
    send_rewind(in->open, t->begin);
    account_give(in->account, t->held);
    t->held = 0;
    move_ticket(t, INGEST_NEW);
}

int ingest_commit(struct ingest_ticket *t)
{
    struct ingest *in = t->in;
    size_t bytes = send_text_bytes(in->open) - in->open->bytes;

    CHECKED(ingest_check(in));
    CHECK(t->has_room && t->logs > 0);
    t->bytes = bytes;
    if (bytes > ingest_bytes_max(in))
        return LM_ETOOBIG;
    if (bytes > t->held && !take(t, bytes - t->held))
        return LM_EBUSY;
    if (bytes < t->held)
        account_give(in->account, t->held - bytes);
    t->held = 0; /* the send's from now on */
    t->until_us = t->patience_ms ? clock_monotonic_us() + (uint64_t)t->patience_ms * 1000 : 0;
    in->open->bytes += bytes;
    send_add_ticket(in->open, t);
    move_ticket(t, INGEST_WAITING);
    if (in->gather.longest_us > 0)
        gathering_came(&in->gather, clock_monotonic_us(), in->open->tickets_len, in->waiting);
    if (in->open->bytes >= SEND_BYTES_MAX)
        close_open(in);
    return 0;
}

const struct queue_limits *ingest_limits(const struct ingest *in)
{
    return &in->limits;
}

/* ---- What has come back ---- */

/* Says why sends fail: at once, and then now and then as long as they go on failing. */
static void say_failure(int error, const char *detail)
{
    static _Atomic uint64_t due_us;
    const char *what = error == LM_EDATA
                           ? "the queue refuses a log for what is in it; its client is answered 400"
                           : "the queue takes no logs now; clients are answered 503";
    uint64_t now = clock_monotonic_us();
    uint64_t due = atomic_load(&due_us);

    if (now >= due &&
        atomic_compare_exchange_strong(&due_us, &due, now + (uint64_t)SAY_FAILURE_S * 1000000))
        diag(DIAG_WARN, what, DIAG_STR("reason", detail));
}

/* On the queue's thread. */
static void on_durable(struct queue_send *base, int error, const char *detail)
{
    struct send *s = base->ctx;

    s->error = error;
    if (error && error != LM_ESTOPPED)
        say_failure(error, detail);
    mailbox_post(s->in->box, &s->mail);
}

/* Tells all tickets of `s`, whose owners may then do with them what they like. */
static void tell_all(struct send *s)
{
    struct ingest *in = s->in;

    for (struct ingest_ticket *t = s->tickets, *next; t; t = next) {
        next = t->next;
        move_ticket(t, INGEST_NEW);
        t->done(t, s->error);
    }
    if (s->error)
        metrics_add(METRIC_LOGS_REFUSED_QUEUE, s->tickets_len);
    account_give(in->account, s->bytes);
    if (in->gather.longest_us == 0)
        hold_answered(in->hold, s->tickets_len, in->open->tickets_len);
    send_recycle(s);
}

/*
 * Moves `n` tickets of `s`, from *first on, which becomes the one after them, to a send of their
 * own, with `bytes` of what it has taken from the account, and puts that among the ready ones.
 */
static void move_tickets(struct send *s, struct ingest_ticket **first, size_t n, size_t bytes)
{
    struct send *part = send_new(s->in);

    part->error = 0;
    part->bytes = bytes;
    for (; n > 0 && *first; n--) {
        struct ingest_ticket *t = *first;
        struct ingest_mark begin = t->begin;
        struct ingest_mark end = t->next ? t->next->begin : send_end(s);

        *first = t->next;
        t->begin = send_end(part);
        send_add_ticket(part, t);
        if (!part->error)
            part->error = copy_records(part, s, begin, end);
    }
    if (part->error)
        tell_all(part);
    else
        send_move(part, SEND_READY);
}

/*
 * One ticket is to blame, and the others are not to be refused with it: they are sent again in two
 * halves, and so on, until it stands alone.
 */
static void send_halves(struct send *s)
{
    struct ingest_ticket *first = s->tickets;
    size_t half = s->tickets_len / 2;
    size_t bytes = s->bytes / 2;

    move_tickets(s, &first, half, bytes);
    move_tickets(s, &first, s->tickets_len - half, s->bytes - bytes);
    send_recycle(s);
}

/* ---- Sends that are held ---- */

/* The same again may do: it was not taken, or nobody knows, and then its ids make it one. */
static bool may_be_sent_again(int error)
{
    return error && error != LM_EDATA && error != LM_ETOOBIG && error != LM_ESTOPPED;
}

/* Whether it will still wait when the send is handed over again. */
static bool is_patient(const struct ingest_ticket *t, uint64_t now_us)
{
    return t->until_us > now_us + HOLD_WAKE_US;
}

static size_t count_patient(const struct send *s, uint64_t now_us)
{
    size_t n = 0;

    for (const struct ingest_ticket *t = s->tickets; t; t = t->next)
        n += is_patient(t, now_us);
    return n;
}

/* Moves the patient tickets of `s` to a send of their own, which is held if there is memory. */
static void part_patient(struct send *s, uint64_t now_us)
{
    struct ingest *in = s->in;
    struct send *part = send_new(in);
    struct ingest_ticket *next;
    struct ingest_ticket *t = s->tickets;

    part->error = 0;
    s->tickets = NULL;
    s->tickets_end = &s->tickets;
    s->tickets_len = s->logs = 0;
    for (; t; t = next) {
        struct ingest_mark begin = t->begin;
        struct ingest_mark end;

        next = t->next;
        end = next ? next->begin : send_end(s);
        if (!is_patient(t, now_us)) {
            send_add_ticket(s, t);
            continue;
        }
        t->begin = send_end(part);
        send_add_ticket(part, t);
        if (!part->error)
            part->error = copy_records(part, s, begin, end);
    }
    size_t bytes = send_text_bytes(part);
    part->bytes = bytes < s->bytes ? bytes : s->bytes;
    s->bytes -= part->bytes;
    if (part->error) {
        part->error = s->error;
        tell_all(part);
    } else {
        part->due_us = now_us + HOLD_WAKE_US;
        send_move(part, SEND_HELD);
    }
}

/* The queue has not taken `s`: holds what is patient, and tells the others. */
static void hold_back(struct send *s)
{
    struct ingest *in = s->in;
    uint64_t now_us = clock_monotonic_us();
    size_t patient = count_patient(s, now_us);
    bool fits = in->held_bytes + s->bytes <= in->account->ceiling / INGEST_HELD_SHARE;

    if (patient == 0 || !fits || !hold_wake(in->hold, now_us + HOLD_WAKE_US, now_us)) {
        tell_all(s);
    } else if (patient == s->tickets_len) {
        s->due_us = now_us + HOLD_WAKE_US;
        send_move(s, SEND_HELD);
    } else {
        part_patient(s, now_us);
        tell_all(s);
    }
}

/* Those whose time has come go to the queue once more; the loop will be woken for the others. */
static void release_held(struct ingest *in)
{
    uint64_t now_us = in->waits ? clock_monotonic_us() : 0;

    while (in->waits && in->waits->due_us <= now_us)
        send_move(in->waits, SEND_READY);
    if (in->waits && !hold_wake(in->hold, in->waits->due_us, now_us))
        while (in->waits) /* it will not be: at once */
            send_move(in->waits, SEND_READY);
}

/* The send has come back: on the loop's thread. */
static void take_back(struct mail *mail)
{
    struct send *s = container_of(mail, struct send, mail);

    CHECKED(ingest_check(s->in));
    CHECKED(send_check_tickets(s));
    metrics_observe(METRIC_SEND_US, clock_monotonic_us() - s->handed_over_us);
    if (s->error) {
        metrics_add(METRIC_SEND_FAILURES, 1);
    } else {
        metrics_add(METRIC_LOGS_ACCEPTED, s->logs);
        metrics_add(METRIC_MESSAGES_SENT, s->batches_len);
    }
    if (s->error == LM_EDATA && s->tickets_len > 1)
        send_halves(s);
    else if (may_be_sent_again(s->error))
        hold_back(s);
    else
        tell_all(s);
}

static void hand_over(struct ingest *in, struct send *s)
{
    for (size_t i = 0; i < s->batches_len; i++)
        s->messages[i] = batch_finish(&s->batches[i]);
    s->base.messages = s->messages;
    s->base.messages_len = s->batches_len;
    s->handed_over_us = clock_monotonic_us();
    send_move(s, SEND_IN_FLIGHT);
    metrics_observe(METRIC_SEND_LOGS, s->logs);
    if (queue_send(in->queue, &s->base))
        on_durable(&s->base, LM_ESTOPPED, "stopping");
}

/* Whether the open send, in which somebody waits, is to wait for more; the loop is woken then. */
static bool gathers(struct ingest *in)
{
    struct gathering_open open = {in->open->tickets_len, in->open->bytes};
    uint64_t now_us;
    uint64_t left_us;

    if (in->gather.longest_us == 0)
        return hold_applies(in->hold, open.tickets);
    now_us = clock_monotonic_us();
    left_us = gathering_left_us(&in->gather, now_us, open);
    return left_us > 0 && hold_wake(in->hold, now_us + left_us, now_us);
}

void ingest_flush(struct ingest *in)
{
    CHECKED(ingest_check(in));
    release_held(in);
    while (in->in_flight < in->limits.send_slots) {
        if (in->ready)
            hand_over(in, in->ready);
        else if (in->open->tickets_len > 0 && !gathers(in))
            hand_over(in, close_open(in));
        else
            return;
    }
}

/* ---- Life ---- */

struct ingest *ingest_new(struct queue *queue, struct account *account, struct mailbox *box,
                          struct hold *hold)
{
    struct ingest *in = xcalloc(1, sizeof(*in));

    in->queue = queue;
    in->limits = queue_limits(queue);
    gathering_init(&in->gather, &in->limits);
    in->account = account;
    in->box = box;
    in->hold = hold;
    in->ready_end = &in->ready;
    in->waits_end = &in->waits;
    in->open = send_new(in);
    return in;
}

void ingest_free(struct ingest *in)
{
    if (!in)
        return;
    send_free(in->open);
    while (in->spare) {
        struct send *next = in->spare->next;

        send_free(in->spare);
        in->spare = next;
    }
    free(in);
}
