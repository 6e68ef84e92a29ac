/*
 * Regular expressions in bounded time: PCRE2 (pcre2pattern(3)) in UTF mode, with limits on what one
 * text may cost. \d, \w, \s and \b mean ASCII, unless it begins with (*UCP). Case counts, unless
 * the expression says (?i). Compiled once, used by any thread.
 */
#ifndef LOGMILL_QUERY_REGEX_H
#define LOGMILL_QUERY_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errbuf.h"
#include "base/slice.h"
#include "query/regex_literals.h"

enum {
    /*
     * Bytes of what an expression is compiled to, in both forms that it has (regex.c); and of the
     * first, from which machine code is made, which takes some 2 µs a byte: larger ones are run
     * without. So making one takes a millisecond at most.
     */
    REGEX_COMPILED_MAX = 64 * 1024,
    REGEX_JIT_MAX = 512,

    /* Nanoseconds that it may take on a text, with so many for each byte of it, and at most. */
    REGEX_TEXT_NS = 20000000,
    REGEX_BYTE_NS = 200,
    REGEX_TEXT_NS_MAX = 2000000000,

    /* The same of a text on an average of all, after the first REGEX_GRACE_NS. */
    REGEX_MEAN_NS = 20000,
    REGEX_MEAN_BYTE_NS = 50,
    REGEX_GRACE_NS = 500000000,
};

struct regex;

/*
 * `*r`, or LM_EINVAL with what is wrong in `err`, and where in *offset (bytes); LM_ENOMEM. Of two
 * equal texts, both fail or none.
 */
int regex_new(struct slice text, struct regex **r, size_t *offset,
              struct errbuf *err) LM_MUST_CHECK;

/* The same without making one, which costs less. */
int regex_check(struct slice text, size_t *offset, struct errbuf *err) LM_MUST_CHECK;

void regex_free(struct regex *r); /* NULL does nothing */

/*
 * Whether it is found in `text`. (Where that is not UTF-8, nothing is found.) Returns 0; LM_ENOMEM;
 * or LM_ETOOBIG: it takes more than it may on this text, or on all of them; whoever asked is to be
 * told so, as nobody else is to pay. `*steps` (NULL: nobody counts) grows by about the nanoseconds
 * that it took.
 */
int regex_match(struct regex *r, struct slice text, bool *matches, uint64_t *steps) LM_MUST_CHECK;

/*
 * Texts that every text in which it is found holds, longest first, up to REGEX_LITERALS_MAX; 0:
 * none is known. If not `*with_case`, ASCII letters of them may have any case there; they have no
 * k and s then, for which there are letters beyond ASCII. They live as long as `r`.
 */
size_t regex_literals(const struct regex *r, const struct slice **literals, bool *with_case);

#endif
