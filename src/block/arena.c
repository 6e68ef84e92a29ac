#include "block/arena.h"

#include <stdalign.h>
#include <stdint.h>

#include "base/xalloc.h"

enum { CHUNK_MIN = 64 * 1024, ALIGNMENT = alignof(max_align_t) };

struct arena_chunk {
    struct arena_chunk *next;
    size_t capacity, len;
    alignas(max_align_t) char bytes[];
};

static struct arena_chunk *add_chunk(struct arena *a, size_t capacity)
{
    struct arena_chunk *chunk;

    if (capacity > SIZE_MAX / 2)
        return NULL;
    chunk = try_malloc(sizeof(*chunk) + capacity);
    if (!chunk)
        return NULL;
    *chunk = (struct arena_chunk){.next = a->chunk, .capacity = capacity};
    a->chunk = chunk;
    a->memory += sizeof(*chunk) + capacity;
    return chunk;
}

void *arena_take(struct arena *a, size_t len)
{
    struct arena_chunk *chunk = a->chunk;
    size_t room = (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

    if (room < len)
        return NULL;
    if (!chunk || chunk->capacity - chunk->len < room) {
        size_t capacity = chunk ? 2 * chunk->capacity : CHUNK_MIN;
        if (capacity > ARENA_KEEP_MAX / 4)
            capacity = ARENA_KEEP_MAX / 4;
        chunk = add_chunk(a, room > capacity ? room : capacity);
        if (!chunk)
            return NULL;
    }
    void *taken = chunk->bytes + chunk->len;
    chunk->len += room;
    return taken;
}

void arena_clear(struct arena *a)
{
    size_t needed = a->memory;

    if (a->chunk && !a->chunk->next && needed <= ARENA_KEEP_MAX) {
        a->chunk->len = 0;
        return;
    }
    arena_release(a);
    if (needed > 0 && needed <= ARENA_KEEP_MAX)
        add_chunk(a, needed); /* without memory now, it is asked for again when it is needed */
}

void arena_release(struct arena *a)
{
    while (a->chunk) {
        struct arena_chunk *next = a->chunk->next;

        free(a->chunk);
        a->chunk = next;
    }
    a->memory = 0;
}
