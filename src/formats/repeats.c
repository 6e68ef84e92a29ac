#include "formats/repeats.h"

#include <stdbool.h>

#include "base/hash.h"

void repeats_begin(struct repeats *r, struct slice request)
{
    *r = (struct repeats){.looked = 0};
    /* Requests that are mixed up have one hash of 64 bits, and logs of one time and number. */
    r->hash[1] = hash_long(HASH_BASIS, request);
    r->hash[0] = hash_mix(r->hash[1]);
}

void repeats_add(struct repeats *r, struct slice part)
{
    r->hash[0] = hash_long(r->hash[0], part);
    r->hash[1] = hash_long(r->hash[1], part);
}

static bool finer_than_ms(int64_t us, unsigned below_us)
{
    enum { NS_PER_US = 1000, US_PER_MS = 1000, NS_PER_MS = 1000000 };
    int64_t rest_us = us % US_PER_MS;

    if (rest_us < 0)
        rest_us += US_PER_MS;
    int64_t rest_ns = rest_us * NS_PER_US + below_us;
    return rest_ns >= NS_PER_US && rest_ns <= NS_PER_MS - NS_PER_US;
}

bool repeats_look(struct repeats *r, const int64_t *us, unsigned below_us)
{
    r->looked++;
    if (us && finer_than_ms(*us, below_us)) {
        int64_t apart = r->has_time ? *us - r->last_us : 0; /* of a time in the years 1 to 9999 */

        if (apart < 0)
            apart = -apart;
        r->clock_goes |= apart > 0 && apart < REPEATS_APART_MAX_US;
        r->has_time = true;
        r->last_us = *us;
    }
    return r->clock_goes || r->looked == REPEATS_LOOK_MAX;
}

void repeats_name(const struct repeats *r, struct record_draft *d, size_t number, int64_t us,
                  unsigned below_us)
{
    if (r->clock_goes && finer_than_ms(us, below_us))
        record_draft_within(d, r->hash, number);
}
