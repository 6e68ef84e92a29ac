#include "formats/repeats.h"

#include "base/hash.h"

void repeats_begin(struct repeats *r, struct slice request, size_t logs)
{
    /* Requests that are mixed up have one hash of 64 bits, and logs of one time and number. */
    r->hash[1] = hash_long(HASH_BASIS, request);
    r->hash[0] = hash_mix(r->hash[1]);
    r->single = logs == 1;
}

void repeats_add(struct repeats *r, struct slice part)
{
    r->hash[0] = hash_long(r->hash[0], part);
    r->hash[1] = hash_long(r->hash[1], part);
}

size_t repeats_lines(struct slice body, size_t most)
{
    size_t lines = 0;

    while (lines < most && body.len > 0)
        lines += slice_trim(slice_cut(&body, '\n')).len > 0;
    return lines;
}

void repeats_name(const struct repeats *r, struct record_draft *d, size_t number, bool below_ms)
{
    if (!r->single || below_ms)
        record_draft_within(d, r->hash, number);
}

void repeats_name_at(const struct repeats *r, struct record_draft *d, size_t number, int64_t us,
                     unsigned below_us)
{
    enum { US_PER_S = 1000000, US_PER_MS = 1000 };

    if (us % US_PER_S != 0 || below_us != 0)
        repeats_name(r, d, number, us % US_PER_MS != 0 || below_us != 0);
}
