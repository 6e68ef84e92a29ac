/*
 * UUID version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, version, 74 bits that
 * tell ids of one millisecond apart.
 */
#ifndef LOGMILL_BASE_UUID7_H
#define LOGMILL_BASE_UUID7_H

#include <stdbool.h>
#include <stdint.h>

#include "base/errbuf.h"
#include "base/slice.h"

enum { UUID_TEXT_LEN = 36 };

struct uuid {
    uint8_t bytes[16]; /* network order, so that memcmp orders as the text does */
};

/*
 * A new id whose milliseconds are those of `timestamp_us` (0 for a time before 1970, which the
 * format cannot hold). All ids made by this process for one millisecond ascend in the order of the
 * calls, whatever ids for other milliseconds were made in between; one after the other they differ
 * by 1 below the milliseconds, so that they take no room when they are compressed. Thread-safe.
 */
struct uuid uuid7_new(int64_t timestamp_us);

/*
 * An id for `timestamp_us` whose other bits are a hash of `seed`: the same arguments give the same
 * id, so that a message delivered twice gives the same log.
 */
struct uuid uuid7_derived(int64_t timestamp_us, struct slice seed);

/*
 * An id for `timestamp_us` whose other bits are `number`, first, and the upper 42 of `bits`, a
 * hash: so ids of one millisecond have the order of their numbers. Numbers past UUID7_NUMBER_MAX
 * count as that, and leave the order to the hash. The same arguments give the same id.
 */
#define UUID7_NUMBER_MAX UINT64_C(0xffffffff)
struct uuid uuid7_numbered(int64_t timestamp_us, uint64_t number, uint64_t bits);

/*
 * The same for the logs of one request, whose hash is `bits`: ids of one millisecond have the order
 * of their numbers and differ by those, as those of uuid7_new.
 */
struct uuid uuid7_within(int64_t timestamp_us, const uint64_t bits[2], uint64_t number);

/* The lowest id for `timestamp_us`: its other bits are 0. */
struct uuid uuid7_lowest(int64_t timestamp_us);

/* The milliseconds since 1970 that `id` carries. */
int64_t uuid7_ms(const struct uuid *id);

/* The milliseconds that an id of a log of `timestamp_us` carries: floor, and 0 before 1970. */
int64_t uuid7_ms_of_timestamp(int64_t timestamp_us);

/* True if version (7) and variant bits are right. */
bool uuid_is_v7(const struct uuid *id);

/*
 * Parses the forms that pydantic v2 takes (hyphenated, simple, urn:uuid:, braces; any case).
 * Returns 0, or LM_EINVAL with pydantic's reason in `reason` ("invalid character: found `z` at 0").
 */
int uuid_parse(struct slice text, struct uuid *id, struct errbuf *reason) LM_MUST_CHECK;

/* Writes the hyphenated lower-case form, not terminated. */
void uuid_format(const struct uuid *id, char out[UUID_TEXT_LEN]);

#endif
