/* Hashes for tables and for what is derived from a text: not against who looks for collisions. */
#ifndef LOGMILL_BASE_HASH_H
#define LOGMILL_BASE_HASH_H

#include <stdint.h>

#include "base/slice.h"

static const uint64_t HASH_BASIS = UINT64_C(0xcbf29ce484222325);

/* FNV-1a (public domain): goes on from `hash`, at the beginning HASH_BASIS or another number. */
static inline uint64_t hash_bytes(uint64_t hash, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ (unsigned char)bytes.data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Spreads a number over all 64 bits: the last steps of SplitMix64 (public domain). */
static inline uint64_t hash_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/*
 * The same for long texts, eight bytes a step: texts of one length that differ within eight bytes
 * have other hashes for certain.
 */
static inline uint64_t hash_long(uint64_t hash, struct slice bytes)
{
    uint64_t word;

    for (; bytes.len >= sizeof(word); bytes.data += sizeof(word), bytes.len -= sizeof(word)) {
        memcpy(&word, bytes.data, sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return hash_mix(hash_bytes(hash, bytes) ^ bytes.len << 56);
}

/* The same with two numbers at a time, which do not wait for each other: other hashes. */
static inline uint64_t hash_wide(uint64_t hash, struct slice bytes)
{
    uint64_t other = ~hash, words[2];

    for (; bytes.len >= sizeof(words); bytes.data += sizeof(words), bytes.len -= sizeof(words)) {
        memcpy(words, bytes.data, sizeof(words));
        hash = (hash ^ words[0]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
        other = (other ^ words[1]) * UINT64_C(0xbf58476d1ce4e5b9);
        other ^= other >> 32;
    }
    return hash_long(hash_mix(hash) + other, bytes);
}

#endif
