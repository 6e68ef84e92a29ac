#include "query/quantiles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum {
    PLACE_OF_ONE =
        QUANTILES_PLACE_MAX / 2, /* of 1: doubles reach from 37,300 below to 35,500 above */
    CAPACITY_MIN = 8,
};

/* Of two bounds: (1 + 0.01) / (1 - 0.01). */
static const double GROWTH = 1.01 / 0.99;

int32_t quantiles_place(double value)
{
    if (value == 0)
        return 0;

    int32_t place = PLACE_OF_ONE + (int32_t)ceil(log(fabs(value)) / log(GROWTH));

    return value < 0 ? -place : place;
}

/* What stands for all values of a bin. */
static double value_of(int32_t place)
{
    if (place == 0)
        return 0;

    double value = 2 * exp((abs(place) - PLACE_OF_ONE) * log(GROWTH)) / (GROWTH + 1);

    return place < 0 ? -value : value;
}

void quantiles_release(struct quantiles *q)
{
    free(q->values);
    free(q->bins);
    *q = (struct quantiles){.count = 0};
}

size_t quantiles_memory(const struct quantiles *q)
{
    return q->capacity * (q->is_binned ? sizeof(*q->bins) : sizeof(*q->values));
}

/* ---- Bins ---- */

static int grow_bins(struct quantiles *q)
{
    uint32_t capacity = q->capacity > 0 ? 2 * q->capacity : CAPACITY_MIN;
    struct quantiles_bin *bins;

    if (q->len < q->capacity)
        return 0;
    bins = try_realloc(q->bins, capacity * sizeof(*bins));
    if (!bins)
        return LM_ENOMEM;
    q->bins = bins;
    q->capacity = capacity;
    return 0;
}

/* The first bin that is not below `place`. */
static uint32_t find_bin(const struct quantiles *q, int32_t place)
{
    uint32_t low = 0, high = q->len;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (q->bins[middle].place < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The lowest bin goes into the one above it: what is left are the highest that there ever were. */
static void drop_lowest(struct quantiles *q)
{
    q->bins[1].count += q->bins[0].count;
    memmove(q->bins, q->bins + 1, (q->len - 1) * sizeof(*q->bins));
    q->len--;
}

static int add_to_bin(struct quantiles *q, int32_t place, uint64_t count)
{
    uint32_t at = find_bin(q, place);

    if (at == q->len || q->bins[at].place != place) {
        if (at == 0 && q->len == QUANTILES_BINS_MAX) {
            q->bins[0].count += count;
            return 0;
        }
        if (grow_bins(q))
            return LM_ENOMEM;
        memmove(q->bins + at + 1, q->bins + at, (q->len - at) * sizeof(*q->bins));
        q->bins[at] = (struct quantiles_bin){.place = place};
        q->len++;
    }
    q->bins[at].count += count;
    if (q->len > QUANTILES_BINS_MAX)
        drop_lowest(q);
    return 0;
}

static int put_into_bins(struct quantiles *q)
{
    double *values = q->values;
    uint32_t len = q->len;
    int error = 0;

    q->is_binned = true;
    q->values = NULL;
    q->len = q->capacity = 0;
    for (uint32_t i = 0; !error && i < len; i++)
        error = add_to_bin(q, quantiles_place(values[i]), 1);
    free(values);
    return error;
}

/* ---- Values ---- */

static int append_values(struct quantiles *q, const double *values, size_t step, uint32_t n)
{
    if (n == 0)
        return 0;
    if (q->len + n > q->capacity) {
        uint32_t capacity = q->capacity ? q->capacity : CAPACITY_MIN;
        double *grown;

        while (capacity < q->len + n)
            capacity *= 2;
        grown = try_realloc(q->values, capacity * sizeof(*grown));
        if (!grown)
            return LM_ENOMEM;
        q->values = grown;
        q->capacity = capacity;
    }
    for (uint32_t i = 0; i < n; i++)
        q->values[q->len++] = values[i * step];
    return 0;
}

int quantiles_add(struct quantiles *q, double value, int32_t place, uint64_t count)
{
    int error = 0;

    if (!q->is_binned && count > QUANTILES_EXACT_MAX - q->count)
        error = put_into_bins(q);
    if (!error && q->is_binned)
        error = add_to_bin(q, place, count);
    else if (!error)
        error = append_values(q, &value, 0, (uint32_t)count);
    q->count += count;
    return error;
}

int quantiles_merge(struct quantiles *q, const struct quantiles *other)
{
    int error = 0;

    if (!q->is_binned && (other->is_binned || other->count > QUANTILES_EXACT_MAX - q->count))
        error = put_into_bins(q);
    if (!error && !q->is_binned)
        error = append_values(q, other->values, 1, other->len);
    for (uint32_t i = 0; !error && q->is_binned && i < other->len; i++)
        error = other->is_binned ? add_to_bin(q, other->bins[i].place, other->bins[i].count)
                                 : add_to_bin(q, quantiles_place(other->values[i]), 1);
    q->count += other->count;
    return error;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double quantiles_value(struct quantiles *q, double share)
{
    /* 0.07 * 100 is 7.000000000000001. */
    double exact = ceil(share * (double)q->count * (1 - 1e-15));
    uint64_t rank = exact<1 ? 1 : exact>(double) q->count ? q->count : (uint64_t)exact;
    uint64_t below = 0;

    if (!q->is_binned) {
        qsort(q->values, q->len, sizeof(*q->values), ascending);
        return q->values[rank - 1];
    }
    for (uint32_t i = 0; i < q->len; i++) {
        below += q->bins[i].count;
        if (below >= rank)
            return value_of(q->bins[i].place);
    }
    return value_of(q->bins[q->len - 1].place);
}
