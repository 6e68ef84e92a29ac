/*
 * Comparing UTF-8 texts without case: by the Unicode simple lower-case mapping of the C library's
 * C.UTF-8 locale, character by character (so "ẞ" is "ß", but never "ss"). Thread-safe; only
 * text_append_lower allocates. Bytes that are not UTF-8 are equal to themselves only.
 */
#ifndef LOGMILL_BASE_TEXT_H
#define LOGMILL_BASE_TEXT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

/* Appends the lower-case mapping of `s` to `b`. */
void text_append_lower(struct buffer *b, struct slice s);

/* True where `a` and `b` are equal without case. */
bool text_equal_nocase(struct slice a, struct slice b);

/* True where `needle` is a part of `haystack` without case, which an empty one is of any. */
bool text_contains_nocase(struct slice haystack, struct slice needle);

#endif
