/* Lines of files that are appended to, renamed, truncated: each once. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cmocka_all.h"
#include "follow/taker.h"

static const char *const APP[] = {"app.log", NULL};

static int setup(void **state)
{
    struct taker *t = xcalloc(1, sizeof(*t));

    taker_init(t);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    taker_release(*state);
    free(*state);
    return 0;
}

static void hands_out_whole_lines_with_their_offsets(void **state)
{
    struct taker *t = *state;

    taker_append(t, "app.log", "one\ntwo\nhal");
    taker_start(t, APP);
    taker_wait(t, 2);
    taker_append(t, "app.log", "f\n");
    taker_wait(t, 3);
    assert_string_equal(taker_text(t), "one|two|half");
    assert_int_equal(t->lines[0].offset, 0);
    assert_int_equal(t->lines[1].offset, 4);
    assert_int_equal(t->lines[2].offset, 8);
    assert_string_equal(t->lines[0].path, taker_path(t, "app.log"));
    assert_true(t->lines[0].is_first && t->lines[0].is_last);
}

static void follows_a_file_that_is_not_there_yet(void **state)
{
    struct taker *t = *state;

    taker_start(t, APP);
    taker_take(t);
    taker_append(t, "app.log", "one\n");
    taker_wait(t, 1);
    assert_string_equal(taker_text(t), "one");
}

static void goes_on_after_a_restart_where_it_was(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 100);
    taker_start(t, APP);
    taker_wait(t, 100);
    taker_stop(t);
    taker_append_lines(t, "app.log", "a", 100, 200);
    taker_start(t, APP);
    taker_wait(t, 200);
    taker_assert_lines(t, "a", 0, 200);
}

static void hands_out_again_what_was_not_acknowledged_with_the_same_time(void **state)
{
    struct taker *t = *state;
    struct errbuf err = ERRBUF_INIT;

    taker_append(t, "app.log", "one\n");
    taker_start(t, APP);
    taker_wait(t, 1);
    taker_acknowledge(t);
    taker_append(t, "app.log", "two\n");
    taker_wait(t, 2);
    struct follow_mark *m = follower_mark(t->f);
    assert_int_equal(follower_prepare(t->f, m, &err), 0);
    taker_kill(t);
    taker_append(t, "app.log", "three\n");
    taker_start(t, APP);
    taker_wait(t, 4);
    assert_string_equal(taker_text(t), "one|two|two|three");
    assert_int_equal(t->lines[1].key, t->lines[2].key);
    assert_int_equal(t->lines[1].offset, t->lines[2].offset);
    assert_int_equal(t->lines[1].read_us, t->lines[2].read_us);
    assert_true(t->lines[3].read_us > t->lines[2].read_us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hands_out_whole_lines_with_their_offsets, setup, teardown),
        cmocka_unit_test_setup_teardown(follows_a_file_that_is_not_there_yet, setup, teardown),
        cmocka_unit_test_setup_teardown(goes_on_after_a_restart_where_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(
            hands_out_again_what_was_not_acknowledged_with_the_same_time, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
