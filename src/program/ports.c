#include "program/ports.h"

#include <stdio.h>
#include <unistd.h>

#include "cache/redis/adapter.h"
#include "program/data_dir.h"
#include "queue/sqlite/adapter.h"
#include "queue/sqs/adapter.h"
#include "store/postgres/adapter.h"
#include "store/sqlite/adapter.h"

bool ports_queue_is_embedded(const struct config *config)
{
    return !config->sqs_queue_url;
}

bool ports_store_is_embedded(const struct config *config)
{
    return !config->database_url && !config->database_host;
}

bool ports_need_data_dir(const struct config *config)
{
    return ports_queue_is_embedded(config) || ports_store_is_embedded(config);
}

/*
 * Room for the one log of the largest body: a byte of it may become six ("\u007f"), and the id, the
 * timestamp and what is around them are ours.
 */
static size_t embedded_message_bytes(const struct config *config)
{
    uint64_t body = config->max_body_bytes > config->max_batch_bytes ? config->max_body_bytes
                                                                     : config->max_batch_bytes;

    return 6 * body + 1024;
}

/* Moving many dead letters takes SQS a while: a line now and then, for who waits at a terminal. */
static void print_progress(uint64_t moved, uint64_t total, void *ctx)
{
    bool is_terminal = isatty(STDERR_FILENO);

    if (total)
        fprintf(stderr, "%srequeued %llu of about %llu%s", is_terminal ? "\r" : "",
                (unsigned long long)moved, (unsigned long long)total, is_terminal ? "" : "\n");
    else
        fprintf(stderr, "%srequeued %llu%s", is_terminal ? "\r" : "", (unsigned long long)moved,
                is_terminal ? "" : "\n");
}

static int open_sqs(const struct config *config, enum ports_queue_use use, struct queue **queue,
                    struct errbuf *err)
{
    struct errbuf reason = ERRBUF_INIT;

    *queue = queue_sqs_new(
        &(struct queue_sqs_options){.queue_url = config->sqs_queue_url,
                                    .max_message_bytes = config->sqs_max_message_bytes,
                                    .timeout_ms = (unsigned)config->sqs_timeout * 1000,
                                    .gather_ms = (unsigned)config->sqs_gather_ms,
                                    .no_sender = use != PORTS_QUEUE_SEND,
                                    .is_tool = use == PORTS_QUEUE_TOOL,
                                    .progress = print_progress},
        &reason);
    return *queue ? 0 : errbuf_fail(err, LM_EUNAVAILABLE, "SQS_QUEUE_URL: %s", reason.text);
}

int ports_open_queue(const struct config *config, enum ports_queue_use use, struct queue **queue,
                     struct errbuf *err)
{
    if (!ports_queue_is_embedded(config))
        return open_sqs(config, use, queue, err);
    *queue = queue_sqlite_new(
        &(struct queue_sqlite_options){.directory = config->data_dir,
                                       .max_message_bytes = embedded_message_bytes(config),
                                       .max_bytes = config->queue_max_bytes,
                                       .no_sender = use == PORTS_QUEUE_TOOL},
        err);
    if (!*queue)
        return LM_EIO;
    /* Only now: from here on a worker of a build before cannot open the file, but one may have it
     * open. */
    if (!data_dir_reads_newest(config->data_dir, "worker"))
        queue_sqlite_has_older_reader(*queue);
    return 0;
}

int ports_open_store(const struct config *config, struct store **store, struct errbuf *err)
{
    struct store_postgres_options options;
    struct errbuf reason = ERRBUF_INIT;

    if (ports_need_data_dir(config)) {
        int error = data_dir_make(config->data_dir, err);

        if (error)
            return error;
    }
    if (ports_store_is_embedded(config)) {
        *store = store_sqlite_new(config->data_dir, err);
        return *store ? 0 : LM_EINVAL;
    }
    if (store_postgres_check_indexes(config->database_indexes, &reason))
        return errbuf_fail(err, LM_EINVAL, "DATABASE_INDEXES: %s", reason.text);
    options = (struct store_postgres_options){
        .url = config->database_url,
        .host = config->database_host,
        .port = config->database_port,
        .name = config->database_name,
        .user = config->database_user,
        .password = config->database_pass,
        .indexes = config->database_indexes,
        .writer = {config->database_writer_user, config->database_writer_pass},
        .reader = {config->database_reader_user, config->database_reader_pass},
    };
    if (store_postgres_check_roles(&options, err))
        return LM_EINVAL;
    *store = store_postgres_new(&options, &reason);
    return *store ? 0 : errbuf_fail(err, LM_EINVAL, "DATABASE_URL: %s", reason.text);
}

int ports_open_cache(const struct config *config, struct cache **cache, struct errbuf *err)
{
    struct errbuf reason = ERRBUF_INIT;

    *cache = NULL;
    if (!config->redis_url)
        return 0;
    *cache = cache_redis_new(
        &(struct cache_redis_options){.url = config->redis_url,
                                      .ca_file = config->redis_ca_file,
                                      .max_logs = (unsigned)config->cache_logs,
                                      .rebuild_ms = (unsigned)config->cache_rebuild_seconds * 1000},
        &reason);
    return *cache ? 0 : errbuf_fail(err, LM_EINVAL, "REDIS_URL: %s", reason.text);
}
