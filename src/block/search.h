/*
 * Which texts of a column hold a needle, without case. Where the texts are templates, most is
 * decided by their pieces: a slot of digits can hold little. Internal to block/.
 */
#ifndef LOGMILL_BLOCK_SEARCH_H
#define LOGMILL_BLOCK_SEARCH_H

#include "base/text_needle.h"
#include "block/internal.h"

/* Never changes, any thread. */
struct search_needle {
    struct text_needle needle;
    struct text_needle anchor; /* its longest run of what is in no number (SLOT_NUMBER) */
    uint64_t number, power;    /* if it is of digits: what they are, and 10 to how many; else 0 */
};

/* `folded` (text_fold) is the caller's, and outlives it. */
void search_needle_init(struct search_needle *n, struct slice folded);

/*
 * Leaves of `places` those whose text has the needle; or has not, if `excludes`. `*by_template` is
 * set if none is left because of templates' pieces alone. 0, LM_EIO, LM_ENOMEM.
 */
int search_column(struct block_reader *r, const struct column *c, const struct search_needle *n,
                  bool excludes, uint64_t *places, bool *by_template,
                  struct errbuf *err) LM_MUST_CHECK;

#endif
