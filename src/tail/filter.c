#include "tail/filter.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/xalloc.h"

enum {
    CALL_STEPS = 8,   /* what it costs to ask at all */
    EVENT_BYTES = 64, /* an event counts so many besides its texts */
};

static struct tail_filter *new_filter(struct log_matcher *matcher, size_t slot)
{
    struct tail_filter *f = xcalloc(1, sizeof(*f));

    f->matcher = matcher;
    f->slot = slot;
    atomic_init(&f->cost, TAIL_COST_EXPENSIVE);
    atomic_init(&f->references, 1);
    return f;
}

void tail_filter_unref(struct tail_filter *f)
{
    if (atomic_fetch_sub_explicit(&f->references, 1, memory_order_acq_rel) > 1)
        return;
    log_matcher_unref(f->matcher);
    free(f);
}

struct tail_filter *tail_filters_use(struct tail_filters *set, struct log_matcher *matcher)
{
    size_t slot = set->len;

    for (size_t i = 0; i < set->len; i++) {
        struct tail_filter *f = set->slots[i];

        if (!f) {
            slot = i;
        } else if (log_matcher_equal(f->matcher, matcher)) {
            log_matcher_unref(matcher);
            f->tails++;
            return f;
        }
    }
    if (slot == set->len) {
        set->slots =
            array_reserve(set->slots, &set->capacity, set->len + 1, sizeof(struct tail_filter *));
        set->len++;
    }
    set->slots[slot] = new_filter(matcher, slot);
    set->slots[slot]->tails = 1;
    return set->slots[slot];
}

void tail_filters_leave(struct tail_filters *set, struct tail_filter *f)
{
    if (--f->tails > 0)
        return;
    set->slots[f->slot] = NULL;
    while (set->len > 0 && !set->slots[set->len - 1])
        set->len--;
    tail_filter_unref(f);
}

void tail_filters_release(struct tail_filters *set)
{
    free(set->slots);
    *set = (struct tail_filters){0};
}

int tail_filters_copy(const struct tail_filters *set, struct tail_filters *copy)
{
    *copy = (struct tail_filters){0};
    if (set->len == 0)
        return 0;
    copy->slots = try_malloc(set->len * sizeof(struct tail_filter *));
    if (!copy->slots)
        return LM_ENOMEM;
    copy->len = set->len;
    for (size_t i = 0; i < set->len; i++) {
        copy->slots[i] = set->slots[i];
        if (copy->slots[i])
            atomic_fetch_add_explicit(&copy->slots[i]->references, 1, memory_order_relaxed);
    }
    return 0;
}

uint64_t tail_event_bytes(const struct record *r)
{
    return EVENT_BYTES + r->level.len + r->message.len + r->attributes.len;
}

void tail_filter_learn(struct tail_filter *f, uint64_t steps, uint64_t bytes)
{
    uint64_t before = atomic_load(&f->cost);
    uint64_t now = bytes > 0 ? steps * TAIL_COST_BYTES / bytes : 0;

    if (bytes > 0) /* what it cost before is forgotten little by little */
        atomic_store(&f->cost, now > before ? now : (7 * before + now) / 8);
}

int tail_filter_match(const struct tail_filter *f, struct log_subject *log, const struct record *r,
                      bool *matches, uint64_t *steps, struct errbuf *err)
{
    const struct log_filter *bounds = log_matcher_filter(f->matcher);

    *steps += CALL_STEPS;
    *matches = r->key.timestamp_us >= bounds->since_us && r->key.timestamp_us < bounds->until_us;
    return *matches ? log_matcher_match_subject(f->matcher, log, matches, steps, err) : 0;
}
