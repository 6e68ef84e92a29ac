#include "queue/sqlite/seq_ranges.h"

#include <stdlib.h>

#include "base/xalloc.h"

enum { RANGES_FIRST = 16 };

static void add_range(struct seq_ranges *r, struct seq_range range)
{
    r->count += (uint64_t)(range.last - range.first) + 1;
    if (r->len > 0 && r->items[r->len - 1].last + 1 == range.first) {
        r->items[r->len - 1].last = range.last;
        return;
    }
    if (r->len == r->capacity) {
        r->capacity = r->capacity == 0 ? RANGES_FIRST : 2 * r->capacity;
        r->items = xrealloc(r->items, r->capacity * sizeof(*r->items));
    }
    r->items[r->len++] = range;
}

void seq_ranges_add(struct seq_ranges *r, int64_t seq)
{
    add_range(r, (struct seq_range){seq, seq});
}

void seq_ranges_take(struct seq_ranges *r, struct seq_ranges *from)
{
    for (size_t i = 0; i < from->len; i++)
        add_range(r, from->items[i]);
    seq_ranges_clear(from);
}

void seq_ranges_clear(struct seq_ranges *r)
{
    r->len = 0;
    r->count = 0;
}

void seq_ranges_release(struct seq_ranges *r)
{
    free(r->items);
    *r = (struct seq_ranges){0};
}
