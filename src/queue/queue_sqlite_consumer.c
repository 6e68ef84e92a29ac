/*
 * Receiving. A cursor passes over the messages in the order of their numbers; those that come back
 * (QUEUE_RETURN) wait in a list of their own and are read again, by number, when they are due. So
 * they hold up nobody, until QUEUE_SQLITE_RETURNED_MAX of them wait: then nothing is worked on
 * anyway, and no newer ones are taken before some of these are settled.
 *
 * Messages are read from the file, never handed over in memory: there is one way, whoever sent
 * them.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "queue/queue_sqlite_parts.h"

enum {
    CONSUMER_CACHE_KIB = 512,
    ID_SIZE = 24,                /* a number's digits, and the end */
    BODIES_KEPT_BYTES = 1 << 18, /* while nothing comes */
    BODIES_CEILING = 1 << 30,    /* a message may be older than today's limit of its size */
    RETURNED_CAPACITY = QUEUE_SQLITE_RETURNED_MAX + QUEUE_SQLITE_DELIVERY_MESSAGES,
};

struct returned {
    int64_t seq;
    uint64_t due_us; /* monotonic */
};

struct consumer {
    struct queue_consumer base;
    struct queue_sqlite *q;
    struct sqlite_db db; /* closed after an input/output error, opened again by the next receive */
    sqlite3_stmt *after_cursor;
    sqlite3_stmt *by_seq;
    int64_t cursor; /* all messages up to here have been taken once */

    /* The delivery: messages[i].body lies in `bodies` at starts[i]. */
    size_t count;
    struct buffer bodies;
    struct queue_message messages[QUEUE_SQLITE_DELIVERY_MESSAGES];
    size_t starts[QUEUE_SQLITE_DELIVERY_MESSAGES];
    char ids[QUEUE_SQLITE_DELIVERY_MESSAGES][ID_SIZE];

    /* Ordered by due_us, since the delay is the same for all. */
    struct returned returned[RETURNED_CAPACITY];
    size_t returned_len;

    struct seq_ranges acks; /* of one settle */
    struct queue_sqlite_letter letters[QUEUE_SQLITE_DELIVERY_MESSAGES];
};

static void close_db(struct consumer *c)
{
    sqlite3_finalize(c->after_cursor);
    sqlite3_finalize(c->by_seq);
    c->after_cursor = c->by_seq = NULL;
    sqlite_db_close(&c->db);
}

static int open_db(struct consumer *c, struct errbuf *err)
{
    struct sqlite_db_options options = queue_sqlite_db_options(c->q, CONSUMER_CACHE_KIB, true);
    int error = sqlite_db_open(&c->db, &options, err);

    if (error == 0)
        error = sqlite_db_prepare(&c->db,
                                  "SELECT seq, sent_us, body FROM messages WHERE seq > ? "
                                  "ORDER BY seq LIMIT ?",
                                  &c->after_cursor, err);
    if (error == 0)
        error = sqlite_db_prepare(&c->db, "SELECT seq, sent_us, body FROM messages WHERE seq = ?",
                                  &c->by_seq, err);
    if (error != 0)
        close_db(c);
    return error;
}

/* Acknowledgements of an earlier consumer are written first, or its messages would come again. */
static int flush_pending(struct queue_sqlite *q, struct errbuf *err)
{
    struct queue_sqlite_job flush = {0};
    uint64_t pending;

    pthread_mutex_lock(&q->lock);
    pending = q->acks.count + q->acks_taken;
    pthread_mutex_unlock(&q->lock);
    return pending > 0 ? queue_sqlite_writer_do(q, &flush, err) : 0;
}

struct queue_consumer *queue_sqlite_consumer_new(struct queue *base, struct errbuf *err)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    struct consumer *c = NULL;
    bool free_place;

    pthread_mutex_lock(&q->lock);
    free_place = !q->no_sender && q->consumers < QUEUE_SQLITE_MAX_CONSUMERS;
    if (free_place)
        q->consumers++;
    pthread_mutex_unlock(&q->lock);
    if (!free_place) {
        errbuf_set(err, "%s: %s", q->path,
                   q->no_sender ? "opened for tools only" : "there is a consumer already");
        return NULL;
    }

    c = xcalloc(1, sizeof(*c));
    c->base.ops = &queue_sqlite_ops;
    c->q = q;
    buffer_init(&c->bodies, BODIES_CEILING);
    if (flush_pending(q, err) != 0 || open_db(c, err) != 0) {
        queue_sqlite_consumer_free(&c->base);
        return NULL;
    }
    return &c->base;
}

void queue_sqlite_consumer_free(struct queue_consumer *base)
{
    struct consumer *c = (struct consumer *)base;

    pthread_mutex_lock(&c->q->lock);
    c->q->consumers--;
    pthread_mutex_unlock(&c->q->lock);
    close_db(c);
    buffer_release(&c->bodies);
    seq_ranges_release(&c->acks);
    free(c);
}

/*
 * Adds the row that `stmt` stands on to the delivery. Returns 0, LM_ETOOBIG where the delivery is
 * full (never for its first message), or LM_ENOMEM; on an error nothing was added.
 */
static int take_row(struct consumer *c, sqlite3_stmt *stmt)
{
    struct slice body = sqlite_db_column_text(stmt, 2);
    struct queue_message *m = &c->messages[c->count];
    int64_t seq = sqlite3_column_int64(stmt, 0);
    int id_len;

    if (body.data == NULL && sqlite3_errcode(c->db.handle) == SQLITE_NOMEM)
        return LM_ENOMEM;
    if (c->count == QUEUE_SQLITE_DELIVERY_MESSAGES ||
        (c->count > 0 && c->bodies.len + body.len > QUEUE_SQLITE_DELIVERY_BYTES))
        return LM_ETOOBIG;
    c->starts[c->count] = c->bodies.len;
    buffer_append_slice(&c->bodies, body);
    if (buffer_error(&c->bodies) != 0) {
        buffer_truncate(&c->bodies, c->starts[c->count]);
        return LM_ENOMEM;
    }
    id_len = snprintf(c->ids[c->count], ID_SIZE, "%lld", (long long)seq);
    *m = (struct queue_message){
        .body = {NULL, body.len}, /* its place is known when all have been taken */
        .id = {c->ids[c->count], (size_t)id_len},
        .sent_us = sqlite3_column_int64(stmt, 1),
        .redelivered = stmt == c->by_seq,
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

    while (error == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        error = take_row(c, stmt);
        if (error == 0)
            *last = sqlite3_column_int64(stmt, 0);
        else if (error == LM_ENOMEM)
            errbuf_set(err, "no memory for a message of %s", c->q->path);
    }
    if (error == 0 && rc != SQLITE_DONE)
        error = sqlite_db_error(&c->db, rc, err);
    sqlite3_reset(stmt);
    return error;
}

/* Those due are read again. One that is there no longer is forgotten. */
static int take_returned(struct consumer *c, struct errbuf *err)
{
    uint64_t now = clock_monotonic_us();
    size_t taken = 0;
    int64_t last;
    int error = 0;

    while (error == 0 && taken < c->returned_len && c->returned[taken].due_us <= now) {
        sqlite3_bind_int64(c->by_seq, 1, c->returned[taken].seq);
        error = take_rows(c, c->by_seq, &last, err);
        if (error == 0)
            taken++;
    }
    c->returned_len -= taken;
    memmove(c->returned, c->returned + taken, c->returned_len * sizeof(c->returned[0]));
    return error;
}

static int take_new(struct consumer *c, struct errbuf *err)
{
    if (c->returned_len >= QUEUE_SQLITE_RETURNED_MAX)
        return 0;
    sqlite3_bind_int64(c->after_cursor, 1, c->cursor);
    sqlite3_bind_int64(c->after_cursor, 2, QUEUE_SQLITE_DELIVERY_MESSAGES - (int)c->count);
    return take_rows(c, c->after_cursor, &c->cursor, err);
}

/* Fills the delivery with what is there. An error matters only where nothing could be taken. */
static int fill_delivery(struct consumer *c, struct errbuf *err)
{
    int error = c->db.handle != NULL ? 0 : open_db(c, err);

    if (error != 0)
        return error;
    buffer_clear(&c->bodies);
    error = take_returned(c, err);
    if (error == 0)
        error = take_new(c, err);
    for (size_t i = 0; i < c->count && c->bodies.data != NULL; i++)
        c->messages[i].body.data = c->bodies.data + c->starts[i];
    if (error == LM_EIO)
        close_db(c);
    return c->count > 0 ? 0 : error;
}

/* Waits for news of this process, at most until the file is to be looked at again. */
static void wait_for_news(struct consumer *c, uint64_t commits_seen, uint64_t until_us)
{
    struct queue_sqlite *q = c->q;
    uint64_t now = clock_monotonic_us();
    uint64_t poll_us = now + (uint64_t)QUEUE_SQLITE_POLL_MS * 1000;
    struct timespec deadline;

    if (poll_us < until_us)
        until_us = poll_us;
    if (c->returned_len > 0 && c->returned[0].due_us < until_us)
        until_us = c->returned[0].due_us;
    if (until_us <= now)
        return;
    deadline = queue_sqlite_deadline(until_us - now);

    pthread_mutex_lock(&q->lock);
    q->consumer_waits = true;
    while (!q->interrupted && q->commits == commits_seen) {
        if (pthread_cond_timedwait(&q->news, &q->lock, &deadline) != 0)
            break;
    }
    q->consumer_waits = false;
    pthread_mutex_unlock(&q->lock);
}

int queue_sqlite_consumer_receive(struct queue_consumer *base, unsigned wait_ms,
                                  struct queue_delivery *delivery, struct errbuf *err)
{
    struct consumer *c = (struct consumer *)base;
    uint64_t until_us = clock_monotonic_us() + (uint64_t)wait_ms * 1000;
    int error = 0;

    assert(c->count == 0); /* the delivery before must have been settled */
    for (;;) {
        uint64_t commits_seen;
        bool interrupted;

        pthread_mutex_lock(&c->q->lock);
        commits_seen = c->q->commits;
        interrupted = c->q->interrupted;
        pthread_mutex_unlock(&c->q->lock);
        error = fill_delivery(c, err);
        if (error != 0 || c->count > 0 || interrupted || clock_monotonic_us() >= until_us)
            break;
        if (c->bodies.capacity > BODIES_KEPT_BYTES)
            buffer_release(&c->bodies);
        wait_for_news(c, commits_seen, until_us);
    }
    delivery->messages = c->messages;
    delivery->count = c->count;
    return error;
}

static void give_back(struct consumer *c, int64_t seq, uint64_t due_us)
{
    assert(c->returned_len < RETURNED_CAPACITY);
    c->returned[c->returned_len++] = (struct returned){seq, due_us};
}

int queue_sqlite_consumer_settle(struct queue_consumer *base, struct queue_delivery *delivery,
                                 struct errbuf *err)
{
    struct consumer *c = (struct consumer *)base;
    struct queue_sqlite_job job = {.letters = c->letters};
    uint64_t due_us = clock_monotonic_us() + (uint64_t)QUEUE_SQLITE_RETURN_DELAY_MS * 1000;
    int error = 0;

    for (size_t i = 0; i < delivery->count; i++) {
        const struct queue_message *m = &delivery->messages[i];
        int64_t seq = (int64_t)m->receipt;

        switch (m->outcome) {
        case QUEUE_ACKNOWLEDGE:
            seq_ranges_add(&c->acks, seq);
            break;
        case QUEUE_REJECT:
            c->letters[job.letters_len++] = (struct queue_sqlite_letter){
                .seq = seq, .reason = m->reason != NULL ? m->reason : "rejected"};
            break;
        case QUEUE_RETURN:
            give_back(c, seq, due_us);
            break;
        }
    }
    queue_sqlite_writer_acknowledge(c->q, &c->acks);
    if (job.letters_len > 0)
        error = queue_sqlite_writer_do(c->q, &job, err);
    for (size_t i = 0; error != 0 && i < job.letters_len; i++)
        give_back(c, c->letters[i].seq, due_us);
    c->count = 0;
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
