/*
 * Decompression of snappy's block format (google/snappy, format_description.txt): the length of the
 * original, then literals and copies of what is before them.
 */
#ifndef LOGMILL_FORMATS_SNAPPY_H
#define LOGMILL_FORMATS_SNAPPY_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/slice.h"

/*
 * Appends the original of `block` to `out`, which is empty, for no more than it says its length is,
 * and no more than `out` has a ceiling for: memory is taken once its length can be true. Returns 0;
 * LM_EINVAL if it is no block; or the error of the buffer: LM_ETOOBIG, LM_ENOMEM or LM_EBUSY.
 */
int snappy_decompress(struct slice block, struct buffer *out) LM_MUST_CHECK;

#endif
