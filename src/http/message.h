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
#include "base/ledger.h"
#include "base/slice.h"
#include "http/http.h"
#include "http/inflate.h"
#include "http/router.h"
#include "net/charge.h"

enum {
    MESSAGE_HEADERS_MAX = 100,  /* header fields in one message */
    MESSAGE_KEEP_BYTES = 16384, /* capacity that a buffer keeps from one message to the next */
    /* After the last span of a head come, at most, spaces and the empty line. */
    MESSAGE_HEAD_SLACK = 4
};

/* What every message of a server is held to. Read only. */
struct message_limits {
    size_t max_header_bytes;
    size_t max_body_bytes;
    struct account *bodies; /* what they hold is charged to it; may be NULL */
    const struct router *router;
    const struct http_server_options *options; /* hooks.admit, answer_headers */
};

/* How far llhttp has come in it. */
enum message_stage { MESSAGE_LINE, MESSAGE_HEADERS, MESSAGE_BODY, MESSAGE_COMPLETE };

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
    bool at_once; /* before the body has been read, which is then not read: the connection ends */
    bool before_body; /* as at_once, where there is a body */
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
    bool in_value; /* the last header has a value already, so a name now is a new header's */
    size_t extra;  /* bytes of trailers and chunk extensions */

    unsigned method;   /* an llhttp_method_t */
    bool keep_alive;   /* set once complete */
    bool http_1_0;     /* an answer must say keep-alive where it is meant */
    bool from_trusted; /* the peer is a trusted proxy */
    bool from_extra;   /* on a connection past max_connections */
    bool was_https;    /* a trusted proxy says so */
    uint64_t client;   /* whom a trusted proxy names, or CLIENT_UNKNOWN */
    bool expects_continue;
    bool has_body; /* of any length but a declared 0 */
    enum inflate_coding coding;
    struct slice path; /* set once the head is complete, as is `query`; kept right by keep() */
    struct slice query;
    const struct router_path *route;
    const struct http_route *endpoint; /* the handler's */
    struct slice params[HTTP_PATH_PARAMS_MAX];
    size_t params_len;
    struct message_refusal refusal;
    struct slice answer_headers; /* lines that the answer has, whichever it is; not ours */

    struct slice body;       /* as sent; then, after message_finish, as meant */
    struct buffer body_kept; /* what `body` points into where it came in pieces */
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

/* Sets the refusal, unless there is one. `format` NULL: the usual words. Returns HPE_USER. */
int message_refuse(struct message *m, unsigned status, const char *format, ...) LM_PRINTF(3, 4);

/* The first header of that name; data NULL where there is none. */
struct slice message_header(const struct message *m, struct slice name);

/* The bytes of a span. */
static inline struct slice message_text(const struct message *m, struct message_span span)
{
    return slice_of(m->base + span.offset, span.len);
}

/* The value of a header, without the spaces that may follow it. */
struct slice message_header_value(const struct message *m, size_t index);

#endif
