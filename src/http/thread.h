/*
 * One HTTP thread: its event loop, its listening socket, and what its connections share, so that a
 * connection at rest holds next to nothing: the read buffer, messages and requests for reuse, the
 * inflater, the deadlines.
 *
 * A round of the loop: sockets are read and handlers run; then (uv_check) the hook thread_drained,
 * then the answers given outside of a read are sent, one write for each connection. Answers given
 * by timers are sent before the loop sleeps (uv_prepare).
 */
#ifndef LOGMILL_HTTP_THREAD_H
#define LOGMILL_HTTP_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <uv.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "http/http.h"
#include "http/inflate.h"
#include "http/message.h"
#include "http/request.h"
#include "net/timeouts.h"

enum {
    HTTP_READ_BYTES = 64 * 1024, /* taken from one connection at a time */
    HTTP_DATE_LINES_MAX = 96
};

/* Written by the thread alone, read by any. */
struct http_counters {
    _Atomic uint64_t accepted, requests, responses[HTTP_STATUS_END], received, sent;
};

static inline void http_count(_Atomic uint64_t *counter, uint64_t n)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + n, memory_order_relaxed);
}

/* How bytes leave and arrive; tests put faults here. As recv and sendmsg, never raising SIGPIPE. */
struct http_io {
    ssize_t (*receive)(int fd, void *data, size_t len);
    ssize_t (*send)(int fd, const struct iovec *pieces, int pieces_len);
};

/* What all threads of a server share. */
struct http_shared {
    struct http_server_options options; /* with the defaults filled in */
    struct router *router;
    _Atomic unsigned connections_open;
};

struct http_thread {
    struct http_shared *shared;
    unsigned index;
    struct http_io io;
    struct message_limits limits;
    uv_loop_t loop;
    void *context; /* from hooks.thread_start */

    int listen_fd; /* -1: not listening */
    uv_poll_t listener;
    uv_timer_t accept_retry;
    uv_timer_t tick; /* runs while there are connections */
    uv_timer_t grace;
    uv_check_t check;
    uv_prepare_t prepare;
    uv_async_t stop;
    _Atomic unsigned grace_ms; /* of the stop that `stop` announces */
    bool draining;             /* no new requests */
    bool finished;             /* our handles are closing */

    struct connection *connections; /* all, in a list */
    unsigned connections_len;
    unsigned extra_len;        /* of them, those past max_connections */
    struct connection *dirty;  /* have answers to send at the end of the round */
    size_t requests_under_way; /* answers that handlers still owe, and those not yet sent */
    struct timeouts timeouts;

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
    char read_buffer[HTTP_READ_BYTES];
};

/*
 * A thread's state without its thread: makes the loop and its handles. `listen_fd` (or -1) is the
 * thread's from now on. NULL with `err` filled on failure.
 */
struct http_thread *http_thread_new(struct http_shared *shared, unsigned index, int listen_fd,
                                    struct errbuf *err);

/* Starts to accept. On the loop's thread, after the hook thread_start. */
int http_thread_listen(struct http_thread *t, struct errbuf *err) LM_MUST_CHECK;

/*
 * From any thread: makes the loop stop accepting, answer what has begun for up to `grace_ms`, close
 * everything, call hooks.thread_stop and end.
 */
void http_thread_stop(struct http_thread *t, unsigned grace_ms);

/* After the loop has ended. */
void http_thread_free(struct http_thread *t);

/* A message for a connection to read into, and back. */
struct message *http_thread_take_message(struct http_thread *t);
void http_thread_give_message(struct http_thread *t, struct message *m);

/* Called by a connection when it has been unlinked and its memory freed. */
void http_thread_connection_closed(struct http_thread *t);

#endif
