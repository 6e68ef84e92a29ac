/*
 * The embedded queue: the file `queue.db` in a directory. A message is durable when the transaction
 * that inserted it has been committed with synchronous=FULL. One thread of the queue's own does all
 * writing, so that sends that wait together, and acknowledgements, share one commit.
 */
#ifndef LOGMILL_QUEUE_SQLITE_ADAPTER_H
#define LOGMILL_QUEUE_SQLITE_ADAPTER_H

#include "queue/queue.h"

struct queue_sqlite_options {
    const char *directory;    /* must exist */
    size_t max_message_bytes; /* 0: 1 MiB */
    uint64_t max_bytes;       /* of all that is in the file; sends past it fail. 0: no limit */
    bool no_sender; /* for tools: no writer thread; queue_send and consumers are not to be used */
};

/* Opens or creates the file. NULL with `err` filled on failure. Free with queue_free. */
struct queue *queue_sqlite_new(const struct queue_sqlite_options *options, struct errbuf *err);

/*
 * The worker may be of a build before that had the file open already, when its schema was brought
 * forward: queue_limits.no_older_readers is false from now on. To be called before the first send.
 */
void queue_sqlite_has_older_reader(struct queue *q);

#endif
