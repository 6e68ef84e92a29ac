#include "base/relative_time.h"

#include <string.h>

#include "../cmocka_all.h"
#include "base/timestamp.h"

/* Reads `text` at 2026-03-29T12:30:00.5Z, a Sunday on which summer time began in Europe. */
static const char *at(const char *text, relative_time_zone_fn *zone)
{
    static char out[TIMESTAMP_TEXT_LEN + 1];
    struct timestamp_error error;
    int64_t now_us;
    int64_t us = 7;
    int result;

    assert_int_equal(timestamp_parse_text(SLICE_LITERAL("2026-03-29T12:30:00.5Z"), &now_us, &error),
                     0);
    result = relative_time_parse(slice_of_string(text), now_us, zone, &us);
    if (result) {
        assert_int_equal(us, 7);
        return lm_error_text(result);
    }
    timestamp_format(us, out);
    return out;
}

static void a_length_is_that_long_ago(void **state)
{
    assert_string_equal(at("90s", NULL), "2026-03-29T12:28:30.500000Z");
    assert_string_equal(at("30m", NULL), "2026-03-29T12:00:00.500000Z");
    assert_string_equal(at("2h", NULL), "2026-03-29T10:30:00.500000Z");
    assert_string_equal(at("2h ago", NULL), "2026-03-29T10:30:00.500000Z");
    assert_string_equal(at("1d", NULL), "2026-03-28T12:30:00.500000Z");
    assert_string_equal(at("1w", NULL), "2026-03-22T12:30:00.500000Z");
    assert_string_equal(at("0s", NULL), "2026-03-29T12:30:00.500000Z");
    assert_string_equal(at("0000000000000000000001h", NULL), "2026-03-29T11:30:00.500000Z");
}

static void words_are_moments(void **state)
{
    assert_string_equal(at("now", NULL), "2026-03-29T12:30:00.500000Z");
    assert_string_equal(at("NOW", NULL), "2026-03-29T12:30:00.500000Z");
    assert_string_equal(at("today", NULL), "2026-03-29T00:00:00.000000Z");
    assert_string_equal(at("yesterday", NULL), "2026-03-28T00:00:00.000000Z");
}

static void a_length_counts_from_a_word(void **state)
{
    assert_string_equal(at("now-1h", NULL), "2026-03-29T11:30:00.500000Z");
    assert_string_equal(at("now+1h", NULL), "2026-03-29T13:30:00.500000Z");
    assert_string_equal(at("now 1h", NULL), "2026-03-29T13:30:00.500000Z");
    assert_string_equal(at("today+9h", NULL), "2026-03-29T09:00:00.000000Z");
    assert_string_equal(at("yesterday-1w", NULL), "2026-03-21T00:00:00.000000Z");
}

/* Berlin on that day. */
static int64_t berlin(int64_t us)
{
    return us < INT64_C(1774746000000000) ? 3600 : 7200;
}

static int64_t far_west(int64_t us)
{
    return INT64_C(-12) * 3600 - 1800;
}

static void days_begin_at_the_zone_s_midnight(void **state)
{
    assert_string_equal(at("today", berlin), "2026-03-28T23:00:00.000000Z");
    assert_string_equal(at("yesterday", berlin), "2026-03-27T23:00:00.000000Z");
    assert_string_equal(at("today", far_west), "2026-03-29T12:30:00.000000Z");
    assert_string_equal(at("now", berlin), "2026-03-29T12:30:00.500000Z");
}

static void what_has_no_form_is_left_to_others(void **state)
{
    static const char *const texts[] = {
        "",        "h",    "2",          "2H",         "2hours", "-2h",      "2h30m",
        "1.5h",    "2 h",  "now-",       "now-1",      "now1h",  "nowadays", "now--1",
        "now -1h", "nows", "tomorrow",   " ago",       "h ago",  "2h  ago",  "2hago",
        "now ago", "1y",   "2026-03-29", "1774746000",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_string_equal(at(texts[i], NULL), lm_error_text(LM_EINVAL));
}

static void times_outside_of_all_years_are_refused(void **state)
{
    assert_string_equal(at("2025y", NULL), lm_error_text(LM_EINVAL));
    assert_string_equal(at("800000d", NULL), lm_error_text(LM_ETOOBIG));
    assert_string_equal(at("now+3000000d", NULL), lm_error_text(LM_ETOOBIG));
    assert_string_equal(at("99999999999999999999999999999999w", NULL), lm_error_text(LM_ETOOBIG));
    assert_string_equal(at("now+9223372036854775807s", NULL), lm_error_text(LM_ETOOBIG));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_length_is_that_long_ago),
        cmocka_unit_test(words_are_moments),
        cmocka_unit_test(a_length_counts_from_a_word),
        cmocka_unit_test(days_begin_at_the_zone_s_midnight),
        cmocka_unit_test(what_has_no_form_is_left_to_others),
        cmocka_unit_test(times_outside_of_all_years_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
