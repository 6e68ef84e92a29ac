#include "query/dictionary.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/xalloc.h"

enum {
    SLOTS_MIN = 64,
    BYTES_MAX = 1 << 30, /* a ceiling because every buffer has one */
};

void dictionary_init(struct dictionary *d)
{
    *d = (struct dictionary){.slots = NULL};
    buffer_init(&d->texts, BYTES_MAX);
    buffer_init(&d->entries, BYTES_MAX);
}

void dictionary_release(struct dictionary *d)
{
    buffer_release(&d->texts);
    buffer_release(&d->entries);
    free(d->slots);
    dictionary_init(d);
}

void dictionary_clear(struct dictionary *d)
{
    buffer_clear(&d->texts);
    buffer_clear(&d->entries);
    if (d->slots)
        memset(d->slots, 0, d->slots_len * sizeof(*d->slots));
}

static const struct dictionary_entry *entry_at(const struct dictionary *d, uint32_t number)
{
    const void *entries = d->entries.data;

    return (const struct dictionary_entry *)entries + number;
}

size_t dictionary_len(const struct dictionary *d)
{
    return d->entries.len / sizeof(struct dictionary_entry);
}

size_t dictionary_memory(const struct dictionary *d)
{
    return d->texts.capacity + d->entries.capacity + d->slots_len * sizeof(*d->slots);
}

struct slice dictionary_text(const struct dictionary *d, uint32_t number)
{
    const struct dictionary_entry *e = entry_at(d, number);

    return e->len ? slice_of(d->texts.data + e->start, e->len) : slice_of(NULL, 0);
}

uint32_t dictionary_tag(const struct dictionary *d, uint32_t number)
{
    return entry_at(d, number)->tag;
}

/* At most half of the slots are taken. */
static int make_room(struct dictionary *d)
{
    size_t len = d->slots_len ? d->slots_len * 4 : SLOTS_MIN;
    uint32_t *slots;

    if (2 * (dictionary_len(d) + 1) <= d->slots_len)
        return 0;
    slots = try_malloc(len * sizeof(*slots));
    if (!slots)
        return LM_ENOMEM;
    memset(slots, 0, len * sizeof(*slots));
    for (uint32_t i = 0; i < dictionary_len(d); i++) {
        size_t at = entry_at(d, i)->hash & (len - 1);

        while (slots[at])
            at = (at + 1) & (len - 1);
        slots[at] = i + 1;
    }
    free(d->slots);
    d->slots = slots;
    d->slots_len = len;
    return 0;
}

/* Where the text is, or goes, in a table that has a free slot. */
static size_t slot_of(const struct dictionary *d, struct slice text, uint32_t tag, uint64_t hash)
{
    size_t at = hash & (d->slots_len - 1);

    for (; d->slots[at]; at = (at + 1) & (d->slots_len - 1)) {
        const struct dictionary_entry *e = entry_at(d, d->slots[at] - 1);

        if (e->hash == hash && e->tag == tag &&
            slice_equal(dictionary_text(d, d->slots[at] - 1), text))
            break;
    }
    return at;
}

bool dictionary_find(const struct dictionary *d, struct slice text, uint32_t tag, uint32_t *number)
{
    size_t at;

    if (d->slots_len == 0)
        return false;
    at = slot_of(d, text, tag, hash_long(HASH_BASIS + tag, text));
    *number = d->slots[at] - 1;
    return d->slots[at];
}

int dictionary_add(struct dictionary *d, struct slice text, uint32_t tag, uint32_t *number)
{
    const struct dictionary_entry new = {.start = d->texts.len,
                                         .len = text.len,
                                         .hash = hash_long(HASH_BASIS + tag, text),
                                         .tag = tag};
    size_t at;

    if (make_room(d))
        return LM_ENOMEM;
    at = slot_of(d, text, tag, new.hash);
    if (d->slots[at]) {
        *number = d->slots[at] - 1;
        return 0;
    }
    buffer_append_slice(&d->texts, text);
    buffer_append(&d->entries, &new, sizeof(new));
    if (buffer_error(&d->texts) || buffer_error(&d->entries))
        return LM_ENOMEM;
    *number = (uint32_t)dictionary_len(d) - 1;
    d->slots[at] = *number + 1;
    return 0;
}
