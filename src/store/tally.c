/*
 * A bucket's levels are a short list, and a level that is spelt as when it was first met is found
 * without lower-casing.
 */
#include "store/tally.h"

#include <stdlib.h>

#include "base/text.h"
#include "base/xalloc.h"

enum {
    BYTES_MAX = 4 << 20, /* of names and counts; a bucket that has begun may go past it */
    TEXT_BYTES_MAX = 2 * BYTES_MAX,
};

static const struct slice other = SLICE_LITERAL("other");

struct store_tally_count {
    int64_t bucket;
    uint64_t count;
    uint32_t lower_start; /* in texts: the lower-cased name */
    uint32_t lower_len;
    uint32_t raw_start; /* in texts: as it was spelt when it was first met */
    uint32_t raw_len;
};

void store_tally_init(struct store_tally *t)
{
    *t = (struct store_tally){0};
    buffer_init(&t->texts, TEXT_BYTES_MAX);
}

void store_tally_release(struct store_tally *t)
{
    buffer_release(&t->texts);
    free(t->counts);
}

static struct slice text_at(const struct store_tally *t, size_t start, size_t len)
{
    return len == 0 ? (struct slice){NULL, 0} : slice_of(t->texts.data + start, len);
}

static struct slice raw_of(const struct store_tally *t, const struct store_tally_count *c)
{
    return text_at(t, c->raw_start, c->raw_len);
}

static struct slice lower_of(const struct store_tally *t, const struct store_tally_count *c)
{
    return text_at(t, c->lower_start, c->lower_len);
}

static bool is_full(const struct store_tally *t)
{
    return t->texts.len + t->len * sizeof(*t->counts) > BYTES_MAX;
}

static int reserve(struct store_tally *t)
{
    size_t capacity = t->capacity ? 2 * t->capacity : 128;

    if (t->len < t->capacity)
        return 0;
    struct store_tally_count *counts = try_malloc(capacity * sizeof(*counts));
    if (!counts)
        return LM_ENOMEM;
    if (t->len)
        memcpy(counts, t->counts, t->len * sizeof(*counts));
    free(t->counts);
    t->counts = counts;
    t->capacity = capacity;
    return 0;
}

/* The bucket's count of the lower-cased `name`; NULL if there is none. */
static struct store_tally_count *find(struct store_tally *t, struct slice name)
{
    for (size_t i = t->bucket_start; i < t->len; i++)
        if (slice_equal(lower_of(t, &t->counts[i]), name))
            return &t->counts[i];
    return NULL;
}

/* Adds under the name that is lower-cased in `texts` from `lower_start` on. */
static int add_lowered(struct store_tally *t, int64_t bucket, size_t raw_start, size_t lower_start,
                       uint64_t n)
{
    size_t raw_len = lower_start - raw_start;
    size_t lower_len = t->texts.len - lower_start;
    struct store_tally_count *c = find(t, text_at(t, lower_start, lower_len));

    if (c) {
        c->count += n;
        buffer_truncate(&t->texts, raw_start);
        return 0;
    }
    if (reserve(t))
        return LM_ENOMEM;
    t->counts[t->len++] = (struct store_tally_count){
        .bucket = bucket,
        .count = n,
        .lower_start = (uint32_t)lower_start,
        .lower_len = (uint32_t)lower_len,
        .raw_start = (uint32_t)raw_start,
        .raw_len = (uint32_t)raw_len,
    };
    return 0;
}

static int add_new_spelling(struct store_tally *t, int64_t bucket, struct slice level, uint64_t n)
{
    size_t start = t->texts.len;

    if (level.len > STORE_STATS_LEVEL_BYTES_MAX)
        level = other;
    buffer_append_slice(&t->texts, level);
    text_append_lower(&t->texts, level);
    if (t->len - t->bucket_start >= STORE_STATS_LEVELS_MAX && !buffer_error(&t->texts) &&
        !find(t, text_at(t, start + level.len, t->texts.len - start - level.len))) {
        buffer_truncate(&t->texts, start);
        level = other;
        buffer_append_slice(&t->texts, level);
        buffer_append_slice(&t->texts, level);
    }
    if (buffer_error(&t->texts))
        return LM_ENOMEM;
    return add_lowered(t, bucket, start, start + level.len, n);
}

int store_tally_add(struct store_tally *t, int64_t bucket, struct slice level, uint64_t n)
{
    if (t->len > t->bucket_start && t->counts[t->bucket_start].bucket != bucket) {
        if (is_full(t))
            return LM_ESTOPPED;
        t->bucket_start = t->len;
    }
    for (size_t i = t->bucket_start; i < t->len; i++) {
        if (slice_equal(raw_of(t, &t->counts[i]), level)) {
            t->counts[i].count += n;
            return 0;
        }
    }
    return add_new_spelling(t, bucket, level, n);
}

int store_tally_hand_out(const struct store_tally *t, store_count_fn *fn, void *ctx)
{
    size_t end = t->len;

    while (end > 0) {
        size_t start = end - 1;

        while (start > 0 && t->counts[start - 1].bucket == t->counts[end - 1].bucket)
            start--;
        for (size_t i = start; i < end; i++) {
            const struct store_tally_count *c = &t->counts[i];
            int error = fn(c->bucket, lower_of(t, c), c->count, ctx);

            if (error)
                return error;
        }
        end = start;
    }
    return 0;
}
