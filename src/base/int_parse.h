/* Integers in text. */
#ifndef LOGMILL_BASE_INT_PARSE_H
#define LOGMILL_BASE_INT_PARSE_H

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

/*
 * Reads all of `text` (valid UTF-8) as pydantic v2 reads a text when it wants an integer: white
 * space around it, a plus sign, leading zeros, single underscores between digits and a fraction of
 * zeros do not matter (" +1_000.0 " is 1000). What is past int64_t becomes its nearest end.
 * Returns 0; LM_EINVAL if it is none (pydantic's "int_parsing"); LM_ETOOBIG if it has more
 * than 4300 digits ("int_parsing_size").
 */
int int_parse_lax(struct slice text, int64_t *value) LM_MUST_CHECK;

#endif
