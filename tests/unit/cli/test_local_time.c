#include "cli/local_time.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../cmocka_all.h"

static const int64_t US_PER_S = 1000000;

static void assert_zone(time_t seconds)
{
    struct tm local;

    assert_non_null(localtime_r(&seconds, &local));
    int64_t expected = local.tm_gmtoff / 60 * 60;
    assert_true(local_time_zone(seconds * US_PER_S) == expected);
    assert_true(local_time_zone(seconds * US_PER_S + US_PER_S - 1) == expected);
}

/* Zones whose summer is an hour, and half of one. */
static void the_zone_is_right_at_each_second_around_a_change(void **state)
{
    static const struct {
        const char *zone;
        time_t change;
    } changes[] = {
        {"Europe/Berlin", 1774746000},
        {"Europe/Berlin", 1792890000},
        {"Australia/Lord_Howe", 1775314800},
        {"Europe/Berlin", -1000000000},
        {"UTC", 1774746000},
    };

    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        assert_int_equal(setenv("TZ", changes[i].zone, 1), 0);
        tzset();
        (void)local_time_zone(0); /* another quarter of an hour */
        for (time_t s = -3700; s < 3700; s += 1 + (s < -2 || s > 2) * 97)
            assert_zone(changes[i].change + s);
        for (time_t s = 3700; s > -3700; s -= 301)
            assert_zone(changes[i].change + s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_zone_is_right_at_each_second_around_a_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
