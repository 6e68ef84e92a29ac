#include "query/matcher.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "query/compiled.h"

struct log_matcher {
    atomic_uint references;
    struct log_filter filter;        /* joined: its tree is all that is asked for */
    struct query_compiled *compiled; /* NULL: every log matches */
};

/* ---- Life ---- */

struct log_matcher *log_matcher_new(const struct log_filter *f)
{
    struct log_matcher *m = try_malloc(sizeof(*m));

    if (!m)
        return NULL;
    *m = (struct log_matcher){.filter = *f};
    atomic_init(&m->references, 1);
    query_ref(m->filter.query);
    if (log_filter_join(&m->filter) ||
        (m->filter.query && query_compiled_new(m->filter.query, &m->compiled))) {
        log_matcher_unref(m);
        return NULL;
    }
    return m;
}

void log_matcher_ref(struct log_matcher *m)
{
    atomic_fetch_add_explicit(&m->references, 1, memory_order_relaxed);
}

void log_matcher_unref(struct log_matcher *m)
{
    if (!m || atomic_fetch_sub_explicit(&m->references, 1, memory_order_acq_rel) > 1)
        return;
    query_compiled_free(m->compiled);
    query_unref(m->filter.query);
    free(m);
}

const struct log_filter *log_matcher_filter(const struct log_matcher *m)
{
    return &m->filter;
}

bool log_matcher_has_predicates(const struct log_matcher *m)
{
    return m->compiled;
}

bool log_matcher_equal(const struct log_matcher *a, const struct log_matcher *b)
{
    return a->filter.since_us == b->filter.since_us && a->filter.until_us == b->filter.until_us &&
           query_equal(a->filter.query, b->filter.query);
}

/* ---- Matching ---- */

int log_matcher_match_subject(const struct log_matcher *m, struct log_subject *s, bool *matches,
                              uint64_t *steps, struct errbuf *err)
{
    *matches = true;
    return m->compiled ? query_compiled_match(m->compiled, s, matches, steps, err) : 0;
}

int log_matcher_match(const struct log_matcher *m, const struct record *r, bool *matches,
                      struct errbuf *err)
{
    struct log_subject s; /* not its rooms, which are large */
    uint64_t steps = 0;

    log_subject_init(&s, r);
    int error = log_matcher_match_subject(m, &s, matches, &steps, err);
    log_subject_release(&s);
    return error;
}
