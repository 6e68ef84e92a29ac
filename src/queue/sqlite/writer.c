/*
 * The writer thread. A round takes everything that waits and makes one transaction of it:
 *
 *   sends            become rows           their `done` is called after the commit
 *   acknowledgements become deletions      nobody waits: they join the next send, or go alone after
 *                                          QUEUE_SQLITE_FLUSH_MS
 *   jobs             dead letters, probes  a caller waits
 *
 * While a round is in its fsync the next one gathers: that is the group commit.
 *
 * A round that fails is rolled back whole. If SQLite refuses something for its own sake (a size,
 * a trigger, a constraint, no memory for one so large), the round is done again with each send and
 * job in a savepoint: those that are refused fail alone. Otherwise its sends and jobs get the
 * error: whoever sent knows best whether to send again. Its acknowledgements are kept and go in a
 * round without sends from then on, until one succeeds, so that neither can be the other's undoing:
 * on a full disk deletions may find room that insertions do not, and so make it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/monotonic_cond.h"
#include "base/xalloc.h"
#include "queue/sqlite/internal.h"

enum {
    WRITER_CACHE_KIB = 1024,
    PROBE_BYTES = 8192, /* a few pages */
};

struct queue_sqlite_writer {
    struct queue_sqlite *q;
    pthread_t thread;
    struct sqlite_db db; /* closed after an input/output error, opened again by the next round */
    sqlite3_stmt *next_seq;
    sqlite3_stmt *insert;
    sqlite3_stmt *delete_range;
    sqlite3_stmt *raise_last_seq;
    sqlite3_stmt *kill_message;
    sqlite3_stmt *insert_letter;
    sqlite3_stmt *mark; /* a savepoint; undo goes back to it, unmark forgets it */
    sqlite3_stmt *undo;
    sqlite3_stmt *unmark;
    uint64_t used;          /* of QUEUE_MAX_BYTES, when measured and by what was sent since */
    uint64_t measured_us;   /* monotonic */
    uint64_t tidy_us;       /* when to look what can be given back to the disk; 0: not by itself */
    struct seq_ranges acks; /* of the round */
    bool acks_alone;        /* acknowledgements may not join sends: the last such round failed */
};

/*
 * What one transaction does. Always true before it begins: each send is in the one list where it
 * belongs; bytes is the sum of those that are not refused.
 */
struct round {
    struct queue_send *sends;
    struct queue_send *refused; /* too large: not part of the transaction */
    struct queue_send *left;    /* nor are these: the file holds all that it may */
    size_t bytes;               /* of the sends */
    struct queue_sqlite_job *jobs;
    int64_t now_us;
    int64_t next_seq;
    int64_t first_seq;    /* next_seq at the start */
    int64_t last_deleted; /* 0: none */
    bool one_by_one;      /* each send and job in a savepoint */
};

static bool send_is_too_large(const struct queue_sqlite *q, const struct queue_send *send,
                              size_t *bytes)
{
    *bytes = 0;
    for (size_t i = 0; i < send->messages_len; i++) {
        if (send->messages[i].len > q->max_message_bytes)
            return true;
        *bytes += send->messages[i].len;
    }
    return false;
}

void queue_sqlite_writer_check(const struct queue_sqlite *q)
{
    struct queue_send *const *end = &q->sends;

    while (*end && end != q->sends_end)
        end = &(*end)->next;
    CHECK(end == q->sends_end && !*end);
    CHECK(!q->no_sender || (!q->sends && !q->jobs && q->acks.count == 0));
    for (const struct queue_sqlite_job *job = q->jobs; job; job = job->next)
        CHECK(!job->finished);
    seq_ranges_check(&q->acks);
}

static void round_check(const struct queue_sqlite *q, const struct round *r)
{
    const struct queue_send *const taken[] = {r->sends, r->left};
    size_t total = 0;
    size_t bytes = 0;

    CHECK(!r->sends || !r->left);
    for (int i = 0; i < 2; i++) {
        for (const struct queue_send *send = taken[i]; send; send = send->next) {
            CHECK(!send_is_too_large(q, send, &bytes));
            total += bytes;
        }
    }
    CHECK(r->bytes == total);
    for (const struct queue_send *send = r->refused; send; send = send->next)
        CHECK(send_is_too_large(q, send, &bytes));
}

static void close_db(struct queue_sqlite_writer *w)
{
    sqlite3_finalize(w->next_seq);
    sqlite3_finalize(w->insert);
    sqlite3_finalize(w->delete_range);
    sqlite3_finalize(w->raise_last_seq);
    sqlite3_finalize(w->kill_message);
    sqlite3_finalize(w->insert_letter);
    sqlite3_finalize(w->mark);
    sqlite3_finalize(w->undo);
    sqlite3_finalize(w->unmark);
    w->next_seq = w->insert = w->delete_range = NULL;
    w->raise_last_seq = w->kill_message = w->insert_letter = NULL;
    w->mark = w->undo = w->unmark = NULL;
    sqlite_db_close(&w->db);
}

static int open_db(struct queue_sqlite_writer *w, struct errbuf *err)
{
    struct sqlite_db_options options = queue_sqlite_file_options(w->q, WRITER_CACHE_KIB, false);
    const struct {
        sqlite3_stmt **stmt;
        const char *sql;
    } statements[] = {
        {&w->next_seq, "SELECT 1 + max((SELECT coalesce(max(seq), 0) FROM messages), "
                       "(SELECT last_seq FROM sequence))"},
        {&w->insert, "INSERT INTO messages(seq, sent_us, body) VALUES(?, ?, ?)"},
        {&w->delete_range, "DELETE FROM messages WHERE seq BETWEEN ? AND ?"},
        {&w->raise_last_seq, "UPDATE sequence SET last_seq = ?1 WHERE last_seq < ?1"},
        {&w->kill_message, "INSERT INTO dead_letters(died_us, sent_us, reason, body) "
                           "SELECT ?1, sent_us, ?2, body FROM messages WHERE seq = ?3"},
        {&w->insert_letter, "INSERT INTO dead_letters(died_us, sent_us, reason, body) "
                            "VALUES(?1, ?1, ?2, ?3)"},
        {&w->mark, "SAVEPOINT item"},
        {&w->undo, "ROLLBACK TO item"},
        {&w->unmark, "RELEASE item"},
    };

    options.tidies = options.gives_all = true;
    int error = sqlite_db_open(&w->db, &options, err);
    for (size_t i = 0; !error && i < sizeof(statements) / sizeof(statements[0]); i++)
        error = sqlite_db_prepare(&w->db, statements[i].sql, statements[i].stmt, err);
    if (error)
        close_db(w);
    return error;
}

static int read_next_seq(struct queue_sqlite_writer *w, struct round *r, struct errbuf *err)
{
    int rc = sqlite3_step(w->next_seq);
    int error = 0;

    if (rc == SQLITE_ROW)
        r->next_seq = r->first_seq = sqlite3_column_int64(w->next_seq, 0);
    else
        error = sqlite_db_error(&w->db, rc, err);
    sqlite3_reset(w->next_seq);
    return error;
}

static int delete_range(struct queue_sqlite_writer *w, struct round *r, struct seq_range range,
                        struct errbuf *err)
{
    sqlite3_bind_int64(w->delete_range, 1, range.first);
    sqlite3_bind_int64(w->delete_range, 2, range.last);
    if (range.last > r->last_deleted)
        r->last_deleted = range.last;
    return sqlite_db_run(&w->db, w->delete_range, err);
}

static int insert_message(struct queue_sqlite_writer *w, struct round *r, struct slice body,
                          struct errbuf *err)
{
    sqlite3_bind_int64(w->insert, 1, r->next_seq++);
    sqlite3_bind_int64(w->insert, 2, r->now_us);
    sqlite_db_bind_text(w->insert, 3, body);
    return sqlite_db_run(&w->db, w->insert, err);
}

static int make_letter(struct queue_sqlite_writer *w, struct round *r,
                       const struct queue_sqlite_letter *letter, struct errbuf *err)
{
    sqlite3_stmt *stmt = letter->seq != 0 ? w->kill_message : w->insert_letter;

    sqlite3_bind_int64(stmt, 1, r->now_us);
    sqlite_db_bind_text(stmt, 2, slice_of_string(letter->reason));
    if (letter->seq != 0)
        sqlite3_bind_int64(stmt, 3, letter->seq);
    else
        sqlite_db_bind_text(stmt, 3, letter->body);
    int error = sqlite_db_run(&w->db, stmt, err);
    if (!error && letter->seq != 0)
        error = delete_range(w, r, (struct seq_range){letter->seq, letter->seq}, err);
    return error;
}

/* Writes as a send would, and takes it back: what counts is whether the commit finds room. */
static int probe(struct queue_sqlite_writer *w, struct round *r, struct errbuf *err)
{
    static char body[PROBE_BYTES];
    int64_t seq = r->next_seq;
    int64_t last_deleted = r->last_deleted;

    memset(body, ' ', sizeof(body));
    int error = insert_message(w, r, slice_of(body, sizeof(body)), err);
    if (!error)
        error = delete_range(w, r, (struct seq_range){seq, seq}, err);
    r->next_seq = seq;
    r->last_deleted = last_deleted;
    return error;
}

static int do_job(struct queue_sqlite_writer *w, struct round *r,
                  const struct queue_sqlite_job *job, struct errbuf *err)
{
    int error = job->probe ? probe(w, r, err) : 0;

    for (size_t i = 0; !error && i < job->letters_len; i++)
        error = make_letter(w, r, &job->letters[i], err);
    return error;
}

static int insert_send(struct queue_sqlite_writer *w, struct round *r,
                       const struct queue_send *send, struct errbuf *err)
{
    int error = 0;

    for (size_t i = 0; !error && i < send->messages_len; i++)
        error = insert_message(w, r, send->messages[i], err);
    return error;
}

/* Is `error`, of an item of a round, one that the other items need not share? */
static bool is_of_one_item(int error)
{
    return error == LM_EDATA || error == LM_ENOMEM;
}

/*
 * Does one item, a send or a job. If it is refused alone, that is in `*refused` and `detail`,
 * and nothing of it is in the transaction. Returns 0, or an error of the whole round.
 */
static int do_item(struct queue_sqlite_writer *w, struct round *r, const struct queue_send *send,
                   const struct queue_sqlite_job *job, int *refused, struct errbuf *detail,
                   struct errbuf *err)
{
    int64_t next_seq = r->next_seq;
    int64_t last_deleted = r->last_deleted;

    *refused = 0;
    if (!r->one_by_one)
        return send ? insert_send(w, r, send, err) : do_job(w, r, job, err);

    int error = sqlite_db_run(&w->db, w->mark, err);
    if (error)
        return error;
    error = send ? insert_send(w, r, send, detail) : do_job(w, r, job, detail);
    if (!error)
        return sqlite_db_run(&w->db, w->unmark, err);
    if (!is_of_one_item(error) || sqlite3_get_autocommit(w->db.handle))
        return errbuf_fail(err, error, "%s", detail->text);
    *refused = error;
    r->next_seq = next_seq;
    r->last_deleted = last_deleted;
    error = sqlite_db_run(&w->db, w->undo, err);
    return error ? error : sqlite_db_run(&w->db, w->unmark, err);
}

static int do_jobs(struct queue_sqlite_writer *w, struct round *r, struct errbuf *err)
{
    int error = 0;

    for (struct queue_sqlite_job *job = r->jobs; !error && job; job = job->next) {
        job->detail = (struct errbuf)ERRBUF_INIT;
        error = do_item(w, r, NULL, job, &job->error, &job->detail, err);
    }
    return error;
}

/* A send that is refused leaves the round, and is told at once: whatever becomes of the round, it
 * is not part of it. */
static int insert_sends(struct queue_sqlite_writer *w, struct round *r, struct errbuf *err)
{
    struct queue_send **link = &r->sends;

    while (*link) {
        struct queue_send *send = *link;
        struct errbuf detail = ERRBUF_INIT;
        int refused;
        int error = do_item(w, r, send, NULL, &refused, &detail, err);

        if (error)
            return error;
        if (!refused) {
            link = &send->next;
        } else {
            *link = send->next;
            send->done(send, refused, detail.text);
        }
    }
    return 0;
}

/* Everything between BEGIN and COMMIT. Deletions come first: their pages are used again. */
static int write_round(struct queue_sqlite_writer *w, struct round *r, struct errbuf *err)
{
    int error = read_next_seq(w, r, err);

    for (size_t i = 0; !error && i < w->acks.len; i++)
        error = delete_range(w, r, w->acks.items[i], err);
    if (!error)
        error = do_jobs(w, r, err);
    if (!error)
        error = insert_sends(w, r, err);
    if (!error && r->last_deleted > 0 && r->next_seq == r->first_seq) {
        sqlite3_bind_int64(w->raise_last_seq, 1, r->last_deleted);
        error = sqlite_db_run(&w->db, w->raise_last_seq, err);
    }
    return error;
}

static int try_round(struct queue_sqlite_writer *w, struct round *r, struct errbuf *err)
{
    int error = sqlite_db_begin(&w->db, err);

    r->last_deleted = 0;
    if (!error)
        error = write_round(w, r, err);
    if (!error)
        error = sqlite_db_commit(&w->db, err);
    if (error)
        sqlite_db_rollback(&w->db);
    return error;
}

/*
 * Leaves the sends out if there would be more in the file than there may. Deletions go on, and
 * make room.
 */
static void leave_out(struct queue_sqlite_writer *w, struct round *r)
{
    const struct queue_sqlite *q = w->q;
    uint64_t now_us = clock_monotonic_us();

    if (q->max_bytes == 0 || !r->sends)
        return;
    w->used += r->bytes;
    if (w->used <= q->max_bytes &&
        now_us - w->measured_us < (uint64_t)QUEUE_SQLITE_MEASURE_MS * 1000)
        return;
    w->measured_us = now_us;
    w->used = sqlite_db_used_bytes(&w->db) + r->bytes;
    if (w->used <= q->max_bytes)
        return;
    r->left = r->sends;
    r->sends = NULL;
}

static int commit_round(struct queue_sqlite_writer *w, struct round *r, struct errbuf *err)
{
    int error = w->db.handle ? 0 : open_db(w, err);

    if (error)
        return error;
    leave_out(w, r);
    CHECKED(round_check(w->q, r));
    if (!r->sends && !r->jobs && w->acks.count == 0)
        return 0;
    r->now_us = clock_wall_us();
    error = try_round(w, r, err);
    if (is_of_one_item(error)) {
        r->one_by_one = true;
        error = try_round(w, r, err);
    }
    if (error == LM_EFULL)
        sqlite_db_checkpoint_now(&w->db);
    else if (error == LM_EIO)
        close_db(w);
    return error;
}

static bool acks_are_due(const struct queue_sqlite *q)
{
    return q->acks.count > 0 && (q->stopping || clock_monotonic_us() >= q->acks_due_us);
}

static bool tidy_is_due(const struct queue_sqlite_writer *w)
{
    return w->tidy_us > 0 && clock_monotonic_us() >= w->tidy_us;
}

/* Sets when it is due next: `ms` from now; 0: only when something has been written. */
static void set_tidy(struct queue_sqlite_writer *w, unsigned ms)
{
    w->tidy_us = ms > 0 ? clock_monotonic_us() + (uint64_t)ms * 1000 : 0;
}

/*
 * Waits until there is something for a round, or to be tidied, or nothing and never again. Lock
 * held.
 *
 * After a round the first wait has an alarm even if no acknowledgement is pending, since one
 * will soon be: so whoever adds it need not wake this thread merely to let it set the alarm.
 */
static void wait_for_work(struct queue_sqlite_writer *w)
{
    struct queue_sqlite *q = w->q;
    uint64_t alarm_us = clock_monotonic_us() + (uint64_t)QUEUE_SQLITE_FLUSH_MS * 1000;

    while (!q->sends && !q->jobs && !q->stopping && !acks_are_due(q) && !tidy_is_due(w)) {
        uint64_t now = clock_monotonic_us();
        uint64_t until_us = UINT64_MAX;

        if (q->acks.count > 0)
            alarm_us = q->acks_due_us;
        q->writer_waits = true;
        q->writer_has_alarm = q->acks.count > 0 || now < alarm_us;
        if (q->writer_has_alarm)
            until_us = alarm_us;
        if (w->tidy_us > 0 && w->tidy_us < until_us)
            until_us = w->tidy_us;
        if (until_us != UINT64_MAX) {
            monotonic_cond_wait(&q->work, &q->lock, until_us);
        } else {
            pthread_cond_wait(&q->work, &q->lock);
        }
        q->writer_waits = false;
    }
}

static void take_sends(struct queue_sqlite *q, struct round *r)
{
    struct queue_send **taken_end = &r->sends;
    struct queue_send **refused_end = &r->refused;
    struct queue_send *send;
    size_t total = 0;
    size_t bytes;

    while ((send = q->sends) && total < QUEUE_SQLITE_COMMIT_BYTES) {
        q->sends = send->next;
        send->next = NULL;
        if (send_is_too_large(q, send, &bytes)) {
            *refused_end = send;
            refused_end = &send->next;
        } else {
            *taken_end = send;
            taken_end = &send->next;
            total += bytes;
        }
    }
    r->bytes = total;
    if (!q->sends)
        q->sends_end = &q->sends;
}

/* Takes a round's work out of the queue. Lock held. Returns false if there is none. */
static bool take_round(struct queue_sqlite_writer *w, struct round *r)
{
    struct queue_sqlite *q = w->q;
    bool take_acks = q->acks.count > 0 && (!w->acks_alone || acks_are_due(q) || q->jobs);

    CHECKED(queue_sqlite_writer_check(q));
    *r = (struct round){.jobs = q->jobs};
    q->jobs = NULL;
    if (take_acks) {
        seq_ranges_take(&w->acks, &q->acks);
        q->acks_taken = w->acks.count;
    }
    if (!(take_acks && w->acks_alone))
        take_sends(q, r);
    return take_acks || r->jobs || r->sends || r->refused;
}

/* `send` may be gone as soon as its `done` is called. */
static void finish_sends(struct queue_send *send, int error, const char *detail)
{
    while (send) {
        struct queue_send *next = send->next;

        send->done(send, error, detail);
        send = next;
    }
}

/* A job is its caller's, who goes on as soon as the lock is free. One that was refused alone has
 * its own error. Lock held. */
static void finish_jobs(struct queue_sqlite_job *job, int error, const struct errbuf *detail)
{
    while (job) {
        struct queue_sqlite_job *next = job->next;

        if (error) {
            job->error = error;
            job->detail = *detail;
        }
        job->finished = true;
        job = next;
    }
}

/* Lock held. */
static void finish_acks(struct queue_sqlite_writer *w, int error)
{
    struct queue_sqlite *q = w->q;

    q->acks_taken = 0;
    if (w->acks.count == 0)
        return;
    w->acks_alone = error;
    if (!error || q->stopping) {
        seq_ranges_clear(&w->acks);
        return;
    }
    seq_ranges_take(&q->acks, &w->acks);
    q->acks_due_us = clock_monotonic_us() + (uint64_t)QUEUE_SQLITE_FLUSH_RETRY_MS * 1000;
}

/* Tells everybody how the round ended. Lock held at the end, not before. */
static void finish_round(struct queue_sqlite_writer *w, struct round *r, int error,
                         const struct errbuf *detail)
{
    struct queue_sqlite *q = w->q;
    bool sent = r->sends && !error;

    finish_sends(r->sends, error, detail->text);
    if (r->left) {
        struct errbuf full = ERRBUF_INIT;

        (void)queue_sqlite_file_full(q, w->used - r->bytes, &full);
        finish_sends(r->left, LM_EBUSY, full.text);
    }
    finish_sends(r->refused, LM_ETOOBIG, "a message is larger than the queue takes");

    pthread_mutex_lock(&q->lock);
    q->last_error = error;
    q->commits += sent;
    bool wake_consumers = sent && q->consumers_waiting > 0;
    if (r->jobs) {
        finish_jobs(r->jobs, error, detail);
        pthread_cond_broadcast(&q->finished);
    }
    finish_acks(w, error);
    pthread_mutex_unlock(&q->lock);

    if (wake_consumers)
        pthread_cond_broadcast(&q->news);
    if (w->db.handle)
        sqlite_db_checkpoint(&w->db);
    pthread_mutex_lock(&q->lock);
}

static void *run(void *arg)
{
    struct queue_sqlite_writer *w = arg;
    struct queue_sqlite *q = w->q;
    struct round round;

    pthread_mutex_lock(&q->lock);
    for (;;) {
        struct errbuf detail = ERRBUF_INIT;
        int error;

        wait_for_work(w);
        if (tidy_is_due(w) && !q->stopping) {
            pthread_mutex_unlock(&q->lock);
            set_tidy(w, sqlite_db_tidy(&w->db));
            pthread_mutex_lock(&q->lock);
        }
        if (!take_round(w, &round)) {
            if (q->stopping)
                break;
            continue;
        }
        pthread_mutex_unlock(&q->lock);
        error = commit_round(w, &round, &detail);
        finish_round(w, &round, error, &detail);
        if (w->tidy_us == 0)
            set_tidy(w, SQLITE_DB_TIDY_LOOK_MS);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

int queue_sqlite_writer_send(struct queue_sqlite *q, struct queue_send *send)
{
    send->next = NULL;
    pthread_mutex_lock(&q->lock);
    CHECKED(queue_sqlite_writer_check(q));
    if (q->stopping || q->no_sender) {
        pthread_mutex_unlock(&q->lock);
        return LM_ESTOPPED;
    }
    *q->sends_end = send;
    q->sends_end = &send->next;
    bool wake = q->writer_waits;
    pthread_mutex_unlock(&q->lock);
    if (wake)
        pthread_cond_signal(&q->work);
    return 0;
}

int queue_sqlite_writer_do(struct queue_sqlite *q, struct queue_sqlite_job *job, struct errbuf *err)
{
    pthread_mutex_lock(&q->lock);
    CHECKED(queue_sqlite_writer_check(q));
    if (q->stopping || q->no_sender) {
        pthread_mutex_unlock(&q->lock);
        return errbuf_fail(err, LM_ESTOPPED, "%s is being closed", q->path);
    }
    job->finished = false;
    job->next = q->jobs;
    q->jobs = job;
    if (q->writer_waits)
        pthread_cond_signal(&q->work);
    while (!job->finished)
        pthread_cond_wait(&q->finished, &q->lock);
    pthread_mutex_unlock(&q->lock);
    if (job->error)
        errbuf_set(err, "%s", job->detail.text);
    return job->error;
}

void queue_sqlite_writer_acknowledge(struct queue_sqlite *q, struct seq_ranges *acks)
{
    bool now_due = false;

    if (acks->count == 0)
        return;
    pthread_mutex_lock(&q->lock);
    CHECKED(queue_sqlite_writer_check(q));
    if (q->acks.count == 0)
        q->acks_due_us = clock_monotonic_us() + (uint64_t)QUEUE_SQLITE_FLUSH_MS * 1000;
    seq_ranges_take(&q->acks, acks);
    if (q->acks.count >= QUEUE_SQLITE_FLUSH_COUNT && !q->last_error) {
        q->acks_due_us = 0;
        now_due = true;
    }
    if (q->writer_waits && (now_due || !q->writer_has_alarm))
        pthread_cond_signal(&q->work);
    pthread_mutex_unlock(&q->lock);
}

int queue_sqlite_writer_start(struct queue_sqlite *q, struct errbuf *err)
{
    struct queue_sqlite_writer *w = xcalloc(1, sizeof(*w));
    int error;

    w->q = q;
    if ((error = open_db(w, err)))
        goto fail;
    if (pthread_create(&w->thread, NULL, run, w)) {
        error = errbuf_fail(err, LM_EUNAVAILABLE, "cannot start a thread");
        goto fail_close;
    }
    q->writer = w;
    return 0;

fail_close:
    close_db(w);
fail:
    free(w);
    return error;
}

void queue_sqlite_writer_stop(struct queue_sqlite *q)
{
    struct queue_sqlite_writer *w = q->writer;

    if (!w)
        return;
    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    pthread_cond_signal(&q->work);
    pthread_mutex_unlock(&q->lock);
    pthread_join(w->thread, NULL);
    close_db(w);
    seq_ranges_release(&w->acks);
    free(w);
    q->writer = NULL;
}
