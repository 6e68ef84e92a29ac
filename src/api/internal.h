/*
 * What the files of this room share, api.c above them among them: the state of the API, and that of
 * one HTTP thread. To add a route, write its handler in the file of its group, declare it where the
 * others of that file are (here, or web_routes.h), and add a row in api.c.
 */
#ifndef LOGMILL_API_INTERNAL_H
#define LOGMILL_API_INTERNAL_H

#include <stdatomic.h>

#include "access/access.h"
#include "api/intake.h"
#include "api/probe.h"
#include "api/upload.h"
#include "http/http.h"
#include "ingest/hold.h"
#include "ingest/ingest.h"
#include "net/mailbox.h"
#include "net/ranges.h"
#include "queue/queue.h"
#include "read/request.h"
#include "store/store.h"
#include "tail/tail.h"

/* What GET /ready and /metrics ask, and of whom. */
struct ops {
    struct queue *queue;
    struct store_reader *store_reader; /* store_check's */
    struct probe *queue_check, *queue_stats, *store_check;
    unsigned ready_timeout_ms;
};

/* What DELETE /logs needs besides. */
struct erasing {
    int (*scrub)(void *ctx, struct errbuf *err); /* see api_options */
    void *scrub_ctx;
    atomic_bool is_busy; /* one is under way */
    atomic_bool stops;   /* none goes on */
};

struct api {
    struct queue *queue;
    struct store *store;
    struct cache *cache;
    struct erasing erasing;
    struct ledger *ledger;
    struct access *access;
    bool is_loopback;    /* no other machine reaches it */
    struct buffer links; /* as JSON */
    struct ranges trusted_proxies;
    struct http_route *routes;
    struct ops ops;
    struct read_scheduler *readers; /* NULL if ops_only */
    unsigned query_timeout_ms;
    struct tail_feed *feed;
    /* NULL until it has started: its threads take requests a moment before that is known here. */
    _Atomic(struct http_server *) server;
};

/* The context of every handler: one for each HTTP thread. */
struct api_thread {
    struct api *api;
    struct mailbox box;
    struct read_service reads;
    struct hold hold;
    struct tail_hub hub;
    struct uploads uploads;
    unsigned handles; /* of box, hold, hub and uploads, not closed yet */
    struct ingest *ingest;
    struct intake *intake;
};

/* ingest_routes.c */
void ingest_routes_post_log(struct http_request *req, void *thread);
void ingest_routes_post_logs(struct http_request *req, void *thread);

/* receive_routes.c: what it adds to the table of routes; a NULL method ends it. */
extern const struct http_route receive_routes[];
/* GET / is the page for who takes HTML, and what Elasticsearch says of itself for all others. */
void receive_routes_root(struct http_request *req, void *thread);

/* read_routes.c */
void read_routes_list(struct http_request *req, void *thread);
void read_routes_stats(struct http_request *req, void *thread);
void read_routes_patterns(struct http_request *req, void *thread);
void read_routes_fields(struct http_request *req, void *thread);
void read_routes_values(struct http_request *req, void *thread);
void read_routes_one(struct http_request *req, void *thread);
void read_routes_tail(struct http_request *req, void *thread);

/* erase_routes.c */
void erase_routes_delete(struct http_request *req, void *thread);

/* session_routes.c */
void session_routes_log_in(struct http_request *req, void *thread);
void session_routes_log_out(struct http_request *req, void *thread);
void session_routes_who(struct http_request *req, void *thread);

/* mcp_routes.c */
void mcp_routes_post(struct http_request *req, void *thread);

/* ops_routes.c */
int ops_init(struct ops *ops, struct queue *queue, struct store *store, unsigned ready_timeout_ms,
             struct errbuf *err) LM_MUST_CHECK;
void ops_release(struct ops *ops);
void ops_routes_health(struct http_request *req, void *thread);
void ops_routes_ready(struct http_request *req, void *thread);
void ops_routes_metrics(struct http_request *req, void *thread);

#endif
