/*
 * Which form (formats/line_format.h) the lines of an input are of, and what they say by it: the
 * form that --format names, or, in LINE_AUTO, that of the first line that can only be of one. What
 * was read is in the draft.
 */
#ifndef LOGMILL_CLI_LINE_FORMS_H
#define LOGMILL_CLI_LINE_FORMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "formats/line_format.h"

enum { LINE_GUESS_BYTES = 64 << 10 }; /* of an input in which LINE_AUTO looks for a form */

enum line_reading { LINE_AUTO, LINE_PLAIN, LINE_JSON, LINE_FORM };

struct line_forms {
    enum line_reading format;
    const struct line_format *form; /* of LINE_FORM, or that LINE_AUTO has found; or NULL */
    const char *name;               /* as --format has it */
    size_t guessed;                 /* bytes that LINE_AUTO has looked at without finding one */
    uint64_t unfit, first_unfit;    /* lines that are not of the form; the number of the first */
    uint64_t bits;                  /* of what the draft was read by: other ones for another form */
    struct line_memory memory;
    struct record_draft draft;
    struct buffer joined; /* a message of several lines */
};

/* `name` is one that --format may have. */
void line_forms_init(struct line_forms *f, const char *name);
void line_forms_release(struct line_forms *f);

/* Begins an input, of about `now_us`, the time by which times without a year are told. */
void line_forms_begin(struct line_forms *f, int64_t now_us);

/* `len` more bytes have been looked at. */
void line_forms_pass(struct line_forms *f, size_t len);

/* What runtimes of containers have written around a line, and what is in it; NULL: nothing. */
const struct line_format *line_forms_around(struct line_forms *f, struct slice line,
                                            struct line_inner *inner);

/* Reads a text that stood within `line` (the first of several), which `around` was around. */
bool line_forms_read_within(struct line_forms *f, struct slice text,
                            const struct line_format *around, struct slice line);

/* Reads a text, of one line or several, the first of number `number`. False if all that is known of
 * it is that it is the message of a log. */
bool line_forms_read(struct line_forms *f, struct slice text, uint64_t number);

/* Reads an object of JSON that is no log of ours: somebody else's, or an entry of a journal. False
 * if it is none. */
bool line_forms_read_object(struct line_forms *f, struct slice text);

#endif
