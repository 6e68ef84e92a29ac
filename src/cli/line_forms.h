/*
 * Which form (formats/line_format.h) the lines of an input are of, and what they say by it: the
 * form that --format names, or, in LINE_AUTO, that of the first line that can only be of one. What
 * was read is in the draft.
 *
 * One struct line_forms reads any number of inputs by turns; what was found out about each is in
 * its struct line_chosen.
 */
#ifndef LOGMILL_CLI_LINE_FORMS_H
#define LOGMILL_CLI_LINE_FORMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "formats/line_format.h"
#include "formats/text_head.h"

enum { LINE_GUESS_BYTES = 64 << 10 }; /* of an input in which LINE_AUTO looks for a form */

enum line_reading { LINE_AUTO, LINE_PLAIN, LINE_JSON, LINE_FORM };

/* What is known of one input's lines. */
struct line_chosen {
    enum line_reading format;
    uint32_t guessed;               /* bytes that LINE_AUTO has looked at without finding a form */
    const struct line_format *form; /* of LINE_FORM, or that LINE_AUTO has found; or NULL */
    uint64_t unfit, first_unfit;    /* lines that are not of the form; the number of the first */
};

struct line_forms {
    struct line_chosen chosen; /* by --format: where each input begins */
    const char *name;          /* as --format has it */
    uint64_t bits;             /* of what the draft was read by: other ones for another form */
    struct line_memory memory;
    struct record_draft draft;
    bool has_head; /* of the text that was read last, which is no more than a text: */
    struct text_head head;
    struct buffer joined; /* a message of several lines */
};

/* `name` is one that --format may have. */
void line_forms_init(struct line_forms *f, const char *name);
void line_forms_release(struct line_forms *f);

/*
 * The name of the form that LINE_AUTO has found, "" if it has none; and back: the input goes on
 * with the form of that name, or looks for one where it was. Other formats choose by themselves.
 * A mark is both as a number, and of less size.
 */
const char *line_chosen_name(const struct line_chosen *c);
uint32_t line_chosen_mark(const struct line_chosen *c);
const char *line_chosen_marked(uint32_t mark, uint64_t *guessed);
void line_chosen_again(struct line_chosen *c, const char *name, uint64_t guessed);

/* `len` more bytes of the input have been looked at. */
void line_chosen_pass(struct line_chosen *c, size_t len);

/* What runtimes of containers have written around a line, and what is in it; NULL: nothing. */
const struct line_format *line_forms_around(struct line_forms *f, struct line_chosen *c,
                                            struct slice line, struct line_inner *inner);

/* Reads a text that stood within `line` (the first of several), which `around` was around. */
bool line_forms_read_within(struct line_forms *f, struct slice text,
                            const struct line_format *around, struct slice line);

/* Reads a text, of one line or several, the first of number `number`. False if all that is known of
 * it is that it is the message of a log, with f->head if f->has_head. */
bool line_forms_read(struct line_forms *f, struct line_chosen *c, struct slice text,
                     uint64_t number);

/* Reads an object of JSON that is no log of ours: somebody else's, or an entry of a journal. False
 * if it is none. */
bool line_forms_read_object(struct line_forms *f, const struct line_chosen *c, struct slice text);

#endif
