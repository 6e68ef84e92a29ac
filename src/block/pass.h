/* Which texts of a column pass a test (query/tree.h). Internal to block/. */
#ifndef LOGMILL_BLOCK_PASS_H
#define LOGMILL_BLOCK_PASS_H

#include "block/asked.h"
#include "block/equal.h"

struct pass_column {
    const struct column *column;
    enum block_json json;
    const uint64_t *asked; /* places (row_set.h) that are asked about; NULL: all */
};

/*
 * Adds the places of those that do to `places`; but adds none if all do. Others than those that are
 * asked about may be among them. A regular expression runs on texts of those alone: what it costs,
 * and that it takes too long, tells of no others (query_builder_guard). `*by_template` (NULL: not
 * wanted) is set if there is none because of templates' pieces alone. 0, LM_EIO, LM_ENOMEM;
 * LM_ETOOBIG: a regular expression takes too long.
 */
int pass_column(struct block_reader *r, const struct asked_test *t, const struct pass_column *c,
                uint64_t *places, enum equal_found *found, bool *by_template,
                struct errbuf *err) LM_MUST_CHECK;

#endif
