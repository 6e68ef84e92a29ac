/* Where in a text something is wrong, for who reads a terminal or an answer. */
#ifndef LOGMILL_BASE_CARET_H
#define LOGMILL_BASE_CARET_H

#include "base/buffer.h"
#include "base/slice.h"

/*
 * Appends at most about `max` bytes of `text`, made visible (base/visible.h), those around its byte
 * `offset` (<= text.len); then, in a line of their own, carets below the `len` bytes from there
 * on: one ^, and a ~ for each further character of what is shown. Both lines are indented by two,
 * the first by the caller:
 *
 *     status:>=x50
 *            ^~~~~
 */
void caret_append(struct buffer *b, struct slice text, size_t offset, size_t len, size_t max);

#endif
