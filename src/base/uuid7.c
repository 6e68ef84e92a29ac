/*
 * The 74 bits below the milliseconds come from one process-wide number that starts at random and
 * grows by a random step of about 2^32 with every id: so ids made later are larger whenever their
 * milliseconds are equal, and two processes meet on the same number only by a chance of 2^-73 a
 * pair of ids, as if every id were drawn at random.
 */
#include "base/uuid7.h"

#include <pthread.h>
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

static struct {
    pthread_mutex_t lock;
    bool seeded;
    uint64_t high;  /* the tail's upper 12 bits */
    uint64_t low;   /* the tail's lower 62 bits */
    uint64_t steps; /* state of the generator of steps */
} tail = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* SplitMix64 (public domain construction by Sebastiano Vigna): a well-mixed 64-bit sequence. */
static uint64_t splitmix64(uint64_t *state)
{
    return hash_mix(*state += UINT64_C(0x9e3779b97f4a7c15));
}

static void seed_tail(void)
{
    uint64_t random[3];

    if (getentropy(random, sizeof(random)) != 0)
        abort(); /* the kernel has no random numbers: ids would not be unique */
    tail.high = random[0] & (TAIL_HIGH_MASK >> 1); /* the upper half is left to grow into */
    tail.low = random[1] & TAIL_LOW_MASK;
    tail.steps = random[2];
    tail.seeded = true;
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

    pthread_mutex_lock(&tail.lock);
    if (!tail.seeded)
        seed_tail();
    tail.low += 1 + (splitmix64(&tail.steps) >> 31); /* 1 to 2^33 */
    if (tail.low > TAIL_LOW_MASK) {
        tail.low &= TAIL_LOW_MASK;
        if (++tail.high > TAIL_HIGH_MASK)
            seed_tail(); /* after some 10^12 ids */
    }
    put_uuid(&id, uuid7_ms_of_timestamp(timestamp_us), tail.high, tail.low);
    pthread_mutex_unlock(&tail.lock);
    return id;
}

/* Spreads `seed` over 64 bits; `basis` gives independent hashes. */
static uint64_t spread(struct slice seed, uint64_t basis)
{
    uint64_t h = hash_bytes(basis, seed);

    return splitmix64(&h);
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
