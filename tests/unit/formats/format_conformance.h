/*
 * What every format keeps to (formats/format.h). A format comes with one case: bodies of its own,
 * and what they mean.
 */
#ifndef LOGMILL_TESTS_FORMAT_CONFORMANCE_H
#define LOGMILL_TESTS_FORMAT_CONFORMANCE_H

#include "formats/format.h"

struct format_case {
    const struct format *format;
    /* A body of these logs, `good_len` of them (at least 1), of which each has an attribute. */
    struct slice good;
    const struct record *logs;
    size_t good_len;
    /* A body of which something is wrong; if a format takes many logs, behind one that is right. */
    struct slice wrong;
    /* Appends a body of one log of this level, which is plain letters; NULL if the protocol has
     * numbers for it. */
    void (*with_level)(struct buffer *body, struct slice level);
    /* Then: a body of one log with an attribute of this name, which is the letter X some times;
     * NULL if the protocol has neither. */
    void (*with_name)(struct buffer *body, struct slice name);
    /* A log that passes a limit is left out and counted, and refuses no other. */
    bool leaves_out;
};

/* Runs the suite for each case; the result of main. */
int format_conformance(const struct format_case *cases, size_t n);

#endif
