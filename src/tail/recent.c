#include "tail/recent.h"

#include <string.h>

#include "base/check.h"

void tail_recent_check(const struct tail_recent *r)
{
    size_t bytes = 0;

    CHECK(r->len <= TAIL_RECENT_BATCHES);
    for (size_t i = 0; i < r->len; i++) {
        CHECK(!r->batches[i]->lost);
        CHECK(i == 0 ||
              store_position_compare(&r->batches[i]->begin, &r->batches[i - 1]->end) == 0);
        bytes += tail_batch_size(r->batches[i]);
    }
    CHECK(bytes == r->bytes);
    CHECK(bytes <= TAIL_RECENT_BYTES);
}

static void forget_oldest(struct tail_recent *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        r->bytes -= tail_batch_size(r->batches[i]);
        tail_batch_unref(r->batches[i]);
    }
    r->len -= n;
    memmove(r->batches, r->batches + n, r->len * sizeof(struct tail_batch *));
}

void tail_recent_keep(struct tail_recent *r, struct tail_batch *batch)
{
    CHECKED(tail_recent_check(r));
    if (r->len > 0 && store_position_compare(&batch->begin, &r->batches[r->len - 1]->end) != 0)
        tail_recent_forget(r);
    if (r->len == TAIL_RECENT_BATCHES)
        forget_oldest(r, 1);
    r->batches[r->len++] = batch;
    r->bytes += tail_batch_size(batch);
    while (r->bytes > TAIL_RECENT_BYTES)
        forget_oldest(r, 1);
}

size_t tail_recent_find(const struct tail_recent *r, const struct store_position *place)
{
    size_t at = r->len;

    while (at > 0 && store_position_compare(&r->batches[at - 1]->end, place) > 0)
        at--;
    if (at < r->len && store_position_compare(&r->batches[at]->begin, place) > 0)
        return r->len;
    return at;
}

void tail_recent_forget(struct tail_recent *r)
{
    forget_oldest(r, r->len);
}
