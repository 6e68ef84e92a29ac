/* Trees of all that a query can ask, by chance, with texts that are hard to write. */
#ifndef LOGMILL_TESTS_UNIT_AWKWARD_QUERY_H
#define LOGMILL_TESTS_UNIT_AWKWARD_QUERY_H

#include <stdint.h>

#include "query/tree.h"

/* With one reference, or NULL: every log. `*state`, any number, says which, and moves on. */
struct query *awkward_query(uint64_t *state);

#endif
