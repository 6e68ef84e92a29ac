/* Ends of files: lines without a line feed there, lines that are held back. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void ends_a_last_line_that_the_next_file_ends(void **state)
{
    struct taker *t = *state;

    taker_append(t, "app.log", "line 1\nline 2");
    taker_start(t, APP);
    taker_wait(t, 1);
    taker_rename(t, "app.log", "app.log.1");
    taker_append(t, "app.log", "\nline 3\n");
    taker_wait(t, 3);
    assert_string_equal(taker_text(t), "line 1|line 2|line 3");
    assert_int_equal(t->lines[1].offset, 7);
    assert_int_equal(t->lines[1].key, t->lines[0].key);
    assert_int_equal(t->lines[2].offset, 1);
}

static void puts_a_line_together_that_was_cut_into_two_files(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "line", 0, 10);
    taker_append(t, "app.log", "line 0000");
    taker_start(t, APP);
    taker_wait(t, 10);
    taker_rename(t, "app.log", "app.log.1");
    taker_append(t, "app.log", "10 of a text that is as long as most lines of logs are\n");
    taker_append_lines(t, "app.log", "line", 11, 20);
    taker_wait(t, 20);
    taker_assert_lines(t, "line", 0, 20);
    assert_int_equal(t->lines[10].key, t->lines[0].key);
    assert_int_equal(t->lines[10].offset, 640);
    /* Both files are read from behind it, or none is. */
    taker_stop(t);
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    assert_int_equal(t->len, 21);
}

static void puts_it_together_again_after_a_crash(void **state)
{
    struct taker *t = *state;
    struct errbuf err = ERRBUF_INIT;

    taker_append_lines(t, "app.log", "line", 0, 10);
    taker_append(t, "app.log", "line 0000");
    taker_start(t, APP);
    taker_wait(t, 10);
    taker_acknowledge(t);
    taker_rename(t, "app.log", "app.log.1");
    taker_append(t, "app.log", "10 of a text that is as long as most lines of logs are\n");
    taker_append_lines(t, "app.log", "line", 11, 12);
    taker_wait(t, 12);
    struct follow_mark *m = follower_mark(t->f);
    assert_int_equal(follower_prepare(t->f, m, &err), 0);
    taker_kill(t);
    taker_start(t, APP);
    taker_wait(t, 14);
    for (int i = 10; i < 12; i++) {
        assert_string_equal(t->lines[i].text, t->lines[i + 2].text);
        assert_int_equal(t->lines[i].key, t->lines[i + 2].key);
        assert_int_equal(t->lines[i].offset, t->lines[i + 2].offset);
        assert_int_equal(t->lines[i].read_us, t->lines[i + 2].read_us);
    }
}

static void keeps_two_lines_apart_that_begin_as_lines_do(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "line", 0, 10);
    taker_append(t, "app.log", "line 000010 has no line feed");
    taker_start(t, APP);
    taker_wait(t, 10);
    taker_rename(t, "app.log", "app.log.1");
    taker_append(t, "app.log", "line 000011 of the next file\n");
    taker_wait(t, 12);
    assert_string_equal(t->lines[10].text, "line 000010 has no line feed");
    assert_string_equal(t->lines[11].text, "line 000011 of the next file");
}

static void hands_out_a_last_line_that_nothing_follows(void **state)
{
    struct taker *t = *state;

    taker_append(t, "app.log", "one\ntwo");
    taker_start(t, APP);
    taker_wait(t, 1);
    taker_rename(t, "app.log", "app.log.1");
    taker_wait(t, 2);
    assert_string_equal(taker_text(t), "one|two");
}

static void hands_out_no_half_line_while_somebody_may_write_it(void **state)
{
    struct taker *t = *state;

    taker_append(t, "app.log", "one\nhal");
    taker_start(t, APP);
    taker_wait(t, 1);
    int late = open(taker_path(t, "app.log"), O_WRONLY | O_APPEND);
    taker_rename(t, "app.log", "app.log.1");
    taker_append(t, "app.log", "new\n");
    taker_wait_for(t, "new"); /* which does not wait for ever */
    assert_string_equal(taker_text(t), "one|new");
    assert_int_equal(write(late, "f\n", 2), 2);
    close(late);
    taker_wait(t, 3);
    assert_string_equal(taker_text(t), "one|new|half");
}

/* ---- Lines that are held back ---- */

static void what_is_held_back_goes_on_in_the_next_file(void **state)
{
    struct taker *t = *state;

    t->holds = true;
    taker_append(t, "app.log", "one\n");
    taker_start(t, APP);
    taker_wait(t, 1);
    taker_rename(t, "app.log", "app.log.1");
    taker_append(t, "app.log", "two\n");
    taker_wait(t, 2);
    assert_int_equal(t->gone_on, 1);
    assert_int_equal(t->ended, 1);
}

static void what_is_held_back_is_read_again_after_a_crash(void **state)
{
    struct taker *t = *state;

    t->holds = true;
    taker_append(t, "app.log", "one\ntwo\n");
    taker_start(t, APP);
    taker_wait(t, 2);
    taker_acknowledge(t);
    taker_append(t, "app.log", "three\n");
    taker_wait(t, 3);
    taker_acknowledge(t);
    taker_acknowledge(t); /* the first one is in the state with the next one */
    taker_kill(t);
    taker_start(t, APP);
    taker_wait(t, 4);
    assert_string_equal(taker_text(t), "one|two|three|three");
    assert_int_equal(t->lines[3].read_us, t->lines[2].read_us);
}

/* As two streams of a container do: what is held back begins a line before the last one. */
static void hold_the_line_before(struct taker *t, const struct follow_line *line)
{
    line->file->held_from = t->len > 1 ? t->lines[t->len - 2].offset : line->offset;
}

static void goes_on_at_what_is_held_back_by_turns(void **state)
{
    struct taker *t = *state;

    t->on_line = hold_the_line_before;
    taker_append_lines(t, "app.log", "a", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 10);
    taker_acknowledge(t);
    taker_acknowledge(t);
    taker_kill(t);
    t->on_line = NULL;
    taker_start(t, APP);
    taker_wait(t, 12);
    assert_int_equal(t->lines[10].offset, t->lines[8].offset);
    assert_int_equal(t->lines[11].offset, t->lines[9].offset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ends_a_last_line_that_the_next_file_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(puts_a_line_together_that_was_cut_into_two_files, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(puts_it_together_again_after_a_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_two_lines_apart_that_begin_as_lines_do, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(hands_out_a_last_line_that_nothing_follows, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(hands_out_no_half_line_while_somebody_may_write_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_held_back_goes_on_in_the_next_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_held_back_is_read_again_after_a_crash, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(goes_on_at_what_is_held_back_by_turns, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
