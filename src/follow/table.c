#include "follow/table.h"

#include "base/xalloc.h"

enum { SLOTS_MIN = 64 };

void table_release(struct table *t)
{
    free((void *)t->slots);
    *t = (struct table){0};
}

static struct table_node **slot(const struct table *t, uint64_t hash)
{
    return &t->slots[hash & (t->capacity - 1)];
}

static void grow(struct table *t)
{
    struct table old = *t;

    t->capacity = old.capacity ? old.capacity * 2 : SLOTS_MIN;
    t->slots = (struct table_node **)xcalloc(t->capacity, sizeof(struct table_node *));
    for (size_t i = 0; i < old.capacity; i++) {
        for (struct table_node *n = old.slots[i], *next; n; n = next) {
            struct table_node **at = slot(t, n->hash);

            next = n->next;
            n->next = *at;
            *at = n;
        }
    }
    free((void *)old.slots);
}

void table_add(struct table *t, struct table_node *n, uint64_t hash)
{
    if (t->len >= t->capacity)
        grow(t);
    struct table_node **at = slot(t, hash);
    n->hash = hash;
    n->next = *at;
    *at = n;
    t->len++;
}

void table_remove(struct table *t, struct table_node *n)
{
    struct table_node **at = slot(t, n->hash);

    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    t->len--;
}

static struct table_node *with_hash(struct table_node *n, uint64_t hash)
{
    while (n && n->hash != hash)
        n = n->next;
    return n;
}

struct table_node *table_first(const struct table *t, uint64_t hash)
{
    return t->capacity ? with_hash(*slot(t, hash), hash) : NULL;
}

struct table_node *table_next(const struct table_node *n)
{
    return with_hash(n->next, n->hash);
}

void table_each(struct table *t, void (*fn)(struct table_node *n, void *ctx), void *ctx)
{
    for (size_t i = 0; i < t->capacity; i++) {
        for (struct table_node *n = t->slots[i], *next; n; n = next) {
            next = n->next;
            fn(n, ctx);
        }
    }
}
