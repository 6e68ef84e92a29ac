#include "program/service.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "access/access.h"
#include "access/keys.h"
#include "api/api.h"
#include "base/clock.h"
#include "base/ledger.h"
#include "diag/diag.h"
#include "formats/fluent.h"
#include "formats/gelf.h"
#include "formats/syslog_frames.h"
#include "listen/receiver.h"
#include "metrics/emf.h"
#include "net/tls.h"
#include "net/tls_transport.h"
#include "program/data_dir.h"
#include "program/delete.h"
#include "program/ports.h"
#include "program/restart.h"
#include "tail/feed.h"
#include "worker/worker.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

/* Descriptors kept for files, event loops and what libraries open. */
enum { OTHER_DESCRIPTORS = 64 };

/* What is under way may take so long where the next process has failed: all others wait for it. */
enum { RETURN_MS = 500 };

/* Seconds past SHUTDOWN_TIMEOUT after which a stop that hangs is ended. */
enum { STOP_OVERTIME_S = 1 };

enum {
    LARGE_BUFFER_BYTES = 128 << 10,  /* with a queue elsewhere */
    LARGE_BUFFER_OF_FILES = 1 << 20, /* … and here, where smaller ones come at once again */
};

enum { OPS_CONNECTIONS = 100 }; /* to a worker's METRICS_PORT */

/* What a running process holds. */
struct service {
    const struct config *config;
    unsigned roles;
    struct restart restart; /* what came from the process before, and goes to the next */
    int *http_fds;          /* listening sockets that were given; NULL: none */
    size_t http_fds_len;
    bool http_fds_are_held;
    int *https_fds; /* the same of TLS_PORT */
    size_t https_fds_len;
    bool https_fds_are_held;
    struct tls *tls; /* NULL: no TLS is spoken */
    int locks[2];    /* of api and worker; 0: not taken */
    bool has_handed_over;
    struct queue *queue;
    struct store *store;
    struct cache *cache;
    struct tail_feed *feed; /* NULL if no api runs */
    struct worker *worker;
    struct ledger ledger;
    struct keys *keys; /* NULL: there are none */
    struct api *api;
    struct receiver *receiver;               /* NULL if nothing is listened for but HTTP */
    const char *received[RECEIVER_WAYS_MAX]; /* names of its ways */
    size_t received_len;
    char hostname[HOST_NAME_MAX + 1];
};

/* ---- Opening and closing ---- */

/*
 * A database that is away, or takes long for a step, does not stop the start: the api takes logs
 * all the same, and the worker makes the schema ready when it can.
 */
static int migrate(struct service *s, struct errbuf *err)
{
    int error = s->roles & SERVICE_WORKER ? store_migrate(s->store, err) : 0;

    if (error != LM_EUNAVAILABLE && error != LM_ETIMEOUT)
        return error;
    diag(DIAG_WARN, "the store is away; logs wait in the queue", DIAG_STR("reason", err->text));
    return 0;
}

static int take_locks(struct service *s, struct errbuf *err)
{
    const char *dir = s->config->data_dir;

    if (!ports_need_data_dir(s->config))
        return 0;
    if (s->roles & SERVICE_API && (s->locks[0] = restart_lock(&s->restart, "api", err)) < 0)
        return s->locks[0];
    if (s->roles & SERVICE_WORKER && (s->locks[1] = restart_lock(&s->restart, "worker", err)) < 0)
        return s->locks[1];
    return data_dir_check_restored(dir, err);
}

/* To what the system allows: before sockets are taken over, which may be more than it was. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/*
 * Returns how many connections of `wanted` there are descriptors for, besides the extra ones of
 * each of `threads` HTTP threads and `streams` that are not HTTP.
 */
static unsigned fit_connections(uint64_t wanted, uint64_t threads, uint64_t streams)
{
    uint64_t others = OTHER_DESCRIPTORS + HTTP_EXTRA_CONNECTIONS * threads + streams;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return (unsigned)wanted;
    if (limit.rlim_cur >= wanted + others)
        return (unsigned)wanted;
    wanted =
        limit.rlim_cur > others + OTHER_DESCRIPTORS ? limit.rlim_cur - others : OTHER_DESCRIPTORS;
    diag(DIAG_WARN, "fewer connections than MAX_CONNECTIONS: the limit of open files is lower",
         DIAG_INT("connections", (int64_t)wanted), DIAG_INT("open_files", (int64_t)limit.rlim_cur));
    return (unsigned)wanted;
}

/* By which its sockets are known to the next process. */
static const char *http_name(const struct service *s)
{
    return s->roles & SERVICE_API ? "http" : "metrics";
}

/* The sockets that are HTTP's: by their name, or by the address of the settings. */
static void take_given(struct service *s)
{
    const struct config *c = s->config;
    bool is_api = s->roles & SERVICE_API;
    const struct given_wish wish = {.kind = GIVEN_LISTENS,
                                    .name = http_name(s),
                                    .host = c->host,
                                    .port = (unsigned)(is_api ? c->port : c->metrics_port)};

    s->http_fds_len = given_take(&s->restart.given, &wish, &s->http_fds, &s->http_fds_are_held);
    if (!is_api || !c->tls_port)
        return;
    const struct given_wish https = {
        .kind = GIVEN_LISTENS, .name = "https", .host = c->host, .port = (unsigned)c->tls_port};
    s->https_fds_len = given_take(&s->restart.given, &https, &s->https_fds, &s->https_fds_are_held);
}

/* The server has descriptors of its own. */
static void release_given(struct service *s)
{
    for (size_t i = 0; i < s->http_fds_len; i++)
        close(s->http_fds[i]);
    for (size_t i = 0; i < s->https_fds_len; i++)
        close(s->https_fds[i]);
    free(s->http_fds);
    free(s->https_fds);
    s->http_fds = s->https_fds = NULL;
    s->http_fds_len = s->https_fds_len = 0;
}

/* ---- TLS ---- */

static struct transport_source tls_source(const struct service *s)
{
    return s->tls ? tls_transport(s->tls) : (struct transport_source){0};
}

static int start_tls(struct service *s, struct errbuf *err)
{
    const struct config *c = s->config;

    if (s->tls || !(s->roles & SERVICE_API))
        return 0;
    if (!c->tls_cert_file && !c->tls_key_file && !c->tls_client_ca_file && !c->tls_port)
        return 0;
    if (!c->tls_cert_file || !c->tls_key_file)
        return errbuf_fail(err, LM_EINVAL,
                           "TLS needs TLS_CERT_FILE and TLS_KEY_FILE; %s is not set",
                           c->tls_cert_file ? "TLS_KEY_FILE" : "TLS_CERT_FILE");
    s->tls = tls_new(&(struct tls_options){.cert_file = c->tls_cert_file,
                                           .key_file = c->tls_key_file,
                                           .client_ca_file = c->tls_client_ca_file,
                                           .clients_may_be_unknown = !config_needs_certificates(c)},
                     err);
    return s->tls ? 0 : LM_EINVAL;
}

/* A second place of HTTP's, for TLS beside the plain port. */
static struct net_place https_place(const struct service *s)
{
    const struct config *c = s->config;

    if (!c->tls_port)
        return (struct net_place){0};
    return (struct net_place){.host = c->host,
                              .port = (unsigned)c->tls_port,
                              .fds = s->https_fds,
                              .fds_len = s->https_fds_len,
                              .fds_are_held = s->https_fds_are_held,
                              .by = tls_source(s),
                              .name = "https"};
}

static void look_at_certificates(void *ctx)
{
    struct service *s = ctx;

    (void)tls_look(s->tls);
}

/* ---- Keys ---- */

static unsigned anonymous(const struct config *c)
{
    const char *name = c->anonymous ? c->anonymous : c->keys_file || c->keys ? "none" : "all";

    return strcmp(name, "all") == 0     ? (unsigned)ANONYMOUS_WRITE | ANONYMOUS_READ
           : strcmp(name, "write") == 0 ? ANONYMOUS_WRITE
           : strcmp(name, "read") == 0  ? ANONYMOUS_READ
                                        : ANONYMOUS_NONE;
}

static unsigned ops_need(const struct config *c)
{
    return strcmp(c->ops_access, "admin") == 0  ? ACCESS_ADMIN
           : strcmp(c->ops_access, "read") == 0 ? ACCESS_READ
                                                : ACCESS_OPEN;
}

static int start_keys(struct service *s, struct errbuf *err)
{
    struct errbuf why = ERRBUF_INIT;

    if (!s->config->keys_file && !s->config->keys)
        return 0;
    if (s->config->keys_file && s->config->keys)
        return errbuf_fail(err, LM_EINVAL, "KEYS_FILE and KEYS are set; allowed: one of them");
    if (s->config->keys) {
        s->keys = keys_of(slice_of_string(s->config->keys), &why);
        return s->keys ? 0 : errbuf_fail(err, LM_EINVAL, "KEYS: %s", why.text);
    }
    s->keys = keys_open(s->config->keys_file, &why);
    if (!s->keys)
        return errbuf_fail(err, LM_EINVAL, "KEYS_FILE: %s", why.text);
    return keys_watch(s->keys, err);
}

/* ---- What clients see ---- */

static int scrub(void *ctx, struct errbuf *err)
{
    return delete_scrub_queue(((const struct service *)ctx)->config, err);
}

static int start_api(struct service *s, struct errbuf *err)
{
    const struct config *c = s->config;
    unsigned connections =
        fit_connections(c->max_connections, c->web_concurrency, s->receiver ? c->max_streams : 0);

    s->api = api_new(
        &(struct api_options){
            .queue = s->queue,
            .store = s->store,
            .cache = s->cache,
            .feed = s->feed,
            .scrub = scrub,
            .scrub_ctx = s,
            .http = {.host = c->host,
                     .port = (unsigned)c->port,
                     .fds = s->http_fds,
                     .fds_len = s->http_fds_len,
                     .fds_are_held = s->http_fds_are_held,
                     .by = config_port_is_tls(c) ? tls_source(s) : (struct transport_source){0},
                     .also = https_place(s),
                     .shake_timeout_ms = (unsigned)c->tls_handshake_timeout * 1000,
                     .threads = (unsigned)c->web_concurrency,
                     .max_connections = connections,
                     .max_connection_bytes = c->max_connection_bytes,
                     .max_body_bytes = c->max_body_bytes,
                     .max_batch_bytes = c->max_batch_bytes,
                     .max_header_bytes = c->max_header_bytes,
                     .idle_timeout_ms = (unsigned)c->keepalive_timeout * 1000,
                     .request_timeout_ms = (unsigned)c->request_timeout * 1000,
                     .upload_timeout_ms = (unsigned)c->upload_timeout * 1000,
                     .write_timeout_ms = (unsigned)c->write_timeout * 1000},
            .allowed_hosts = c->allowed_hosts,
            .cors_origins = c->cors_origins,
            .trusted_proxies = c->trusted_proxies,
            .keys = s->keys,
            .anonymous = anonymous(c),
            .ops = ops_need(c),
            .anonymous_rate = c->anonymous_rate,
            .anonymous_bytes = c->anonymous_bytes,
            .anonymous_places = {[PLACE_CONNECTION] = (unsigned)c->anonymous_connections,
                                 [PLACE_SCAN] = (unsigned)c->anonymous_scans,
                                 [PLACE_TAIL] = (unsigned)c->anonymous_tails},
            .max_tails = (unsigned)c->max_tails,
            .session_max_age_s = c->session_max_age_s,
            .links = c->links,
            .environment = environ,
            .ledger = &s->ledger,
            .read_threads = (unsigned)c->read_threads,
            .read_helpers = (unsigned)c->read_helpers,
            .max_reads = (unsigned)c->max_reads,
            .max_client_reads = (unsigned)c->max_reads_per_client,
            .query_timeout_ms = (unsigned)c->query_timeout * 1000,
            .ready_timeout_ms = (unsigned)c->ready_timeout * 1000},
        err);
    return s->api ? 0 : LM_EUNAVAILABLE;
}

/* What is listened for beside HTTP, if anything is. */
static int start_receiver(struct service *s, struct errbuf *err)
{
    const struct config *c = s->config;
    const struct {
        const char *name, *setting, *text;
        bool tcp_only;
        struct receiver_way way;
    } known[] = {
        {"syslog",
         "SYSLOG_LISTEN",
         c->syslog_listen,
         false,
         {.stream = &syslog_stream, .datagram = &syslog_datagram, .protocol = PROTOCOL_SYSLOG}},
        {"fluent",
         "FLUENT_LISTEN",
         c->fluent_listen,
         true,
         {.stream = &fluent_forward, .protocol = PROTOCOL_FLUENT}},
        {"gelf",
         "GELF_LISTEN",
         c->gelf_listen,
         false,
         {.stream = &gelf_stream, .datagram = &gelf_datagram, .protocol = PROTOCOL_GELF}},
    };
    struct addresses addresses[RECEIVER_WAYS_MAX];
    struct receiver_way ways[RECEIVER_WAYS_MAX];

    gethostname(s->hostname, sizeof(s->hostname) - 1);
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        size_t n = s->received_len;

        if (!known[i].text)
            continue;

        int error = addresses_parse(&addresses[n], known[i].text, known[i].tcp_only, err);
        if (error)
            return error;
        if (addresses_have_tls(&addresses[n]) && !s->tls)
            return errbuf_fail(err, LM_EINVAL,
                               "%s: tls:// needs TLS_CERT_FILE and TLS_KEY_FILE, which are not set",
                               known[i].setting);
        ways[n] = known[i].way;
        ways[n].addresses = &addresses[n];
        s->received[s->received_len++] = known[i].name;
    }
    if (s->received_len == 0)
        return 0;
    s->receiver = receiver_new(
        &(struct receiver_options){
            .queue = s->queue,
            .ledger = &s->ledger,
            .ways = ways,
            .ways_len = s->received_len,
            .given = &s->restart.given,
            .setup = {.shared_key = c->fluent_shared_key, .hostname = s->hostname},
            .max_streams = (unsigned)c->max_streams,
            .udp_buffer_bytes = (unsigned)c->udp_buffer_bytes,
            .tls = tls_source(s),
            .shake_timeout_ms = (unsigned)c->tls_handshake_timeout * 1000,
            .write_timeout_ms = (unsigned)c->write_timeout * 1000},
        err);
    return s->receiver ? 0 : LM_EUNAVAILABLE;
}

/* A worker alone takes no logs, but tells how it is. */
static int start_ops(struct service *s, struct errbuf *err)
{
    const struct config *c = s->config;

    if (!c->metrics_port && s->http_fds_len == 0)
        return 0;
    s->api = api_new(&(struct api_options){.queue = s->queue,
                                           .store = s->store,
                                           .ops_only = true,
                                           .allowed_hosts = c->allowed_hosts,
                                           .cors_origins = c->cors_origins,
                                           .trusted_proxies = c->trusted_proxies,
                                           .keys = s->keys,
                                           .anonymous = anonymous(c),
                                           .ops = ops_need(c),
                                           .http = {.host = c->host,
                                                    .port = (unsigned)c->metrics_port,
                                                    .fds = s->http_fds,
                                                    .fds_len = s->http_fds_len,
                                                    .fds_are_held = s->http_fds_are_held,
                                                    .max_connections = OPS_CONNECTIONS},
                                           .ledger = &s->ledger,
                                           .ready_timeout_ms = (unsigned)c->ready_timeout * 1000},
                     err);
    return s->api ? 0 : LM_EUNAVAILABLE;
}

static int start_emf(const struct config *c, struct errbuf *err)
{
    if (!c->emf_interval)
        return 0;
    return emf_start(&(struct emf_options){.fd = STDOUT_FILENO,
                                           .interval = (unsigned)c->emf_interval,
                                           .name = c->emf_namespace},
                     err);
}

/*
 * A delivery is megabytes in a few large buffers. Left to itself, glibc moves such buffers into the
 * heaps of the threads, which then get fragmented and keep the memory of every backlog: hundreds of
 * megabytes. A threshold that is set stays, so that they go back to the system when they are freed.
 * So it is with what the embedded store seals and compacts.
 */
static void give_back_large_buffers(bool embedded)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, embedded ? LARGE_BUFFER_OF_FILES : LARGE_BUFFER_BYTES);
#endif
}

static struct expiry_letters dead_letter_limits(const struct config *c)
{
    return (struct expiry_letters){.days = (unsigned)c->dead_letters_days,
                                   .max_bytes = c->dead_letters_max_bytes,
                                   .drops = strcmp(c->dead_letters_excess, "drop") == 0};
}

/* What clients see, with the sockets that were given; connections last, when they are ours. */
static int start_serving(struct service *s, struct errbuf *err)
{
    bool is_api = s->roles & SERVICE_API;
    int error;

    take_given(s);
    error = start_keys(s, err);
    if (!error && is_api)
        error = start_receiver(s, err);
    if (!error)
        error = given_check_taken(&s->restart.given, err);
    if (!error)
        error = is_api ? start_api(s, err) : start_ops(s, err);
    if (!error)
        error = restart_taken(&s->restart, err);
    if (error)
        return error;
    if (s->receiver)
        receiver_adopt(s->receiver, &s->restart.given);
    if (s->api)
        api_adopt(s->api, &s->restart.given, http_name(s));
    return 0;
}

/* Opens all that the roles need and starts them: what clients see comes last. */
static int start(struct service *s, struct errbuf *err)
{
    struct level_rules levels;
    int error;

    ledger_init(&s->ledger, s->config->max_inflight_bytes);
    if ((error = level_rules_parse(s->config->retention_days_by_level, &levels, err)) ||
        (error = start_tls(s, err)) || (error = restart_take_over(&s->restart, err)) ||
        (error = start_emf(s->config, err)) ||
        (error = ports_open_store(s->config, &s->store, err)) || (error = take_locks(s, err)) ||
        (error = ports_open_cache(s->config, &s->cache, err)) ||
        (error = ports_open_queue(s->config,
                                  s->roles & SERVICE_API ? PORTS_QUEUE_SEND : PORTS_QUEUE_RECEIVE,
                                  &s->queue, err)) ||
        (error = migrate(s, err)))
        return error;
    if (s->roles & SERVICE_API) {
        s->feed = tail_feed_new(
            &(struct tail_feed_options){.store = s->store,
                                        .cache = s->cache,
                                        /* Only a store of our own has no other worker. */
                                        .is_told = (s->roles & SERVICE_WORKER) &&
                                                   ports_store_is_embedded(s->config),
                                        .max_tails = (unsigned)s->config->max_tails,
                                        .unsent_bytes = s->config->max_inflight_bytes /
                                                        LEDGER_SHARES * LEDGER_TAILS_CEILING},
            err);
        if (!s->feed)
            return LM_EUNAVAILABLE;
    }
    if (s->roles & SERVICE_WORKER) {
        give_back_large_buffers(ports_queue_is_embedded(s->config));
        s->worker = worker_new(
            &(struct worker_options){.queue = s->queue,
                                     .store = s->store,
                                     .cache = s->cache,
                                     .threads = (unsigned)s->config->worker_threads,
                                     .one_writer = ports_store_is_embedded(s->config),
                                     .retention_days = (unsigned)s->config->retention_days,
                                     .retention_bytes = s->config->retention_mb << 20,
                                     .retention_levels = levels,
                                     .dead_letters = dead_letter_limits(s->config),
                                     .stored = s->feed ? tail_feed_wake : NULL,
                                     .stored_ctx = s->feed},
            err);
        if (!s->worker)
            return LM_EUNAVAILABLE;
    }
    return start_serving(s, err);
}

/*
 * A database that neither answers nor refuses could hold up a stop for long. Nothing is lost by
 * going without waiting for it: what is not stored is in the queue, and acknowledged there it is
 * not.
 */
static void *end_late_stop(void *arg)
{
    sleep((unsigned)(uintptr_t)arg); /* a number: all that was on main's stack may be gone */
    diag(DIAG_WARN, "the stop took too long: ended; what was not stored stays in the queue");
    emf_write();
    _exit(0);
}

/*
 * The reverse of start: first no new logs, then what is queued is stored for as long as there is
 * time, then the files. All that is freed is NULL then, so that it may be started anew.
 */
static void close_all(struct service *s, unsigned answer_ms, unsigned store_ms)
{
    uint64_t started_us = clock_monotonic_us();

    if (s->receiver)
        receiver_stop(s->receiver, answer_ms);
    api_free(s->api, answer_ms);
    receiver_free(s->receiver);
    keys_free(s->keys);
    uint64_t spent_ms = (clock_monotonic_us() - started_us) / 1000;
    worker_free(s->worker, spent_ms < store_ms ? (unsigned)(store_ms - spent_ms) : 0);
    tail_feed_free(s->feed);
    queue_free(s->queue);
    cache_free(s->cache);
    store_free(s->store);
    emf_stop();
    release_given(s);
    for (int i = 1; i >= 0; i--) {
        if (s->locks[i] > 0)
            close(s->locks[i]);
        s->locks[i] = 0;
    }
    s->keys = NULL;
    s->api = NULL;
    s->receiver = NULL;
    s->received_len = 0;
    s->worker = NULL;
    s->feed = NULL;
    s->queue = NULL;
    s->cache = NULL;
    s->store = NULL;
}

static unsigned limit_ms(const struct service *s)
{
    return (unsigned)s->config->shutdown_timeout * 1000;
}

/* Takes out of the running parts what the next process can go on with, up to `max` sockets. */
static void collect(struct service *s, size_t max)
{
    if (s->receiver)
        receiver_hand_over(s->receiver, limit_ms(s), &s->restart.given, max);
    if (s->api)
        api_hand_over(s->api, limit_ms(s), &s->restart.given, http_name(s), max);
}

static void stop(struct service *s, bool has_started)
{
    void *late_s = (void *)(uintptr_t)(s->config->shutdown_timeout + STOP_OVERTIME_S);
    unsigned store_ms = has_started ? limit_ms(s) : 0;
    pthread_t late;

    if (pthread_create(&late, NULL, end_late_stop, late_s) == 0)
        pthread_detach(late);
    if (has_started && !s->has_handed_over && restart_is_awaited(&s->restart)) {
        collect(s, notify_room(&s->restart.notify));
        restart_store(&s->restart);
        store_ms = 0; /* clients wait: what is queued is stored by the next process */
    }
    close_all(s, limit_ms(s), store_ms);
}

/*
 * Another process takes over. This one stops storing, then taking in, and gives all that is open to
 * the other, which goes on while this one answers what is under way. True if it has come to that;
 * false if the other has failed: then this one has all of it again, closed but for the sockets.
 */
static bool hand_over(struct service *s, int peer)
{
    struct errbuf err = ERRBUF_INIT;
    int error;

    diag(DIAG_INFO, "handing over");
    worker_free(s->worker, 0); /* first, since nobody waits for it; messages stay in the queue */
    s->worker = NULL;
    collect(s, GIVEN_MAX);
    error = restart_hand_over(&s->restart, peer, s->locks, &err);
    s->has_handed_over = !error;
    if (!error)
        return true;
    diag(DIAG_ERROR, "the other process has not taken over; this one goes on",
         DIAG_STR("reason", err.text));
    close_all(s, limit_ms(s) < RETURN_MS ? limit_ms(s) : RETURN_MS, 0);
    return false;
}

/* Where the logs are kept, without secrets; the caller releases `text`, which ends with a NUL. */
static void describe_data(const struct config *c, struct buffer *text)
{
    char path[PATH_MAX];
    const char *dir = realpath(c->data_dir, path) ? path : c->data_dir;
    bool queue = ports_queue_is_embedded(c);
    bool store = ports_store_is_embedded(c);

    buffer_init(text, 4 * PATH_MAX);
    buffer_append_string(text, queue || store ? dir : c->sqs_queue_url);
    if (!queue && store)
        buffer_appendf(text, ", %s", c->sqs_queue_url);
    if (!store)
        buffer_append_string(text, ", PostgreSQL");
    buffer_append_char(text, '\0');
}

static void say_started(const struct service *s)
{
    const struct config *c = s->config;
    bool is_ipv6 = strchr(c->host, ':');
    struct buffer data;
    char line[512];

    describe_data(c, &data);
    if (!(s->roles & SERVICE_API)) {
        diag(DIAG_INFO, "storing", DIAG_STR("data", data.data),
             DIAG_INT("metrics_port", s->api ? api_port(s->api) : 0));
        buffer_release(&data);
        return;
    }
    snprintf(line, sizeof(line),
             "curl %s://%s%s%s:%u/log -H 'content-type: application/json' "
             "-d '{\"message\":\"hello\",\"level\":\"info\"}'",
             config_port_is_tls(c) ? "https" : "http", is_ipv6 ? "[" : "", c->host,
             is_ipv6 ? "]" : "", api_port(s->api));
    size_t n = 5;
    struct diag_field fields[6 + RECEIVER_WAYS_MAX + 1] = {
        DIAG_STR("address", c->host), DIAG_INT("port", api_port(s->api)),
        DIAG_INT("sockets_given", (int64_t)s->http_fds_len), DIAG_STR("data", data.data),
        DIAG_STR("try", line)};
    struct buffer addresses[RECEIVER_WAYS_MAX];

    if (s->tls)
        fields[n++] = DIAG_INT("tls_port", c->tls_port ? api_also_port(s->api) : api_port(s->api));
    for (size_t i = 0; i < s->received_len; i++) {
        buffer_init(&addresses[i], ADDRESSES_MAX * (ADDRESS_HOST_BYTES + 32));
        receiver_describe(s->receiver, i, &addresses[i]);
        buffer_append_char(&addresses[i], '\0');
        fields[n + i] = DIAG_STR(s->received[i], addresses[i].data);
    }
    diag_write(DIAG_INFO, "listening", fields);
    for (size_t i = 0; i < s->received_len; i++)
        buffer_release(&addresses[i]);
    buffer_release(&data);
}

/* Runs until a signal, or until another process has taken over. Returns the exit status. */
static int run(struct service *s)
{
    struct errbuf err = ERRBUF_INIT;

    for (;;) {
        say_started(s);
        release_given(s);
        restart_ready(&s->restart);

        int peer = restart_wait(&s->restart, s->tls ? look_at_certificates : NULL, s);
        if (peer < 0 || hand_over(s, peer))
            return 0;
        if (start(s, &err)) {
            diag(DIAG_ERROR, err.text);
            return 1;
        }
    }
}

int service_run(const struct config *config, unsigned roles)
{
    struct service s = {.config = config, .roles = roles};
    struct errbuf err = ERRBUF_INIT;
    bool has_started = false;
    int status = 1;

    raise_descriptors();
    if (restart_begin(&s.restart, config, roles, roles & SERVICE_API ? "api.next" : "worker.next",
                      &err) ||
        start(&s, &err)) {
        diag(DIAG_ERROR, err.text);
    } else {
        has_started = true;
        status = run(&s);
    }
    stop(&s, has_started);
    tls_free(s.tls);
    restart_end(&s.restart);
    if (status == 0)
        diag(DIAG_INFO, "stopped");
    return status;
}
