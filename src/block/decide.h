/* Which rows of a block a query's tree takes. Internal to block/. */
#ifndef LOGMILL_BLOCK_DECIDE_H
#define LOGMILL_BLOCK_DECIDE_H

#include "block/asked.h"
#include "block/reader.h"

struct decide_why {
    bool by_dictionary; /* no row is left because of columns of attributes, … */
    bool by_template;   /* … or of the templates of messages */
};

/*
 * Leaves of `rows` those that match or may; sets `maybe` to those of them of which only the plain
 * matcher knows. Both have a bit for each row of the block. 0, LM_EIO, LM_ENOMEM; LM_ETOOBIG: a
 * regular expression takes too long.
 */
int decide_rows(struct block_reader *r, const struct asked *a, uint64_t *rows, uint64_t *maybe,
                struct decide_why *why, struct errbuf *err) LM_MUST_CHECK;

#endif
