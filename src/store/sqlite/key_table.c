#include "store/sqlite/key_table.h"

#include <string.h>

#include "base/byte_order.h"
#include "base/hash.h"
#include "base/xalloc.h"

enum { FIRST_CAPACITY = 1024, KEPT_CAPACITY = 32768 };

void key_table_clear(struct key_table *t)
{
    if (t->capacity > KEPT_CAPACITY)
        key_table_release(t);
    else if (t->len > 0)
        memset(t->entries, 0, t->capacity * sizeof(*t->entries));
    t->len = 0;
}

void key_table_release(struct key_table *t)
{
    free(t->entries);
    *t = (struct key_table){0};
}

/* The entry of `key`, or the free one in which it belongs. */
static struct key_table_entry *find(const struct key_table *t, const struct log_key *key)
{
    const char *id = (const char *)key->id.bytes;
    size_t at = hash_mix((uint64_t)key->timestamp_us ^
                         hash_mix(byte_order_get64(id) ^ byte_order_get64(id + 8) * 3));

    for (;; at++) {
        struct key_table_entry *e = &t->entries[at & (t->capacity - 1)];

        if (e->number == 0 || log_key_compare(&e->key, key) == 0)
            return e;
    }
}

static bool grow(struct key_table *t)
{
    struct key_table larger = {.len = t->len,
                               .capacity = t->capacity ? 2 * t->capacity : FIRST_CAPACITY};
    size_t size = larger.capacity * sizeof(*larger.entries);

    larger.entries = try_malloc(size);
    if (!larger.entries)
        return false;
    memset(larger.entries, 0, size);
    for (size_t i = 0; i < t->capacity; i++) {
        if (t->entries[i].number > 0)
            *find(&larger, &t->entries[i].key) = t->entries[i];
    }
    free(t->entries);
    *t = larger;
    return true;
}

bool key_table_put(struct key_table *t, const struct log_key *key, uint64_t number)
{
    if (2 * (t->len + 1) > t->capacity && !grow(t))
        return false;
    struct key_table_entry *e = find(t, key);
    t->len += e->number == 0;
    *e = (struct key_table_entry){*key, number};
    return true;
}

uint64_t key_table_get(const struct key_table *t, const struct log_key *key)
{
    return t->len > 0 ? find(t, key)->number : 0;
}
