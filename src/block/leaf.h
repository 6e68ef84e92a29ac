/* One test of a query (query/tree.h), asked of one block. Internal to block/. */
#ifndef LOGMILL_BLOCK_LEAF_H
#define LOGMILL_BLOCK_LEAF_H

#include "block/asked.h"
#include "block/reader.h"

struct leaf_answer {
    uint64_t *yes;    /* rows that pass */
    uint64_t *maybe;  /* rows of which only the plain matcher knows */
    bool by_template; /* none passes because of templates' pieces alone */
};

/*
 * Adds to `a` what the block says of the rows `asked`; others may be in it, too, and rows that
 * pass may be among those that may. 0, LM_EIO, LM_ENOMEM; LM_ETOOBIG: a regular expression takes
 * too long.
 */
int leaf_ask(struct block_reader *r, const struct asked_test *t, const uint64_t *asked,
             struct leaf_answer *a, struct errbuf *err) LM_MUST_CHECK;

#endif
