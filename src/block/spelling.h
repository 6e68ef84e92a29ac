/*
 * JSON can spell a string in many ways; what we store is nearly always spelled as
 * json_append_string does, so that equal strings are equal bytes. The rest is told apart here.
 * Internal to block/.
 */
#ifndef LOGMILL_BLOCK_SPELLING_H
#define LOGMILL_BLOCK_SPELLING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/*
 * True if all escapes in the JSON string `s`, without its quotes, are those that
 * json_append_string writes. Whether all is escaped that it escapes is not looked at: U+007F,
 * U+FFFE and U+FFFF may be as they are.
 */
bool block_string_is_plain(struct slice s);

/* Writes the characters of such a string (of another: some) to `out`, which has room for s.len, and
 * returns how long they are. */
size_t block_string_read(struct slice s, char *out);

#endif
