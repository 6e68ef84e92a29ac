/* Writing JSON text straight into a buffer, and values of yyjson. */
#ifndef LOGMILL_JSON_WRITER_H
#define LOGMILL_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include <yyjson.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "base/utf8.h"

/*
 * How yyjson allocates what is as large as an input: NULL, by itself. In builds with faults, so
 * that it can fail.
 */
#ifdef LOGMILL_FAULTS
const yyjson_alc *json_alc(void);
#else
static inline const yyjson_alc *json_alc(void)
{
    return NULL;
}
#endif

/*
 * Appends `s` (valid UTF-8) as a JSON string with its quotes. Control characters, quote and
 * backslash are escaped, all else is copied; DEL, U+FFFE and U+FFFF, which Amazon SQS does not take
 * in a message, are escaped too, so that the text of a batch can travel anywhere.
 */
void json_append_string(struct buffer *b, struct slice s);

/* Appends a finite number with as few digits as tell it from all others. */
void json_append_double(struct buffer *b, double number);

/*
 * Appends `value` in compact form. Numbers read with YYJSON_READ_NUMBER_AS_RAW keep their digits.
 * Of several members of one object with the same name only the last is written (as Python reads).
 */
void json_append_value(struct buffer *b, yyjson_val *value);

/* Values nested deeper than this are not written: the buffer's error becomes LM_ETOOBIG. */
enum { JSON_APPEND_MAX_DEPTH = 512 };

/*
 * Appends an object of the members that `keys` name (keys of immutable objects, each with its
 * value), by the same rules, but nested max_depth deep at most, the object being the first level.
 * Sets those of `keys` that are not written to NULL. Returns whether `is_odd` (may be NULL), which
 * is shown each number read with YYJSON_READ_NUMBER_AS_RAW, said so of one.
 */
bool json_append_members(struct buffer *b, yyjson_val **keys, size_t n, size_t max_depth,
                         bool (*is_odd)(struct slice number));

/*
 * True if objects and arrays are nested in each other more than `max_depth` levels, `value`
 * itself being the first. Recursive, up to max_depth.
 */
bool json_deeper_than(yyjson_val *value, size_t max_depth);

/* The characters of a string or the digits of a raw number; empty if `value` is neither. */
static inline struct slice json_text(yyjson_val *value)
{
    const char *text = yyjson_is_raw(value) ? yyjson_get_raw(value) : yyjson_get_str(value);

    return (struct slice){text, text ? yyjson_get_len(value) : 0};
}

#endif
