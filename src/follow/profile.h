/*
 * How the lines of a file begin: the classes of characters in their first columns, learned from
 * some whole lines. So a line that a logger has cut into two files is told from two lines: what
 * comes behind the cut hardly begins as lines there do.
 */
#ifndef LOGMILL_FOLLOW_PROFILE_H
#define LOGMILL_FOLLOW_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    PROFILE_COLUMNS = 16,
    PROFILE_LINES_MIN = 3,  /* fewer lines tell nothing */
    PROFILE_LINES_MAX = 64, /* more are not looked at */
};

/* All zeroes: nothing is known. */
struct profile {
    uint8_t classes[PROFILE_COLUMNS]; /* bits: which were seen there */
    char marks[PROFILE_COLUMNS];      /* the punctuation that was seen there; 0: several */
    uint8_t lines;
};

void profile_learn(struct profile *p, struct slice line);

/* True if `text` begins as the lines do, or if that cannot be told, for want of lines. */
bool profile_may_begin(const struct profile *p, struct slice text);

#endif
