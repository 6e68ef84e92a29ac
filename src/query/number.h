/*
 * Numbers by value, exactly: as decimals, never as doubles, so that a matcher and PostgreSQL's
 * numeric give the same answer. Any thread.
 */
#ifndef LOGMILL_QUERY_NUMBER_H
#define LOGMILL_QUERY_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

/*
 * Of a string, which is a number to people only: agents send "500". Longer ones, and larger
 * exponents as they are written, are texts.
 */
enum { NUMBER_STRING_MAX = 64, NUMBER_STRING_EXPONENT_MAX = 400 };

/*
 * 0.DIGITS × 10^exponent, where DIGITS are those of `whole` and then those of `fraction`: the first
 * and the last of them are not 0. Zero has none, and no sign.
 */
struct number {
    bool negative;
    struct slice whole, fraction; /* parts of the text that was parsed: of before the point, and of
                                     after it */
    int64_t exponent;
};

/*
 * Reads all of `text` as a JSON number (RFC 8259, section 6). False: it is none, or has an exponent
 * of more than 18 digits, which no log can have (record/limits.h).
 */
bool number_parse(struct slice text, struct number *n);

/* The same within the limits of a string; blanks around it are not allowed. */
bool number_parse_string(struct slice text, struct number *n);

/* <0, 0, >0 as `a` is less than, equal to, or greater than `b`; linear in their digits. */
int number_compare(const struct number *a, const struct number *b);

/* Appends the one text of its value: 1.50, 15e-1 and 1.5 are 1.5; of very large and small ones with
 * an exponent, as 1e25. */
void number_append(struct buffer *b, const struct number *n);

/* The nearest double, for sums and sketches; ±infinity where it is beyond. */
double number_double(const struct number *n);

#endif
