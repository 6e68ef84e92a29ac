/*
 * Lines of inputs as logs: members of an NDJSON body that POST /logs takes. A JSON object with
 * "message" is read by the server's own reader (formats/fastapi.h), so that a line is the same
 * log whichever way it is sent; what that refuses is no log, and no text either. What else is of a
 * form that is known (line_forms.h) is read by that. Any other line is the message of a log, with
 * the time and the level of its head, if it has one.
 *
 * One reader reads any number of inputs by turns: what is of one input is in its struct line_input.
 *
 * Each log gets an id of ours if it has none, so that sending it again cannot store it twice. That
 * of a log of a file that is followed is told in line_input.h. In an input that can be read again
 * (struct line_place), ids are made of what they stand for:
 *
 *   the millisecond of the log's time, the number of the log in its input, and 42 bits of a hash of
 *   the input up to and with this log, of --level and of --attr
 *
 * So logs of one time keep their order, the same input (grown, copied) gives the same ids, and
 * another input, or another --attr, gives others.
 */
#ifndef LOGMILL_CLI_LINE_H
#define LOGMILL_CLI_LINE_H

#include "cli/line_log.h"
#include "cli/line_reader.h"

enum {
    LINE_JSON_MAX = 256 << 20, /* of one that begins as JSON does: the largest MAX_BODY_BYTES */
};

/* True if `line`, whole, is a log with a time of its own. */
bool line_own_time(struct line_reader *r, struct line_input *in, struct slice line, int64_t *us);

/* True if a line that begins as `text` does may be a JSON log. */
bool line_may_be_json(const struct line_input *in, struct slice text);

/* What of a line a text is. Of the parts of a line none ends within a character
 * (line_log_piece_len). */
struct line_part {
    struct slice text; /* any bytes, without a newline */
    bool is_first, is_last;
    uint64_t number; /* of the line; of a file that is followed: the text's offset in it */
    int64_t read_us; /* of that, when it was read: the time of a log without one */
};

/*
 * Appends the logs that are whole with `part`, a part of `in`, each with a newline, and calls
 * added() after each; r->log_input and r->log_number say at which line it began. A line of blanks
 * is none. Of a line that comes in several parts, each is text.
 * Logs of other inputs may be among them, if too much is held back (GATHER_HELD_MAX).
 * Returns 0, or LM_EDATA, `err` set, if what began at r->log_number cannot be a log; or LM_ENOMEM.
 */
int line_append(struct buffer *b, struct line_reader *r, struct line_input *in,
                const struct line_part *part, void (*added)(void *ctx), void *ctx,
                struct errbuf *err) LM_MUST_CHECK;

/* True if lines of the input are held back, since others may go on with them. */
bool line_is_open(const struct line_input *in);

/* Appends what is held back of an input, as line_append does. */
int line_flush(struct buffer *b, struct line_reader *r, struct line_input *in,
               void (*added)(void *ctx), void *ctx, struct errbuf *err) LM_MUST_CHECK;

/* When line_flush_due has something to append: by the monotonic clock; UINT64_MAX: nothing is held
 * back. */
uint64_t line_due_us(const struct line_reader *r);

/* Appends what of any input has waited for more lines long enough by `now_us`. To be called when
 * the lines that are there are appended. After an error, again: there may be more. */
int line_flush_due(struct buffer *b, struct line_reader *r, uint64_t now_us,
                   void (*added)(void *ctx), void *ctx, struct errbuf *err) LM_MUST_CHECK;

#endif
