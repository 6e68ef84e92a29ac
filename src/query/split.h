/*
 * Messages as constant text with slots, for numbers and what else varies: what blocks keep them by
 * (block/template.h) and people read them by (query/pattern.h). Runs of letters and digits that
 * have a digit are slots, or parts of them ("33784B", "19T17"), but for short ones behind letters
 * ("v2"). Any thread.
 */
#ifndef LOGMILL_QUERY_SPLIT_H
#define LOGMILL_QUERY_SPLIT_H

#include <stdbool.h>

#include "base/slice.h"

enum {
    SPLIT_SLOTS_MAX = 128, /* of a text; one with more cannot be split */
    SPLIT_MARK = 1,        /* stands for a slot in a skeleton */
};

/* Classes of bytes, as bits; 0: blanks, signs. */
enum split_class {
    SPLIT_DIGIT = 1,
    SPLIT_LOWER_HEX = 2,
    SPLIT_UPPER_HEX = 4,
    SPLIT_LETTER = 8, /* of "_" and every byte above 0x7f, too, a word is made */
    SPLIT_ODD = 16,   /* SPLIT_MARK itself */
    SPLIT_SIGN = 32,  /* for callers */
};

extern const unsigned char split_classes[256];

/* The caller's room: all but `len`, `slots_len` and `is_whole`, which are what came out. */
struct split {
    char *skeleton; /* room for the text, and 1, or for `max` bytes if that is less */
    size_t max;     /* it ends after the run in which the skeleton gets so long: it is cut there */
    struct slice *slots; /* room for SPLIT_SLOTS_MAX; NULL: they are only counted */

    size_t len;
    unsigned slots_len;
    /* All of the text is in it: it was not cut, it has not too many slots, holds no SPLIT_MARK, and
     * no slot begins or ends within a character. What it has up to there is good anyway. */
    bool is_whole;
};

/*
 * Splits `text`. The skeleton is that of every text that differs in the slots' texts alone, as far
 * as these are of the same classes.
 */
void split_text(struct split *s, struct slice text);

#endif
