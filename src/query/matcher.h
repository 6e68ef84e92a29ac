/*
 * A log_filter compiled, to be matched against many logs. It owns copies of all its texts, never
 * changes, and may be used by any thread. It lives until its last reference is given back.
 */
#ifndef LOGMILL_QUERY_MATCHER_H
#define LOGMILL_QUERY_MATCHER_H

#include <stdbool.h>

#include "base/errbuf.h"
#include "query/filter.h"
#include "query/subject.h"

struct log_matcher;

/*
 * With one reference. NULL: no memory, or it asks for more than one tree can have, or for a regular
 * expression that is none: who takes such from others has joined and compiled it before.
 */
struct log_matcher *log_matcher_new(const struct log_filter *f);

void log_matcher_ref(struct log_matcher *m);
void log_matcher_unref(struct log_matcher *m); /* NULL does nothing */

/* What it was made of, joined (log_filter_join): all but the time bounds is its tree. */
const struct log_filter *log_matcher_filter(const struct log_matcher *m);

/* True if anything besides the time bounds is asked for. */
bool log_matcher_has_predicates(const struct log_matcher *m);

/*
 * Whether `r` matches; the time bounds are the caller's business.
 * In time linear in the size of `r` (for regular expressions see query/regex.h). Returns 0 with
 * `*matches` set; LM_ENOMEM; or LM_ETOOBIG: a regular expression of the tree takes more than it may
 * on this log, and whoever asked is to be told. `err` says it.
 */
int log_matcher_match(const struct log_matcher *m, const struct record *r, bool *matches,
                      struct errbuf *err) LM_MUST_CHECK;

/*
 * The same for a log that is matched against several. `*steps` grows by the work done, in units of
 * about a nanosecond, but for what is made ready, which is once linear in the log.
 */
int log_matcher_match_subject(const struct log_matcher *m, struct log_subject *s, bool *matches,
                              uint64_t *steps, struct errbuf *err) LM_MUST_CHECK;

/* True if both were made of equal filters, time bounds and the order of predicates included. */
bool log_matcher_equal(const struct log_matcher *a, const struct log_matcher *b);

#endif
