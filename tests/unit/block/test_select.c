#include "block/select.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/hash.h"
#include "select_property.h"

static void a_block_selects_what_the_plain_matcher_takes(void **state)
{
    struct block_explain explain = {0};

    const char *more = getenv("LOGMILL_SELECT_SEEDS"); /* how many; more find more */
    uint64_t seeds = more ? strtoull(more, NULL, 10) : 300;

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        uint64_t mixed = hash_mix(seed);
        char bytes[sizeof(mixed)];

        memcpy(bytes, &mixed, sizeof(bytes));
        select_property_check(slice_of(bytes, sizeof(bytes)), seed % 10 ? 100 : 3000, 30, &explain);
    }
    assert_true(explain.rows > 0);
    assert_true(explain.rows_matched < explain.rows / 8); /* columns decide most of it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_selects_what_the_plain_matcher_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
