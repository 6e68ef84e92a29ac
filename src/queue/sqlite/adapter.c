#include "queue/sqlite/adapter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/monotonic_cond.h"
#include "base/xalloc.h"
#include "queue/sqlite/internal.h"

static int send_message(struct queue *base, struct queue_send *send)
{
    return queue_sqlite_writer_send((struct queue_sqlite *)base, send);
}

static struct queue_limits limits(const struct queue *base)
{
    const struct queue_sqlite *q = (const struct queue_sqlite *)base;

    return (struct queue_limits){
        .max_message_bytes = q->max_message_bytes,
        .send_slots = QUEUE_SQLITE_SEND_SLOTS,
        .max_consumers = QUEUE_SQLITE_MAX_CONSUMERS,
        .atomic_send = true,
        .no_older_readers = !q->older_reader, /* and COMPATIBLE_SINCE in file.c */
        .ours_alone = true,
        .in_order = true,
    };
}

/* Runs a query for up to two numbers; NULLs are 0. */
static int query_numbers(struct sqlite_db *db, const char *sql, int64_t numbers[2],
                         struct errbuf *err)
{
    sqlite3_stmt *stmt = NULL;
    int error = sqlite_db_prepare(db, sql, &stmt, err);

    numbers[0] = numbers[1] = 0;
    if (error)
        return error;
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        numbers[0] = sqlite3_column_int64(stmt, 0);
        numbers[1] = sqlite3_column_count(stmt) > 1 ? sqlite3_column_int64(stmt, 1) : 0;
    } else if (rc != SQLITE_DONE) {
        error = sqlite_db_error(db, rc, err);
    }
    sqlite3_finalize(stmt);
    return error;
}

/*
 * After a failure only writing can tell whether the queue takes logs again; otherwise the file need
 * only be readable, so that a check costs no commit.
 */
static int check(struct queue *base, struct errbuf *err)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    struct queue_sqlite_job probe = {.probe = true};
    int64_t numbers[2];
    int error;

    pthread_mutex_lock(&q->lock);
    int last_error = q->last_error;
    pthread_mutex_unlock(&q->lock);
    if (last_error && !q->no_sender)
        return queue_sqlite_writer_do(q, &probe, err);

    struct sqlite_db *db = queue_sqlite_file_acquire(q, &error, err);
    if (!db)
        return error;
    error = query_numbers(db, "SELECT last_seq FROM sequence", numbers, err);
    if (!error && q->max_bytes > 0) {
        uint64_t used = sqlite_db_used_bytes(db);

        error = used >= q->max_bytes ? queue_sqlite_file_full(q, used, err) : 0;
    }
    queue_sqlite_file_release(q);
    return error;
}

/*
 * Counting ten million rows would take seconds. But numbers follow each other without a gap except
 * where messages were settled out of order, and that is so only among the oldest ones (those
 * returned, those in delivery, those whose deletion is pending). So the oldest are counted, and the
 * others taken from their numbers.
 */
static int count_messages(struct sqlite_db *db, struct queue_stats *stats, struct errbuf *err)
{
    int64_t counted[2];
    int64_t last[2];
    int64_t oldest[2];
    char sql[128];
    int error;

    snprintf(sql, sizeof(sql),
             "SELECT count(*), max(seq) FROM (SELECT seq FROM messages ORDER BY seq LIMIT %d)",
             QUEUE_SQLITE_COUNT_EXACT);
    if ((error = query_numbers(db, sql, counted, err)) ||
        (error = query_numbers(db, "SELECT max(seq) FROM messages", last, err)) ||
        (error =
             query_numbers(db, "SELECT sent_us FROM messages ORDER BY seq LIMIT 1", oldest, err)))
        return error;
    stats->depth = (uint64_t)counted[0];
    if (counted[0] == QUEUE_SQLITE_COUNT_EXACT && last[0] > counted[1])
        stats->depth += (uint64_t)(last[0] - counted[1]);
    if (stats->depth > 0) {
        int64_t age = clock_wall_us() - oldest[0];

        stats->oldest_age_us = age > 0 ? age : 0;
    }
    return 0;
}

static int stats(struct queue *base, struct queue_stats *out, struct errbuf *err)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;
    struct queue_sqlite_job flush = {0};
    int64_t dead[2];
    int error;

    *out = (struct queue_stats){0};
    pthread_mutex_lock(&q->lock);
    uint64_t pending = q->acks.count + q->acks_taken;
    pthread_mutex_unlock(&q->lock);
    /* What is acknowledged no longer waits. If it cannot be deleted now, it is subtracted. */
    if (pending > 0 && !queue_sqlite_writer_do(q, &flush, NULL))
        pending = 0;

    struct sqlite_db *db = queue_sqlite_file_acquire(q, &error, err);
    if (!db)
        return error;
    if (!(error = count_messages(db, out, err)) &&
        !(error = query_numbers(db, "SELECT count(*) FROM dead_letters", dead, err)))
        out->dead_letters = (uint64_t)dead[0];
    queue_sqlite_file_release(q);

    out->depth -= pending < out->depth ? pending : out->depth;
    if (out->depth == 0)
        out->oldest_age_us = 0;
    return error;
}

static void interrupt_receivers(struct queue *base)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;

    pthread_mutex_lock(&q->lock);
    q->interrupted = true;
    pthread_cond_broadcast(&q->news);
    pthread_mutex_unlock(&q->lock);
}

static void free_queue(struct queue *base)
{
    struct queue_sqlite *q = (struct queue_sqlite *)base;

    queue_sqlite_writer_stop(q);
    sqlite_db_close(&q->tool);
    seq_ranges_release(&q->acks);
    pthread_cond_destroy(&q->finished);
    pthread_cond_destroy(&q->news);
    pthread_cond_destroy(&q->work);
    pthread_mutex_destroy(&q->read_lock);
    pthread_mutex_destroy(&q->lock);
    pthread_mutex_destroy(&q->tool_lock);
    free(q->path);
    free(q);
}

static const struct queue_ops ops = {
    .send = send_message,
    .limits = limits,
    .check = check,
    .stats = stats,
    .consumer_new = queue_sqlite_consumer_new,
    .consumer_free = queue_sqlite_consumer_free,
    .receive = queue_sqlite_consumer_receive,
    .settle = queue_sqlite_consumer_settle,
    .dead_letter = queue_sqlite_consumer_dead_letter,
    .interrupt = interrupt_receivers,
    .dead_letters_list = queue_sqlite_letters_list,
    .dead_letters_requeue = queue_sqlite_letters_requeue,
    .dead_letters_trim = queue_sqlite_letters_trim,
    .free = free_queue,
};

static void init_locks(struct queue_sqlite *q)
{
    monotonic_cond_init(&q->work);
    monotonic_cond_init(&q->news);
    pthread_cond_init(&q->finished, NULL);
    pthread_mutex_init(&q->lock, NULL);
    pthread_mutex_init(&q->read_lock, NULL);
    pthread_mutex_init(&q->tool_lock, NULL);
}

struct queue *queue_sqlite_new(const struct queue_sqlite_options *options, struct errbuf *err)
{
    static const char name[] = "/queue.db";
    struct queue_sqlite *q = xcalloc(1, sizeof(*q));
    size_t path_size = strlen(options->directory) + sizeof(name);
    int error = 0;

    q->base.ops = &ops;
    q->path = xmalloc(path_size);
    snprintf(q->path, path_size, "%s%s", options->directory, name);
    q->max_message_bytes = options->max_message_bytes > 0 ? options->max_message_bytes
                                                          : QUEUE_SQLITE_MAX_MESSAGE_BYTES;
    q->max_bytes = options->max_bytes;
    q->no_sender = options->no_sender;
    q->sends_end = &q->sends;
    init_locks(q);

    if (!q->no_sender) {
        error = queue_sqlite_writer_start(q, err);
    } else if (queue_sqlite_file_acquire(q, &error, err)) {
        queue_sqlite_file_release(q);
    }
    if (error) {
        free_queue(&q->base);
        return NULL;
    }
    return &q->base;
}

void queue_sqlite_has_older_reader(struct queue *base)
{
    ((struct queue_sqlite *)base)->older_reader = true;
}
