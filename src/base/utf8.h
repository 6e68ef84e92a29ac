/* Texts in UTF-8 (RFC 3629), and what is not. */
#ifndef LOGMILL_BASE_UTF8_H
#define LOGMILL_BASE_UTF8_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/slice.h"

/* True where `s` is valid UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). */
bool utf8_valid(struct slice s);

/* The bytes of `s` before the first that is not valid UTF-8; s.len where all are. */
size_t utf8_valid_prefix(struct slice s);

/* Appends `s` (any bytes) with U+FFFD for what is not UTF-8 in it, as Python's "replace" has it. */
void utf8_append_repaired(struct buffer *b, struct slice s);

#endif
