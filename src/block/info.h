/* What is told of the columns of a block. */
#ifndef LOGMILL_BLOCK_INFO_H
#define LOGMILL_BLOCK_INFO_H

#include <stddef.h>

#include "base/slice.h"

/* Where a block's bytes go, for `logmill store info`. */
struct block_column_info {
    struct slice name; /* "timestamp", "id", "level", "message", …, or "attributes.PATH" */
    struct slice kind; /* how it is kept: "dictionary", "decimal", … */
    size_t bytes;      /* in the block; of what it shares with others, its part */
    size_t raw_bytes;  /* of the values as text; 0: not measured, or they were not sent */
};

typedef void block_column_fn(const struct block_column_info *column, void *ctx);

#endif
