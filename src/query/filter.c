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
    if (node->low_us > f->since_us)
        f->since_us = node->low_us;
    if (node->high_us < f->until_us)
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

bool log_filter_has_predicates(const struct log_filter *f)
{
    return f->levels_len > 0 || f->excluded_levels_len > 0 || f->text.len > 0 ||
           f->excluded_text.len > 0 || f->attributes_len > 0 || f->query;
}
