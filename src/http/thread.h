/*
 * One HTTP thread: what its connections share besides the event loop (net/loop.h), so that a
 * connection at rest holds next to nothing: messages and requests for reuse, the inflater.
 */
#ifndef LOGMILL_HTTP_THREAD_H
#define LOGMILL_HTTP_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "http/http.h"
#include "http/inflate.h"
#include "http/message.h"
#include "http/request.h"
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
};

struct http_thread {
    struct net_loop net;
    struct http_shared *shared;
    unsigned index;
    struct message_limits limits;
    void *context;             /* from hooks.thread_start */
    size_t requests_under_way; /* answers that handlers still owe, and those not yet sent */

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
 * A thread's state without its thread: makes the loop and its handles. `listen_fd` (or -1) is the
 * thread's from now on. NULL with `err` filled on failure.
 */
struct http_thread *http_thread_new(struct http_shared *shared, unsigned index, int listen_fd,
                                    struct errbuf *err);

/* Has hooks.thread_start make its context. On the loop's thread, before it accepts. */
int http_thread_start(struct http_thread *t, struct errbuf *err) LM_MUST_CHECK;

/* After the loop has ended. */
void http_thread_free(struct http_thread *t);

/* A message for a connection to read into, and back. */
struct message *http_thread_take_message(struct http_thread *t);
void http_thread_give_message(struct http_thread *t, struct message *m);

#endif
