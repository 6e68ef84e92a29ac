/* Files that are not found, are given up, and come back: themselves, as a copy, as an archive. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/xalloc.h"
#include "cmocka_all.h"
#include "follow/internal.h"
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

/* "a" 0 to 4 have left, but the state does not know whether they came; then the follower is gone.
 */
static void send_and_kill(struct taker *t)
{
    taker_append_lines(t, "app.log", "a", 0, 5);
    taker_start(t, APP);
    taker_wait(t, 5);
    taker_acknowledge(t);
    taker_kill(t);
}

/* It is the only one that is followed. */
static void wait_until_given_up(struct taker *t)
{
    taker_wait_said(t, "are gone");
    while (t->f->files > 1) {
        taker_take(t);
        follower_wait(t->f, 20, -1);
    }
}

static const struct taken_line *find(const struct taker *t, const char *text, size_t from)
{
    for (size_t i = from; i < t->len; i++)
        if (strcmp(t->lines[i].text, text) == 0)
            return &t->lines[i];
    fail_msg("%s did not come", text);
    return NULL;
}

/* It was read to its end, and nobody wrote to it; somebody does so once more before all of it is
 * stored, and it is deleted. */
static void reads_on_what_goes_on_and_is_deleted_before_it_is_stored(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 5);
    taker_start(t, APP);
    taker_wait(t, 5);
    taker_rename(t, "app.log", "app.log.1");
    taker_append_lines(t, "app.log", "b", 0, 5);
    taker_wait(t, 10);
    while (t->ended == 0) {
        taker_take(t);
        follower_wait(t->f, 20, -1);
    }
    taker_append(t, "app.log.1", "late\n");
    taker_unlink(t, "app.log.1");
    taker_acknowledge(t);
    taker_wait_for(t, "late");
    assert_int_equal(t->len, 11);
    assert_int_equal(t->lines[10].key, t->lines[0].key);
}

/* The first five lines came twice, and are the same logs. */
static void assert_same_logs(struct taker *t)
{
    for (size_t i = 0; i < 5; i++) {
        const struct taken_line *again = find(t, t->lines[i].text, 5);

        assert_int_equal(again->key, t->lines[i].key);
        assert_int_equal(again->offset, t->lines[i].offset);
        assert_int_equal(again->read_us, t->lines[i].read_us);
    }
}

static void goes_on_with_a_file_that_was_given_up(void **state)
{
    struct taker *t = *state;

    send_and_kill(t);
    taker_append_lines(t, "app.log", "a", 5, 7);
    taker_rename(t, "app.log", "away");
    taker_append(t, "app.log", "next\n");
    taker_start(t, APP);
    wait_until_given_up(t);
    taker_rename(t, "away", "app.log.1");
    taker_wait(t, 5 + 1 + 7);
    assert_same_logs(t);
    assert_int_equal(state_lost_bytes(t->f->state), 0);
}

static void goes_on_with_one_that_was_given_up_before_a_restart(void **state)
{
    struct taker *t = *state;

    send_and_kill(t);
    taker_append_lines(t, "app.log", "a", 5, 7);
    taker_rename(t, "app.log", "away");
    taker_append(t, "app.log", "next\n");
    taker_start(t, APP);
    wait_until_given_up(t);
    taker_stop(t);
    taker_rename(t, "away", "app.log");
    taker_start(t, APP);
    taker_wait(t, 5 + 1 + 7);
    assert_same_logs(t);
}

/* The last line of what comes back has no line feed, and nobody writes to it. */
static void ends_a_file_that_was_given_up_and_came_back(void **state)
{
    struct taker *t = *state;

    send_and_kill(t);
    taker_rename(t, "app.log", "away");
    taker_append(t, "app.log", "next\n");
    taker_start(t, APP);
    wait_until_given_up(t);
    taker_append(t, "away", "the last one");
    taker_rename(t, "away", "app.log.1");
    taker_wait_for(t, "the last one");
    assert_int_equal(find(t, "the last one", 0)->key, t->lines[0].key);
}

static void reads_on_in_a_copy_of_what_was_given_up(void **state)
{
    struct taker *t = *state;

    send_and_kill(t);
    taker_append_lines(t, "app.log", "a", 5, 7);
    taker_copy(t, "app.log", "away");
    taker_write(t, "app.log", "next\n");
    taker_start(t, APP);
    wait_until_given_up(t);
    taker_rename(t, "away", "app.log.1");
    taker_wait(t, 5 + 1 + 7);
    assert_same_logs(t);
    assert_int_equal(t->lines[t->len - 1].key, t->lines[0].key);
}

static void gzip(struct taker *t, const char *from, const char *to)
{
    char bytes[4096];
    gzFile in = gzopen(taker_path(t, from), "rb"); /* which reads what is no gzip as it is */
    gzFile out = gzopen(taker_path(t, to), "wb");

    assert_non_null(in);
    assert_non_null(out);
    int n = gzread(in, bytes, sizeof(bytes));
    assert_int_equal(gzwrite(out, bytes, (unsigned)n), n);
    assert_int_equal(gzclose(out), Z_OK);
    assert_int_equal(gzclose(in), Z_OK);
}

static void reads_on_in_an_archive_of_what_was_given_up(void **state)
{
    struct taker *t = *state;

    send_and_kill(t);
    taker_append_lines(t, "app.log", "a", 5, 7);
    gzip(t, "app.log", "away");
    taker_unlink(t, "app.log");
    taker_append(t, "app.log", "next\n");
    taker_start(t, APP);
    wait_until_given_up(t);
    taker_rename(t, "away", "app.log.1.gz");
    taker_wait(t, 5 + 1 + 7);
    assert_same_logs(t);
}

/* All files of the program begin with these five lines. */
static void takes_no_newer_file_for_what_was_given_up(void **state)
{
    struct taker *t = *state;

    send_and_kill(t);
    taker_rename(t, "app.log", "away");
    taker_append(t, "app.log", "next\n");
    taker_start(t, APP);
    taker_wait_said(t, "are gone");
    taker_append_lines(t, "new", "a", 0, 5);
    taker_append(t, "new", "another one\n");
    taker_rename(t, "new", "app.log.1");
    taker_wait_for(t, "another one");
    assert_int_not_equal(find(t, "another one", 0)->key, t->lines[0].key);
    assert_int_not_equal(find(t, t->lines[0].text, 5)->key, t->lines[0].key);
}

/* What had left is not read again before the file is another one. */
static void sees_a_truncation_of_what_is_read_again(void **state)
{
    struct taker *t = *state;

    send_and_kill(t);
    taker_start(t, APP);
    taker_copy(t, "app.log", "app.log.1");
    taker_write(t, "app.log", "next\n");
    taker_wait(t, 5 + 5 + 1);
    assert_same_logs(t);
    assert_int_not_equal(find(t, "next", 0)->key, t->lines[0].key);
}

/* All names in a folder are live ones. */
static void ends_the_last_line_of_a_live_name_that_was_rotated(void **state)
{
    static const char *const FOLDER[] = {"d", NULL};
    struct taker *t = *state;

    assert_int_equal(mkdir(taker_path(t, "d"), 0700), 0);
    taker_append(t, "d/app.log.1", "one\n");
    taker_start(t, FOLDER);
    taker_wait_for(t, "one");
    taker_append(t, "d/app.log", "1\n2\n");
    taker_wait_for(t, "2");
    taker_append(t, "d/app.log.1", "the last one"); /* late, and nobody goes on with it */
    taker_wait_for(t, "the last one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_on_what_goes_on_and_is_deleted_before_it_is_stored,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(goes_on_with_a_file_that_was_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(goes_on_with_one_that_was_given_up_before_a_restart, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ends_a_file_that_was_given_up_and_came_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reads_on_in_a_copy_of_what_was_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_on_in_an_archive_of_what_was_given_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(takes_no_newer_file_for_what_was_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(sees_a_truncation_of_what_is_read_again, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_the_last_line_of_a_live_name_that_was_rotated, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
