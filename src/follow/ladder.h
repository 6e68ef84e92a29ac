/*
 * By which a text is known that is less than what was read of a file: a copy that was made before
 * the last lines were written, an archive that was made while somebody wrote on. The file may be
 * gone by then, and what is known of its end says nothing about its midst. So of its beginning the
 * chain (mark.h) behind each line is kept, or, where there are more lines than LADDER_STEPS_MAX,
 * behind every second, fourth …: half of the steps are left out whenever there are too many.
 *
 * One thread a ladder.
 */
#ifndef LOGMILL_FOLLOW_LADDER_H
#define LOGMILL_FOLLOW_LADDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

enum {
    LADDER_BYTES = 64 << 10, /* of a beginning: lines that end behind that are not on it */
    LADDER_STEPS_MAX = 256,
    LADDER_STEPS_KEPT = 32, /* of a file that is done with */
};

/* All zeroes: no lines. */
struct ladder {
    uint32_t *steps; /* [i]: half of the chain behind line (i + 1) << shift */
    uint32_t len, capacity;
    uint32_t shift;
    uint32_t lines; /* that were added */
    uint32_t to;    /* the end of the last one */
    bool is_kept;   /* it is in the state as it is: the owner's to set */
};

void ladder_release(struct ladder *l);

/* A line ends at `end`, with the chain behind it. Lines that were added before have no effect, nor
 * have those behind LADDER_BYTES. */
void ladder_add(struct ladder *l, uint64_t end, uint64_t chain);

/* Leaves out steps until there are at most `max` (> 0). */
void ladder_thin(struct ladder *l, uint32_t max);

/* True if the lines of `part`, at least one, are the first ones of `whole`, as far as the steps of
 * `whole` tell, at least one of which does. */
bool ladder_has(const struct ladder *whole, const struct ladder *part);

/* True if one of them is none of what the other one begins with, as far as the steps that both have
 * tell. */
bool ladder_differs(const struct ladder *a, const struct ladder *b);

/* Adds the lines of a file's beginning that are whole. Returns the chain behind them. */
uint64_t ladder_add_text(struct ladder *l, struct slice text);

/* As bytes that are the same on each machine, and from them: `l` is as all zeroes before, and if
 * they are none of a ladder. */
void ladder_write(const struct ladder *l, struct buffer *b);
void ladder_read(struct ladder *l, struct slice bytes);

#endif
