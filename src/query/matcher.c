#include "query/matcher.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/text_needle.h"
#include "base/xalloc.h"
#include "query/compiled.h"
#include "json/writer.h"

/* What is cheap to look for in the text of attributes before they are parsed. */
struct attribute_hints {
    bool name_spelled_one_way;
    bool value_spelled_one_way;
};

struct log_matcher {
    atomic_uint references;
    struct log_filter filter; /* its slices point into `texts` */
    struct log_filter folded; /* the same, of levels and texts folded, which it points to as well */
    struct text_needle needle;
    struct text_needle excluded_needle;
    struct attribute_hints hints[FILTER_ATTRIBUTES_MAX];
    struct query_compiled *compiled; /* NULL: there is no tree */
    char texts[];
};

/* ---- Life ---- */

typedef void text_fn(struct slice *text, void *ctx);

/* The texts that are compared without case. */
static void for_each_folded(struct log_filter *f, text_fn *fn, void *ctx)
{
    for (size_t i = 0; i < f->levels_len; i++)
        fn(&f->levels[i], ctx);
    for (size_t i = 0; i < f->excluded_levels_len; i++)
        fn(&f->excluded_levels[i], ctx);
    fn(&f->text, ctx);
    fn(&f->excluded_text, ctx);
}

static void for_each_text(struct log_filter *f, text_fn *fn, void *ctx)
{
    for_each_folded(f, fn, ctx);
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

static void fold_text(struct slice *text, void *ctx)
{
    char **to = ctx;
    size_t len = text_fold(*text, *to);

    *text = slice_of(*to, len);
    *to += len;
}

/* False if JSON text may spell some of `s` in another way than by itself. */
static bool is_spelled_one_way(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '/')
            return false;
    }
    return true;
}

struct log_matcher *log_matcher_new(const struct log_filter *f)
{
    struct log_filter copy = *f;
    size_t len = 0;
    size_t folded_len = 0;

    for_each_text(&copy, add_length, &len);
    for_each_folded(&copy, add_length, &folded_len);
    struct log_matcher *m = try_malloc(sizeof(*m) + len + TEXT_FOLD_GROWTH * folded_len);
    if (!m)
        return NULL;

    char *to = m->texts;
    for_each_text(&copy, move_text, (void *)&to);
    m->filter = copy;
    m->filter.query = query_ref(f->query);
    m->compiled = NULL;
    if (f->query && query_compiled_new(f->query, &m->compiled)) {
        query_unref(m->filter.query);
        free(m);
        return NULL;
    }
    for_each_folded(&copy, fold_text, (void *)&to);
    m->folded = copy;
    text_needle_init(&m->needle, m->folded.text);
    text_needle_init(&m->excluded_needle, m->folded.excluded_text);
    for (size_t i = 0; i < f->attributes_len; i++)
        m->hints[i] = (struct attribute_hints){is_spelled_one_way(f->attributes[i].name),
                                               is_spelled_one_way(f->attributes[i].value)};
    atomic_init(&m->references, 1);
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
           attributes_equal(f, g) && query_equal(f->query, g->query);
}

/* ---- Matching: each returns 0 with `*matches` set, or LM_ENOMEM ---- */

static bool is_among(struct slice level, const struct slice *levels, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_equal(levels[i], level))
            return true;
    return false;
}

static int match_level(const struct log_matcher *m, struct log_subject *s, bool *matches,
                       uint64_t *steps)
{
    const struct log_filter *f = &m->folded;

    *matches = true;
    if (f->levels_len == 0 && f->excluded_levels_len == 0)
        return 0;
    if (log_subject_need_level(s))
        return LM_ENOMEM;
    *steps += f->levels_len + f->excluded_levels_len;
    *matches = (f->levels_len == 0 || is_among(s->level, f->levels, f->levels_len)) &&
               !is_among(s->level, f->excluded_levels, f->excluded_levels_len);
    return 0;
}

static int match_text(const struct log_matcher *m, struct log_subject *s, bool *matches,
                      uint64_t *steps)
{
    bool excludes = m->folded.excluded_text.len > 0;

    *matches = true;
    if (m->folded.text.len == 0 && !excludes)
        return 0;
    if (log_subject_need_message(s))
        return LM_ENOMEM;
    *matches = text_needle_is_in(&m->needle, s->message, steps) &&
               !(excludes && text_needle_is_in(&m->excluded_needle, s->message, steps));
    return 0;
}

/* True if `value`, a scalar, has the text `text`. */
static bool scalar_has_text(yyjson_val *value, struct slice text)
{
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_STR:
    case YYJSON_TYPE_RAW:
        return slice_equal(json_text(value), text);
    case YYJSON_TYPE_BOOL:
        return slice_equal(slice_of_string(yyjson_get_bool(value) ? "true" : "false"), text);
    case YYJSON_TYPE_NULL:
        return slice_equal(SLICE_LITERAL("null"), text);
    default:
        return false;
    }
}

/* False if the JSON text `json` cannot hold `s`. */
static bool may_hold(struct slice json, struct slice s, bool spelled_one_way)
{
    return !spelled_one_way || s.len == 0 ||
           (json.len > 0 && memmem(json.data, json.len, s.data, s.len));
}

/* False if the text of the attributes shows that they do not match, which saves parsing them. */
static bool attributes_may_match(const struct log_matcher *m, struct slice json, uint64_t *steps)
{
    for (size_t i = 0; i < m->filter.attributes_len; i++) {
        const struct log_attribute_filter *wanted = &m->filter.attributes[i];

        if (wanted->excludes)
            continue;
        *steps += json.len / 4;
        if (json.len == 0 || !may_hold(json, wanted->name, m->hints[i].name_spelled_one_way) ||
            !may_hold(json, wanted->value, m->hints[i].value_spelled_one_way))
            return false;
    }
    return true;
}

static bool object_matches(const struct log_filter *f, yyjson_val *object)
{
    for (size_t i = 0; i < f->attributes_len; i++) {
        const struct log_attribute_filter *wanted = &f->attributes[i];
        yyjson_val *value = yyjson_obj_getn(object, wanted->name.data, wanted->name.len);
        bool equals = value && scalar_has_text(value, wanted->value);

        if (equals == wanted->excludes)
            return false;
    }
    return true;
}

static int match_attributes(const struct log_matcher *m, struct log_subject *s, bool *matches,
                            uint64_t *steps)
{
    *matches = true;
    if (m->filter.attributes_len == 0)
        return 0;
    if (!s->has_attributes) {
        *matches = attributes_may_match(m, s->record->attributes, steps);
        if (!*matches || s->record->attributes.len == 0)
            return 0;
        if (log_subject_need_attributes(s))
            return LM_ENOMEM;
    }
    yyjson_val *object = log_subject_attributes(s);
    *steps += yyjson_obj_size(object) * m->filter.attributes_len;
    *matches = object_matches(&m->filter, object);
    return 0;
}

int log_matcher_match_subject(const struct log_matcher *m, struct log_subject *s, bool *matches,
                              uint64_t *steps, struct errbuf *err)
{
    int error = match_level(m, s, matches, steps);

    if (!error && *matches)
        error = match_text(m, s, matches, steps);
    if (!error && *matches)
        error = match_attributes(m, s, matches, steps);
    if (error)
        return errbuf_fail(err, error, "no memory to match a log");
    return *matches && m->compiled ? query_compiled_match(m->compiled, s, matches, steps, err) : 0;
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
