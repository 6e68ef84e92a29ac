/*
 * A connection of the server without a network: bytes are put in by harness_feed, in pieces of any
 * size, and what would be sent is collected in `sent`. For unit tests and the fuzz target.
 */
#ifndef LOGMILL_TESTS_HTTP_HARNESS_H
#define LOGMILL_TESTS_HTTP_HARNESS_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/ledger.h"
#include "http/connection.h"
#include "http/exchange.h"
#include "http/http.h"
#include "http/router.h"
#include "http/thread.h"

enum {
    HARNESS_HEADER_MAX = 512,
    HARNESS_BODY_MAX = 1000,
    HARNESS_BATCH_MAX = 200000, /* more than the account can hold */
    HARNESS_BYTES = 256 * 1024,
    HARNESS_CONNECTION_BYTES = 2000
};

struct harness {
    struct http_shared shared;
    struct ledger ledger;
    struct http_thread *thread;
    struct connection *connection; /* NULL once it has closed */
    int peer;
};

/* What the fake socket took, and how much it takes in one call (0: EAGAIN). */
static struct buffer sent;
static size_t send_quota = SIZE_MAX;
/* Requests of /later, newest first. */
static struct http_request *waiting;

static inline ssize_t fake_write(struct transport *t, const struct iovec *pieces, int pieces_len)
{
    size_t taken = 0;

    for (int i = 0; i < pieces_len && taken < send_quota; i++) {
        size_t n = pieces[i].iov_len < send_quota - taken ? pieces[i].iov_len : send_quota - taken;

        buffer_append(&sent, pieces[i].iov_base, n);
        taken += n;
        if (n < pieces[i].iov_len)
            break;
    }
    if (taken > 0)
        return (ssize_t)taken;
    errno = EAGAIN;
    return -1;
}

static inline ssize_t fake_read(struct transport *t, void *data, size_t len)
{
    errno = EAGAIN;
    return -1;
}

static inline size_t fake_pending(const struct transport *t)
{
    return 0;
}

static inline int fake_wants(const struct transport *t, int events)
{
    return events;
}

static const struct transport_ops fake_transport = {
    .read = fake_read, .write = fake_write, .pending = fake_pending, .wants = fake_wants};

static inline void handle_echo(struct http_request *req, void *thread)
{
    struct slice type = http_request_header(req, "content-type");
    struct http_header header = {"X-Type", type};

    http_respond(req, &(struct http_response){.status = 200,
                                              .content_type = "text/plain",
                                              .body = http_request_body(req),
                                              .headers = &header,
                                              .headers_len = type.data ? 1 : 0});
}

/* Tells how many bytes came. */
static inline void handle_length(struct http_request *req, void *thread)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%zu", http_request_body(req).len);

    http_respond(req, &(struct http_response){.status = 200, .body = slice_of(text, (size_t)len)});
}

static inline void handle_item(struct http_request *req, void *thread)
{
    http_respond(req, &(struct http_response){.status = 200, .body = http_request_param(req, 0)});
}

static inline void handle_query(struct http_request *req, void *thread)
{
    http_respond(req, &(struct http_response){.status = 200, .body = http_request_query(req)});
}

static inline void handle_static(struct http_request *req, void *thread)
{
    http_respond(req, &(struct http_response){
                          .status = 200, .body = SLICE_LITERAL("static"), .body_is_static = true});
}

static inline void handle_later(struct http_request *req, void *thread)
{
    http_request_set_next(req, waiting);
    waiting = req;
}

/* The stream that GET /stream began last, and what its hooks were told. */
static struct http_request *stream;
static unsigned stream_drained, stream_last_calls, stream_closed;

static inline void on_stream_drained(void *ctx)
{
    stream_drained++;
}

static inline void on_stream_last_call(void *ctx)
{
    stream_last_calls++;
}

static inline void on_stream_closed(void *ctx)
{
    stream_closed++;
    stream = NULL;
}

static inline void handle_stream(struct http_request *req, void *thread)
{
    static const struct http_stream_hooks hooks = {
        .drained = on_stream_drained, .last_call = on_stream_last_call, .closed = on_stream_closed};
    struct http_response head = {.status = 200, .content_type = "text/plain"};

    stream_drained = stream_last_calls = stream_closed = 0;
    stream = http_stream_begin(req, &head, &hooks, NULL) ? req : NULL;
}

static inline void handle_buffer(struct http_request *req, void *thread)
{
    struct buffer body;

    buffer_init(&body, 1 << 20);
    buffer_append_string(&body, "taken over");
    http_respond(req, &(struct http_response){.status = 200, .body_buffer = &body});
}

static inline void handle_endless(struct http_request *req, void *thread)
{
    static const struct http_stream_hooks hooks = {
        .is_endless = true, .last_call = on_stream_last_call, .closed = on_stream_closed};
    struct http_response head = {.status = 200, .content_type = "text/plain"};

    stream_drained = stream_last_calls = stream_closed = 0;
    stream = http_stream_begin(req, &head, &hooks, NULL) ? req : NULL;
}

static inline void handle_reset(struct http_request *req, void *thread)
{
    http_reset(req);
}

/* In words of its own, which stand in its route; a 503 breaks the connection. */
static inline bool refuse_in_own_words(struct http_request *req, void *thread, unsigned status,
                                       const char *detail)
{
    if (status == 417)
        return false;
    if (status == 503)
        http_reset(req);
    else
        http_respond(req,
                     &(struct http_response){.status = status,
                                             .body = slice_of_string(http_request_route(req)->data),
                                             .header_lines = "X-Own: 1\r\nX-Two: 2\r\n"});
    return true;
}

/* The upload that POST /lots began, what came of it, and how often its hooks were called. */
static struct http_request *upload;
static struct buffer uploaded;
static unsigned upload_lots, upload_overs;
static bool upload_is_whole;
static bool upload_takes_at_once;

static inline void take_lot(void)
{
    struct slice lot = http_request_body(upload);

    buffer_append(&uploaded, lot.data, lot.len);
    upload_lots++;
    upload_is_whole = http_request_is_whole(upload);
    if (upload_takes_at_once && !upload_is_whole)
        http_request_lot_done(upload);
}

static inline void on_lot(void *ctx)
{
    take_lot();
}

static inline void on_lots_over(void *ctx)
{
    upload_overs++;
    upload = NULL;
}

static inline void handle_lots(struct http_request *req, void *thread)
{
    static const struct http_lot_hooks hooks = {.lot = on_lot, .over = on_lots_over};

    upload = req;
    upload_lots = upload_overs = 0;
    buffer_clear(&uploaded);
    if (!http_request_is_whole(req))
        http_request_take_lots(req, &hooks, NULL);
    take_lot();
}

static inline void answer_upload(void)
{
    struct http_request *req = upload;

    upload = NULL;
    http_respond(req, &(struct http_response){.status = 202, .body = SLICE_LITERAL("taken")});
}

static const struct http_route harness_routes[] = {
    {"POST", "/echo", handle_echo, .flags = 0},
    {"GET", "/items/{id}", handle_item, .flags = 0},
    {"GET", "/items", handle_query, .flags = 0},
    {"GET", "/static", handle_static, .flags = 0},
    {"GET", "/stream", handle_stream, .flags = 0},
    {"GET", "/buffer", handle_buffer, .flags = 0},
    {"GET", "/watched", handle_buffer, .flags = HTTP_ROUTE_RESERVED},
    {"GET", "/endless", handle_endless, .flags = HTTP_ROUTE_ALONE},
    {"GET", "/alone", handle_later, .flags = HTTP_ROUTE_ALONE},
    {"POST", "/later", handle_later, .flags = 0},
    {"GET", "/slash/", handle_static, .flags = 0},
    {"POST", "/told-by-bytes", handle_echo, .flags = HTTP_ROUTE_CODED_BY_BYTES},
    {"POST", "/other-codings", handle_echo, .flags = HTTP_ROUTE_OTHER_CODINGS},
    {"POST", "/own", handle_echo, .refuse = refuse_in_own_words, .data = "own words"},
    {"POST", "/batch", handle_length, .flags = HTTP_ROUTE_BATCH},
    {"POST", "/reset", handle_reset, .flags = 0},
    {"POST", "/lots", handle_lots, .flags = HTTP_ROUTE_LOTS},
    {0},
};

/* Answers all that wait, the newest first, with the number of the answer. */
static inline void harness_answer_waiting(void)
{
    unsigned n = 0;

    while (waiting) {
        struct http_request *req = waiting;
        char body[16];

        waiting = http_request_next(req);
        int len = snprintf(body, sizeof(body), "%u", n++);
        http_respond(req,
                     &(struct http_response){.status = 200, .body = slice_of(body, (size_t)len)});
    }
}

/* The lot that an upload has is taken; the last is answered. */
static inline void harness_end_upload(void)
{
    if (upload && upload_is_whole)
        answer_upload();
    else if (upload && upload->has_lot)
        http_request_lot_done(upload);
}

static inline void harness_init(struct harness *h)
{
    memset(h, 0, sizeof(*h));
    ledger_init(&h->ledger, HARNESS_BYTES);
    h->shared.options = (struct http_server_options){
        .threads = 1,
        .max_connections = 100,
        .max_body_bytes = HARNESS_BODY_MAX,
        .max_batch_bytes = HARNESS_BATCH_MAX,
        .max_header_bytes = HARNESS_HEADER_MAX,
        .shake_timeout_ms = 60000,
        .idle_timeout_ms = 60000,
        .request_timeout_ms = 60000,
        .upload_timeout_ms = 60000,
        .write_timeout_ms = 60000,
        .max_connection_bytes = HARNESS_CONNECTION_BYTES,
        .bodies = ledger_account(&h->ledger, LEDGER_BODIES),
        .answers = ledger_account(&h->ledger, LEDGER_ANSWERS),
        .reserved = ledger_account(&h->ledger, LEDGER_OPS),
    };
    h->shared.net.max_sockets = 100;
    struct errbuf err = ERRBUF_INIT;
    h->shared.router = router_new(harness_routes, &err);
    h->thread = http_thread_new(&h->shared, 0, -1, &err);
    if (!h->thread || !h->shared.router)
        abort();
    h->thread->net.transport = &fake_transport;
    buffer_init(&sent, 64 * 1024 * 1024);
    buffer_init(&uploaded, 64 * 1024 * 1024);
    upload = NULL;
    upload_takes_at_once = false;
}

/* One round of the loop, without waiting; notices where the connection closes. */
static inline void harness_round(struct harness *h)
{
    if (h->connection && h->connection->state == CONNECTION_CLOSED)
        h->connection = NULL;
    uv_run(&h->thread->net.uv, UV_RUN_NOWAIT);
    if (!h->thread->net.sockets)
        h->connection = NULL;
}

static inline void harness_connect(struct harness *h)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    buffer_clear(&sent);
    send_quota = SIZE_MAX;
    h->peer = pair[1];
    h->shared.net.sockets_open++;
    h->connection = exchange_new(h->thread, NULL, pair[0], NULL, false);
}

static inline bool harness_reads(const struct harness *h)
{
    return h->connection && h->connection->state != CONNECTION_CLOSED &&
           (h->connection->socket.events & UV_READABLE) != 0;
}

/* Puts in `len` bytes as one read. False where the connection does not read (any more). */
static inline bool harness_feed(struct harness *h, const char *data, size_t len)
{
    for (int i = 0; i < 1000 && h->connection && !harness_reads(h); i++) {
        harness_answer_waiting();
        harness_end_upload();
        harness_round(h);
    }
    if (!harness_reads(h))
        return false;
    char *copy = malloc(len > 0 ? len : 1); /* so that views that outlive the read are found */
    memcpy(copy, data, len);
    exchange_receive(h->connection, copy, len);
    free(copy);
    if (h->connection->state == CONNECTION_CLOSED)
        harness_round(h);
    return true;
}

/* The client closes its side, gets what is due, and goes. */
static inline void harness_disconnect(struct harness *h)
{
    if (harness_reads(h))
        exchange_receive_end(h->connection);
    for (int i = 0; i < 1000 && h->connection && h->connection->state != CONNECTION_CLOSED; i++) {
        harness_answer_waiting();
        harness_end_upload();
        harness_round(h);
    }
    if (h->connection && h->connection->state != CONNECTION_CLOSED)
        connection_abort(h->connection);
    harness_answer_waiting();
    harness_end_upload();
    harness_round(h);
    close(h->peer);
}

static inline void harness_release(struct harness *h)
{
    http_thread_free(h->thread);
    router_free(h->shared.router);
    buffer_release(&sent);
    buffer_release(&uploaded);
}

#endif
