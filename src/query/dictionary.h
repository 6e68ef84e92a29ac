/*
 * Texts with a number each, in the order in which they were first met, counted from 0. What it
 * holds may be limited by whoever asks dictionary_memory.
 */
#ifndef LOGMILL_QUERY_DICTIONARY_H
#define LOGMILL_QUERY_DICTIONARY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct dictionary_entry {
    size_t start, len; /* in texts */
    uint64_t hash;
    uint32_t tag;
};

struct dictionary {
    struct buffer texts;   /* one behind the other */
    struct buffer entries; /* struct dictionary_entry */
    uint32_t *slots;       /* of a hash table: number of an entry, and 1 */
    size_t slots_len;      /* a power of two, or 0 */
};

void dictionary_init(struct dictionary *d);
void dictionary_release(struct dictionary *d);
void dictionary_clear(struct dictionary *d); /* keeps the memory */

/* The number of `text` with `tag`, which it gets when it is first met; two tags, two numbers. 0 or
 * LM_ENOMEM. */
int dictionary_add(struct dictionary *d, struct slice text, uint32_t tag,
                   uint32_t *number) LM_MUST_CHECK;

/* The same of one that was met; false: it was not. */
bool dictionary_find(const struct dictionary *d, struct slice text, uint32_t tag, uint32_t *number);

size_t dictionary_len(const struct dictionary *d);
size_t dictionary_memory(const struct dictionary *d); /* bytes */

/* Until the next dictionary_add. */
struct slice dictionary_text(const struct dictionary *d, uint32_t number);
uint32_t dictionary_tag(const struct dictionary *d, uint32_t number);

#endif
