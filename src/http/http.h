/*
 * An HTTP/1.1 server (RFC 9110, 9112) on net/, that knows nothing of logs.
 *
 * It runs `threads` event loops (libuv), each with a listening socket of its own on the same
 * address (SO_REUSEPORT) and its own connections; a request belongs to the thread that read it, and
 * every function below that takes one is called on that thread.
 *
 * What it does by itself: keep-alive and pipelining (answers in order, up to
 * HTTP_PIPELINE_MAX requests under way on a connection), chunked bodies, Expect: 100-continue,
 * bodies in gzip, deflate and zstd, HEAD as GET without a body, time-outs, and every refusal that
 * comes before a handler: 400, 404, 405 with Allow, 408, 413, 414, 415, 417, 431, 501, 503, 505.
 * Its errors are JSON: {"detail":"Not Found"}, the usual words being the reason phrase of the
 * status. Its 503 have Retry-After: 1, and say "too many connections: at most N" (max_connections),
 * or, if an account or the memory has no room for the request or its answer, the usual words. A
 * path that is a route but for a slash at its end is answered 307, as FastAPI does.
 */
#ifndef LOGMILL_HTTP_HTTP_H
#define LOGMILL_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "base/ledger.h"
#include "base/slice.h"
#include "net/given.h"
#include "net/server.h"
#include "net/socket.h"

struct http_server;
struct http_request;
struct ranges;

enum {
    HTTP_PIPELINE_MAX = 64,   /* requests under way on one connection */
    HTTP_PATH_PARAMS_MAX = 4, /* {…} in one route */
    HTTP_RESPONSE_HEADERS_MAX = 12,
    HTTP_RESERVED_BODY_BYTES = 256, /* see http_reserve_answer */
    HTTP_RESERVED_HEADER_BYTES = 64,
    HTTP_ANSWER_HEADERS_MAX = 400, /* bytes of http_server_options.answer_headers */
    /*
     * Connections past max_connections that each thread has besides, so that whoever watches the
     * service can still ask: each has HTTP_EXTRA_MS to send the head of one request, for a route
     * with HTTP_ROUTE_RESERVED; for any other it is answered 503. When one more comes, the one that
     * has been silent longest is closed, so that nobody can hold these places.
     */
    HTTP_EXTRA_CONNECTIONS = NET_EXTRA_SOCKETS,
    HTTP_EXTRA_MS = 2000,
    HTTP_WRITE_LOT_BYTES = NET_WRITE_LOT_BYTES,
    /*
     * If answers hold more than HTTP_RELIEF_PERCENT of what they may, clients that have not
     * taken a lot for HTTP_STALL_MS are cut off, the one that has waited longest first.
     */
    HTTP_RELIEF_PERCENT = 75,
    HTTP_STALL_MS = 2000,
    /*
     * A query string longer than this is charged while its request is under way, as often as
     * handlers keep it in one form or another.
     */
    HTTP_QUERY_UNCHARGED_BYTES = 1024,
    HTTP_QUERY_COPIES = 4,
    /* A body that is taken in lots: what gathers while one is being taken, about. */
    HTTP_LOT_BYTES = 256 * 1024,
    HTTP_UPLOADS_SHARE = 4,        /* such bodies have up to this part of max_connections */
    HTTP_UPLOAD_KEEPALIVE_S = 120, /* of silence, after which the kernel asks whether it lives */
    HTTP_STATUS_END = 600          /* statuses are below it */
};

/* ---- Routes ---- */

/*
 * Answers `req`, now or later, exactly once: by http_respond, by a stream (http_stream_begin until
 * its end), or, if it is a refusal, by answers_refuse, which is above this room. What request
 * functions return lives until the handler returns, no longer. `thread` is what hooks.thread_start
 * returned.
 */
typedef void http_handler(struct http_request *req, void *thread);

enum http_route_flags {
    /*
     * Its answer may be large: on a connection, nothing that is pipelined behind the request is
     * begun before that answer has left.
     */
    HTTP_ROUTE_ALONE = 1,
    /*
     * For whoever watches the service: answered also to connections past max_connections, and out
     * of memory of its own (http_server_options.reserved).
     */
    HTTP_ROUTE_RESERVED = 2,
    HTTP_ROUTE_PAGE = 4, /* for hooks.admit: what a browser shows to a person */
    /* Its clients are wrong about Content-Encoding: the first bytes of a body tell what it is. */
    HTTP_ROUTE_CODED_BY_BYTES = 8,
    /* A coding that the server does not know is the handler's matter: the body is as it was sent.
     */
    HTTP_ROUTE_OTHER_CODINGS = 16,
    HTTP_ROUTE_BATCH = 32, /* its bodies may have max_batch_bytes */
    /*
     * Its bodies may be open for hours, and have any size: they are handed over in lots, as they
     * come. But one with a content coding is one body, as everywhere.
     */
    HTTP_ROUTE_LOTS = 64,
};

/*
 * A refusal of the server's own, in words of the route: answers `req` and returns true, or returns
 * false for the usual ones. `detail` is NULL if they would be the reason phrase of the status.
 */
typedef bool http_refuser(struct http_request *req, void *thread, unsigned status,
                          const char *detail);

struct http_route {
    const char *method; /* "GET"; NULL ends a table */
    const char *path;   /* "/logs/{id}": {…} takes one whole segment; fixed segments win over it */
    http_handler *handler;
    unsigned flags;
    unsigned needs;       /* what whoever asks must be allowed: for hooks.admit, which knows */
    http_refuser *refuse; /* NULL: in the usual words, always */
    const void *data;     /* the handler's own (http_request_route) */
};

/* ---- The server ---- */

/* What the head of a request says, for hooks.admit. `data` is NULL if there is no such header.
 */
struct http_head {
    const struct http_route *route; /* NULL: none; 404, 405 or 307 will be the answer */
    uint64_t client;                /* as http_request_client says; 0: not known */
    bool is_https;                  /* by the connection itself, or a trusted proxy says so */
    const char *certificate; /* the name in the client's own (tls_client_name); NULL: it has none */
    bool is_get;             /* or HEAD */
    bool is_options;
    struct slice query; /* after "?", as sent */
    struct slice param; /* the first {…} of the route, likewise */
    struct slice host;
    struct slice authorization;
    struct slice api_key;     /* X-API-Key */
    struct slice datadog_key; /* DD-API-KEY */
    struct slice cookie;
    struct slice accept;
    struct slice requested_with; /* X-Requested-With */
    struct slice origin;
    struct slice fetch_site; /* Sec-Fetch-Site, and so on */
    struct slice fetch_mode;
    struct slice fetch_dest;
    struct slice asks_method; /* Access-Control-Request-Method */
    void *holder;             /* whom its connection counts for; NULL: nobody yet */
};

struct http_admission {
    unsigned status;    /* 0: let in; else it is answered so, and its body is not read */
    const char *detail; /* of a refusal; must live for ever; NULL: the usual words */
    /* In place of http_server_options.answer_headers, likewise. */
    struct slice answer_headers;
    bool closes;           /* of a refusal: the connection ends with it */
    size_t max_body_bytes; /* if that is less than its route has; comes as SIZE_MAX */
    /* Whoever asks, for http_request_who; NULL: nobody in particular. hooks.forget is called. */
    void *who;
    int64_t until_us; /* for http_request_until_us; comes as INT64_MAX */
    /*
     * Whom its connection counts for from now on; comes as it is in the head. hooks.left is called
     * for one that another takes the place of, and when the connection ends.
     */
    void *holder;
};

struct http_hooks {
    /*
     * Judges a request by its head, before a byte of its body is kept or charged: `admission` comes
     * as let in, and is changed if it is not. From any thread. May be NULL.
     */
    void (*admit)(const struct http_head *head, struct http_admission *admission, void *ctx);
    /* A request is over, or was refused: for each `who` that admit has set, once, on its thread. */
    void (*forget)(void *who);
    /* A connection no longer counts for `holder`: see http_admission. On its thread. */
    void (*left)(void *holder);
    /*
     * On each thread, before it accepts. Returns the thread's context; or NULL with `err` filled
     * and no handle left open on the loop, and thread_stop is not called.
     */
    void *(*thread_start)(uv_loop_t *loop, unsigned index, void *ctx, struct errbuf *err);
    /* After every round of the loop: all that was readable has been read and handled. */
    void (*thread_drained)(void *thread);
    /*
     * The thread's requests have all been answered and its connections are closed: closes the
     * handles that thread_start made on the loop, and frees `thread` when they are closed.
     */
    void (*thread_stop)(void *thread);
    void *ctx;
};

/*
 * A client has write_timeout_ms for each HTTP_WRITE_LOT_BYTES of its answers, or their rest.
 *
 * What one connection can make us hold: a request that is being read; the bodies of those under
 * way, up to max_connection_bytes together, or one; and answers not taken, some 256 KiB, or one.
 * Past that its next request is not begun, and what the client sends waits in its own buffers.
 */
struct http_server_options {
    const char *host; /* numeric address or name; default 127.0.0.1 */
    unsigned port;    /* 0: any free one */
    /* Sockets to listen on in place of those; see net_server_options. */
    const int *fds;
    size_t fds_len;
    bool fds_are_held;
    struct transport_source by;  /* what they carry HTTP by; ops NULL: plain sockets */
    struct net_place also;       /* a second place, with a transport of its own; host NULL: none */
    unsigned threads;            /* default 1 */
    unsigned max_connections;    /* in all; default 10 000; more: see HTTP_EXTRA_CONNECTIONS */
    size_t max_body_bytes;       /* as sent and inflated; default 1 MiB; past it 413 */
    size_t max_batch_bytes;      /* the same of routes with HTTP_ROUTE_BATCH; at least that */
    size_t max_header_bytes;     /* request line and headers; default 16 KiB; past it 431 (414) */
    unsigned shake_timeout_ms;   /* a handshake from its connection on; default 10 000 */
    unsigned idle_timeout_ms;    /* no request begun; default 75 000 */
    unsigned request_timeout_ms; /* a whole request from its first byte; default 30 000; 408 */
    unsigned upload_timeout_ms;  /* for more of a body in lots to come; default 86 400 000 */
    unsigned write_timeout_ms;   /* for a lot of an answer to be taken; default 30 000 */
    size_t max_connection_bytes; /* see above; default 4 MiB */
    /* Requests that come in pieces; used up: 503 with Retry-After; could never hold one: 413. */
    struct account *bodies;
    struct account *answers;              /* answers not taken, what waits behind them; likewise */
    struct account *reserved;             /* answers of routes with HTTP_ROUTE_RESERVED; likewise */
    const struct ranges *trusted_proxies; /* whose X-Forwarded-… count; NULL: nobody's */
    /* Lines "Name: value\r\n" that every answer has; up to HTTP_ANSWER_HEADERS_MAX bytes. */
    struct slice answer_headers;
    const struct http_route *routes; /* must outlive the server, as must the two above */
    struct http_hooks hooks;
};

/* Binds, listens and starts the threads. NULL with `err` filled on failure. */
struct http_server *http_server_new(const struct http_server_options *options, struct errbuf *err);

/* The port that is listened on. */
unsigned http_server_port(const struct http_server *s);

/* That of the second place; 0: there is none. */
unsigned http_server_also_port(const struct http_server *s);

/*
 * Stops accepting, lets requests that have begun be answered for up to `grace_ms` (with
 * Connection: close), then closes everything and joins the threads. Blocks; not from a handler.
 */
void http_server_stop(struct http_server *s, unsigned grace_ms);

/*
 * As net_server_hand_over: listening sockets, and connections that wait for their next request,
 * leave; others are answered, with Connection: close. Before http_server_stop.
 */
void http_server_hand_over(struct http_server *s, unsigned grace_ms, struct given *to,
                           const char *name, size_t max);

/* Takes in the connections of that name, as another process has handed them over. */
void http_server_adopt(struct http_server *s, struct given *from, const char *name);

/* After http_server_stop. */
void http_server_free(struct http_server *s);

struct http_stats {
    uint64_t connections_accepted;
    uint64_t connections_open;
    uint64_t handshakes_done, handshakes_failed, handshakes_late;
    uint64_t requests;
    uint64_t responses[HTTP_STATUS_END]; /* by status */
    uint64_t bytes_received;
    uint64_t bytes_sent;
};

/* From any thread. */
void http_server_stats(struct http_server *s, struct http_stats *stats);

/* ---- A request ---- */

/* The route that it was found to be for. Lives as long as the server. */
const struct http_route *http_request_route(const struct http_request *req);
struct slice http_request_method(const struct http_request *req);
struct slice http_request_path(const struct http_request *req);  /* decoded of %XX: no */
struct slice http_request_query(const struct http_request *req); /* after "?", as sent */
/* The `index`-th {…} of the route, %XX decoded. */
struct slice http_request_param(const struct http_request *req, unsigned index);
/* First header of that name (compared without case); data is NULL if there is none. */
struct slice http_request_header(const struct http_request *req, const char *name);
/* The whole body, transfer and content codings undone; or a lot of it (http_request_take_lots). */
struct slice http_request_body(const struct http_request *req);
/*
 * Takes `bytes` of `to` for what the handler makes of the body, in exchange for what the body
 * itself is charged with; false if there is no room even so. To be asked within the handler: the
 * body goes when it returns, so that a thread holds one more at a time than is charged.
 */
bool http_request_exchange_body(struct http_request *req, struct account *to, size_t bytes);
/* Bytes of the account `bodies` that it holds until its handler returns, or exchanges its body. */
size_t http_request_held(const struct http_request *req);
/* When its first byte was read: clock_monotonic_us. Lives as long as the request. */
uint64_t http_request_started_us(const struct http_request *req);

/*
 * The same number for all requests of one client address: that of its connection, or the one
 * that a trusted proxy names in X-Forwarded-For (http/client.h). For fairness; not an identity.
 */
uint64_t http_request_client(const struct http_request *req);

/* Whether it came by TLS: by its connection, or as a trusted proxy says. */
bool http_request_is_https(const struct http_request *req);

/* Whom hooks.admit has taken the one who asks for, or NULL. Lives as long as the request. */
void *http_request_who(const struct http_request *req);

/* Until when that holds, on the wall clock, in microseconds; INT64_MAX: for ever. */
int64_t http_request_until_us(const struct http_request *req);

/*
 * Has `gone` called if the client of `req`, before it is answered, goes (the connection breaks)
 * or sends its last byte (it may still read): once, on the request's thread, and at once, before
 * this returns, if that has happened already. The request must still be answered, now or later;
 * `gone` itself may do it. A `gone` of NULL takes it back.
 *
 * Noticed whether or not the socket is being read: behind pipelined requests, after Connection:
 * close. Most clients that half-close are those that went; one that waits for its answer gets it.
 */
void http_request_on_gone(struct http_request *req, void (*gone)(void *ctx), void *ctx);

/*
 * What the answer of `req` holds is charged to `account` from now on, not to the server's
 * `answers`. Before it is answered.
 */
void http_request_charge_to(struct http_request *req, struct account *account);

/* What its answer is charged to. */
struct account *http_request_account(const struct http_request *req);

/* A place for the handler's own pointer, e.g. to link requests that wait together. */
void http_request_set_next(struct http_request *req, struct http_request *next);
struct http_request *http_request_next(const struct http_request *req);

/* ---- A body in lots (HTTP_ROUTE_LOTS) ---- */

/*
 * The handler is called with the first lot. If that is not the whole body, it takes it by
 * http_request_take_lots, and says by http_request_lot_done that it wants the next:
 *
 *   handler ──► lot_done ──► hooks.lot ──► lot_done … ──► hooks.lot, the last ──► an answer
 *                  └──────► hooks.over
 *
 * Meanwhile up to HTTP_LOT_BYTES gather, and one read; then the client is not read from. An answer
 * before the last lot is the last of its connection. REQUEST_TIMEOUT is for the head alone.
 */
struct http_lot_hooks {
    /* A further lot has come, as http_request_body says: not empty, unless it is the last. */
    void (*lot)(void *ctx);
    /*
     * There will be no further one: the client has gone, has sent what is no body, or the server
     * stops, and all that came before was handed over. What there is to answer is answered: the
     * request must not be used any more. Only called where a lot was asked for.
     */
    void (*over)(void *ctx);
};

/* True if the body ends with what http_request_body says. Within the handler, or hooks.lot. */
bool http_request_is_whole(const struct http_request *req);

/* Within the handler: the body is taken in lots. `hooks` must outlive the request. */
void http_request_take_lots(struct http_request *req, const struct http_lot_hooks *hooks,
                            void *ctx);

/*
 * The lot is taken: a hook is called when there is more, or at once, and within this call, if the
 * client has gone.
 */
void http_request_lot_done(struct http_request *req);

/* The server stops: what may take long is to come to its end. */
bool http_request_is_hurried(const struct http_request *req);

/* ---- A response ---- */

struct http_header {
    const char *name;
    struct slice value;
};

struct http_response {
    unsigned status;
    const char *content_type;          /* NULL: application/json */
    struct slice body;                 /* copied, unless body_is_static */
    bool body_is_static;               /* `body` lives for ever: not copied */
    struct buffer *body_buffer;        /* or NULL: the body: taken over, and left empty */
    const struct http_header *headers; /* more headers; copied */
    size_t headers_len;                /* up to HTTP_RESPONSE_HEADERS_MAX */
    /* And more, as lines "Name: value\r\n"; NULL: none. */
    const char *header_lines;
};

/*
 * Answers `req`, which must not be used afterwards. If the client has gone meanwhile the answer
 * is dropped. Content-Length, Date, Server and Connection are added.
 */
void http_respond(struct http_request *req, const struct http_response *response);

/*
 * Breaks the connection of `req` instead of answering it (RST), for clients whom every answer would
 * mislead. With it go the answers before it that have not left, and what was asked after it. `req`
 * must not be used afterwards.
 */
void http_reset(struct http_request *req);

/*
 * Room for an answer whose body is up to HTTP_RESERVED_BODY_BYTES, or is a body_buffer charged to
 * the account of `req` already (http_request_account); with up to HTTP_RESERVED_HEADER_BYTES of
 * headers of its own. It will be said, whatever memory there is then. For handlers that do what
 * cannot be undone before they answer.
 */
bool http_reserve_answer(struct http_request *req) LM_MUST_CHECK;

/*
 * As http_respond, with {"detail":"…"}: plain text, or NULL for the usual words. A 503 has
 * Retry-After: 1. Only for http itself and for answers/, which has the texts: handlers call
 * answers_refuse.
 */
void http_respond_error(struct http_request *req, unsigned status, const char *detail);

/* ---- A request on an errand ---- */

/*
 * For a handler that answers by what another says: until `req` is answered it is, for whom it is
 * given to, one with this query, this first {…} and neither headers nor a body. Its answer is not
 * sent but handed to `answered`, which answers `req` itself, now or later, or sets another errand.
 * Only for what is answered whole, not as a stream.
 */
struct http_errand {
    struct slice query; /* both live until `answered` */
    struct slice param;
    /* On the request's thread; `answer` lives until it returns, and its body is answer->body. */
    void (*answered)(struct http_request *req, const struct http_response *answer, void *ctx);
    void *ctx;
};
void http_request_set_errand(struct http_request *req, const struct http_errand *errand);

/* ---- A response in pieces, of a length that is not known when it begins ---- */

/* Called on the request's thread, never from within a function of this section. Each may be NULL.
 */
struct http_stream_hooks {
    /*
     * It has no end of its own, so it is the last answer on its connection (Connection: close), and
     * what is pipelined behind it is dropped. Only for routes with HTTP_ROUTE_ALONE.
     */
    bool is_endless;
    /* All that was written has been taken by the socket. */
    void (*drained)(void *ctx);
    /*
     * The server is stopping, or the client has sent its last byte (it may still read). A response
     * with an end goes on to it; one without an end should be ended now. May be called again.
     */
    void (*last_call)(void *ctx);
    /* The client has gone: the request must not be used any more. Nothing is called after it. */
    void (*closed)(void *ctx);
};

/*
 * Begins to answer `req` with the head of `head` (its body is not looked at): chunked, or until the
 * connection closes for HTTP/1.0. `hooks` must outlive the response. Returns true if the
 * response is to go on until http_stream_end or hooks->closed. Returns false if nothing more is
 * wanted (HEAD, or the client has gone): no hook is called then, and `req` must not be used
 * afterwards.
 */
bool http_stream_begin(struct http_request *req, const struct http_response *head,
                       const struct http_stream_hooks *hooks, void *ctx);

/*
 * Sends `piece` (copied; not empty). What the socket does not take is kept, and charged, until
 * it does: write less while http_stream_unsent is large. Returns 0, or LM_EBUSY if there is no
 * room; then nothing of `piece` is sent.
 */
int http_stream_write(struct http_request *req, struct slice piece) LM_MUST_CHECK;

/* Bytes written that the socket has not taken yet. */
size_t http_stream_unsent(const struct http_request *req);

/* The response is complete; `req` must not be used afterwards, and no hook is called any more. */
void http_stream_end(struct http_request *req);

/* Breaks the response off so that the client sees that it is not whole; as http_stream_end. */
void http_stream_abort(struct http_request *req);

#endif
