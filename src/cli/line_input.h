/*
 * What a reader of lines (line.h) knows of one input between two of its lines: little enough to be
 * kept for each of many files, which one reader reads by turns. What is held back is allocated
 * while there is something.
 *
 * An input is of one of three kinds, by which its logs get their ids and times:
 *   - one that is read once, as it comes: ids are new ones, the time of a log without one is now;
 *   - one that can be read again from its beginning (line_input_begin_again): see line_place;
 *   - a file that is followed (line_input_begin_file): each line has an offset, and comes again
 *     with the same one after a crash.
 *
 * The id of a log of a file is made of
 *
 *   the millisecond of its time, the low 32 bits of the offset of its first line, and 42 bits of a
 *   hash of the file's key, of that offset, of the text, and of the number of the part that it is
 *
 * What is sent again is the same log then, and is stored once. Neither the form that its lines
 * were read by nor --attr and --level are in it: a place in a file is one log, however it was read.
 * The text is, so that a log of several lines which was cut in another way loses none of them.
 */
#ifndef LOGMILL_CLI_LINE_INPUT_H
#define LOGMILL_CLI_LINE_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid7.h"
#include "cli/gather.h"
#include "cli/line_forms.h"

/* Where in an input that can be read again a reader is. */
struct line_place {
    uint64_t hash;   /* of the flags and of all before */
    uint64_t logs;   /* before */
    int64_t time_us; /* of logs without one: that of a log before, or else … */
    bool is_spread;  /* … one for the whole input, and a microsecond more for each log */
};

struct line_input {
    struct line_chosen chosen;
    struct line_place *place; /* of an input that can be read again; or NULL */
    bool is_journal;          /* ids are those of its entries, and no reason to leave out attrs */
    uint32_t part;            /* of a line that comes in parts: the number of the last; else 0 */
    const char *path;         /* of a file that is followed; or NULL */
    uint64_t key;
    /*
     * The first line that is in no log yet: of each stream, and of a line whose parts are coming.
     * UINT64_MAX: none. *held_from, if the caller has one, is the first of them at any time.
     */
    uint64_t from[GATHER_STREAMS + 1];
    uint32_t mark[GATHER_STREAMS + 1]; /* line_chosen_mark before each */
    uint64_t *held_from;
    struct gathered *held[GATHER_STREAMS];     /* that lines of this input are in */
    struct line_input *before[GATHER_STREAMS]; /* others that have lines in it: the one before */
};

/* Begins an input whose lines are of the format that `forms` has. Release in any case. */
void line_input_begin(struct line_input *in, const struct line_forms *forms);

/* The same of one that can be read again: `place`, the caller's, is where it is. */
void line_input_begin_again(struct line_input *in, const struct line_forms *forms,
                            struct line_place *place);

/*
 * The same of a file that is followed. `key` is of its ids, `path` the attribute "file"; it and
 * *held_from (may be NULL) live as long as the input, and that at least until *held_from is
 * UINT64_MAX: lines that are held back may be in the hands of another input (line_input_goes_on).
 */
void line_input_begin_file(struct line_input *in, const struct line_forms *forms, uint64_t key,
                           const char *path, uint64_t *held_from);

/* What is held back of it, and whatever stands in the same logs, is dropped. */
void line_input_release(struct line_input *in, struct gather *g);

/* The first line (its number, or offset) that is in no log yet; UINT64_MAX: none. */
uint64_t line_input_held_from(const struct line_input *in);

/*
 * The name of the form that was found ("": none) and the bytes in which none was, both as they were
 * before the first line that is in no log yet: whoever reads on from there begins with them
 * (line_chosen_again), and gets the same logs.
 */
const char *line_input_form(const struct line_input *in, uint64_t *guessed);

/*
 * `next` goes on where `old` ended: with its form, if it has none, and with the logs that are held
 * back, of each stream of which `next` holds back none itself. They have `old`'s ids, time and
 * attributes; `old` counts as holding them back, too, until they are logs.
 */
void line_input_goes_on(struct line_input *old, struct line_input *next);

/* ---- For the reader ---- */

/* The log of a stream that lines of `in` may go on with, or NULL. */
struct gathered *line_input_open(const struct line_input *in, int stream);

/* `s`, new, is the log of a stream of `in` from now on. */
void line_input_hold(struct line_input *in, int stream, struct gathered *s);

/* A line of `in`, the `number`th, is in the log of that stream. */
void line_input_holds(struct line_input *in, int stream, uint64_t number);

/* The log `s` is whole: its inputs hold it back no longer. */
void line_input_let_go(struct gathered *s);

/* A line of which parts come has begun at `number`; UINT64_MAX: has ended. */
void line_input_inside(struct line_input *in, uint64_t number);

/* The id of a log that begins at line `number` (as line_part has it) of an input; `bits`: other
 * ones for what is read in another way; `part`: of a long line, or 0. */
struct uuid line_input_id(const struct line_input *in, int64_t us, uint64_t number, uint64_t bits,
                          uint32_t part, struct slice text);

#endif
