#include "follow/wd_map.h"

#include "base/hash.h"
#include "base/xalloc.h"

enum { CAPACITY_MIN = 16 };

void wd_map_release(struct wd_map *m)
{
    free(m->slots);
    *m = (struct wd_map){.slots = NULL};
}

static size_t own_place(const struct wd_map *m, int wd)
{
    return hash_mix((uint64_t)wd) & (m->capacity - 1);
}

/* Its slot, or the free one where it would be: there is always a free one. */
static size_t place_of(const struct wd_map *m, int wd)
{
    size_t at = own_place(m, wd);

    while (m->slots[at].wd != 0 && m->slots[at].wd != wd)
        at = (at + 1) & (m->capacity - 1);
    return at;
}

uint32_t wd_map_find(const struct wd_map *m, int wd)
{
    if (m->len == 0 || wd <= 0)
        return UINT32_MAX;
    const struct wd_map_slot *slot = &m->slots[place_of(m, wd)];

    return slot->wd ? slot->value : UINT32_MAX;
}

static void grow(struct wd_map *m)
{
    struct wd_map larger = {.len = m->len,
                            .capacity = m->capacity ? 2 * m->capacity : CAPACITY_MIN};

    larger.slots = xcalloc(larger.capacity, sizeof(*larger.slots));
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slots[i].wd)
            larger.slots[place_of(&larger, m->slots[i].wd)] = m->slots[i];
    free(m->slots);
    *m = larger;
}

void wd_map_put(struct wd_map *m, int wd, uint32_t value)
{
    if (2 * (m->len + 1) > m->capacity)
        grow(m);
    struct wd_map_slot *slot = &m->slots[place_of(m, wd)];

    m->len += slot->wd == 0;
    *slot = (struct wd_map_slot){wd, value};
}

void wd_map_remove(struct wd_map *m, int wd)
{
    if (m->len == 0 || wd <= 0)
        return;
    size_t mask = m->capacity - 1, gap = place_of(m, wd);

    if (!m->slots[gap].wd)
        return;
    /* What follows without a gap moves up, if its own place is not behind the gap. */
    for (size_t at = (gap + 1) & mask; m->slots[at].wd; at = (at + 1) & mask) {
        if (((at - own_place(m, m->slots[at].wd)) & mask) >= ((at - gap) & mask)) {
            m->slots[gap] = m->slots[at];
            gap = at;
        }
    }
    m->slots[gap].wd = 0;
    m->len--;
}
