/*
 * What a regular expression says in plain letters, without which nothing matches it: looked for
 * first, as that is cheap. It is read for what it surely says; where it is not plain, it says
 * nothing. Of query/regex.
 */
#ifndef LOGMILL_QUERY_REGEX_LITERALS_H
#define LOGMILL_QUERY_REGEX_LITERALS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum {
    REGEX_TEXT_MAX = 1000, /* bytes of an expression */
    REGEX_LITERALS_MAX = 4,
};

struct regex_literals {
    struct slice each[REGEX_LITERALS_MAX]; /* the longest first */
    size_t len;
    bool with_case;
    char texts[REGEX_TEXT_MAX];
};

/* `text` has been compiled, so it is right. `*l` is not to be moved. */
void regex_literals_find(struct slice text, struct regex_literals *l);

/* False if an expression with these is not found in `text`. */
bool regex_literals_may_be_in(const struct regex_literals *l, struct slice text);

#endif
