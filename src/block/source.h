/* Where a reader has a block from. */
#ifndef LOGMILL_BLOCK_SOURCE_H
#define LOGMILL_BLOCK_SOURCE_H

#include <stddef.h>

#include "base/errbuf.h"

/* Where a block's bytes come from. `read` fills `to` with `len` bytes from `offset` on, or fails.
 */
struct block_source {
    int (*read)(void *ctx, size_t offset, size_t len, char *to, struct errbuf *err);
    void *ctx;
    size_t len; /* of the block */
};

#endif
