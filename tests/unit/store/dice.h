/* Chance that is the same for the same seed, on every machine. */
#ifndef LOGMILL_TESTS_DICE_H
#define LOGMILL_TESTS_DICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

/* https://prng.di.unimi.it/splitmix64.c: any seed will do, also 0. */
static inline uint64_t dice_bits(struct dice *d)
{
    uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 to n - 1; n is at least 1. */
static inline size_t dice_below(struct dice *d, size_t n)
{
    return dice_bits(d) % n;
}

/* True once in `n` times. */
static inline bool dice_one_in(struct dice *d, size_t n)
{
    return dice_below(d, n) == 0;
}

#endif
