/*
 * One HTTP thread: what its connections share besides the event loop (net/loop.h), so that a
 * connection at rest holds next to nothing: messages and requests for reuse, the inflater.
 */
#ifndef LOGMILL_HTTP_THREAD_H
#define LOGMILL_HTTP_THREAD_H

#include "base/errbuf.h"
#include "http/internal.h"

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

#endif
