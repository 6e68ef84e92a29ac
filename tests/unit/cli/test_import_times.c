#include "cli/import_times.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"

static int set_up(void **state)
{
    *state = temp_directory_new();
    return setenv("XDG_STATE_HOME", *state, 1);
}

static int tear_down(void **state)
{
    temp_directory_free(*state);
    return 0;
}

static int64_t find(uint64_t seed, const char *head)
{
    int64_t us = -1;

    return import_times_find(seed, slice_of_string(head), &us) ? us : -1;
}

static void add(uint64_t seed, const char *head, int64_t us)
{
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(import_times_add(seed, slice_of_string(head), us, &err), 0);
}

static void an_input_is_found_again_when_it_has_grown(void **state)
{
    assert_int_equal(find(1, "a\n"), -1);
    add(1, "a\n", 100);
    assert_int_equal(find(1, "a\n"), 100);
    assert_int_equal(find(1, "a\nb\n"), 100);
    assert_int_equal(find(1, "a"), -1);
    assert_int_equal(find(1, "b\na\n"), -1);
    assert_int_equal(find(2, "a\n"), -1); /* other flags */
}

static void the_longest_beginning_counts(void **state)
{
    add(1, "a\nb\n", 200);
    add(1, "a\n", 100);
    add(1, "a\nb\nc\n", -300);
    assert_int_equal(find(1, "a\nx\n"), 100);
    assert_int_equal(find(1, "a\nb\nx\n"), 200);
    assert_int_equal(find(1, "a\nb\nc\nx\n"), -300);
}

static void what_is_broken_in_the_file_is_passed_over(void **state)
{
    char path[4096];

    add(1, "a\n", 100);
    snprintf(path, sizeof(path), "%s/logmill/import-times", (char *)*state);
    FILE *file = fopen(path, "a");
    fputs("\n\nx y z\n99999999999999999999 0 0\n2\n3 -1 5 more\n18446744073709551615 1 1\n", file);
    assert_int_equal(fclose(file), 0);
    add(1, "b\n", 200);
    assert_int_equal(find(1, "a\n"), 100);
    assert_int_equal(find(1, "b\n"), 200);
    assert_int_equal(find(1, "xyz"), -1);
}

static void the_file_stays_short_and_keeps_what_is_newest(void **state)
{
    char path[4096], head[32];
    struct stat stat_;

    for (int i = 0; i < 50000; i++) {
        snprintf(head, sizeof(head), "input %d", i);
        add(1, head, 1000000 + i);
    }
    snprintf(path, sizeof(path), "%s/logmill/import-times", (char *)*state);
    assert_int_equal(stat(path, &stat_), 0);
    assert_in_range(stat_.st_size, IMPORT_TIMES_BYTES / 4, IMPORT_TIMES_BYTES + 100);
    assert_int_equal(find(1, "input 0"), -1);
    assert_int_equal(find(1, "input 49999"), 1049999);
    assert_int_equal(find(1, "input 40000"), 1040000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_input_is_found_again_when_it_has_grown, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_longest_beginning_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_broken_in_the_file_is_passed_over, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_file_stays_short_and_keeps_what_is_newest, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
