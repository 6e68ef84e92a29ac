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

/* Bytes that text_fold may write for each byte of a text. */
enum { TEXT_FOLD_GROWTH = 2 };

/* Appends the lower-case mapping of `s` to `b`. */
void text_append_lower(struct buffer *b, struct slice s);

/*
 * Folds `s` into `out`, which has room for TEXT_FOLD_GROWTH * s.len bytes, and returns the length.
 * Two texts are equal without case exactly if the bytes of their folded forms are equal, and one
 * is a part of another exactly if its folded bytes are. (The folded form of UTF-8 is its
 * lower-case mapping; of a byte that is not UTF-8, two bytes that no UTF-8 has.)
 */
size_t text_fold(struct slice s, char *out);

/* True if `a` and `b` are equal without case. */
bool text_equal_nocase(struct slice a, struct slice b);

#endif
