/*
 * The port of formats that come without HTTP: message behind message in a stream, or one in a
 * datagram (syslog, GELF, Fluent's forward protocol). A format is one file, and touches neither
 * sockets nor the ingest: listen/ reads the bytes, makes the logs durable, and writes the replies.
 *
 *   bytes ──► read ──► records, one by one, to a sink
 *               ├────► how many bytes the whole messages had
 *               └────► what the client is told when they are durable
 *
 * What a format keeps to:
 *   - It takes whole messages alone, and keeps nothing of what is not whole: those bytes come
 *     again, with what came after them. So a connection is its bytes and a few more (`session`),
 *     and can be handed to another process at any time.
 *   - It looks at bytes that it does not use once, however many more come one by one: where it
 * stood is in the session. Else one client could make each byte cost a look at megabytes.
 *   - It is read again when its logs could not be made durable: the same bytes, session, arrival
 *     and `number` must give the same logs, with the same ids.
 *   - A message that can never be a log is left out and counted (format_counts.refused); it keeps
 *     no other out. Rules and limits are those of record/draft.h, which it uses.
 *   - It allocates nothing per log once its memory is warm; what a message can make it hold is
 *     charged to the account of its memory.
 */
#ifndef LOGMILL_FORMATS_STREAM_H
#define LOGMILL_FORMATS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "base/ledger.h"
#include "formats/format.h"
#include "record/record.h"

enum {
    STREAM_SESSION_BYTES = 128, /* the most that a session has */
    STREAM_WAIT_MS = 1000       /* after which what could still go on is whole: see has_waited */
};

struct stream_input {
    struct slice bytes; /* what has come and was not used; a datagram, whole */
    bool is_over;       /* nothing comes behind them */
    bool has_waited;    /* what can be whole is: nothing has come for STREAM_WAIT_MS (asked for by
                           may_be_whole); or they are as many as may be kept, and none was used: now
                           some have to be, or the connection is closed */
    int64_t arrival_us; /* of the last of them; the time of logs that have none */
    /*
     * Of logs to which the protocol gives no identity, the id is derived from these: random bits of
     * the connection (or batch of datagrams), and the number of the log in it
     * (record_draft_within).
     */
    uint64_t bits[2];
    uint64_t number; /* of the first log of `bytes`; the next ones have those that follow, and one
                        that is left out may have one, too */
};

struct stream_output {
    size_t used;       /* bytes; 0: more must come */
    bool may_be_whole; /* of what is left; to be read again, with has_waited, if nothing comes */
    bool ends;         /* the connection is to be closed when the reply has been sent */
    struct format_counts counts;
    struct buffer *reply; /* appended to: sent when the logs are durable, at once if there are none;
                             its account and ceiling are the caller's */
    struct errbuf *why;   /* of `ends`, if the client is to blame: one line, for diagnostics */
};

/* What the settings say to formats. */
struct stream_setup {
    const char *shared_key; /* of Fluent's forward protocol; NULL: none is asked for. A secret. */
    const char *hostname;   /* ours, as it is told to clients */
};

/* What puts datagrams together of which several are one message; a table of those that wait. */
enum stream_join {
    STREAM_JOIN_WHOLE,  /* *whole is a message; it lives until the next call */
    STREAM_JOIN_PART,   /* it waits for others */
    STREAM_JOIN_REFUSED /* it can never become one */
};

struct stream_joiner {
    /* What waits is charged to `account`. */
    void *(*new)(struct account *account);
    void (*free)(void *joiner);
    /*
     * Takes a datagram that came from `sender` (its address and port, any bytes) at `now_ms`. Of
     * messages that are given up for it, or have waited too long, *lost gets the number.
     */
    enum stream_join (*join)(void *joiner, struct slice sender, struct slice datagram,
                             uint64_t now_ms, struct slice *whole, size_t *lost);
    size_t (*expire)(void *joiner, uint64_t now_ms); /* how many have waited too long */
};

struct stream_format {
    const char *name;     /* "syslog" */
    size_t message_max;   /* bytes of a message; one that has more is left out, in part if the
                             stream cannot be followed otherwise */
    size_t session_bytes; /* flat, aligned, all zero at first, copied as bytes; up to
                             STREAM_SESSION_BYTES */

    /* One for each thread, used for all its connections. NULL if it needs none. */
    void *(*memory_new)(const struct stream_setup *setup, struct account *account);
    void (*memory_free)(void *memory);

    /* What is told a client that has just connected, before it sends anything. NULL: nothing. */
    void (*greet)(void *memory, void *session, struct buffer *reply);

    /*
     * Reads the whole messages at the beginning of in->bytes and hands their logs to `sink`.
     * Returns 0; LM_ENOMEM; LM_EBUSY: no room in an account; or the error of the sink, at which it
     * stops: `out` is of no use then, nor is what it did to the session.
     */
    int (*read)(void *memory, void *session, const struct stream_input *in, record_sink *sink,
                void *ctx, struct stream_output *out);

    const struct stream_joiner *joiner; /* of a format of datagrams; NULL: each is a message */
};

#endif
