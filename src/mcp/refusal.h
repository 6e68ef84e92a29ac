/* What a read is refused for, in words for who asked: a mistake in a query has a caret below it. */
#ifndef LOGMILL_MCP_REFUSAL_H
#define LOGMILL_MCP_REFUSAL_H

#include "base/buffer.h"
#include "base/slice.h"

enum { REFUSAL_SHOWN_MAX = 120 /* bytes of a query that are shown around a mistake */ };

/* Appends what the answer `body` with `status`, which is no 200, says. */
void refusal_append(struct buffer *b, unsigned status, struct slice body);

#endif
