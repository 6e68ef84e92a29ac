/*
 * What messages have in common: numbers, ids, times and addresses in them become `<*>`, as
 * query/split.h finds them, and those with one of . , : - / + T between them become one. A pattern
 * follows from its message alone, whatever others there are and whichever store has it, so counts
 * of it can be added. Any thread.
 */
#ifndef LOGMILL_QUERY_PATTERN_H
#define LOGMILL_QUERY_PATTERN_H

#include <stdbool.h>

#include "base/buffer.h"
#include "query/batch.h"

/*
 * Appends the pattern of `message`, which is UTF-8: of a long one the first
 * LOG_PATTERN_BYTES_MAX bytes or less, and `…`. In time linear in what it looks at, which is a run
 * of letters and digits more than that at most.
 */
void pattern_append(struct buffer *b, struct slice message);

enum { PATTERN_PIECES_MAX = 4 };

/* Whether it is the pattern of `message`. */
bool pattern_is_of(struct slice pattern, struct slice message);

/* Texts, not empty, that all messages of the pattern hold, the longest of those that there are.
 * They are parts of it. Returns how many. */
size_t pattern_pieces(struct slice pattern, struct slice pieces[PATTERN_PIECES_MAX]);

#endif
