/*
 * A disk that gives back other bytes than were written: some of a block, of what is known of the
 * blocks of a segment, or of recent logs. Whatever is damaged costs its own logs and no others, no
 * answer is wrong, the damage is named, the keeper comes to an end, and expiry leaves nothing of
 * it.
 */
#ifndef LOGMILL_SIMULATION_DAMAGE_H
#define LOGMILL_SIMULATION_DAMAGE_H

#include "../unit/store/store_model.h"
#include "store/sqlite/sizes.h"

/*
 * Nobody has the store in `directory` open; it has the logs of `m`, and is of no use afterwards.
 * Counts in `*damages`. 0, or LM_EDATA with what was wrong in `err`, or another error.
 */
int damage_live(struct store_model *m, const char *directory,
                const struct store_sqlite_sizes *sizes, struct dice *dice, uint64_t *damages,
                struct errbuf *err) LM_MUST_CHECK;

#endif
