/*
 * A few logs one after the other, as bytes: the form in which logs are kept until there are enough
 * of them for a block. Both ends are here. In any order of keys.
 */
#ifndef LOGMILL_BLOCK_RAW_H
#define LOGMILL_BLOCK_RAW_H

#include "base/buffer.h"
#include "base/errbuf.h"
#include "block/block.h"

/* Appends one log; a failed buffer stays failed (buffer_error). */
void block_raw_append(struct buffer *b, const struct block_row *row);

/*
 * Takes the next log off the start of `*rest`; its texts are views of it. Returns 0, LM_ENOTFOUND
 * if `*rest` is empty, or LM_EIO if it is damaged.
 */
int block_raw_next(struct slice *rest, struct block_row *row, struct errbuf *err) LM_MUST_CHECK;

#endif
