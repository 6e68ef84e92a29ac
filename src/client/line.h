/*
 * One line of input as a log: a member of an NDJSON body that POST /logs takes. Each gets an id of
 * ours where it has none, so that sending it again cannot store it twice.
 */
#ifndef LOGMILL_CLIENT_LINE_H
#define LOGMILL_CLIENT_LINE_H

#include "base/buffer.h"
#include "client/flags.h"

enum {
    LINE_MAX_BYTES = 4 << 20,   /* of input; a longer line is cut into lines of this length */
    LINE_PIECE_MAX = 128 << 10, /* of plain text in one log; longer ones become several logs */
};

enum line_format { LINE_AUTO, LINE_PLAIN, LINE_JSON };

/* What lines become. */
struct line_options {
    enum line_format format;
    struct buffer level; /* for logs without one, as a member: "\"level\":\"info\"," */
    struct buffer attrs; /* for all logs, as members */
    /* The ids of logs are made of their text and place, so that they are the same the next time;
       else they are new ones. */
    bool is_repeatable;
    int64_t timestamp_us; /* of logs without one, a microsecond later for each line; 0: now */
};

/* Reads the flags format, level and attr. Returns 0 or LM_EINVAL. Release in any case. */
int line_options_init(struct line_options *o, const struct flags *flags,
                      struct errbuf *err) LM_MUST_CHECK;
void line_options_release(struct line_options *o);

/*
 * Appends the logs that `line` (any bytes, without its newline; the `number`th of its input, from
 * 1) is, each with a newline, and calls added() after each. An empty line is none.
 * Returns 0, or LM_EDATA where `o` wants JSON objects and it is none.
 */
int line_append(struct buffer *b, const struct line_options *o, struct slice line, uint64_t number,
                void (*added)(void *ctx), void *ctx) LM_MUST_CHECK;

#endif
