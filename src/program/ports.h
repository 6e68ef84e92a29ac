/*
 * Which adapters stand behind the ports, by the settings: the embedded ones unless told otherwise.
 *
 *   queue  SQS_QUEUE_URL                  Amazon SQS       else the file DATA_DIR/queue.db
 *   store  DATABASE_URL or DATABASE_HOST  PostgreSQL       else the file DATA_DIR/logs.db
 *   cache  REDIS_URL                      Redis or Valkey  else none
 */
#ifndef LOGMILL_PROGRAM_PORTS_H
#define LOGMILL_PROGRAM_PORTS_H

#include <stdbool.h>

#include "base/errbuf.h"
#include "cache/cache.h"
#include "program/config.h"
#include "queue/queue.h"
#include "store/store.h"

/* True if the queue, the store, or one of them is a file in DATA_DIR. */
bool ports_queue_is_embedded(const struct config *config);
bool ports_store_is_embedded(const struct config *config);
bool ports_need_data_dir(const struct config *config);

/* What the queue is opened for. */
enum ports_queue_use {
    PORTS_QUEUE_SEND,    /* sending, and receiving if there is a worker, too */
    PORTS_QUEUE_RECEIVE, /* receiving alone */
    PORTS_QUEUE_TOOL,    /* looking at it, and dead letters */
};

/*
 * Each returns 0 with the port set, or an error with `err` filled. ports_open_store makes
 * DATA_DIR, if the settings need it; the queue needs it to be there. ports_open_cache sets
 * *cache to NULL if there is none.
 */
int ports_open_queue(const struct config *config, enum ports_queue_use use, struct queue **queue,
                     struct errbuf *err) LM_MUST_CHECK;
int ports_open_store(const struct config *config, struct store **store,
                     struct errbuf *err) LM_MUST_CHECK;
int ports_open_cache(const struct config *config, struct cache **cache,
                     struct errbuf *err) LM_MUST_CHECK;

#endif
