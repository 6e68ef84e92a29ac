/*
 * The hashes by which the logs of a block are searched (words.h), gathered, each once. Internal to
 * block/.
 */
#ifndef LOGMILL_BLOCK_HASHES_H
#define LOGMILL_BLOCK_HASHES_H

#include "block/block.h"

struct block_hashes;

struct block_hashes *block_hashes_new(void);
void block_hashes_free(struct block_hashes *h); /* NULL does nothing */

/* Those of rows[0..n), in the place of what there was. Returns 0 or LM_ENOMEM. */
int block_hashes_gather(struct block_hashes *h, const struct block_row *rows,
                        size_t n) LM_MUST_CHECK;

void block_hashes_clear(struct block_hashes *h);

/* A view until the next gathering. */
void block_hashes_get(const struct block_hashes *h, const uint64_t **hashes, size_t *n);

#endif
