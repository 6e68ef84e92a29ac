/*
 * Memory that is taken piece by piece and given back all at once, to be used again. Internal to
 * block/.
 */
#ifndef LOGMILL_BLOCK_ARENA_H
#define LOGMILL_BLOCK_ARENA_H

#include <stddef.h>

struct arena_chunk;

/* Zeroes is an arena. */
struct arena {
    struct arena_chunk *chunk; /* that is being filled; behind it those that are full */
    size_t memory;             /* bytes of all chunks */
};

/* `len` bytes, aligned for anything, not cleared; NULL: no memory. */
void *arena_take(struct arena *a, size_t len);

/* All that was taken is given back. What one block has needed is kept, up to ARENA_KEEP_MAX. */
enum { ARENA_KEEP_MAX = 4 << 20 };
void arena_clear(struct arena *a);

void arena_release(struct arena *a);

#endif
