/*
 * What the files of http/ share: the structs of a thread, of a connection and of a request under
 * way, which point to each other. What they mean: thread.h, connection.h, request.h.
 */
#ifndef LOGMILL_HTTP_INTERNAL_H
#define LOGMILL_HTTP_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <llhttp.h>

#include "base/buffer.h"
#include "http/http.h"
#include "http/inflate.h"
#include "http/message.h"
#include "net/charge.h"
#include "net/loop.h"

enum { HTTP_DATE_LINES_MAX = 96 };

/* Written by the thread alone, read by any. */
struct http_counters {
    _Atomic uint64_t requests, responses[HTTP_STATUS_END];
};

/* What all threads of a server share. */
struct http_shared {
    struct http_server_options options; /* with the defaults filled in */
    struct router *router;
    struct net_shared net;
    _Atomic unsigned uploads_open; /* bodies that are taken in lots */
};

struct http_thread {
    struct net_loop net;
    struct http_shared *shared;
    unsigned index;
    struct message_limits limits;
    void *context;             /* from hooks.thread_start */
    size_t requests_under_way; /* answers that handlers still owe, and those not yet sent */
    unsigned lingering_len;    /* connections in CONNECTION_LINGERING */

    struct message *free_messages;
    unsigned free_messages_len;
    struct http_request *free_requests;
    unsigned free_requests_len;
    struct inflater *inflater;
    struct buffer scratch;                /* bodies of errors */
    time_t date;                          /* that date_lines says */
    char date_lines[HTTP_DATE_LINES_MAX]; /* "Server: …\r\nDate: …\r\n" */
    size_t date_lines_len;
    struct http_counters counters;
};

/*
 * Answers up to this size are not charged: a connection has one, and each further request in line
 * has room for it charged when it is put there (64 KiB for all of a connection).
 */
enum { RESPONSE_UNCHARGED_BYTES = 1024 };

enum {
    /* Answers given and not yet taken by the socket; past it no further request is begun. */
    CONNECTION_UNSENT_MAX = 256 * 1024,
    /* How long a client that was refused may take to read why (TIMEOUT_LINGER). */
    CONNECTION_LINGER_MS = 2000,
    /* Those that do so are up to this part of max_connections; the oldest goes for another. */
    CONNECTION_LINGERING_SHARE = 16
};

/*
 * Reading, and the end: connection_move (connection.h) changes them. It is between messages if it
 * is idle, between or paused; the three differ in what is still in line.
 *
 *   new         ──► idle
 *   idle        ──► in message                     ┐
 *   in message  ──► between, held                  │
 *   held        ──► in message, between            │  and each of these ──► itself, if it rests in
 *   between     ──► in message, idle, paused       │  it; ──► ended, cut, closed
 *   paused      ──► in message, idle, between      ┘
 *   ended       ──► cut, closed
 *   cut         ──► lingering, closed
 *   lingering   ──► closed
 */
enum connection_state {
    CONNECTION_NEW,
    CONNECTION_IDLE,       /* no request is under way: the next is waited for (TIMEOUT_IDLE) */
    CONNECTION_BETWEEN,    /* requests are under way, and the next may begin */
    CONNECTION_IN_MESSAGE, /* `message` is being read */
    CONNECTION_HELD,       /* no more of `message` before what came of it is taken (lots.h) */
    CONNECTION_PAUSED,     /* the next may not begin before some of those under way have left */
    CONNECTION_ENDED,      /* no further request is read; nothing of the client is left unread */
    CONNECTION_CUT,        /* likewise, but bytes of the client were or will be left unread */
    CONNECTION_LINGERING,  /* all is answered; reads and drops until the client closes */
    CONNECTION_CLOSED,
    CONNECTION_STATES
};

/* The client's side: what has come of it never comes back. */
enum connection_peer {
    PEER_SENDS,
    PEER_ENDED, /* it has sent its last byte, … */
    PEER_READ   /* … and we have read all before it */
};

struct connection {
    struct net_socket socket;
    struct http_thread *thread;
    uint64_t client; /* see http_request_client */
    void *holder;    /* see http_admission */
    llhttp_t parser;
    struct message *message; /* being read, or NULL between messages */

    struct http_request *first, *last; /* under way, in order of arrival */
    unsigned under_way;
    size_t unsent; /* bytes of answers given */
    size_t sent;   /* of the answer of `first` */

    struct http_request *upload; /* the last of them, whose `message` is taken in lots; or NULL */

    size_t body_bytes; /* of all of them */
    unsigned watched;  /* of those under way: whose handlers want to know that the client goes */

    struct buffer input; /* read, but too many requests were under way to begin it */
    size_t input_at;     /* how much of it has been begun since */
    struct charge input_charge;

    enum connection_state state;
    enum connection_peer peer;
    bool in_run;     /* within run(), which sends at its end */
    bool in_lot;     /* a lot is being handed over */
    bool is_trusted; /* a trusted proxy */
};

/*
 * How far its answer is. request_move (request.h) changes it.
 *
 *   owed ──► streams ◄──► tells      each of them ──► answered
 */
enum request_state {
    REQUEST_OWED,     /* the handler has not answered */
    REQUEST_STREAMS,  /* its bytes may be sent, more will come: http_stream_begin to …_end */
    REQUEST_TELLS,    /* likewise, and its hook is to be told when those there are have left */
    REQUEST_ANSWERED, /* wholly */
    REQUEST_STATES
};

struct http_request {
    struct http_thread *thread;
    struct connection *connection; /* NULL once the client has gone: the answer is dropped */
    struct http_request *next;     /* on the connection, in order of arrival; or in the free list */
    struct http_request *next_of_handler;
    struct http_errand errand; /* `answered` is NULL if it is on none */
    struct message *message;   /* NULL once the handler has returned */
    uint64_t started_us;
    uint64_t client;           /* of connection->client, which may be gone */
    struct account *account;   /* that its answer is charged to */
    struct charge charge;      /* of its answer */
    struct charge line_charge; /* for its place in line, and a long query */
    size_t body_len;           /* of the request; what it became may be held until the answer */

    struct slice answer_headers; /* see struct message */
    void *who;                   /* of hooks.admit; or NULL */
    int64_t until_us;            /* likewise */

    enum request_state state;
    bool http_1_0;
    bool alone;              /* HTTP_ROUTE_ALONE */
    bool closes;             /* the last on its connection: the answer says Connection: close */
    bool head_only;          /* HEAD */
    bool says_keep_alive;    /* HTTP/1.0 with keep-alive */
    bool chunked;            /* of a stream */
    bool has_lot;            /* the handler has one that it has not taken yet */
    void (*gone)(void *ctx); /* NULL: nobody wants to know, or it was told */
    void *gone_ctx;
    const struct http_lot_hooks *lots; /* of a body in lots that is open */
    void *lots_ctx;
    const struct http_stream_hooks *hooks; /* of a stream */
    void *hooks_ctx;
    struct buffer answer;     /* its bytes, but for: */
    struct slice static_body; /* what follows them: in `body`, or not ours */
    struct buffer body;       /* taken over from the handler, with its own charge */
};

/* Its bytes may be sent: the whole answer, or a stream's so far. */
static inline bool request_is_answered(const struct http_request *req)
{
    return req->state != REQUEST_OWED;
}

static inline bool request_streams(const struct http_request *req)
{
    return req->state == REQUEST_STREAMS || req->state == REQUEST_TELLS;
}

/* Bytes of its answer. */
static inline size_t request_answer_len(const struct http_request *req)
{
    return req->answer.len + req->static_body.len;
}

#endif
