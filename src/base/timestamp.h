/*
 * Points in time as microseconds since 1970-01-01T00:00:00Z (negative before), from year 1 to 9999,
 * and their text. Parsing accepts what pydantic v2 accepts for a `datetime` in its default (lax)
 * mode and explains a refusal in its words
 * (https://docs.pydantic.dev/latest/errors/validation_errors/); a time without a zone is UTC.
 */
#ifndef LOGMILL_BASE_TIMESTAMP_H
#define LOGMILL_BASE_TIMESTAMP_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/errbuf.h"
#include "base/slice.h"

#define TIMESTAMP_MIN_US INT64_C(-62135596800000000) /* 0001-01-01T00:00:00Z */
#define TIMESTAMP_MAX_US INT64_C(253402300799999999) /* 9999-12-31T23:59:59.999999Z */

/* "2026-11-25T01:02:03.000004Z" */
enum { TIMESTAMP_TEXT_LEN = 27 };

/* What was wrong with a timestamp: pydantic's error type and the text for its ctx["error"]. */
struct timestamp_error {
    const char *type; /* "datetime_from_date_parsing", "datetime_parsing", …; static */
    char reason[96];  /* "input is too short"; empty if the type has no ctx */
};

/*
 * Parses the text of a JSON string (or of a query parameter) into `*us`.
 * Returns 0, or LM_EINVAL with *error filled. `error` may not be NULL.
 */
int timestamp_parse_text(struct slice text, int64_t *us,
                         struct timestamp_error *error) LM_MUST_CHECK;

/*
 * The same for a JSON number, given as its JSON text ("1700000000", "1.7e9"): Unix seconds, or
 * milliseconds if its magnitude is above 2e10.
 */
int timestamp_parse_number(struct slice text, int64_t *us,
                           struct timestamp_error *error) LM_MUST_CHECK;

/* Writes `us` as RFC 3339 with microseconds and Z: TIMESTAMP_TEXT_LEN bytes, not terminated. */
void timestamp_format(int64_t us, char out[TIMESTAMP_TEXT_LEN]);

/* Appends the same to `b`, without quotes. */
void timestamp_append(struct buffer *b, int64_t us);

#endif
