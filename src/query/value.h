/*
 * Values of the query language, by their form alone: what they mean is said by the field
 * (query/term.h).
 */
#ifndef LOGMILL_QUERY_VALUE_H
#define LOGMILL_QUERY_VALUE_H

#include "query/parser.h"

enum value_form { VALUE_TEXT, VALUE_RANGE, VALUE_REGEX };

struct value_bound {
    struct slice text;   /* data NULL: none */
    struct slice source; /* where it stands */
    bool included;
};

struct value {
    enum value_form form;
    struct slice source;        /* where it stands */
    struct slice text;          /* of a text or a regular expression */
    bool any_before, any_after; /* a * that is not in quotes, at the ends of a text */
    struct value_bound low, high;
};

/*
 * Reads the next one. `nameless`: there is no name before it, so that > and the like are texts.
 * It has to be there.
 */
bool value_read(struct parser *p, bool nameless, struct value *v);

/* It is a * alone. */
bool value_is_all(const struct value *v);

#endif
