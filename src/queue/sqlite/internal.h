/*
 * What the parts of the embedded queue share; nobody else includes it.
 *
 *   adapter.c   the queue as a whole: open, send, check, count, close
 *   writer.c    the one thread that writes: group commit, acknowledgements
 *   consumer.c  receiving and settling
 *   letters.c   dead letters, for people
 *   file.c      the file's schema, and the connection that adapter.c and letters.c share
 *
 * The file: table `messages` (seq, sent_us, body), a message a row, deleted when acknowledged;
 * table `dead_letters`, and `dead_letters_bytes`, one row, kept by triggers; table `sequence`, one
 * row, see below.
 *
 * Message numbers (seq) ascend in the order of the commits, over all processes, so that a consumer
 * that has read up to one number has missed none below it. A number is never used twice, since the
 * message's id is derived from it: the next one is 1 + max(messages.seq, sequence.last_seq), and a
 * transaction that deletes without inserting (so that the highest row may go) raises last_seq.
 */
#ifndef LOGMILL_QUEUE_SQLITE_INTERNAL_H
#define LOGMILL_QUEUE_SQLITE_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>

#include "queue/queue.h"
#include "queue/sqlite/seq_ranges.h"
#include "sqlite/db.h"

enum {
    QUEUE_SQLITE_MAX_MESSAGE_BYTES = 1 << 20, /* default */
    QUEUE_SQLITE_SEND_SLOTS = 1,              /* more would only make smaller commits */
    QUEUE_SQLITE_MAX_CONSUMERS = 2,           /* one stores while one parses; see worker.c */

    QUEUE_SQLITE_DELIVERY_MESSAGES = 1024,
    QUEUE_SQLITE_DELIVERY_BYTES = 2 << 20, /* but at least one message */
    QUEUE_SQLITE_RETURNED_MAX = 8192, /* returned messages that wait; no newer ones are read then */
    QUEUE_SQLITE_RETURN_DELAY_MS = 200, /* before a returned message is delivered again */
    QUEUE_SQLITE_POLL_MS = 20,          /* how often sends of other processes are looked for */

    /*
     * A message of many logs fills pages of its own: fewer ones are less work. Files of before have
     * pages of 4 KiB, and keep them.
     */
    QUEUE_SQLITE_PAGE_BYTES = 16 << 10,
    QUEUE_SQLITE_COMMIT_BYTES = 16 << 20, /* sends past this wait for the next transaction */
    QUEUE_SQLITE_FLUSH_MS = 50,           /* acknowledgements wait this long for a send to join */
    QUEUE_SQLITE_FLUSH_COUNT = 4096,      /* … or until they are so many */
    QUEUE_SQLITE_FLUSH_RETRY_MS = 1000,   /* after a failure */
    QUEUE_SQLITE_MEASURE_MS = 1000, /* between looks how much is in the file, with room left */

    /* Messages counted one by one: more than all that can be missing between older and newer ones.
     */
    QUEUE_SQLITE_COUNT_EXACT = 16384,
};

/* A dead letter to be made. */
struct queue_sqlite_letter {
    int64_t seq;       /* of the message that dies; 0: `body` does */
    struct slice body; /* used if seq is 0 */
    const char *reason;
};

/* What a caller asks of the writer thread and waits for; all zeroes: write what is pending. */
struct queue_sqlite_job {
    const struct queue_sqlite_letter *letters;
    size_t letters_len;
    bool probe; /* write something and take it away again */
    bool finished;
    int error;
    struct errbuf detail;
    struct queue_sqlite_job *next;
};

/*
 * Always true while `lock` is held:
 *   - sends_end is where the list of sends ends;
 *   - no job that waits has finished, and nothing waits for a writer if there is none;
 *   - what is acknowledged is in `acks` once.
 */
struct queue_sqlite {
    struct queue base;
    char *path;
    size_t max_message_bytes;
    uint64_t max_bytes; /* 0: no limit */
    bool no_sender;
    bool older_reader; /* one has it open, which only reads messages of version 1 */

    /* Guards what follows it, up to the next lock. */
    pthread_mutex_t lock;
    pthread_cond_t work;     /* for the writer: something to do; monotonic */
    pthread_cond_t news;     /* for consumers: a commit with sends, an interrupt; monotonic */
    pthread_cond_t finished; /* for those whose job is done */
    struct queue_send *sends;
    struct queue_send **sends_end;
    struct queue_sqlite_job *jobs;
    struct seq_ranges acks; /* acknowledged, not yet deleted */
    uint64_t acks_taken;    /* of the ones that the transaction under way deletes */
    uint64_t acks_due_us;   /* when they are written even if no send comes; 0: none pending */
    uint64_t commits;       /* transactions with sends, for consumers to see that there is news */
    int last_error;         /* of the last transaction */
    unsigned consumers_waiting; /* to be woken for news */
    bool writer_waits;          /* it must be woken for a send or a job */
    bool writer_has_alarm;      /* it wakes by itself in time for acknowledgements */
    bool stopping;
    bool interrupted;

    struct queue_sqlite_writer *writer; /* NULL with no_sender */

    /* Receiving. Taken before `lock`, never after it. */
    pthread_mutex_t read_lock;
    unsigned consumers;
    struct queue_sqlite_reading *reading; /* what they share; NULL while there is none */

    /* For checks, counts and dead letters: a connection opened at its first use. */
    pthread_mutex_t tool_lock;
    struct sqlite_db tool;
};

/* ---- file.c ---- */

/* The schema, for every connection to the file. */
struct sqlite_db_options queue_sqlite_file_options(const struct queue_sqlite *q, int cache_kib,
                                                   bool read_only);

/* What a send or a check is told if the file holds `bytes`; returns LM_EBUSY. */
int queue_sqlite_file_full(const struct queue_sqlite *q, uint64_t bytes, struct errbuf *err);

/* The shared connection, opened if need be, until queue_sqlite_file_release; NULL with `error` set.
 */
struct sqlite_db *queue_sqlite_file_acquire(struct queue_sqlite *q, int *error, struct errbuf *err);
void queue_sqlite_file_release(struct queue_sqlite *q);

/* ---- writer.c ---- */

/* Starts and ends the writer thread; the latter returns when all that was asked for is done. */
int queue_sqlite_writer_start(struct queue_sqlite *q, struct errbuf *err) LM_MUST_CHECK;
void queue_sqlite_writer_stop(struct queue_sqlite *q);

/* CHECKs what is always true. Lock held. */
void queue_sqlite_writer_check(const struct queue_sqlite *q);

/* Hands a send over. The caller does not hold the lock. Returns 0 or LM_ESTOPPED. */
int queue_sqlite_writer_send(struct queue_sqlite *q, struct queue_send *send) LM_MUST_CHECK;

/* Has a job done and waits for it; returns its error, and its detail in `err`. */
int queue_sqlite_writer_do(struct queue_sqlite *q, struct queue_sqlite_job *job,
                           struct errbuf *err) LM_MUST_CHECK;

/* Adds acknowledgements to those pending. */
void queue_sqlite_writer_acknowledge(struct queue_sqlite *q, struct seq_ranges *acks);

/* ---- consumer.c ---- */

struct queue_consumer *queue_sqlite_consumer_new(struct queue *base, struct errbuf *err);
void queue_sqlite_consumer_free(struct queue_consumer *base);
int queue_sqlite_consumer_receive(struct queue_consumer *base, unsigned wait_ms,
                                  struct queue_delivery *delivery, struct errbuf *err);
int queue_sqlite_consumer_settle(struct queue_consumer *base, struct queue_delivery *delivery,
                                 struct errbuf *err);
int queue_sqlite_consumer_dead_letter(struct queue_consumer *base, struct slice body,
                                      const char *reason, struct errbuf *err);

/* ---- letters.c ---- */

int queue_sqlite_letters_list(struct queue *base, queue_dead_letter_fn *fn, void *ctx,
                              struct errbuf *err);
int queue_sqlite_letters_requeue(struct queue *base, const struct slice *ids, size_t ids_len,
                                 uint64_t *moved, struct errbuf *err);
int queue_sqlite_letters_trim(struct queue *base, const struct queue_letter_limits *limits,
                              struct queue_letter_excess *found, struct errbuf *err);

#endif
