/*
 * One line of input as a log: a member of an NDJSON body that POST /logs takes. A JSON object with
 * "message" is read by the server's own reader (formats/fastapi.h), so that a line is the same
 * log whichever way it is sent; what that refuses is no log, and no text either. Any other line is
 * the message of a log.
 *
 * Each log gets an id of ours if it has none, so that sending it again cannot store it twice. In
 * an input that can be read again (struct line_place), ids are made of what they stand for:
 *
 *   the millisecond of the log's time, the number of the log in its input, and 42 bits of a hash of
 *   the input up to and with this log, of --level and of --attr
 *
 * So logs of one time keep their order, the same input (grown, copied) gives the same ids, and
 * another input, or another --attr, gives others.
 */
#ifndef LOGMILL_CLI_LINE_H
#define LOGMILL_CLI_LINE_H

#include <yyjson.h>

#include "base/buffer.h"
#include "cli/flags.h"
#include "formats/fastapi.h"

enum {
    LINE_PIECE_MAX = 128 << 10, /* of plain text in one log; longer ones become several logs */
    LINE_JSON_MAX = 256 << 20,  /* of one that begins as JSON does: the largest MAX_BODY_BYTES */
};

enum line_format { LINE_AUTO, LINE_PLAIN, LINE_JSON };

/* Where in an input that can be read again a reader is. */
struct line_place {
    uint64_t hash;   /* of the flags and of all before */
    uint64_t logs;   /* before */
    int64_t time_us; /* of logs without one: that of a log before, or else … */
    bool is_spread;  /* … one for the whole input, and a microsecond more for each log */
};

/* What lines become. */
struct line_reader {
    enum line_format format;
    struct buffer level;      /* for logs without one, as a member: "\"level\":\"info\"" */
    struct buffer attrs;      /* as members, each with a comma */
    struct line_place *place; /* NULL: ids are new ones, and the time is now */
    uint64_t repaired;        /* texts that were not UTF-8: U+FFFD stands for what was not */
    void *memory;             /* of the server's format */
    struct buffer errors;     /* what that says */
};

/* Reads the flags format, level and attr. Returns 0 or LM_EINVAL. Release in any case. */
int line_reader_init(struct line_reader *r, const struct flags *flags,
                     struct errbuf *err) LM_MUST_CHECK;
void line_reader_release(struct line_reader *r);

/* The beginning of an input that can be read again, without its time. */
struct line_place line_place_begin(const struct line_reader *r);

/* True if `line`, whole, is a JSON log with a time of its own. */
bool line_own_time(const struct line_reader *r, struct slice line, int64_t *us);

/* True if a line that begins as `text` does may be a JSON log. */
bool line_may_be_json(const struct line_reader *r, struct slice text);

/* How many bytes of `text` one log takes: never a part of a character. */
size_t line_piece_len(struct slice text);

/* What of a line a text is. */
struct line_part {
    struct slice text; /* any bytes, without a newline */
    bool is_first, is_last;
};

/*
 * Appends the logs that `part` is, each with a newline, and calls added() after each. A line of
 * blanks is none. Of a line that comes in several parts, each is text.
 * Returns 0, or LM_EDATA, `err` set, if it cannot be a log; or LM_ENOMEM.
 */
int line_append(struct buffer *b, struct line_reader *r, const struct line_part *part,
                void (*added)(void *ctx), void *ctx, struct errbuf *err) LM_MUST_CHECK;

/*
 * Appends what a validation's "detail" says of one log, an object of it: "timestamp: Input should
 * be …", and what is allowed if that does not say it.
 */
void line_explain(struct errbuf *err, yyjson_val *detail);

#endif
