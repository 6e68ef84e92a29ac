/*
 * A parser of Server-Sent Events
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream), for
 * streams whose lines end with a newline, as logmill's do.
 */
#ifndef LOGMILL_CLI_SSE_H
#define LOGMILL_CLI_SSE_H

#include "base/buffer.h"

enum { SSE_EVENT_MAX = 256 << 20 }; /* bytes of one event */

struct sse {
    struct buffer line; /* not whole yet */
    struct buffer name, data;
    struct buffer id; /* the last one of an event that was whole; kept by sse_begin */
    struct buffer next_id;
    /* A whole event; `name` is empty for the default one. An error ends the parsing. */
    int (*take)(struct slice name, struct slice data, void *ctx);
    void *ctx;
};

void sse_init(struct sse *s, int (*take)(struct slice name, struct slice data, void *ctx),
              void *ctx);
void sse_release(struct sse *s);

/* A new stream: what was not whole is forgotten. */
void sse_begin(struct sse *s);

/* Takes the next bytes. Returns 0, LM_ETOOBIG, LM_ENOMEM or the error of take(). */
int sse_feed(struct sse *s, struct slice bytes) LM_MUST_CHECK;

#endif
