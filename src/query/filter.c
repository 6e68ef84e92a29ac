#include "query/filter.h"

#include "base/timestamp.h"

void log_filter_init(struct log_filter *f)
{
    *f = (struct log_filter){.since_us = TIMESTAMP_MIN_US, .until_us = INT64_MAX};
}

static void narrow(struct log_filter *f, const struct query_node *node)
{
    if (node->kind != QUERY_TEST || node->field != QUERY_TIMESTAMP || node->test != QUERY_RANGE)
        return;

    /* Behind the last time there is nothing: no bound is to be there, others have to write it. */
    int64_t low_us = node->low_us < TIMESTAMP_MAX_US ? node->low_us : TIMESTAMP_MAX_US;

    if (low_us > f->since_us)
        f->since_us = low_us;
    if (node->high_us < f->until_us && node->high_us <= TIMESTAMP_MAX_US)
        f->until_us = node->high_us;
}

void log_filter_narrow(struct log_filter *f)
{
    const struct query *q = f->query;

    if (!q)
        return;
    narrow(f, &q->nodes[0]);
    if (q->nodes[0].kind == QUERY_AND)
        for (uint32_t k = 1; k < q->len; k = q->nodes[k].end)
            narrow(f, &q->nodes[k]);
}

/* ---- As one tree ---- */

static void add_test(struct query_builder *b, const struct query_node *test, bool excludes)
{
    if (excludes)
        query_builder_open(b, QUERY_NOT);
    query_builder_test(b, test);
    if (excludes)
        query_builder_close(b);
}

static void add_levels(struct query_builder *b, const struct slice *levels, size_t n)
{
    query_builder_open(b, QUERY_OR);
    for (size_t i = 0; i < n; i++)
        query_builder_test(
            b, &(struct query_node){.field = QUERY_LEVEL, .test = QUERY_EQUALS, .text = levels[i]});
    query_builder_close(b);
}

static void add_message(struct query_builder *b, struct slice text, bool excludes)
{
    if (text.len > 0)
        add_test(b, &(struct query_node){.field = QUERY_MESSAGE, .test = QUERY_HOLDS, .text = text},
                 excludes);
}

static void add_attribute(struct query_builder *b, const struct log_attribute_filter *a)
{
    add_test(b,
             &(struct query_node){
                 .field = QUERY_ATTRIBUTE, .test = QUERY_EQUALS, .path = a->name, .text = a->value},
             a->excludes);
}

/* That one, and all values of its name that come after it; nothing, if it is one of those. */
static void add_values(struct query_builder *b, const struct log_filter *f, size_t i)
{
    const struct log_attribute_filter *first = &f->attributes[i];

    for (size_t k = 0; k < i; k++)
        if (!f->attributes[k].excludes && slice_equal(f->attributes[k].name, first->name))
            return;
    query_builder_open(b, QUERY_OR);
    for (size_t k = i; k < f->attributes_len; k++)
        if (!f->attributes[k].excludes && slice_equal(f->attributes[k].name, first->name))
            add_attribute(b, &f->attributes[k]);
    query_builder_close(b);
}

static void add_all(struct query_builder *b, const struct log_filter *f)
{
    add_levels(b, f->levels, f->levels_len);
    query_builder_open(b, QUERY_NOT);
    add_levels(b, f->excluded_levels, f->excluded_levels_len);
    query_builder_close(b);
    add_message(b, f->text, false);
    add_message(b, f->excluded_text, true);
    for (size_t i = 0; i < f->attributes_len; i++) {
        if (f->attributes[i].excludes)
            add_attribute(b, &f->attributes[i]);
        else
            add_values(b, f, i);
    }
    if (f->query)
        query_builder_add(b, f->query);
}

int log_filter_join(struct log_filter *f)
{
    struct query_builder b;
    struct query *joined;

    query_builder_init(&b);
    query_builder_open(&b, QUERY_AND);
    add_all(&b, f);
    query_builder_close(&b);

    int error = query_builder_finish(&b, &joined);

    if (error)
        return error;
    query_unref(f->query);
    *f = (struct log_filter){.since_us = f->since_us, .until_us = f->until_us, .query = joined};
    return 0;
}

bool log_filter_has_predicates(const struct log_filter *f)
{
    return f->levels_len > 0 || f->excluded_levels_len > 0 || f->text.len > 0 ||
           f->excluded_text.len > 0 || f->attributes_len > 0 || f->query;
}
