#include "queue/sqlite/seq_ranges.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/check.h"

void seq_ranges_check(const struct seq_ranges *r)
{
    uint64_t count = 0;

    CHECK(r->len <= r->capacity);
    for (size_t i = 0; i < r->len; i++) {
        CHECK(r->items[i].first <= r->items[i].last);
        for (size_t j = 0; j < i; j++)
            CHECK(!seq_range_meets(r->items[j], r->items[i]));
        count += (uint64_t)(r->items[i].last - r->items[i].first) + 1;
    }
    CHECK(r->count == count);
}

static void add_range(struct seq_ranges *r, struct seq_range range)
{
    for (size_t i = 0; i < r->len; i++)
        CHECK(!seq_range_meets(r->items[i], range));
    r->count += (uint64_t)(range.last - range.first) + 1;
    if (r->len > 0 && r->items[r->len - 1].last + 1 == range.first) {
        r->items[r->len - 1].last = range.last;
        return;
    }
    r->items = array_reserve(r->items, &r->capacity, r->len + 1, sizeof(*r->items));
    r->items[r->len++] = range;
}

void seq_ranges_add(struct seq_ranges *r, int64_t seq)
{
    add_range(r, (struct seq_range){seq, seq});
}

void seq_ranges_take(struct seq_ranges *r, struct seq_ranges *from)
{
    CHECKED(seq_ranges_check(r));
    CHECKED(seq_ranges_check(from));
    for (size_t i = 0; i < from->len; i++)
        add_range(r, from->items[i]);
    seq_ranges_clear(from);
}

void seq_ranges_clear(struct seq_ranges *r)
{
    CHECKED(seq_ranges_check(r));
    r->len = 0;
    r->count = 0;
}

void seq_ranges_release(struct seq_ranges *r)
{
    CHECKED(seq_ranges_check(r));
    free(r->items);
    *r = (struct seq_ranges){0};
}
