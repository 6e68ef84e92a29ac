/* A table of keys, each with a number above 0: open addressing, grown by doubling. */
#ifndef LOGMILL_STORE_SQLITE_KEY_TABLE_H
#define LOGMILL_STORE_SQLITE_KEY_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "record/key.h"

struct key_table_entry {
    struct log_key key;
    uint64_t number; /* 0: free */
};

/* All zeroes: an empty one. */
struct key_table {
    struct key_table_entry *entries;
    size_t len;
    size_t capacity; /* 0 or a power of two, more than len */
};

void key_table_clear(struct key_table *t); /* keeps a little memory */
void key_table_release(struct key_table *t);

/* False: no memory, and nothing has changed. */
bool key_table_put(struct key_table *t, const struct log_key *key, uint64_t number) LM_MUST_CHECK;

/* 0: it is not there. */
uint64_t key_table_get(const struct key_table *t, const struct log_key *key);

#endif
