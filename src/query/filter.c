#include "query/filter.h"

#include "base/timestamp.h"

void log_filter_init(struct log_filter *f)
{
    *f = (struct log_filter){.since_us = TIMESTAMP_MIN_US, .until_us = INT64_MAX};
}

bool log_filter_has_predicates(const struct log_filter *f)
{
    return f->levels_len > 0 || f->excluded_levels_len > 0 || f->text.len > 0 ||
           f->excluded_text.len > 0 || f->attributes_len > 0;
}
