/*
 * A table of things by a hash; what is equal beyond the hash is its user's to know. Its nodes are
 * in the things themselves: it owns none of them.
 *
 *     for (struct table_node *n = table_first(&t, hash); n; n = table_next(n))
 *         if (is_it(container_of(n, struct thing, node)))
 */
#ifndef LOGMILL_FOLLOW_TABLE_H
#define LOGMILL_FOLLOW_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_node {
    struct table_node *next;
    uint64_t hash;
};

/* All zeroes: empty. */
struct table {
    struct table_node **slots;
    size_t capacity, len;
};

/* Frees what the table has of its own. */
void table_release(struct table *t);

void table_add(struct table *t, struct table_node *n, uint64_t hash);
void table_remove(struct table *t, struct table_node *n);

/* Those with the hash. */
struct table_node *table_first(const struct table *t, uint64_t hash);
struct table_node *table_next(const struct table_node *n);

/* Calls fn() for each, which may remove it, and no other one. */
void table_each(struct table *t, void (*fn)(struct table_node *n, void *ctx), void *ctx);

#endif
