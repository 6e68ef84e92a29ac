/*
 * One request under way: from the moment its message was complete (or refused) until its answer
 * has left. It holds the answer; the message only for as long as the handler runs, so a request
 * that waits is small. Recycled in its thread's free list, with the memory of its answer.
 */
#ifndef LOGMILL_HTTP_REQUEST_H
#define LOGMILL_HTTP_REQUEST_H

#include "base/buffer.h"
#include "http/http.h"
#include "http/message.h"
#include "net/charge.h"

struct http_thread;
struct connection;

struct http_request {
    struct http_thread *thread;
    struct connection *connection; /* NULL once the client has gone: the answer is dropped */
    struct http_request *next;     /* on the connection, in order of arrival; or in the free list */
    struct http_request *next_of_handler;
    struct message *message; /* NULL once the handler has returned */
    uint64_t started_us;
    uint64_t client;           /* of connection->client, which may be gone */
    struct account *account;   /* that its answer is charged to */
    struct charge charge;      /* of its answer */
    struct charge line_charge; /* for its place in line, and a long query */
    size_t body_len;           /* of the request; what it became may be held until the answer */

    struct slice answer_headers; /* see struct message */

    bool answered; /* its bytes may be sent: the whole answer, or a stream's so far */
    bool streams;  /* more bytes will come: http_stream_begin to http_stream_end */
    bool http_1_0;
    bool alone;           /* HTTP_ROUTE_ALONE */
    bool closes;          /* the last on its connection: the answer says Connection: close */
    bool head_only;       /* HEAD */
    bool says_keep_alive; /* HTTP/1.0 with keep-alive */
    bool chunked;         /* of a stream */
    bool tells_drained; /* a stream's bytes wait, and its hook is to be told when they have left */
    void (*gone)(void *ctx); /* NULL: nobody wants to know, or it was told */
    void *gone_ctx;
    const struct http_stream_hooks *hooks; /* of a stream */
    void *hooks_ctx;
    struct buffer answer;     /* its bytes, but for: */
    struct slice static_body; /* what follows them: in `body`, or not ours */
    struct buffer body;       /* taken over from the handler, with its own charge */
};

/* A request of `c`, from the free list of `t`. */
struct http_request *request_take(struct http_thread *t, struct connection *c);

/* Gives it back, with what it holds. */
void request_give(struct http_request *req);

/* Takes `gone` back: it is answered. */
void request_forget_gone(struct http_request *req);

/* Tells that the client has gone, if that is still wanted; `req` may be answered afterwards. */
void request_tell_gone(struct http_request *req);

/* Frees the free list of `t`. */
void request_free_all(struct http_thread *t);

/* Bytes of its answer. */
static inline size_t request_answer_len(const struct http_request *req)
{
    return req->answer.len + req->static_body.len;
}

#endif
