#include "query/levels.h"

#include "../cmocka_all.h"

static int severity(const char *level)
{
    return level_severity(slice_of_string(level));
}

static void levels_are_ordered_as_syslog_has_them_with_trace_below(void **state)
{
    static const char *const levels[] = {"trace", "debug",    "info",  "notice",   "warning",
                                         "error", "critical", "alert", "emergency"};

    for (int i = 0; i < LEVEL_SEVERITIES; i++)
        assert_int_equal(severity(levels[i]), i);
}

static void either_name_is_the_same_severity_in_any_case(void **state)
{
    assert_int_equal(severity("warn"), severity("WARNING"));
    assert_int_equal(severity("Err"), severity("error"));
    assert_int_equal(severity("FATAL"), severity("Critical"));
}

static void what_is_no_level_of_ours_has_no_severity(void **state)
{
    static const char *const levels[] = {"",  "inf",      "infos",      "panic",
                                         "5", "warnings", "\xc4\xb1nfo"};

    for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++)
        assert_int_equal(severity(levels[i]), LEVEL_WITHOUT_SEVERITY);
    assert_int_equal(level_severity(slice_of(NULL, 0)), LEVEL_WITHOUT_SEVERITY);
}

static void all_names_of_a_severity_are_told(void **state)
{
    for (int i = 0; i < LEVEL_SEVERITIES; i++) {
        struct slice names[2];
        unsigned n = level_names(i, names);

        assert_in_range(n, 1, 2);
        for (unsigned k = 0; k < n; k++)
            assert_int_equal(level_severity(names[k]), i);
        struct slice other = level_other_name(names[0]);
        if (n == 2) {
            assert_true(slice_equal(other, names[1]));
            assert_true(slice_equal(level_other_name(names[1]), names[0]));
        } else {
            assert_null(other.data);
        }
    }
    assert_null(level_other_name(SLICE_LITERAL("custom")).data);
    assert_true(slice_equal(level_other_name(SLICE_LITERAL("WARN")), SLICE_LITERAL("warning")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_ordered_as_syslog_has_them_with_trace_below),
        cmocka_unit_test(either_name_is_the_same_severity_in_any_case),
        cmocka_unit_test(what_is_no_level_of_ours_has_no_severity),
        cmocka_unit_test(all_names_of_a_severity_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
