#include "access/places.h"

#include "base/check.h"

const char *const place_names[PLACE_KINDS] = {
    [PLACE_CONNECTION] = "connections", [PLACE_SCAN] = "scans", [PLACE_TAIL] = "tails"};

bool places_take(struct places *p, unsigned max)
{
    unsigned taken = atomic_load(&p->taken);

    do {
        if (taken >= places_max(p, max))
            return false;
    } while (!atomic_compare_exchange_weak(&p->taken, &taken, taken + 1));
    return true;
}

void places_give(struct places *p)
{
    unsigned taken = atomic_fetch_sub(&p->taken, 1);

    CHECK(taken > 0);
    (void)taken;
}
