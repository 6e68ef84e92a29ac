#include "query/distinct.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/xalloc.h"

enum {
    INDEX_BITS = 12, /* 2^12 registers */
    CAPACITY_MIN = 16,
};

static_assert(1 << INDEX_BITS == DISTINCT_REGISTERS, "");
static_assert(64 - INDEX_BITS + 1 == DISTINCT_REGISTER_MAX, "");

void distinct_release(struct distinct *d)
{
    free(d->hashes);
    free(d->registers);
    *d = (struct distinct){.len = 0};
}

size_t distinct_memory(const struct distinct *d)
{
    return d->capacity * sizeof(*d->hashes) + (d->registers ? DISTINCT_REGISTERS : 0);
}

uint64_t distinct_hash(struct slice text)
{
    uint64_t hash = hash_mix(hash_bytes(HASH_BASIS, text));

    return hash ? hash : 1;
}

static void set_register(struct distinct *d, uint64_t hash)
{
    uint64_t rest = hash << INDEX_BITS | UINT64_C(1) << (INDEX_BITS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    uint8_t *reg = &d->registers[hash >> (64 - INDEX_BITS)];

    if (rank > *reg)
        *reg = rank;
}

int distinct_estimate(struct distinct *d)
{
    if (d->registers)
        return 0;
    d->registers = try_malloc(DISTINCT_REGISTERS);
    if (!d->registers)
        return LM_ENOMEM;
    memset(d->registers, 0, DISTINCT_REGISTERS);
    for (uint32_t i = 0; i < d->capacity; i++)
        if (d->hashes[i])
            set_register(d, d->hashes[i]);
    free(d->hashes);
    d->hashes = NULL;
    d->len = d->capacity = 0;
    return 0;
}

/* Where `hash` is, or goes. */
static uint64_t *find(uint64_t *hashes, uint32_t capacity, uint64_t hash)
{
    uint64_t at = hash & (capacity - 1);

    while (hashes[at] && hashes[at] != hash)
        at = (at + 1) & (capacity - 1);
    return &hashes[at];
}

static int grow(struct distinct *d)
{
    uint32_t capacity = d->capacity ? 2 * d->capacity : CAPACITY_MIN;
    uint64_t *hashes = try_malloc(capacity * sizeof(*hashes));

    if (!hashes)
        return LM_ENOMEM;
    memset(hashes, 0, capacity * sizeof(*hashes));
    for (uint32_t i = 0; i < d->capacity; i++)
        if (d->hashes[i])
            *find(hashes, capacity, d->hashes[i]) = d->hashes[i];
    free(d->hashes);
    d->hashes = hashes;
    d->capacity = capacity;
    return 0;
}

int distinct_add(struct distinct *d, uint64_t hash)
{
    if (!d->registers) {
        if (2 * d->len >= d->capacity && grow(d))
            return LM_ENOMEM;

        uint64_t *place = find(d->hashes, d->capacity, hash);

        d->len += !*place;
        *place = hash;
        return d->len > DISTINCT_EXACT_MAX ? distinct_estimate(d) : 0;
    }
    set_register(d, hash);
    return 0;
}

int distinct_merge(struct distinct *d, const struct distinct *other)
{
    int error = other->registers ? distinct_estimate(d) : 0;

    for (uint32_t i = 0; !error && i < other->capacity; i++)
        if (other->hashes[i])
            error = distinct_add(d, other->hashes[i]);
    for (size_t i = 0; !error && other->registers && i < DISTINCT_REGISTERS; i++)
        if (other->registers[i] > d->registers[i])
            d->registers[i] = other->registers[i];
    return error;
}

/* ---- The estimate: the paper's algorithm 6 ---- */

static double sigma(double x)
{
    double y = 1, z = x, before;

    if (x == 1)
        return INFINITY;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

static double tau(double x)
{
    double y = 1, z = 1 - x, before;

    if (x == 0 || x == 1)
        return 0;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

uint64_t distinct_count(const struct distinct *d)
{
    const double m = DISTINCT_REGISTERS;
    unsigned with[DISTINCT_REGISTER_MAX + 1] = {0};
    double z;

    if (!d->registers)
        return d->len;
    for (size_t i = 0; i < DISTINCT_REGISTERS; i++)
        with[d->registers[i]]++;
    z = m * tau(1 - with[DISTINCT_REGISTER_MAX] / m);
    for (unsigned k = DISTINCT_REGISTER_MAX - 1; k >= 1; k--)
        z = 0.5 * (z + with[k]);
    z += m * sigma(with[0] / m);
    return (uint64_t)llround(m * m / (2 * log(2)) / z);
}
