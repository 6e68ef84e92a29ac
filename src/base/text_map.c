#include "base/text_map.h"

#include "base/hash.h"
#include "base/xalloc.h"

enum { CAPACITY_MIN = 16 };

static uint64_t hash_of(struct slice text)
{
    return hash_long(HASH_BASIS, text);
}

void text_map_release(struct text_map *m)
{
    free(m->slots);
    *m = (struct text_map){.slots = NULL};
}

/* The slot of the text, or the free one where it would be: there is always a free one. */
static size_t place_of(const struct text_map *m, struct slice text, uint64_t hash)
{
    size_t at = hash & (m->capacity - 1);

    while (m->slots[at].text.data &&
           (m->slots[at].hash != hash || !slice_equal(m->slots[at].text, text)))
        at = (at + 1) & (m->capacity - 1);
    return at;
}

uint32_t text_map_find(const struct text_map *m, struct slice text)
{
    if (m->len == 0)
        return TEXT_MAP_NONE;
    const struct text_map_slot *slot = &m->slots[place_of(m, text, hash_of(text))];

    return slot->text.data ? slot->value : TEXT_MAP_NONE;
}

static void grow(struct text_map *m)
{
    struct text_map larger = {.len = m->len,
                              .capacity = m->capacity ? 2 * m->capacity : CAPACITY_MIN};

    larger.slots = xcalloc(larger.capacity, sizeof(*larger.slots));
    for (size_t i = 0; i < m->capacity; i++) {
        const struct text_map_slot *slot = &m->slots[i];

        if (slot->text.data)
            larger.slots[place_of(&larger, slot->text, slot->hash)] = *slot;
    }
    free(m->slots);
    *m = larger;
}

void text_map_put(struct text_map *m, struct slice text, uint32_t value)
{
    if (2 * (m->len + 1) > m->capacity)
        grow(m);
    uint64_t hash = hash_of(text);
    struct text_map_slot *slot = &m->slots[place_of(m, text, hash)];

    m->len += slot->text.data == NULL;
    *slot = (struct text_map_slot){text, hash, value};
}

void text_map_remove(struct text_map *m, struct slice text)
{
    if (m->len == 0)
        return;
    size_t mask = m->capacity - 1, gap = place_of(m, text, hash_of(text));

    if (!m->slots[gap].text.data)
        return;
    /* What follows without a gap moves up, if its own place is not behind the gap. */
    for (size_t at = (gap + 1) & mask; m->slots[at].text.data; at = (at + 1) & mask) {
        size_t own = m->slots[at].hash & mask;

        if (((at - own) & mask) >= ((at - gap) & mask)) {
            m->slots[gap] = m->slots[at];
            gap = at;
        }
    }
    m->slots[gap].text.data = NULL;
    m->len--;
}
