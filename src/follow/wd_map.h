/*
 * Numbers by watch descriptors, which go up for ever: few of many. Grows twofold; finding allocates
 * nothing.
 */
#ifndef LOGMILL_FOLLOW_WD_MAP_H
#define LOGMILL_FOLLOW_WD_MAP_H

#include <stddef.h>
#include <stdint.h>

struct wd_map {
    struct wd_map_slot {
        int wd; /* 0: free; inotify's begin with 1 */
        uint32_t value;
    } *slots;
    size_t len, capacity; /* a power of two, or 0 */
};

/* All zero is an empty one. */
void wd_map_release(struct wd_map *m);

/* UINT32_MAX if it is not there. */
uint32_t wd_map_find(const struct wd_map *m, int wd);

/* Takes the place of what was there. */
void wd_map_put(struct wd_map *m, int wd, uint32_t value);
void wd_map_remove(struct wd_map *m, int wd);

#endif
