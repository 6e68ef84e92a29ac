/* Which texts of a column are equal to a text, byte by byte. Internal to block/. */
#ifndef LOGMILL_BLOCK_EQUAL_H
#define LOGMILL_BLOCK_EQUAL_H

#include "block/internal.h"

enum equal_found { EQUAL_NONE, EQUAL_SOME, EQUAL_ALL };

/*
 * Adds the places of those that are to `places` (row_set.h); but adds none if all are. 0, LM_EIO,
 * LM_ENOMEM.
 */
int equal_column(struct block_reader *r, const struct column *c, struct slice text,
                 uint64_t *places, enum equal_found *found, struct errbuf *err) LM_MUST_CHECK;

#endif
