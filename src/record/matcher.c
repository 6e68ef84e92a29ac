#include "record/matcher.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/xalloc.h"

struct log_matcher {
    atomic_uint references;
    struct log_filter filter; /* its slices point into `texts` */
    char texts[];
};

/* ---- Life ---- */

typedef void text_fn(struct slice *text, void *ctx);

static void for_each_text(struct log_filter *f, text_fn *fn, void *ctx)
{
    for (size_t i = 0; i < f->levels_len; i++)
        fn(&f->levels[i], ctx);
    for (size_t i = 0; i < f->excluded_levels_len; i++)
        fn(&f->excluded_levels[i], ctx);
    fn(&f->text, ctx);
    fn(&f->excluded_text, ctx);
    for (size_t i = 0; i < f->attributes_len; i++) {
        fn(&f->attributes[i].name, ctx);
        fn(&f->attributes[i].value, ctx);
    }
}

static void add_length(struct slice *text, void *ctx)
{
    *(size_t *)ctx += text->len;
}

/* `ctx`: a char *, where the text goes; moved past it. */
static void move_text(struct slice *text, void *ctx)
{
    char **to = ctx;

    if (text->len)
        memcpy(*to, text->data, text->len);
    text->data = *to;
    *to += text->len;
}

struct log_matcher *log_matcher_new(const struct log_filter *f)
{
    struct log_filter copy = *f;
    size_t len = 0;

    for_each_text(&copy, add_length, &len);
    struct log_matcher *m = try_malloc(sizeof(*m) + len);
    if (!m)
        return NULL;
    char *to = m->texts;
    for_each_text(&copy, move_text, (void *)&to);
    m->filter = copy;
    atomic_init(&m->references, 1);
    return m;
}

void log_matcher_ref(struct log_matcher *m)
{
    atomic_fetch_add_explicit(&m->references, 1, memory_order_relaxed);
}

void log_matcher_unref(struct log_matcher *m)
{
    if (m && atomic_fetch_sub_explicit(&m->references, 1, memory_order_acq_rel) == 1)
        free(m);
}

const struct log_filter *log_matcher_filter(const struct log_matcher *m)
{
    return &m->filter;
}

bool log_matcher_has_predicates(const struct log_matcher *m)
{
    return log_filter_has_predicates(&m->filter);
}

/* ---- Equality ---- */

static bool levels_equal(const struct slice *a, size_t a_len, const struct slice *b, size_t b_len)
{
    for (size_t i = 0; i < a_len && i < b_len; i++)
        if (!slice_equal(a[i], b[i]))
            return false;
    return a_len == b_len;
}

static bool attributes_equal(const struct log_filter *a, const struct log_filter *b)
{
    for (size_t i = 0; i < a->attributes_len && i < b->attributes_len; i++) {
        const struct log_attribute_filter *p = &a->attributes[i];
        const struct log_attribute_filter *q = &b->attributes[i];

        if (!slice_equal(p->name, q->name) || !slice_equal(p->value, q->value) ||
            p->excludes != q->excludes)
            return false;
    }
    return a->attributes_len == b->attributes_len;
}

bool log_matcher_equal(const struct log_matcher *a, const struct log_matcher *b)
{
    const struct log_filter *f = &a->filter;
    const struct log_filter *g = &b->filter;

    return f->since_us == g->since_us && f->until_us == g->until_us &&
           slice_equal(f->text, g->text) && slice_equal(f->excluded_text, g->excluded_text) &&
           levels_equal(f->levels, f->levels_len, g->levels, g->levels_len) &&
           levels_equal(f->excluded_levels, f->excluded_levels_len, g->excluded_levels,
                        g->excluded_levels_len) &&
           attributes_equal(f, g);
}

/* ---- Matching ---- */

int log_matcher_match(const struct log_matcher *m, const struct record *r, bool *matches)
{
    return log_filter_try_match(&m->filter, r, matches);
}
