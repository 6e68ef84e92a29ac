#include "query/aggregate_table.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/xalloc.h"

enum {
    SLOTS_MIN = 64,
    LITTLE_BYTES = 1 << 20,   /* which it takes at least, or ends */
    CHARGE_STEP = 256 * 1024, /* bytes: the account is not asked for each cell */
};

/* ---- Memory ---- */

static size_t memory_of(const struct aggregate *a)
{
    return dictionary_memory(&a->values) + a->groups_capacity * sizeof(*a->groups) +
           a->group_slots_len * sizeof(*a->group_slots) + a->cells_capacity * sizeof(*a->cells) +
           a->cell_slots_len * sizeof(*a->cell_slots) + a->cells_bytes;
}

static int charge(struct aggregate *a)
{
    size_t wanted = (memory_of(a) / CHARGE_STEP + 1) * CHARGE_STEP;

    if (!a->account || wanted == a->charged)
        return 0;
    if (wanted < a->charged)
        account_give(a->account, a->charged - wanted);
    else if (!account_take(a->account, wanted - a->charged))
        return LM_EBUSY;
    a->charged = wanted;
    return 0;
}

/* `*items` with room for one more. */
static int grow(void *items, size_t *capacity, size_t len, size_t size)
{
    size_t wanted = *capacity ? 2 * *capacity : SLOTS_MIN;
    void *old, *grown;

    if (len < *capacity)
        return 0;
    memcpy(&old, items, sizeof(old));
    grown = try_realloc(old, wanted * size);
    if (!grown)
        return LM_ENOMEM;
    memcpy(items, &grown, sizeof(grown));
    *capacity = wanted;
    return 0;
}

/* ---- Hash tables ---- */

static void put_slot(uint32_t *slots, size_t len, uint64_t hash, uint32_t number)
{
    size_t at = hash & (len - 1);

    while (slots[at])
        at = (at + 1) & (len - 1);
    slots[at] = number + 1;
}

static uint32_t *new_slots(size_t len)
{
    uint32_t *slots = try_malloc(len * sizeof(*slots));

    if (slots)
        memset(slots, 0, len * sizeof(*slots));
    return slots;
}

static uint64_t hash_of_values(const uint32_t values[AGGREGATE_BY_MAX])
{
    uint64_t hash = HASH_BASIS;

    for (size_t i = 0; i < AGGREGATE_BY_MAX; i++)
        hash = hash_mix(hash + values[i]);
    return hash;
}

static uint64_t hash_of_cell(uint32_t group, int64_t bucket)
{
    return hash_mix(hash_mix(group + HASH_BASIS) + (uint64_t)bucket);
}

static int index_groups(struct aggregate *a, size_t len)
{
    uint32_t *slots = new_slots(len);

    if (!slots)
        return LM_ENOMEM;
    for (uint32_t i = 1; i < a->groups_len; i++)
        put_slot(slots, len, a->groups[i].hash, i);
    free(a->group_slots);
    a->group_slots = slots;
    a->group_slots_len = len;
    return 0;
}

static int index_cells(struct aggregate *a, size_t len)
{
    uint32_t *slots = new_slots(len);

    if (!slots)
        return LM_ENOMEM;
    for (uint32_t i = 0; i < a->cells_len; i++)
        put_slot(slots, len, hash_of_cell(a->cells[i]->group, a->cells[i]->bucket), i);
    free(a->cell_slots);
    a->cell_slots = slots;
    a->cell_slots_len = len;
    return 0;
}

/* A length of which `n` and one more take half at most. */
static size_t slots_for(size_t n, size_t len)
{
    while (2 * (n + 1) > len)
        len = len ? 2 * len : SLOTS_MIN;
    return len;
}

/* ---- Groups and cells ---- */

static int add_group(struct aggregate *a, const struct group *new)
{
    size_t slots = slots_for(a->groups_len, a->group_slots_len);

    if (grow((void *)&a->groups, &a->groups_capacity, a->groups_len, sizeof(*a->groups)) ||
        (slots != a->group_slots_len && index_groups(a, slots)))
        return LM_ENOMEM;
    if (a->groups_len != GROUP_OTHER)
        put_slot(a->group_slots, a->group_slots_len, new->hash, (uint32_t)a->groups_len);
    a->groups[a->groups_len++] = *new;
    return 0;
}

int aggregate_make_other(struct aggregate *a)
{
    const struct group other = {
        .values = {GROUP_VALUE_NONE, GROUP_VALUE_NONE, GROUP_VALUE_NONE, GROUP_VALUE_NONE}};

    return add_group(a, &other);
}

int aggregate_group(struct aggregate *a, const uint32_t values[AGGREGATE_BY_MAX], uint32_t *number)
{
    struct group new = {.hash = hash_of_values(values), .lacks = a->bound};
    size_t mask = a->group_slots_len - 1;

    memcpy(new.values, values, sizeof(new.values));
    for (size_t at = new.hash & mask; a->group_slots[at]; at = (at + 1) & mask) {
        const struct group *g = &a->groups[a->group_slots[at] - 1];

        if (g->hash == new.hash && memcmp(g->values, values, sizeof(g->values)) == 0) {
            *number = a->group_slots[at] - 1;
            return 0;
        }
    }
    *number = (uint32_t)a->groups_len;
    return add_group(a, &new);
}

static int add_cell(struct aggregate *a, uint32_t group, int64_t bucket, struct cell **cell)
{
    size_t bytes = sizeof(**cell) + a->measured_len * sizeof(struct measure);
    size_t slots = slots_for(a->cells_len, a->cell_slots_len);

    if (grow((void *)&a->cells, &a->cells_capacity, a->cells_len, sizeof(struct cell *)) ||
        (slots != a->cell_slots_len && index_cells(a, slots)))
        return LM_ENOMEM;
    *cell = try_malloc(bytes);
    if (!*cell)
        return LM_ENOMEM;
    memset(*cell, 0, bytes);
    (*cell)->group = group;
    (*cell)->bucket = bucket;
    put_slot(a->cell_slots, a->cell_slots_len, hash_of_cell(group, bucket), (uint32_t)a->cells_len);
    a->cells[a->cells_len++] = *cell;
    a->cells_bytes += bytes;
    return 0;
}

int aggregate_cell(struct aggregate *a, uint32_t group, int64_t bucket, struct cell **cell)
{
    struct group *g = &a->groups[group];
    size_t mask = a->cell_slots_len - 1;
    int error;

    *cell = g->last;
    if (*cell && (*cell)->bucket == bucket)
        return 0;
    for (size_t at = hash_of_cell(group, bucket) & mask; a->cell_slots_len && a->cell_slots[at];
         at = (at + 1) & mask) {
        *cell = a->cells[a->cell_slots[at] - 1];
        if ((*cell)->group == group && (*cell)->bucket == bucket) {
            g->last = *cell;
            return 0;
        }
    }
    error = add_cell(a, group, bucket, cell);
    if (!error)
        g->last = *cell;
    return error;
}

static size_t memory_of_measures(const struct aggregate *a, const struct cell *cell)
{
    size_t bytes = 0;

    for (size_t i = 0; i < a->measured_len; i++)
        bytes += measure_memory(&cell->measures[i]);
    return bytes;
}

int aggregate_merge_cell(struct aggregate *a, struct cell *cell, const struct cell *other)
{
    size_t before = memory_of_measures(a, cell);
    int error = 0;

    cell->count += other->count;
    for (size_t i = 0; !error && i < a->measured_len; i++)
        error = measure_merge(&cell->measures[i], &other->measures[i], a->measured[i].asked);
    a->cells_bytes += memory_of_measures(a, cell) - before;
    return error;
}

static void free_cell(struct aggregate *a, struct cell *cell)
{
    a->cells_bytes -= sizeof(*cell) + a->measured_len * sizeof(struct measure);
    a->cells_bytes -= memory_of_measures(a, cell);
    for (size_t i = 0; i < a->measured_len; i++)
        measure_release(&cell->measures[i]);
    free(cell);
}

/* ---- Order ---- */

static struct slice text_of(const struct aggregate *a, uint32_t value)
{
    return value == GROUP_VALUE_NONE ? slice_of(NULL, 0) : dictionary_text(&a->values, value);
}

/* Of the values at place `i`: none before all others. */
static int compare_values(const struct aggregate *a, uint32_t x, uint32_t y)
{
    struct slice s = text_of(a, x), t = text_of(a, y);
    size_t len = s.len < t.len ? s.len : t.len;
    int order = len ? memcmp(s.data, t.data, len) : 0;

    if (x == y)
        return 0;
    if (x == GROUP_VALUE_NONE || y == GROUP_VALUE_NONE)
        return x == GROUP_VALUE_NONE ? -1 : 1;
    return order ? order : (s.len > t.len) - (s.len < t.len);
}

static int compare_groups(const void *x, const void *y, void *ctx)
{
    const struct aggregate *a = ctx;
    const struct group *g = &a->groups[*(const uint32_t *)x];
    const struct group *h = &a->groups[*(const uint32_t *)y];
    int order = 0;

    if (g->count != h->count)
        return g->count > h->count ? -1 : 1;
    for (size_t i = 0; !order && i < a->spec.by_len; i++)
        order = compare_values(a, g->values[i], h->values[i]);
    return order;
}

uint32_t *aggregate_ranking(const struct aggregate *a)
{
    uint32_t *ranking = try_malloc(a->groups_len * sizeof(*ranking));

    if (!ranking)
        return NULL;
    for (uint32_t i = 1; i < a->groups_len; i++)
        ranking[i - 1] = i;
    qsort_r(ranking, a->groups_len - 1, sizeof(*ranking), compare_groups, (void *)(uintptr_t)a);
    return ranking;
}

/* ---- Leaving out ---- */

/* Moves the cells of those that go to GROUP_OTHER; numbers[group] is what it will be. */
static int move_cells(struct aggregate *a, const uint32_t *numbers)
{
    size_t n = a->cells_len, len = 0;
    int error = 0;

    /* Cells that are made for GROUP_OTHER come behind those that there are. */
    for (size_t i = 0; !error && i < n; i++) {
        struct cell *cell = a->cells[i], *to;

        if (cell->group == GROUP_OTHER || numbers[cell->group] != GROUP_OTHER)
            continue;
        error = aggregate_cell(a, GROUP_OTHER, cell->bucket, &to);
        if (!error)
            error = aggregate_merge_cell(a, to, cell);
    }
    for (size_t i = 0; !error && i < a->cells_len; i++) {
        struct cell *cell = a->cells[i];

        if (cell->group != GROUP_OTHER && numbers[cell->group] == GROUP_OTHER) {
            free_cell(a, cell);
            continue;
        }
        cell->group = numbers[cell->group];
        a->cells[len++] = cell;
    }
    if (!error)
        a->cells_len = len;
    return error;
}

/* The values that are still needed get new numbers. */
static int renew_values(struct aggregate *a)
{
    struct dictionary old = a->values;
    int error = 0;

    dictionary_init(&a->values);
    for (size_t i = 1; !error && i < a->groups_len; i++) {
        struct group *g = &a->groups[i];

        for (size_t k = 0; !error && k < a->spec.by_len; k++)
            if (g->values[k] != GROUP_VALUE_NONE)
                error = dictionary_add(&a->values, dictionary_text(&old, g->values[k]), 0,
                                       &g->values[k]);
        g->hash = hash_of_values(g->values);
        g->last = NULL;
    }
    dictionary_release(&old);
    return error;
}

static int evict(struct aggregate *a, const uint32_t *ranking, uint32_t *numbers, size_t keep)
{
    struct group *other = &a->groups[GROUP_OTHER];
    struct group *kept = try_malloc((keep + 1) * sizeof(*kept));
    uint64_t bound = a->bound;
    int error;

    if (!kept)
        return LM_ENOMEM;
    memset(numbers, 0, a->groups_len * sizeof(*numbers));
    for (size_t i = 0; i < keep; i++) {
        numbers[ranking[i]] = (uint32_t)i + 1;
        kept[i + 1] = a->groups[ranking[i]];
    }
    for (size_t i = keep; i + 1 < a->groups_len; i++) {
        const struct group *g = &a->groups[ranking[i]];

        other->count += g->count;
        if (g->count + g->lacks > bound)
            bound = g->count + g->lacks;
    }
    a->bound = bound;
    other->last = NULL;
    error = move_cells(a, numbers);
    other->last = NULL;
    kept[GROUP_OTHER] = *other;
    free(a->groups);
    a->groups = kept;
    a->groups_len = a->groups_capacity = keep + 1;
    return error;
}

/* Those behind the first `keep` of a ranking go. */
static int evict_behind(struct aggregate *a, const uint32_t *ranking, size_t keep)
{
    uint32_t *numbers = try_malloc(a->groups_len * sizeof(*numbers));
    int error = numbers ? evict(a, ranking, numbers, keep) : LM_ENOMEM;

    if (!error)
        error = renew_values(a);
    if (!error)
        error = index_groups(a, a->group_slots_len);
    if (!error)
        error = index_cells(a, a->cell_slots_len);
    a->evictions++;
    free(numbers);
    return error;
}

/* The first time that is measured of each group. */
static int64_t *first_times(const struct aggregate *a)
{
    int64_t *first = try_malloc(a->groups_len * sizeof(*first));

    for (size_t i = 0; first && i < a->groups_len; i++)
        first[i] = INT64_MAX;
    for (size_t i = 0; first && i < a->cells_len; i++)
        for (size_t k = 0; k < a->measured_len; k++) {
            const struct measure *m = &a->cells[i]->measures[k];

            if (a->measured[k].asked == MEASURE_TIMES && m->logs &&
                m->first_us < first[a->cells[i]->group])
                first[a->cells[i]->group] = m->first_us;
        }
    return first;
}

/* Those that stay come first in `ranking`; returns how many. */
static size_t rank_those_that_stay(const struct aggregate *a, const int64_t *first,
                                   aggregate_keep_fn *fn, void *ctx, uint32_t *ranking)
{
    size_t kept = 0, dropped = a->groups_len - 1;

    for (uint32_t i = 1; i < a->groups_len; i++) {
        uint32_t value = a->groups[i].values[0];

        if (value != GROUP_VALUE_NONE && fn(dictionary_text(&a->values, value), first[i], ctx))
            ranking[kept++] = i;
        else
            ranking[--dropped] = i;
    }
    return kept;
}

int aggregate_keep(struct aggregate *a, aggregate_keep_fn *fn, void *ctx)
{
    uint32_t *ranking = try_malloc(a->groups_len * sizeof(*ranking));
    int64_t *first = first_times(a);
    uint64_t bound = a->bound;
    int error = LM_ENOMEM;

    if (ranking && first) {
        size_t kept = rank_those_that_stay(a, first, fn, ctx, ranking);

        error = evict_behind(a, ranking, kept);
        a->bound = bound;
    }
    free(ranking);
    free(first);
    return error;
}

int aggregate_evict(struct aggregate *a, size_t keep)
{
    uint32_t *ranking;
    int error;

    if (keep + 1 >= a->groups_len)
        return 0;
    ranking = aggregate_ranking(a);
    error = ranking ? evict_behind(a, ranking, keep) : LM_ENOMEM;
    free(ranking);
    return error;
}

int aggregate_settle(struct aggregate *a)
{
    while (a->groups_len - 1 > a->groups_max ||
           (memory_of(a) > a->bytes_max && a->groups_len > 2)) {
        int error = aggregate_evict(a, (a->groups_len - 1) / 2);

        if (error)
            return error;
    }
    /* What is left does not become less by leaving groups out. */
    if (memory_of(a) > 2 * a->bytes_max)
        return LM_EBUSY;
    /* Others have the room now: with less it is still an answer, which says how exact it is. */
    int error = charge(a);
    while (error == LM_EBUSY && memory_of(a) > LITTLE_BYTES && a->groups_len > 2) {
        error = aggregate_evict(a, (a->groups_len - 1) / 2);
        if (!error)
            error = charge(a);
    }
    return error;
}
