/*
 * Where and why a text is not JSON, in the words of Python's json module (which FastAPI passes on).
 */
#ifndef LOGMILL_JSON_ERROR_H
#define LOGMILL_JSON_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* Why a text is not JSON. */
struct json_error {
    const char *message; /* "Expecting value", "Extra data", …; static */
    size_t position;     /* in Unicode characters from the start, as Python counts */
};

/*
 * Finds the first error of `text` as Python's json.loads would report it, strictly: NaN and
 * Infinity, lone surrogates, invalid UTF-8 and nesting deeper than `max_depth` are errors here, and
 * so is a byte order mark. Recurses once a level of nesting.
 * For texts that yyjson has refused (a cold path). Returns true and fills `*error`, or false if
 * the text is JSON after all.
 */
bool json_find_error(struct slice text, size_t max_depth, struct json_error *error);

/* The same for a text that yyjson has refused, with other words if it is JSON after all. */
void json_explain(struct slice text, size_t max_depth, struct json_error *error);

#endif
