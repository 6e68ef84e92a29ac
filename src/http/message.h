/*
 * One request message while it is being read: what llhttp has found in it so far and where those
 * bytes are. It knows nothing of sockets or answers.
 *
 * Where the bytes are. A message that lies wholly within one read is never copied: everything
 * points into that read. Only when a read ends within the message is what came so far copied into
 * the message's own buffers. So places in the head are kept as offsets from the message's first
 * byte, and `base` says where that byte is now.
 *
 * What it holds is bounded (struct message_limits) and charged to an account of the ledger.
 */
#ifndef LOGMILL_HTTP_MESSAGE_H
#define LOGMILL_HTTP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llhttp.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/ledger.h"
#include "base/slice.h"
#include "http/http.h"
#include "http/inflate.h"
#include "http/router.h"
#include "net/charge.h"
#include "net/loop.h"

enum {
    MESSAGE_HEADERS_MAX = 100,  /* header fields in one message */
    MESSAGE_KEEP_BYTES = 16384, /* capacity that a buffer keeps from one message to the next */
    /* After the last span of a head come, at most, spaces and the empty line. */
    MESSAGE_HEAD_SLACK = 4,
    MESSAGE_LOT_MAX = HTTP_LOT_BYTES + NET_READ_BYTES
};

/* What every message of a server is held to. Read only. */
struct message_limits {
    size_t max_header_bytes;
    size_t max_body_bytes;
    size_t max_batch_bytes; /* of routes with HTTP_ROUTE_BATCH */
    struct account *bodies; /* what they hold is charged to it; may be NULL */
    const struct router *router;
    const struct http_server_options *options; /* hooks.admit, answer_headers */
};

/* How far llhttp has come in it. message_move changes it. */
enum message_stage {
    MESSAGE_LINE,
    MESSAGE_HEADERS, /* each header so far, be there one, has its value */
    MESSAGE_NAME,    /* the last header has a part of its name, or all of it, and no value */
    MESSAGE_BODY,    /* and trailers */
    MESSAGE_COMPLETE,
    MESSAGE_STAGES
};

/* What comes after the head. */
enum message_body {
    MESSAGE_NO_BODY, /* or one of a declared length of 0 */
    MESSAGE_BODY_COMES,
    MESSAGE_BODY_AWAITS /* the client waits for 100 Continue before it sends it */
};

/* When a refusal is answered. A later of these takes the place of an earlier one. */
enum message_refusal_when {
    REFUSE_AFTER_BODY,  /* which is read and dropped, so that the connection goes on */
    REFUSE_BEFORE_BODY, /* which is not read: if there is one, the connection ends */
    REFUSE_AT_ONCE      /* the connection ends, be there a body or not */
};

struct message_span {
    uint32_t offset; /* from the first byte of the message */
    uint32_t len;
};

struct message_header {
    struct message_span name;
    struct message_span value;
};

/* An answer given before any handler: status 0 means none. */
struct message_refusal {
    unsigned status;
    enum message_refusal_when when;
    char detail[192]; /* empty: the usual words for the status */
};

struct message {
    const struct message_limits *limits;
    struct message *next_free;
    uint64_t started_us; /* when its first byte was read */
    enum message_stage stage;

    const char *base;   /* its first byte: in `head` if that is not empty, else in the read */
    const char *piece;  /* what is being parsed now begins here */
    struct buffer head; /* the head's bytes from earlier reads */
    size_t head_len;    /* end of the last span found in the head */
    struct message_span target;
    struct message_span version; /* "1.1"; empty in a request line without one */
    struct message_header headers[MESSAGE_HEADERS_MAX];
    size_t headers_len;
    size_t extra; /* bytes of trailers and chunk extensions */

    unsigned method;   /* an llhttp_method_t */
    bool keep_alive;   /* set once complete */
    bool http_1_0;     /* an answer must say keep-alive if it is meant */
    bool from_trusted; /* the peer is a trusted proxy */
    bool from_extra;   /* on a connection past max_connections */
    bool in_lots;      /* its body is handed over in lots (lots.h) */
    bool is_upload;    /* and is counted among those */
    uint64_t peer;     /* the client of its connection; `client`, if it is known, goes before */
    bool is_https;     /* by the connection, or a trusted proxy says so */
    const char *certificate; /* see http_head */
    uint64_t client;         /* whom a trusted proxy names, or CLIENT_UNKNOWN */
    enum message_body body_state;
    enum inflate_coding coding;
    struct slice path; /* set once the head is complete, as is `query`; kept right by keep() */
    struct slice query;
    const struct router_path *route;
    const struct http_route *endpoint; /* the handler's */
    struct slice params[HTTP_PATH_PARAMS_MAX];
    size_t params_len;
    size_t max_body_bytes; /* of its route, once that is known */
    struct message_refusal refusal;
    struct slice answer_headers; /* lines that the answer has, whichever it is; not ours */
    void *who;                   /* of hooks.admit, until the request has it */
    int64_t until_us;            /* likewise */
    void **holder;               /* of the connection: see http_admission */

    struct slice body;       /* as sent; then, after parse_finish, as meant */
    struct buffer body_kept; /* what `body` points into if it came in pieces */
    struct buffer inflated;
    struct buffer decoded; /* of params that had %XX */
    struct charge charge;
};

void message_init(struct message *m, const struct message_limits *limits);
void message_release(struct message *m);

/* Makes `m` ready for a new message that began at `started_us`, to be read by `parser`. */
void message_begin(struct message *m, llhttp_t *parser, uint64_t started_us);

/* Gives back what the last message held. */
void message_end(struct message *m);

/* The lot in m->body is taken: room for the next. */
void message_next_lot(struct message *m);

/* Whether `stage` may follow the one it is in. */
bool message_may_move(const struct message *m, enum message_stage stage);

/* Changes its stage. In line: twice for each header. */
static inline void message_move(struct message *m, enum message_stage stage)
{
    CHECK(message_may_move(m, stage));
    m->stage = stage;
}

/* Sets the refusal, unless there is one. `format` NULL: the usual words. Returns HPE_USER. */
int message_refuse(struct message *m, unsigned status, const char *format, ...) LM_PRINTF(3, 4);

/* The refusal is answered then, if not earlier. */
static inline void message_refuse_when(struct message *m, enum message_refusal_when when)
{
    if (when > m->refusal.when)
        m->refusal.when = when;
}

/* Refuses a body that is too large for its route. Returns HPE_USER. */
int message_refuse_body(struct message *m);

/*
 * Refuses what the account has no room for: with 503, or with 413 if it could not hold `bytes` more
 * for `m` even if nobody else were there. Answered at once. Returns HPE_USER.
 */
int message_refuse_for_room(struct message *m, size_t bytes);

/* The first header of that name; data NULL if there is none. */
struct slice message_header(const struct message *m, struct slice name);

/* Its content coding is told by the body itself (HTTP_ROUTE_CODED_BY_BYTES). */
static inline bool message_is_told_by_bytes(const struct message *m)
{
    return m->endpoint && (m->endpoint->flags & HTTP_ROUTE_CODED_BY_BYTES) != 0;
}

/* The bytes of a span. */
static inline struct slice message_text(const struct message *m, struct message_span span)
{
    return slice_of(m->base + span.offset, span.len);
}

/* The value of a header, without the spaces that may follow it. */
struct slice message_header_value(const struct message *m, size_t index);

#endif
