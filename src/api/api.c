#include "api/api.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "api/links.h"
#include "api/web_routes.h"
#include "base/check.h"
#include "base/container_of.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "metrics/metrics.h"
#include "net/listen.h"

static const struct http_route routes[] = {
    {"POST", "/log", ingest_routes_post_log, .needs = ACCESS_WRITE, .flags = 0},
    {"POST", "/logs", ingest_routes_post_logs, .needs = ACCESS_WRITE, .flags = 0},
    {"GET", "/logs", read_routes_list, .needs = ACCESS_READ, .flags = HTTP_ROUTE_ALONE},
    {"DELETE", "/logs", erase_routes_delete, .needs = ACCESS_ADMIN, .flags = HTTP_ROUTE_ALONE},
    {"GET", "/logs/stats", read_routes_stats, .needs = ACCESS_READ, .flags = HTTP_ROUTE_ALONE},
    {"GET", "/logs/patterns", read_routes_patterns, .needs = ACCESS_READ,
     .flags = HTTP_ROUTE_ALONE},
    {"GET", "/logs/fields", read_routes_fields, .needs = ACCESS_READ, .flags = HTTP_ROUTE_ALONE},
    {"GET", "/logs/fields/{path}", read_routes_values, .needs = ACCESS_READ,
     .flags = HTTP_ROUTE_ALONE},
    {"GET", "/logs/tail", read_routes_tail, .needs = ACCESS_READ, .flags = HTTP_ROUTE_ALONE},
    {"GET", "/logs/{id}", read_routes_one, .needs = ACCESS_READ, .flags = HTTP_ROUTE_ALONE},
    {"POST", "/mcp", mcp_routes_post, .needs = ACCESS_READ, .flags = HTTP_ROUTE_ALONE},
    {"GET", "/health", ops_routes_health, .needs = ACCESS_OPEN, .flags = HTTP_ROUTE_RESERVED},
    {"GET", "/ready", ops_routes_ready, .needs = ACCESS_OPS, .flags = HTTP_ROUTE_RESERVED},
    {"GET", "/metrics", ops_routes_metrics, .needs = ACCESS_OPS, .flags = HTTP_ROUTE_RESERVED},
    {"POST", "/login", session_routes_log_in, .needs = ACCESS_OPEN, .flags = 0},
    {"POST", "/logout", session_routes_log_out, .needs = ACCESS_OPEN, .flags = 0},
    {"GET", "/whoami", session_routes_who, .needs = ACCESS_ANY, .flags = 0},
    {"GET", "/", receive_routes_root, .needs = ACCESS_ANY, .flags = HTTP_ROUTE_PAGE},
    {"GET", "/assets/{file}", web_routes_get, .needs = ACCESS_OPEN, .flags = 0},
    {"GET", "/openapi.json", web_routes_get, .needs = ACCESS_OPS, .flags = 0},
    {"GET", "/docs", web_routes_get, .needs = ACCESS_OPS, .flags = HTTP_ROUTE_PAGE},
    {"GET", "/docs/{file}", web_routes_get, .needs = ACCESS_OPS, .flags = 0},
    {0},
};

/* Of a process that takes no logs. */
static const struct http_route ops_only_routes[] = {
    {"GET", "/health", ops_routes_health, .needs = ACCESS_OPEN, .flags = HTTP_ROUTE_RESERVED},
    {"GET", "/ready", ops_routes_ready, .needs = ACCESS_OPS, .flags = HTTP_ROUTE_RESERVED},
    {"GET", "/metrics", ops_routes_metrics, .needs = ACCESS_OPS, .flags = HTTP_ROUTE_RESERVED},
    {0},
};

static size_t routes_len(const struct http_route *table)
{
    size_t n = 0;

    while (table[n].method)
        n++;
    return n;
}

/* Our own, and those of other protocols; free it. */
static struct http_route *join_routes(void)
{
    size_t own = routes_len(routes), others = routes_len(receive_routes);
    struct http_route *all = xcalloc(own + others + 1, sizeof(*all));

    memcpy(all, routes, own * sizeof(*all));
    memcpy(all + own, receive_routes, others * sizeof(*all));
    return all;
}

static void thread_free_when_closed(struct api_thread *t)
{
    if (--t->handles > 0)
        return;
    intake_free(t->intake);
    ingest_free(t->ingest);
    free(t);
}

static void on_box_closed(struct mailbox *box)
{
    thread_free_when_closed(container_of(box, struct api_thread, box));
}

static void on_hold_closed(struct hold *h)
{
    thread_free_when_closed(container_of(h, struct api_thread, hold));
}

static void on_hub_closed(struct tail_hub *hub)
{
    thread_free_when_closed(container_of(hub, struct api_thread, hub));
}

static void on_uploads_closed(struct uploads *uploads)
{
    thread_free_when_closed(container_of(uploads, struct api_thread, uploads));
}

static void *thread_start(uv_loop_t *loop, unsigned index, void *ctx, struct errbuf *err)
{
    struct api_thread *t = xcalloc(1, sizeof(*t));
    struct account *intake;

    t->api = ctx;
    intake = ledger_account(t->api->ledger, LEDGER_INTAKE);
    t->reads = (struct read_service){.readers = t->api->readers,
                                     .ledger = t->api->ledger,
                                     .box = &t->box,
                                     .access = t->api->access,
                                     .timeout_ms = t->api->query_timeout_ms};
    if (mailbox_init(&t->box, loop, err))
        goto fail;
    t->handles = 1;
    if (hold_init(&t->hold, loop, err))
        goto fail_box;
    t->handles = 2;
    if (tail_open(&t->hub, t->api->feed, t->api->readers, &t->box, loop, err))
        goto fail_hold;
    t->handles = 3;
    if (uploads_init(&t->uploads, loop, err))
        goto fail_hub;
    t->handles = 4;
    t->ingest = ingest_new(t->api->queue, intake, &t->box, &t->hold);
    t->intake = intake_new(t->ingest, t->api->access, intake);
    t->uploads.ingest = t->ingest;
    t->uploads.access = t->api->access;
    t->uploads.account = intake;
    return t;
fail_hub:
    tail_hub_close(&t->hub, on_hub_closed);
fail_hold:
    hold_close(&t->hold, on_hold_closed);
fail_box:
    mailbox_close(&t->box, on_box_closed);
    uv_run(loop, UV_RUN_NOWAIT); /* a thread that fails to start leaves no handle behind */
    return NULL;
fail:
    free(t);
    return NULL;
}

static void thread_drained(void *thread)
{
    struct api_thread *t = thread;

    ingest_flush(t->ingest);
}

static void thread_stop(void *thread)
{
    struct api_thread *t = thread;

    tail_hub_close(&t->hub, on_hub_closed);
    uploads_close(&t->uploads, on_uploads_closed);
    mailbox_close(&t->box, on_box_closed);
    hold_close(&t->hold, on_hold_closed);
}

static int start_readers(struct api *api, const struct api_options *options, struct errbuf *err)
{
    api->readers =
        read_scheduler_new(&(struct read_options){.store = options->store,
                                                  .cache = options->cache,
                                                  .threads = options->read_threads,
                                                  .helpers = options->read_helpers,
                                                  .timeout_ms = options->query_timeout_ms,
                                                  .max_jobs = options->max_reads,
                                                  .max_client_jobs = options->max_client_reads},
                           err);
    return api->readers ? 0 : LM_EUNAVAILABLE;
}

static void admit(const struct http_head *head, struct http_admission *admission, void *ctx)
{
    const struct api *api = ctx;

    static const enum metric_counter counters[] = {[ACCESS_NO_KEY] = METRIC_REFUSED_NO_KEY,
                                                   [ACCESS_WRONG_KEY] = METRIC_REFUSED_KEY,
                                                   [ACCESS_WRONG_ROLE] = METRIC_REFUSED_ROLE,
                                                   [ACCESS_GUESSES] = METRIC_REFUSED_GUESSES,
                                                   [ACCESS_CONNECTIONS] =
                                                       METRIC_REFUSED_CONNECTIONS};
    enum access_verdict verdict = access_admit(api->access, head, admission);

    if (verdict > ACCESS_OTHER)
        metrics_add(counters[verdict], 1);
}

/* Whether no other machine reaches what is listened on. */
static bool is_loopback(const struct http_server_options *http)
{
    if (http->fds_len == 0)
        return listen_host_is_loopback(http->host);
    for (size_t i = 0; i < http->fds_len; i++)
        if (!listen_fd_is_loopback(http->fds[i]))
            return false;
    return true;
}

/* At each start: a port that others reach is no secret. */
static void say_who_may(const struct api_options *options)
{
    static const char *const may[] = {
        [ANONYMOUS_WRITE] =
            "everybody who reaches HOST may write logs without a key: see ANONYMOUS",
        [ANONYMOUS_READ] = "everybody who reaches HOST may read all logs without a key: see "
                           "ANONYMOUS",
        [ANONYMOUS_WRITE | ANONYMOUS_READ] = "everybody who reaches HOST may read and write all "
                                             "logs: see KEYS_FILE and ANONYMOUS",
    };

    if (!options->ops_only && options->anonymous != ANONYMOUS_NONE && !is_loopback(&options->http))
        diag(DIAG_WARN, may[options->anonymous]);
}

static int start_access(struct api *api, const struct api_options *options, struct errbuf *err)
{
    struct errbuf reason = ERRBUF_INIT;
    const char *hosts = options->allowed_hosts;

    if (!hosts && !is_loopback(&options->http)) {
        diag(DIAG_INFO, "requests for any Host are answered, since HOST is not a loopback address; "
                        "ALLOWED_HOSTS names those that are meant");
        hosts = "*";
    }
    say_who_may(options);
    api->is_loopback = is_loopback(&options->http);

    struct access_options may = {.hosts = hosts,
                                 .origins = options->cors_origins,
                                 .keys = options->keys,
                                 .anonymous = options->anonymous,
                                 .ops = options->ops,
                                 .anonymous_rate = options->anonymous_rate,
                                 .anonymous_bytes = options->anonymous_bytes,
                                 .session_max_age_s = options->session_max_age_s,
                                 .places = {[PLACE_CONNECTION] = options->http.max_connections,
                                            [PLACE_SCAN] = options->max_reads,
                                            [PLACE_TAIL] = options->max_tails}};

    memcpy(may.anonymous_places, options->anonymous_places, sizeof(may.anonymous_places));
    api->access = access_new(&may, err);
    if (!api->access)
        return LM_EINVAL;
    if (ranges_parse(&api->trusted_proxies, options->trusted_proxies, &reason))
        return errbuf_fail(err, LM_EINVAL, "TRUSTED_PROXIES: %s", reason.text);
    return 0;
}

struct api *api_new(const struct api_options *options, struct errbuf *err)
{
    struct api *api = xcalloc(1, sizeof(*api));
    struct http_server_options http = options->http;

    api->queue = options->queue;
    api->store = options->store;
    api->cache = options->cache;
    api->erasing.scrub = options->scrub;
    api->erasing.scrub_ctx = options->scrub_ctx;
    api->feed = options->feed;
    api->ledger = options->ledger;
    buffer_init(&api->links, LINKS_BYTES_MAX);
    if (links_append(&api->links, options->links, options->environment, err) ||
        start_access(api, options, err))
        goto fail;
    api->query_timeout_ms = options->query_timeout_ms;
    if (ops_init(&api->ops, options->queue, options->store, options->ready_timeout_ms, err))
        goto fail;
    if (!options->ops_only && start_readers(api, options, err))
        goto fail_ops;
    api->routes = join_routes();
    CHECK(access_knows_all(api->routes) && access_knows_all(ops_only_routes));
    http.routes = options->ops_only ? ops_only_routes : api->routes;
    http.answer_headers = access_answer_headers(api->access);
    http.trusted_proxies = &api->trusted_proxies;
    http.bodies = ledger_account(api->ledger, LEDGER_BODIES);
    http.answers = ledger_account(api->ledger, LEDGER_ANSWERS);
    http.reserved = ledger_account(api->ledger, LEDGER_OPS);
    http.hooks = (struct http_hooks){.admit = admit,
                                     .forget = access_forget,
                                     .left = access_left,
                                     .thread_start = thread_start,
                                     .thread_drained = thread_drained,
                                     .thread_stop = thread_stop,
                                     .ctx = api};

    struct http_server *server = http_server_new(&http, err);

    if (!server)
        goto fail_readers;
    atomic_store(&api->server, server);
    return api;
fail_readers:
    read_scheduler_free(api->readers);
    free(api->routes);
fail_ops:
    ops_release(&api->ops);
fail:
    buffer_release(&api->links);
    access_free(api->access);
    free(api);
    return NULL;
}

unsigned api_port(const struct api *api)
{
    return http_server_port(api->server);
}

unsigned api_also_port(const struct api *api)
{
    return http_server_also_port(api->server);
}

void api_hand_over(struct api *api, unsigned grace_ms, struct given *to, const char *name,
                   size_t max)
{
    atomic_store(&api->erasing.stops, true);
    if (api->readers)
        read_scheduler_hurry(api->readers, grace_ms);
    http_server_hand_over(api->server, grace_ms, to, name, max);
}

void api_adopt(struct api *api, struct given *from, const char *name)
{
    http_server_adopt(api->server, from, name);
}

void api_free(struct api *api, unsigned grace_ms)
{
    if (!api)
        return;
    atomic_store(&api->erasing.stops, true);
    if (api->readers)
        read_scheduler_hurry(api->readers, grace_ms);
    http_server_stop(api->server, grace_ms);
    read_scheduler_free(api->readers);
    ops_release(&api->ops);
    http_server_free(api->server);
    free(api->routes);
    access_free(api->access);
    buffer_release(&api->links);
    free(api);
}
