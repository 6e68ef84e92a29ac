/* A log that is nested as deep as a test wants it. */
#ifndef LOGMILL_TESTS_DEEP_LOG_H
#define LOGMILL_TESTS_DEEP_LOG_H

#include "base/buffer.h"

/*
 * Writes to `b`, which is cleared, a log whose attribute "a" has `depth` - 1 levels, with `before`
 * and `after` around it. The text lives until `b` is next changed.
 */
struct slice deep_log(struct buffer *b, const char *before, size_t depth, const char *after);

#endif
