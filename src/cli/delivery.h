/*
 * Lines on their way to the server: gathered into a batch, and sent until the server has confirmed
 * it. A batch is sent again, with the same ids, for as long as the server is away; nothing more is
 * taken meanwhile, so memory is bounded. What the server refuses is found, told on stderr and left
 * out; the rest is sent.
 */
#ifndef LOGMILL_CLI_DELIVERY_H
#define LOGMILL_CLI_DELIVERY_H

#include <signal.h>

#include "cli/http_client.h"
#include "cli/line.h"

enum {
    DELIVERY_BATCH_LOGS = 2000,
    DELIVERY_BATCH_BYTES = 512 << 10, /* half of the server's MAX_BODY_BYTES; one log may be more */
    DELIVERY_STOP_MS = 10000,         /* how long a batch is tried for once a signal has come */
};

struct delivery_item {
    size_t begin, end; /* in body */
    uint64_t number;   /* of its line */
};

struct delivery {
    const char *command; /* "send": for stderr */
    const char *source;  /* what lines are called there: "line", or "FILE, line" */
    struct http_client *client;
    struct line_reader lines;
    bool is_strict;      /* the first log that is refused ends it: see delivery_is_over */
    uint64_t timeout_ms; /* for one batch; 0: none */
    uint64_t stopped_us; /* when delivery_stop was seen */
    struct buffer body;
    struct delivery_item *items;
    size_t len, capacity;
    uint64_t begun_us;
    uint64_t sent, sent_bytes, refused;
};

/* From the flags url, timeout, and those of line_reader_init. Returns 0 or LM_EINVAL. Release in
 * any case. */
int delivery_init(struct delivery *d, const struct flags *flags, struct errbuf *err) LM_MUST_CHECK;
void delivery_release(struct delivery *d);

/* SIGINT and SIGTERM set `delivery_stop`, the first time; the second one ends the process. */
void delivery_catch_signals(void);
extern volatile sig_atomic_t delivery_stop;

/* Adds a line, the `number`th of its source, to the batch, or refuses it. */
void delivery_add(struct delivery *d, struct slice line, uint64_t number);

/* How far an input's lines were added. */
struct delivery_lines {
    uint64_t number;  /* of the last line that has begun */
    size_t scanned;   /* bytes in which there is no newline */
    bool is_inside;   /* of that line, parts were added already */
    bool is_too_long; /* … or it was refused, and what is left of it is passed over */
};

/*
 * Moves the whole lines of `bytes` (if `is_over`, all), and what of a long line is text for
 * certain, to the batch, until that is full or delivery_is_over.
 */
void delivery_add_lines(struct delivery *d, struct buffer *bytes, struct delivery_lines *lines,
                        bool is_over);

/* Adds what is held back since others may go on with it (line_is_open). */
void delivery_flush(struct delivery *d);

/* True if nothing is to be added any more: something was refused, and that is an end to it. */
bool delivery_is_over(const struct delivery *d);

/* True if the batch is to be sent before more is added. */
bool delivery_is_full(const struct delivery *d);

/* Sends the batch. Returns 0 with an empty batch, or, after saying why on stderr, an error. */
int delivery_send(struct delivery *d) LM_MUST_CHECK;

/* Says on stderr how many lines of the input were not of its form, if some were not. */
void delivery_say_unfit(const struct delivery *d);

/* Says on stderr how many logs were sent, and how long it took: "1,000,000 logs in 28.7 s". */
void delivery_say_sum(struct delivery *d);

#endif
