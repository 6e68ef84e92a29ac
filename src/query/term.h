/*
 * Terms of the query language: what a name stands for, and which test a value of it is.
 */
#ifndef LOGMILL_QUERY_TERM_H
#define LOGMILL_QUERY_TERM_H

#include "query/value.h"

enum term_bound { TERM_NO_BOUND, TERM_SINCE, TERM_UNTIL };

struct term_field {
    struct slice name; /* of an attribute: its path */
    enum query_field field;
    enum term_bound bound; /* of TIMESTAMP: all that a value can be */
    bool is_pattern;       /* of MESSAGE: what it has in common with others */
    const char *allowed;   /* as values */
};

/* What has no name before it. */
extern const struct term_field TERM_NAMELESS;

/* For messages: what a term can be. */
extern const char TERM_ALLOWED[];

/* What a name stands for, of which the first `plain` bytes are not in quotes. */
struct term_field term_field_of(struct slice name, size_t plain);

/* Adds the test that `v` is as a value of `f`. */
bool term_add(struct parser *p, const struct term_field *f, const struct value *v);

/* All that the names of the language are. */
bool term_is_ours(struct slice name);

#endif
