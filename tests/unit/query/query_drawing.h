/* Trees as texts that tell their insides, for tests to compare with. */
#ifndef LOGMILL_TESTS_UNIT_QUERY_DRAWING_H
#define LOGMILL_TESTS_UNIT_QUERY_DRAWING_H

#include "base/buffer.h"
#include "query/tree.h"

/* AND(message holds <a>, NOT(x exists)) and the like; "all" for NULL. Terminated. */
void query_draw(struct buffer *b, const struct query *q);

#endif
