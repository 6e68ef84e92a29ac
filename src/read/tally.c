#include "read/tally.h"

#include <string.h>

#include "base/hash.h"
#include "base/timestamp.h"
#include "store/store.h"
#include "json/writer.h"

enum {
    BYTES_MAX = 1 << 30, /* a ceiling because every buffer has one */
    NONE = 0,            /* places in arrays are kept as place + 1 */
};

static const struct slice other = SLICE_LITERAL("other");

struct tally_level {
    size_t start, len; /* in names */
    uint32_t next;     /* in its slot, + 1 */
};

struct tally_count {
    uint64_t count;
    uint32_t level;
    uint32_t next; /* in its bucket, + 1 */
};

struct tally_bucket {
    uint32_t first, last; /* in counts, + 1 */
    uint32_t levels;
};

struct tally_addend {
    uint64_t count;
    uint32_t bucket;
    uint32_t level;
};

/* The arrays in the buffers: their `i`-th member, and how many they have. */
#define ARRAY_OF(type, name)                                                                       \
    static struct tally_##type *type##_at(const struct tally *t, uint32_t i)                       \
    {                                                                                              \
        void *data = t->name.data;                                                                 \
                                                                                                   \
        return (struct tally_##type *)data + i;                                                    \
    }                                                                                              \
    static uint32_t name##_len(const struct tally *t)                                              \
    {                                                                                              \
        return (uint32_t)(t->name.len / sizeof(struct tally_##type));                              \
    }

ARRAY_OF(level, levels)
ARRAY_OF(count, counts)
ARRAY_OF(bucket, buckets)
ARRAY_OF(addend, slice)

int tally_init(struct tally *t, size_t buckets, struct account *account)
{
    struct buffer *const all[] = {&t->names, &t->levels, &t->counts, &t->buckets, &t->slice};
    size_t bytes = buckets * sizeof(struct tally_bucket);

    memset(t, 0, sizeof(*t));
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        buffer_init(all[i], BYTES_MAX);
        if (!buffer_charge(all[i], account))
            return LM_EBUSY;
    }

    char *room = buffer_reserve(&t->buckets, bytes);

    if (!room)
        return buffer_error(&t->buckets);
    memset(room, 0, bytes);
    t->buckets.len = bytes;
    return 0;
}

void tally_release(struct tally *t)
{
    buffer_release(&t->names);
    buffer_release(&t->levels);
    buffer_release(&t->counts);
    buffer_release(&t->buckets);
    buffer_release(&t->slice);
}

/* ---- Levels ---- */

static struct slice name_of(const struct tally *t, uint32_t level)
{
    const struct tally_level *l = level_at(t, level);

    return l->len ? slice_of(t->names.data + l->start, l->len) : (struct slice){NULL, 0};
}

static uint32_t hash(struct slice name)
{
    return (uint32_t)(hash_bytes(HASH_BASIS, name) % TALLY_SLOTS);
}

/* The number of the level `name`, or -1 if it was not met yet. */
static int64_t look_up(const struct tally *t, struct slice name)
{
    for (uint32_t at = t->slots[hash(name)]; at != NONE; at = level_at(t, at - 1)->next)
        if (slice_equal(name_of(t, at - 1), name))
            return at - 1;
    return -1;
}

/* The number of the level `name`, which it gets when it is first met. */
static int find_level(struct tally *t, struct slice name, uint32_t *level)
{
    uint32_t *slot = &t->slots[hash(name)];
    struct tally_level new = {.start = t->names.len, .len = name.len, .next = *slot};
    int64_t known = look_up(t, name);

    if (known >= 0) {
        *level = (uint32_t)known;
        return 0;
    }
    buffer_append_slice(&t->names, name);
    buffer_append(&t->levels, &new, sizeof(new));
    if (buffer_error(&t->names))
        return buffer_error(&t->names);
    if (buffer_error(&t->levels))
        return buffer_error(&t->levels);
    *level = levels_len(t) - 1;
    *slot = *level + 1;
    return 0;
}

/* ---- Counts ---- */

int tally_add(struct tally *t, size_t bucket, struct slice level, uint64_t count)
{
    struct tally_addend addend = {.count = count, .bucket = (uint32_t)bucket};
    bool is_full = bucket_at(t, addend.bucket)->levels >= STORE_STATS_LEVELS_MAX;
    int error;

    /* A name that would only be counted as another is not kept: of those there is no end. */
    if (is_full && look_up(t, level) < 0)
        level = other;
    error = find_level(t, level, &addend.level);
    if (error)
        return error;
    buffer_append(&t->slice, &addend, sizeof(addend));
    return buffer_error(&t->slice);
}

/* The count of `level` in `bucket`, or NULL. */
static struct tally_count *find_count(const struct tally *t, const struct tally_bucket *bucket,
                                      uint32_t level)
{
    for (uint32_t at = bucket->first; at != NONE; at = count_at(t, at - 1)->next)
        if (count_at(t, at - 1)->level == level)
            return count_at(t, at - 1);
    return NULL;
}

static int append_count(struct tally *t, struct tally_bucket *bucket, uint32_t level,
                        uint64_t count)
{
    const struct tally_count new = {.count = count, .level = level};

    buffer_append(&t->counts, &new, sizeof(new));
    if (buffer_error(&t->counts))
        return buffer_error(&t->counts);

    uint32_t place = counts_len(t);

    if (bucket->last == NONE)
        bucket->first = place;
    else
        count_at(t, bucket->last - 1)->next = place;
    bucket->last = place;
    bucket->levels++;
    return 0;
}

static int keep(struct tally *t, const struct tally_addend *a)
{
    struct tally_bucket *bucket = bucket_at(t, a->bucket);
    uint32_t level = a->level;
    struct tally_count *count = find_count(t, bucket, level);
    int error = 0;

    if (!count && bucket->levels >= STORE_STATS_LEVELS_MAX) {
        error = find_level(t, other, &level);
        if (error)
            return error;
        count = find_count(t, bucket, level);
    }
    if (count)
        count->count += a->count;
    else
        error = append_count(t, bucket, level, a->count);
    t->total += a->count;
    return error;
}

int tally_keep(struct tally *t)
{
    int error = 0;

    for (uint32_t i = 0; !error && i < slice_len(t); i++)
        error = keep(t, addend_at(t, i));
    buffer_clear(&t->slice);
    return error;
}

void tally_drop(struct tally *t)
{
    buffer_clear(&t->slice);
}

/* ---- The text ---- */

static void append_levels(const struct tally *t, struct buffer *b,
                          const struct tally_bucket *bucket)
{
    for (uint32_t at = bucket->first; at != NONE;) {
        const struct tally_count *c = count_at(t, at - 1);

        if (at != bucket->first)
            buffer_append_char(b, ',');
        json_append_string(b, name_of(t, c->level));
        buffer_append_char(b, ':');
        buffer_append_u64(b, c->count);
        at = c->next;
    }
}

static uint64_t total_of(const struct tally *t, const struct tally_bucket *bucket)
{
    uint64_t total = 0;

    for (uint32_t at = bucket->first; at != NONE; at = count_at(t, at - 1)->next)
        total += count_at(t, at - 1)->count;
    return total;
}

void tally_append(const struct tally *t, struct buffer *b, int64_t since_us, int64_t bucket_us)
{
    bool any = false;

    for (uint32_t i = 0; i < buckets_len(t); i++) {
        const struct tally_bucket *bucket = bucket_at(t, i);

        if (bucket->first == NONE)
            continue;
        buffer_append_string(b, any ? ",{\"timestamp\":\"" : "{\"timestamp\":\"");
        any = true;
        timestamp_append(b, since_us + i * bucket_us);
        buffer_append_string(b, "\",\"total\":");
        buffer_append_u64(b, total_of(t, bucket));
        buffer_append_string(b, ",\"levels\":{");
        append_levels(t, b, bucket);
        buffer_append_string(b, "}}");
    }
}
