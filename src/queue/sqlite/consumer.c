/*
 * Receiving. A cursor, which all consumers share, passes over the messages in the order of their
 * numbers; those that come back (QUEUE_RETURN) wait in a list of their own and are read again, by
 * number, when they are due. So they hold up nobody, until QUEUE_SQLITE_RETURNED_MAX of them wait:
 * then nothing is worked on anyway, and no newer ones are taken before some of these are settled.
 *
 * Messages are read from the file, never handed over in memory: there is one way, whoever sent
 * them.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/monotonic_cond.h"
#include "base/xalloc.h"
#include "queue/sqlite/internal.h"

enum {
    CONSUMER_CACHE_KIB = 512,
    ID_SIZE = 24,                /* a number's digits, and the end */
    BODIES_KEPT_BYTES = 1 << 18, /* while nothing comes */
    BODIES_CEILING = 1 << 30,    /* a message may be older than today's limit of its size */
    RETURNED_CAPACITY =
        QUEUE_SQLITE_RETURNED_MAX + QUEUE_SQLITE_MAX_CONSUMERS * QUEUE_SQLITE_DELIVERY_MESSAGES,
};

struct returned {
    int64_t seq;
    uint64_t due_us; /* monotonic */
};

/* What the consumers share, under read_lock. The first makes it, the last takes it away. */
struct queue_sqlite_reading {
    struct sqlite_db db; /* closed after an input/output error, opened again by the next receive */
    sqlite3_stmt *after_cursor;
    sqlite3_stmt *by_seq;
    int64_t cursor; /* all messages up to here have been taken once */

    /* Ordered by due_us, since the delay is the same for all. */
    struct returned returned[RETURNED_CAPACITY];
    size_t returned_len;
};

struct consumer {
    struct queue_consumer base;
    struct queue_sqlite *q;

    /* The delivery: messages[i].body lies in `bodies` at starts[i]. */
    size_t count;
    struct buffer bodies;
    struct queue_message messages[QUEUE_SQLITE_DELIVERY_MESSAGES];
    size_t starts[QUEUE_SQLITE_DELIVERY_MESSAGES];
    char ids[QUEUE_SQLITE_DELIVERY_MESSAGES][ID_SIZE];

    struct seq_ranges acks; /* of one settle */
    struct queue_sqlite_letter letters[QUEUE_SQLITE_DELIVERY_MESSAGES];
};

static void close_db(struct queue_sqlite_reading *r)
{
    sqlite3_finalize(r->after_cursor);
    sqlite3_finalize(r->by_seq);
    r->after_cursor = r->by_seq = NULL;
    sqlite_db_close(&r->db);
}

static int open_db(struct queue_sqlite_reading *r, const struct queue_sqlite *q, struct errbuf *err)
{
    struct sqlite_db_options options = queue_sqlite_file_options(q, CONSUMER_CACHE_KIB, true);
    int error = sqlite_db_open(&r->db, &options, err);

    if (!error)
        error = sqlite_db_prepare(&r->db,
                                  "SELECT seq, sent_us, body FROM messages WHERE seq > ? "
                                  "ORDER BY seq LIMIT ?",
                                  &r->after_cursor, err);
    if (!error)
        error = sqlite_db_prepare(&r->db, "SELECT seq, sent_us, body FROM messages WHERE seq = ?",
                                  &r->by_seq, err);
    if (error)
        close_db(r);
    return error;
}

/* Acknowledgements of an earlier consumer are written first, or its messages would come again. */
static int flush_pending(struct queue_sqlite *q, struct errbuf *err)
{
    struct queue_sqlite_job flush = {0};

    pthread_mutex_lock(&q->lock);
    uint64_t pending = q->acks.count + q->acks_taken;
    pthread_mutex_unlock(&q->lock);
    return pending > 0 ? queue_sqlite_writer_do(q, &flush, err) : 0;
}

/* Counts a consumer more, and makes the first one's reading. Read lock held. */
static int enter(struct queue_sqlite *q, struct errbuf *err)
{
    struct queue_sqlite_reading *r;
    int error;

    if (q->no_sender)
        return errbuf_fail(err, LM_EINVAL, "%s: opened for tools only", q->path);
    if (q->consumers == QUEUE_SQLITE_MAX_CONSUMERS)
        return errbuf_fail(err, LM_EBUSY, "%s: there are %d consumers already", q->path,
                           QUEUE_SQLITE_MAX_CONSUMERS);
    if (q->consumers == 0) {
        if ((error = flush_pending(q, err)))
            return error;
        r = xcalloc(1, sizeof(*r));
        if ((error = open_db(r, q, err))) {
            free(r);
            return error;
        }
        q->reading = r;
    }
    q->consumers++;
    return 0;
}

struct queue_consumer *queue_sqlite_consumer_new(struct queue *base, struct errbuf *err)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    struct consumer *c;

    pthread_mutex_lock(&q->read_lock);
    int error = enter(q, err);
    pthread_mutex_unlock(&q->read_lock);
    if (error)
        return NULL;
    c = xcalloc(1, sizeof(*c));
    c->base.ops = q->base.ops;
    c->q = q;
    buffer_init(&c->bodies, BODIES_CEILING);
    return &c->base;
}

/* Read lock held. */
static void give_back(struct queue_sqlite_reading *r, int64_t seq)
{
    uint64_t due_us = clock_monotonic_us() + (uint64_t)QUEUE_SQLITE_RETURN_DELAY_MS * 1000;

    assert(r->returned_len < RETURNED_CAPACITY);
    r->returned[r->returned_len++] = (struct returned){seq, due_us};
}

void queue_sqlite_consumer_free(struct queue_consumer *base)
{
    struct consumer *c = (struct consumer *)base;
    struct queue_sqlite *q = c->q;

    pthread_mutex_lock(&q->read_lock);
    for (size_t i = 0; i < c->count; i++) /* what it has not settled */
        give_back(q->reading, (int64_t)c->messages[i].receipt);
    if (--q->consumers == 0) {
        close_db(q->reading);
        free(q->reading);
        q->reading = NULL;
    }
    pthread_mutex_unlock(&q->read_lock);
    buffer_release(&c->bodies);
    seq_ranges_release(&c->acks);
    free(c);
}

/*
 * Adds the row that `stmt` stands on to the delivery. Returns 0, LM_ETOOBIG if the delivery is
 * full (never for its first message), or LM_ENOMEM; on an error nothing was added.
 */
static int take_row(struct consumer *c, sqlite3_stmt *stmt)
{
    struct slice body = sqlite_db_column_text(stmt, 2);
    struct queue_message *m = &c->messages[c->count];
    int64_t seq = sqlite3_column_int64(stmt, 0);

    if (!body.data && sqlite3_errcode(sqlite3_db_handle(stmt)) == SQLITE_NOMEM)
        return LM_ENOMEM;
    if (c->count == QUEUE_SQLITE_DELIVERY_MESSAGES ||
        (c->count > 0 && c->bodies.len + body.len > QUEUE_SQLITE_DELIVERY_BYTES))
        return LM_ETOOBIG;
    c->starts[c->count] = c->bodies.len;
    buffer_append_slice(&c->bodies, body);
    if (buffer_error(&c->bodies)) {
        buffer_truncate(&c->bodies, c->starts[c->count]);
        return LM_ENOMEM;
    }
    int id_len = snprintf(c->ids[c->count], ID_SIZE, "%lld", (long long)seq);
    *m = (struct queue_message){
        .body = {NULL, body.len}, /* its place is known when all have been taken */
        .id = {c->ids[c->count], (size_t)id_len},
        .sent_us = sqlite3_column_int64(stmt, 1),
        .redelivered = stmt == c->q->reading->by_seq,
        .outcome = QUEUE_RETURN,
        .receipt = (uint64_t)seq,
    };
    c->count++;
    return 0;
}

/* Steps `stmt` through its rows. `*last` is the number of the last row that was taken. */
static int take_rows(struct consumer *c, sqlite3_stmt *stmt, int64_t *last, struct errbuf *err)
{
    int error = 0;
    int rc = SQLITE_DONE;

    while (!error && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        error = take_row(c, stmt);
        if (!error)
            *last = sqlite3_column_int64(stmt, 0);
        else if (error == LM_ENOMEM)
            errbuf_set(err, "no memory for a message of %s", c->q->path);
    }
    if (!error && rc != SQLITE_DONE)
        error = sqlite_db_error(&c->q->reading->db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

/* Those due are read again. One that is there no longer is forgotten. */
static int take_returned(struct consumer *c, struct errbuf *err)
{
    struct queue_sqlite_reading *r = c->q->reading;
    uint64_t now = clock_monotonic_us();
    size_t taken = 0;
    int64_t last;
    int error = 0;

    while (!error && taken < r->returned_len && r->returned[taken].due_us <= now) {
        sqlite3_bind_int64(r->by_seq, 1, r->returned[taken].seq);
        error = take_rows(c, r->by_seq, &last, err);
        if (!error)
            taken++;
    }
    r->returned_len -= taken;
    memmove(r->returned, r->returned + taken, r->returned_len * sizeof(r->returned[0]));
    return error;
}

static int take_new(struct consumer *c, struct errbuf *err)
{
    struct queue_sqlite_reading *r = c->q->reading;

    if (r->returned_len >= QUEUE_SQLITE_RETURNED_MAX)
        return 0;
    sqlite3_bind_int64(r->after_cursor, 1, r->cursor);
    sqlite3_bind_int64(r->after_cursor, 2, QUEUE_SQLITE_DELIVERY_MESSAGES - (int)c->count);
    return take_rows(c, r->after_cursor, &r->cursor, err);
}

/*
 * Fills the delivery with what is there. An error matters only if nothing could be taken.
 * `*due_us` is when the first of the returned ones is due; UINT64_MAX: there is none. Read lock
 * held.
 */
static int fill_delivery(struct consumer *c, uint64_t *due_us, struct errbuf *err)
{
    struct queue_sqlite_reading *r = c->q->reading;
    int error = r->db.handle ? 0 : open_db(r, c->q, err);

    if (error)
        return error;
    buffer_clear(&c->bodies);
    error = take_returned(c, err);
    if (!error)
        error = take_new(c, err);
    for (size_t i = 0; i < c->count && c->bodies.data; i++)
        c->messages[i].body.data = c->bodies.data + c->starts[i];
    if (error == LM_EIO)
        close_db(r);
    *due_us = r->returned_len > 0 ? r->returned[0].due_us : UINT64_MAX;
    return c->count > 0 ? 0 : error;
}

/* Waits for news of this process, at most until the file is to be looked at again. */
static void wait_for_news(struct queue_sqlite *q, uint64_t commits_seen, uint64_t until_us)
{
    uint64_t poll_us = clock_monotonic_us() + (uint64_t)QUEUE_SQLITE_POLL_MS * 1000;

    if (poll_us < until_us)
        until_us = poll_us;
    pthread_mutex_lock(&q->lock);
    q->consumers_waiting++;
    while (!q->interrupted && q->commits == commits_seen &&
           monotonic_cond_wait(&q->news, &q->lock, until_us))
        continue;
    q->consumers_waiting--;
    pthread_mutex_unlock(&q->lock);
}

int queue_sqlite_consumer_receive(struct queue_consumer *base, unsigned wait_ms,
                                  struct queue_delivery *delivery, struct errbuf *err)
{
    struct consumer *c = (struct consumer *)base;
    struct queue_sqlite *q = c->q;
    uint64_t until_us = clock_monotonic_us() + (uint64_t)wait_ms * 1000;
    int error = 0;

    assert(c->count == 0); /* the delivery before must have been settled */
    for (;;) {
        uint64_t commits_seen;
        uint64_t due_us;
        bool interrupted;

        pthread_mutex_lock(&q->lock);
        commits_seen = q->commits;
        interrupted = q->interrupted;
        pthread_mutex_unlock(&q->lock);
        pthread_mutex_lock(&q->read_lock);
        error = fill_delivery(c, &due_us, err);
        pthread_mutex_unlock(&q->read_lock);
        if (error || c->count > 0 || interrupted || clock_monotonic_us() >= until_us)
            break;
        if (c->bodies.capacity > BODIES_KEPT_BYTES)
            buffer_release(&c->bodies);
        wait_for_news(q, commits_seen, due_us < until_us ? due_us : until_us);
    }
    delivery->messages = c->messages;
    delivery->count = c->count;
    return error;
}

int queue_sqlite_consumer_settle(struct queue_consumer *base, struct queue_delivery *delivery,
                                 struct errbuf *err)
{
    struct consumer *c = (struct consumer *)base;
    struct queue_sqlite_job job = {.letters = c->letters};
    int error = 0;

    pthread_mutex_lock(&c->q->read_lock);
    for (size_t i = 0; i < delivery->count; i++) {
        const struct queue_message *m = &delivery->messages[i];
        int64_t seq = (int64_t)m->receipt;

        switch (m->outcome) {
        case QUEUE_ACKNOWLEDGE:
            seq_ranges_add(&c->acks, seq);
            break;
        case QUEUE_REJECT:
            c->letters[job.letters_len++] = (struct queue_sqlite_letter){
                .seq = seq, .reason = m->reason ? m->reason : "rejected"};
            break;
        case QUEUE_RETURN:
            give_back(c->q->reading, seq);
            break;
        }
    }
    c->count = 0;
    pthread_mutex_unlock(&c->q->read_lock);
    queue_sqlite_writer_acknowledge(c->q, &c->acks);
    if (job.letters_len > 0)
        error = queue_sqlite_writer_do(c->q, &job, err);
    if (error) {
        pthread_mutex_lock(&c->q->read_lock);
        for (size_t i = 0; i < job.letters_len; i++)
            give_back(c->q->reading, c->letters[i].seq);
        pthread_mutex_unlock(&c->q->read_lock);
    }
    delivery->count = 0;
    return error;
}

int queue_sqlite_consumer_dead_letter(struct queue_consumer *base, struct slice body,
                                      const char *reason, struct errbuf *err)
{
    struct consumer *c = (struct consumer *)base;
    struct queue_sqlite_letter letter = {.body = body, .reason = reason};
    struct queue_sqlite_job job = {.letters = &letter, .letters_len = 1};

    return queue_sqlite_writer_do(c->q, &job, err);
}
