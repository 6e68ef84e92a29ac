/*
 * What the head of a block tells of a scan's logs in it, so that the block need not be opened.
 */
#ifndef LOGMILL_STORE_SQLITE_HEADS_H
#define LOGMILL_STORE_SQLITE_HEADS_H

#include "store/sqlite/descent.h"

/*
 * Whether all logs of the block that `s` is near are asked for at once: it is not below `target`,
 * and none of them is outside the range or marked as erased. Fails as descent_begin.
 */
int heads_is_whole(struct descent *w, const struct source *s, const struct log_key *target,
                   const struct block_head *head, bool *is_whole) LM_MUST_CHECK;

/*
 * Whether the head of the block that `s` is near tells how many logs of each level match: it
 * is whole. `by_levels`: nothing but levels is asked for, of any block. Fails as descent_begin.
 */
int heads_can_tell(struct descent *w, const struct source *s, const struct log_key *target,
                   const struct block_head *head, bool by_levels, bool *can) LM_MUST_CHECK;

/* Whether the logs of the head's level match, where it tells. */
bool heads_take(const struct descent *w, const struct block_head *head, unsigned level);

/* The head of the block that `s` is near; it lives as long as those of catalog_heads. */
int heads_of(struct descent *w, const struct source *s,
             const struct block_head **head) LM_MUST_CHECK;

#endif
