/*
 * The 74 bits below the milliseconds are one process-wide number, which starts at random, anew in
 * each process, and grows by 1 with every id. So ids made later are larger whenever their
 * milliseconds are equal, and those of a body or file follow one another, which costs a compressed
 * block next to nothing (numbers that jump cost four bytes and more a log, however they are
 * packed).
 *
 * Unique, since two ids are the same only if their milliseconds and numbers are. Of one process no
 * two have one number: it has room for 2^61 of them, a million a second for 73,000 years. Two
 * processes, or one before and after a restart, begin at two of 2^73 places: of n ids each, any can
 * have the same number only if these lie within n of one another, which has a chance of n / 2^72:
 * about 2^-32 for a trillion (10^12) ids each, and then they still have to be made for the same
 * millisecond, too. For n processes it is n^2 / 2 as much. Steps by chance would not make it less:
 * they spread the numbers that a process takes over more places, each of them taken more rarely.
 * A process must not fork and go on in both after its first id: ours do not.
 */
#include "base/uuid7.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/byte_order.h"
#include "base/clock.h"
#include "base/hash.h"

static const uint64_t TAIL_HIGH_MASK = (UINT64_C(1) << 12) - 1; /* rand_a */
static const uint64_t TAIL_LOW_MASK = (UINT64_C(1) << 62) - 1;  /* rand_b */
static const uint64_t VERSION = UINT64_C(7) << 12;              /* above rand_a */
static const uint64_t VARIANT = UINT64_C(2) << 62;              /* above rand_b */
static const int64_t ID_MS_MAX = (INT64_C(1) << 48) - 1;

/* What all ids of this process have, and the number of the next one. */
static pthread_once_t seeded = PTHREAD_ONCE_INIT;
static uint64_t tail_high;        /* the tail's upper 12 bits */
static _Atomic uint64_t tail_low; /* its lower 62 bits, which begin in the lower half of theirs */

static void seed_tail(void)
{
    uint64_t random[2];

    if (getentropy(random, sizeof(random)) != 0)
        abort(); /* the kernel has no random numbers: ids would not be unique */
    tail_high = random[0] & TAIL_HIGH_MASK;
    atomic_store(&tail_low, random[1] & (TAIL_LOW_MASK >> 1));
}

/* `high` and `low` are within their masks. */
static void put_uuid(struct uuid *id, int64_t ms, uint64_t high, uint64_t low)
{
    char *bytes = (char *)id->bytes;

    bytes = byte_order_put64(bytes, (uint64_t)ms << 16 | VERSION | high);
    byte_order_put64(bytes, VARIANT | low);
}

int64_t uuid7_ms_of_timestamp(int64_t timestamp_us)
{
    int64_t ms = timestamp_us < 0 ? 0 : timestamp_us / 1000;

    return ms > ID_MS_MAX ? ID_MS_MAX : ms;
}

struct uuid uuid7_new(int64_t timestamp_us)
{
    struct uuid id;

    pthread_once(&seeded, seed_tail);
    put_uuid(&id, uuid7_ms_of_timestamp(timestamp_us), tail_high, atomic_fetch_add(&tail_low, 1));
    return id;
}

/* Spreads `seed` over 64 bits; `basis` gives independent hashes. */
static uint64_t spread(struct slice seed, uint64_t basis)
{
    return hash_mix(hash_bytes(basis, seed) + UINT64_C(0x9e3779b97f4a7c15));
}

struct uuid uuid7_derived(int64_t timestamp_us, struct slice seed)
{
    struct uuid id;

    put_uuid(&id, uuid7_ms_of_timestamp(timestamp_us),
             spread(seed, UINT64_C(0x84222325cbf29ce4)) & TAIL_HIGH_MASK,
             spread(seed, HASH_BASIS) & TAIL_LOW_MASK);
    return id;
}

struct uuid uuid7_numbered(int64_t timestamp_us, uint64_t number, uint64_t bits)
{
    enum { BITS = 42, LOW_NUMBER_BITS = 62 - BITS };
    uint64_t n = number < UUID7_NUMBER_MAX ? number : UUID7_NUMBER_MAX;
    struct uuid id;

    put_uuid(&id, uuid7_ms_of_timestamp(timestamp_us), n >> LOW_NUMBER_BITS,
             (n << BITS & TAIL_LOW_MASK) | bits >> (64 - BITS));
    return id;
}

struct uuid uuid7_within(int64_t timestamp_us, const uint64_t bits[2], uint64_t number)
{
    struct uuid id;

    put_uuid(&id, uuid7_ms_of_timestamp(timestamp_us), bits[0] & TAIL_HIGH_MASK,
             (bits[1] & (TAIL_LOW_MASK >> 1)) + (number & (TAIL_LOW_MASK >> 1)));
    return id;
}

struct uuid uuid7_lowest(int64_t timestamp_us)
{
    struct uuid id;

    put_uuid(&id, uuid7_ms_of_timestamp(timestamp_us), 0, 0);
    return id;
}

int64_t uuid7_ms(const struct uuid *id)
{
    return (int64_t)(byte_order_get64((const char *)id->bytes) >> 16);
}

bool uuid_is_v7(const struct uuid *id)
{
    return id->bytes[6] >> 4 == 7 && id->bytes[8] >> 6 == 2;
}

void uuid_format(const struct uuid *id, char out[UUID_TEXT_LEN])
{
    static const char digits[] = "0123456789abcdef";
    char *at = out;

    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[id->bytes[i] >> 4];
        *at++ = digits[id->bytes[i] & 15];
    }
}
