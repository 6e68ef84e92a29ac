/*
 * A tree made ready to be matched: its tests in the order in which they are asked, each with what
 * comes after it if it is true, and if not. So no log costs a walk through the tree, and what is
 * cheap to ask is asked first. Immutable; any thread. Internal to query/.
 */
#ifndef LOGMILL_QUERY_COMPILED_H
#define LOGMILL_QUERY_COMPILED_H

#include "base/errbuf.h"
#include "query/subject.h"
#include "query/tree.h"

struct query_compiled;

/* `q` outlives it. Returns 0, LM_ENOMEM, or LM_EINVAL: a regular expression of it is none. */
int query_compiled_new(const struct query *q, struct query_compiled **c) LM_MUST_CHECK;
void query_compiled_free(struct query_compiled *c); /* NULL does nothing */

/* As log_matcher_match_subject. */
int query_compiled_match(const struct query_compiled *c, struct log_subject *s, bool *matches,
                         uint64_t *steps, struct errbuf *err) LM_MUST_CHECK;

#endif
