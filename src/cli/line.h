/*
 * Lines of input as logs: members of an NDJSON body that POST /logs takes. A JSON object with
 * "message" is read by the server's own reader (formats/fastapi.h), so that a line is the same
 * log whichever way it is sent; what that refuses is no log, and no text either. What else is of a
 * form that is known (line_forms.h) is read by that. Any other line is the message of a log, with
 * the time and the level of its head, if it has one.
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
#include "cli/gather.h"
#include "cli/line_forms.h"
#include "formats/fastapi.h"

enum {
    LINE_PIECE_MAX = 128 << 10, /* of plain text in one log; longer ones become several logs */
    LINE_JSON_MAX = 256 << 20,  /* of one that begins as JSON does: the largest MAX_BODY_BYTES */
};

/* Where in an input that can be read again a reader is. */
struct line_place {
    uint64_t hash;   /* of the flags and of all before */
    uint64_t logs;   /* before */
    int64_t time_us; /* of logs without one: that of a log before, or else … */
    bool is_spread;  /* … one for the whole input, and a microsecond more for each log */
};

/* What lines become. */
struct line_reader {
    struct line_forms forms;
    struct gather gather;
    uint64_t log_number;      /* of the line that the log which is added begins with */
    struct buffer level;      /* for logs without one, as a member: "\"level\":\"info\"" */
    struct buffer attrs;      /* as members, each with a comma */
    struct line_place *place; /* NULL: ids are new ones, and the time is now */
    bool is_journal;          /* ids are those of its entries, and no reason to leave out attrs */
    uint64_t repaired;        /* texts that were not UTF-8: U+FFFD stands for what was not */
    void *memory;             /* of the server's format */
    struct buffer errors;     /* what that says */
};

/* Reads the flags format, zone, multiline, multiline-first, level and attr. Returns 0 or LM_EINVAL.
 * Release in any case. */
int line_reader_init(struct line_reader *r, const struct flags *flags,
                     struct errbuf *err) LM_MUST_CHECK;
void line_reader_release(struct line_reader *r);

/* True if each line of any input is a line, whatever that begins with (decoder_init). */
bool line_is_plain(const struct line_reader *r);

/* Begins an input, of about `now_us`, the time by which times without a year are told. */
void line_reader_begin(struct line_reader *r, int64_t now_us);

/* The beginning of an input that can be read again, without its time. */
struct line_place line_place_begin(const struct line_reader *r);

/* True if `line`, whole, is a log with a time of its own. */
bool line_own_time(struct line_reader *r, struct slice line, int64_t *us);

/* True if a line that begins as `text` does may be a JSON log. */
bool line_may_be_json(const struct line_reader *r, struct slice text);

/* How many bytes of `text` one log takes: never a part of a character. */
size_t line_piece_len(struct slice text);

/* What of a line a text is. */
struct line_part {
    struct slice text; /* any bytes, without a newline */
    bool is_first, is_last;
    uint64_t number; /* of the line */
};

/*
 * Appends the logs that are whole with `part`, each with a newline, and calls added() after each;
 * r->log_number says at which line it began. A line of blanks is none. Of a line that comes in
 * several parts, each is text.
 * Returns 0, or LM_EDATA, `err` set, if what began at r->log_number cannot be a log; or LM_ENOMEM.
 */
int line_append(struct buffer *b, struct line_reader *r, const struct line_part *part,
                void (*added)(void *ctx), void *ctx, struct errbuf *err) LM_MUST_CHECK;

/* True if lines are held back, since others may go on with them. */
bool line_is_open(const struct line_reader *r);

/* Appends what is held back, as line_append does. */
int line_flush(struct buffer *b, struct line_reader *r, void (*added)(void *ctx), void *ctx,
               struct errbuf *err) LM_MUST_CHECK;

/*
 * Appends what a validation's "detail" says of one log, an object of it: "timestamp: Input should
 * be …", and what is allowed if that does not say it.
 */
void line_explain(struct errbuf *err, yyjson_val *detail);

#endif
