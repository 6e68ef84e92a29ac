/*
 * Numbers by texts. The texts are the caller's, and live as long as they are in it. Grows twofold;
 * finding allocates nothing.
 */
#ifndef LOGMILL_BASE_TEXT_MAP_H
#define LOGMILL_BASE_TEXT_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct text_map {
    struct text_map_slot {
        struct slice text; /* data NULL: free */
        uint64_t hash;
        uint32_t value;
    } *slots;
    size_t len, capacity; /* a power of two, or 0 */
};

static const uint32_t TEXT_MAP_NONE = UINT32_MAX;

/* All zero is an empty one. */
void text_map_release(struct text_map *m);

/* TEXT_MAP_NONE if it is not there. */
uint32_t text_map_find(const struct text_map *m, struct slice text);

/* Takes the place of what was there for an equal text. */
void text_map_put(struct text_map *m, struct slice text, uint32_t value);
void text_map_remove(struct text_map *m, struct slice text);

#endif
