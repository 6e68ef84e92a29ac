/* Lines of files that are appended to, renamed, truncated: each once. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

static void change_state(struct taker *t, const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(t->state, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* Numbers of devices are given anew when the machine starts. */
static void goes_on_where_devices_have_other_numbers(void **state)
{
    static const char *const changes[] = {"UPDATE files SET device = device + 1",
                                          "UPDATE files SET device = device + 1, born_ns = 0"};
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 10);
    for (int i = 0; i < 2; i++) {
        taker_stop(t);
        change_state(t, changes[i]);
        taker_append_lines(t, "app.log", "a", 10 + i * 10, 20 + i * 10);
        taker_start(t, APP);
        taker_wait(t, (size_t)20 + (size_t)i * 10);
    }
    taker_rename(t, "app.log", "app.log.1");
    taker_append_lines(t, "app.log", "a", 30, 40);
    taker_wait(t, 40);
    while (t->freed == 0) {
        follower_wait(t->f, 20, -1);
        taker_take(t);
        taker_acknowledge(t);
    }
    taker_stop(t);
    change_state(t, changes[0]);
    taker_append_lines(t, "app.log", "a", 40, 50);
    taker_start(t, APP);
    taker_wait(t, 50);
    taker_assert_lines(t, "a", 0, 50);
    assert_int_equal(t->len, 50);
    assert_int_equal(t->lines[29].key, t->lines[0].key);
}

static void tells_the_live_name_of_a_renamed_file_after_a_restart_too(void **state)
{
    struct taker *t = *state;

    taker_append(t, "app.log", "one\n");
    taker_start(t, APP);
    taker_wait(t, 1);
    taker_rename(t, "app.log", "app.log.1");
    taker_append(t, "app.log", "new\n");
    taker_wait_for(t, "new");
    taker_stop(t);
    taker_append(t, "app.log.1", "late\n");
    taker_start(t, APP);
    taker_wait_for(t, "late");
    assert_int_equal(t->lines[2].key, t->lines[0].key);
    assert_string_equal(t->lines[2].path, taker_path(t, "app.log"));
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

/* ---- Rotation ---- */

static void reads_the_old_file_on_while_somebody_writes_to_it(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 10);
    int late = open(taker_path(t, "app.log"), O_WRONLY | O_APPEND);
    taker_rename(t, "app.log", "app.log.1");
    taker_append(t, "app.log", "new\n");
    taker_wait_for(t, "new");
    taker_append_lines(t, "app.log.1", "a", 10, 20);
    taker_wait(t, 21);
    taker_rename(t, "app.log.1", "app.log.2");
    taker_append_lines(t, "app.log.2", "a", 20, 30);
    taker_wait(t, 31);
    unlink(taker_path(t, "app.log.2"));
    assert_int_equal(write(late, "late\n", 5), 5);
    taker_wait_for(t, "late");
    taker_assert_lines(t, "a", 0, 30);
    assert_int_equal(t->ended, 0);
    close(late);
    while (t->ended == 0) {
        taker_take(t);
        follower_wait(t->f, 20, -1);
    }
    taker_acknowledge(t);
    taker_acknowledge(t);
    assert_int_equal(t->freed, 1);
    assert_int_equal(t->len, 32);
}

static void knows_a_file_that_was_finished_by_its_other_names(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 10);
    taker_rename(t, "app.log", "app.log.1");
    taker_append_lines(t, "app.log", "b", 0, 10);
    taker_wait(t, 20);
    while (t->ended == 0)
        follower_wait(t->f, 20, -1);
    taker_acknowledge(t);
    taker_acknowledge(t);
    assert_int_equal(t->freed, 1);
    taker_rename(t, "app.log.1", "app.log.2");
    taker_rename(t, "app.log", "app.log.1");
    taker_append(t, "app.log", "end\n");
    taker_wait_for(t, "end");
    taker_stop(t);
    taker_rename(t, "app.log.2", "app.log.3");
    taker_append(t, "app.log", "again\n");
    taker_start(t, APP);
    taker_wait_for(t, "again");
    assert_int_equal(t->len, 22);
}

static void reads_what_was_rotated_while_it_was_away(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 10);
    taker_stop(t);
    taker_append_lines(t, "app.log", "a", 10, 20);
    taker_rename(t, "app.log", "app.log.2");
    taker_append_lines(t, "app.log.1", "a", 20, 30); /* never seen under its first name */
    taker_append_lines(t, "app.log", "a", 30, 40);
    taker_start(t, APP);
    taker_wait(t, 40);
    taker_assert_lines(t, "a", 0, 40);
}

static void passes_over_rotated_files_that_were_there_first(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log.1", "old", 0, 10);
    taker_append_lines(t, "app.log", "a", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 10);
    taker_stop(t);
    taker_rename(t, "app.log.1", "app.log.2");
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    assert_int_equal(t->len, 11);
    /* … but reads on in them. */
    taker_append(t, "app.log.2", "late\n");
    taker_wait_for(t, "late");
    assert_int_equal(t->len, 12);
}

static void reads_on_in_a_rotated_file_that_is_written_to_at_first(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log.1", "old", 0, 10);
    taker_append_lines(t, "app.log", "a", 0, 10);
    int late = open(taker_path(t, "app.log.1"), O_WRONLY | O_APPEND);
    taker_start(t, APP);
    taker_wait(t, 10);
    assert_int_equal(write(late, "late\n", 5), 5);
    taker_wait_for(t, "late");
    close(late);
    assert_int_equal(t->len, 11);
}

/* app.log and the first n - 1 rotated ones get the next name. */
static void shift(struct taker *t, int n)
{
    for (int j = n; j > 0; j--) {
        char from[32], to[32];

        snprintf(from, sizeof(from), j > 1 ? "app.log.%d" : "app.log", j - 1);
        snprintf(to, sizeof(to), "app.log.%d", j);
        taker_rename(t, from, to);
    }
}

static void catches_up_with_fast_rotations_in_order(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 10);
    for (int i = 1; i <= 5; i++) {
        shift(t, i);
        taker_append_lines(t, "app.log", "a", i * 10, i * 10 + 10);
    }
    taker_wait(t, 60);
    taker_assert_lines(t, "a", 0, 60);
}

/* ---- Truncation ---- */

static void finds_a_truncation_by_content(void **state)
{
    struct taker *t = *state;

    taker_append(t, "app.log", "one\ntwo\n");
    taker_start(t, APP);
    taker_wait(t, 2);
    taker_write(t, "app.log", "1ne\n2wo\n"); /* as long */
    taker_wait(t, 4);
    taker_write(t, "app.log", "three\nfour\nfive\n"); /* longer */
    taker_wait(t, 7);
    taker_write(t, "app.log", "6\n"); /* shorter */
    taker_wait(t, 8);
    taker_append(t, "app.log", "7\n");
    taker_wait(t, 9);
    assert_string_equal(taker_text(t), "one|two|1ne|2wo|three|four|five|6|7");
    assert_int_equal(t->lines[2].offset, 0);
    assert_true(t->lines[2].key != t->lines[0].key);
    assert_true(t->lines[4].key != t->lines[2].key);
}

static void finds_a_truncation_after_a_restart(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 10);
    taker_stop(t);
    taker_write(t, "app.log", "");
    taker_append_lines(t, "app.log", "b", 0, 20);
    taker_start(t, APP);
    taker_wait(t, 30);
    taker_assert_lines(t, "b", 0, 20);
    assert_true(t->lines[10].key != t->lines[0].key);
    taker_stop(t);
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    assert_int_equal(t->len, 31);
}

static const char BANNER[] = "what all files of a program begin with\nits version\n";

static void begin_with_banner(struct taker *t, const char *word)
{
    taker_write(t, "app.log", BANNER);
    taker_append_lines(t, "app.log", word, 0, 10);
}

/* What was truncated before all of it was stored is known by less than all that it had. */
static void goes_on_with_no_file_that_was_truncated(void **state)
{
    struct taker *t = *state;
    struct errbuf err = ERRBUF_INIT;

    taker_append(t, "app.log", BANNER);
    taker_start(t, APP);
    taker_wait(t, 2);
    taker_acknowledge(t);
    taker_append_lines(t, "app.log", "a", 0, 10);
    taker_wait(t, 12);
    struct follow_mark *m = follower_mark(t->f);
    assert_int_equal(follower_prepare(t->f, m, &err), 0);
    taker_kill(t);
    begin_with_banner(t, "b");
    taker_start(t, APP);
    taker_wait_said(t, "are gone");
    taker_wait(t, 24);
    taker_stop(t);
    begin_with_banner(t, "c");
    taker_start(t, APP);
    taker_wait(t, 36);
    taker_stop(t);
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    assert_int_equal(t->len, 37);
}

/* While a copy is looked for that has the rest, the file under its name is another one. */
static void looks_for_what_was_truncated_after_a_restart_too(void **state)
{
    struct taker *t = *state;
    struct errbuf err = ERRBUF_INIT;

    taker_append_lines(t, "app.log", "banner", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 10);
    taker_acknowledge(t);
    taker_append_lines(t, "app.log", "a", 0, 5);
    taker_wait(t, 15);
    taker_write(t, "app.log", "");
    taker_append_lines(t, "app.log", "banner", 0, 10);
    taker_append_lines(t, "app.log", "b", 0, 2);
    taker_wait(t, 27);
    struct follow_mark *m = follower_mark(t->f);
    assert_int_equal(follower_prepare(t->f, m, &err), 0);
    taker_kill(t);
    taker_start(t, APP);
    taker_wait_said(t, "are gone");
    taker_append(t, "app.log", "end\n");
    taker_wait_for(t, "end");
    assert_int_equal(t->len, 27 + 12 + 1);
}

static void drops_zeros_of_a_hole_when_something_comes_behind_them(void **state)
{
    struct taker *t = *state;
    int fd;

    taker_append_lines(t, "app.log", "a", 0, 10000);
    taker_start(t, APP);
    taker_wait(t, 10000);
    fd = open(taker_path(t, "app.log"), O_RDWR);
    if (fd < 0)
        fail_msg("app.log cannot be opened");
    off_t end = lseek(fd, 0, SEEK_END);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(write(fd, "b 1\nb 2\n", 8), 8);
    taker_wait(t, 10002);
    assert_string_equal(t->lines[10000].text, "b 1");
    assert_int_equal(t->lines[10000].offset, end);
    /* Room that was made before it is written to. */
    assert_int_equal(ftruncate(fd, end + 100000), 0);
    taker_take(t);
    follower_wait(t->f, 20, -1);
    taker_take(t);
    assert_int_equal(write(fd, "b 3\n", 4), 4);
    taker_wait_for(t, "b 3");
    close(fd);
    assert_int_equal(t->len, 10003);
}

/* ---- Copies ---- */

/* What is left of it is shorter than what its end is known by. */
static void knows_how_far_a_copy_was_read_of_what_was_truncated(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 100);
    taker_start(t, APP);
    taker_wait(t, 100);
    taker_acknowledge(t);
    taker_acknowledge(t); /* which the state has, too */
    taker_kill(t);
    taker_append_lines(t, "app.log", "a", 100, 103);
    taker_copy(t, "app.log", "app.log.1");
    taker_write(t, "app.log", "");
    taker_start(t, APP);
    taker_wait(t, 103);
    taker_acknowledge(t);
    taker_acknowledge(t);
    taker_kill(t);
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    taker_assert_lines(t, "a", 0, 103);
    assert_int_equal(t->len, 104);
}

/* It was made before the last lines were acknowledged, and the follower ended before it was
 * judged. */
static void reads_no_copy_that_is_older_than_the_state(void **state)
{
    static const char *const GIVEN_APP[] = {"app*", NULL};
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 500);
    taker_start(t, GIVEN_APP);
    taker_wait(t, 500);
    taker_stop(t);
    taker_append_lines(t, "app.log.bak", "a", 0, 400);
    taker_append_lines(t, "app-2026-11-28.log", "a", 0, 300);
    taker_append_lines(t, "app-1.log", "a", 0, 200); /* of another family */
    taker_start(t, GIVEN_APP);
    for (int i = 0; i < 30; i++) {
        taker_take(t);
        follower_wait(t->f, 50, -1); /* until all were judged */
    }
    taker_append(t, "app.log", "end\n");
    taker_wait_for(t, "end");
    assert_int_equal(t->len, 501);
}

static void reads_no_copy_again(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 100);
    taker_start(t, APP);
    taker_wait(t, 100);
    for (int i = 1; i <= 3; i++) {
        char to[32];

        snprintf(to, sizeof(to), "app.log.%d", i);
        taker_append_lines(t, "app.log", "a", i * 100, i * 100 + 100);
        taker_copy(t, "app.log", to);
        taker_write(t, "app.log", "");
        taker_append(t, "app.log", "here\n");
        taker_wait(t, (size_t)(i * 101) + 100);
        taker_acknowledge(t);
    }
    taker_wait_for(t, "here");
    taker_stop(t);
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    taker_assert_lines(t, "a", 0, 400);
    assert_int_equal(t->len, 404);
}

static void reads_no_copy_of_less_than_was_read_of_what_is_gone(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 2100);
    taker_start(t, APP);
    taker_wait(t, 2100);
    taker_stop(t);
    /* Made before the last hundred were written, as copytruncate does. */
    taker_append_lines(t, "app.log.1", "a", 0, 2000);
    taker_unlink(t, "app.log");
    taker_append(t, "app.log", "new\n");
    taker_start(t, APP);
    taker_wait_for(t, "new");
    taker_append(t, "app.log", "end\n");
    taker_wait_for(t, "end");
    taker_stop(t);
    taker_start(t, APP);
    taker_append(t, "app.log", "last\n");
    taker_wait_for(t, "last");
    assert_int_equal(t->len, 2103);
}

static void reads_from_a_copy_what_was_truncated_unread(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 100);
    taker_start(t, APP);
    taker_wait(t, 100);
    taker_stop(t);
    taker_append_lines(t, "app.log", "a", 100, 200);
    taker_copy(t, "app.log", "app.log.1");
    taker_write(t, "app.log", "");
    taker_append_lines(t, "app.log", "a", 200, 250);
    taker_start(t, APP);
    taker_wait(t, 250);
    taker_assert_lines(t, "a", 0, 250);
    assert_int_equal(t->lines[150].key, t->lines[0].key);
    assert_int_equal(t->lines[100].offset, 6100);
    taker_stop(t);
    taker_rename(t, "app.log.1", "app.log.2");
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    assert_int_equal(t->len, 251);
}

static void reads_copies_of_what_it_had_no_time_to_read(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 10);
    /* No lines are taken meanwhile: the server is away. */
    for (int i = 1; i <= 3; i++) {
        char to[32];

        snprintf(to, sizeof(to), "app.log.%d", 4 - i);
        taker_append_lines(t, "app.log", "a", i * 10, i * 10 + 10);
        for (int j = 0; j < 100; j++)
            follower_wait(t->f, 2, -1);
        taker_copy(t, "app.log", to);
        for (int j = 0; j < 100; j++)
            follower_wait(t->f, 2, -1);
        taker_write(t, "app.log", "");
    }
    taker_append(t, "app.log", "end\n");
    taker_wait_for(t, "end");
    taker_wait(t, 41);
    assert_int_equal(t->len, 41);
}

/* The copy is there, and its file not cut yet, nor was it read since it was cut before. */
static void reads_no_copy_of_what_it_reads_later(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 100);
    taker_start(t, APP);
    taker_wait(t, 100);
    taker_write(t, "app.log", "");
    taker_append_lines(t, "app.log", "b", 0, 100);
    taker_copy(t, "app.log", "app.log.1");
    for (int i = 0; i < 100; i++)
        follower_wait(t->f, 2, -1);
    taker_wait(t, 200);
    taker_write(t, "app.log", "");
    taker_append(t, "app.log", "end\n");
    taker_wait_for(t, "end");
    taker_stop(t);
    taker_append(t, "app.log", "again\n");
    taker_start(t, APP);
    taker_wait_for(t, "again");
    assert_int_equal(t->len, 202);
}

/* Lines that were read are handed out when there is room for them: the file may be another by then.
 */
static void knows_a_copy_though_it_was_truncated_within_a_turn(void **state)
{
    struct taker *t = *state;
    struct follow_line line;

    taker_append_lines(t, "app.log", "a", 0, 100);
    taker_start(t, APP);
    taker_wait(t, 100);
    taker_append_lines(t, "app.log", "a", 100, 400);
    while (!follower_next(t->f, &line))
        follower_wait(t->f, 20, -1);
    taker_copy(t, "app.log", "app.log.1");
    taker_write(t, "app.log", "");
    taker_append_lines(t, "app.log", "b", 0, 600);
    for (int i = 0; i < 299; i++)
        assert_true(follower_next(t->f, &line));
    taker_append(t, "app.log", "end\n");
    taker_wait_for(t, "end");
    taker_stop(t);
    taker_append(t, "app.log", "again\n");
    taker_start(t, APP);
    taker_wait_for(t, "again");
    assert_int_equal(t->len, 100 + 600 + 2);
}

static void reads_a_copy_of_what_was_never_acknowledged(void **state)
{
    struct taker *t = *state;
    struct errbuf err = ERRBUF_INIT;

    taker_append_lines(t, "app.log", "a", 0, 100);
    taker_start(t, APP);
    taker_wait(t, 100);
    struct follow_mark *m = follower_mark(t->f);
    assert_int_equal(follower_prepare(t->f, m, &err), 0);
    taker_kill(t);
    taker_copy(t, "app.log", "app.log.1");
    taker_write(t, "app.log", "");
    taker_append_lines(t, "app.log", "b", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 210);
    taker_stop(t);
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    assert_int_equal(t->len, 211);
    for (size_t i = 0; i < 210; i++)
        assert_int_equal(t->lines[i].key == t->lines[0].key, t->lines[i].text[0] == 'a');
}

static char *banner(size_t lines)
{
    char *text = xcalloc(lines, 131);

    for (size_t i = 0; i < lines; i++)
        sprintf(text + i * 130, "# %0127d\n", (int)i);
    return text;
}

static void tells_files_apart_that_begin_alike(void **state)
{
    struct taker *t = *state;
    char *text = banner(10);

    taker_append(t, "app.log", text);
    taker_append_lines(t, "app.log", "a", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 20);
    for (int i = 1; i <= 4; i++) {
        shift(t, i);
        taker_append(t, "app.log", text);
        taker_append_lines(t, "app.log", "a", i * 10, i * 10 + 10);
    }
    taker_wait(t, 100);
    taker_assert_lines(t, "a", 0, 50);
    free(text);
}

static void a_pattern_takes_new_names_and_no_copies(void **state)
{
    static const char *const ALL[] = {"app*", NULL};
    struct taker *t = *state;

    taker_append_lines(t, "app-1.log", "a", 0, 10);
    taker_start(t, ALL);
    taker_wait(t, 10);
    taker_append_lines(t, "app-2.log", "a", 10, 20);
    taker_wait(t, 20);
    taker_copy(t, "app-2.log", "app-2.log.1");
    taker_append_lines(t, "app-3.log", "a", 20, 30);
    taker_wait(t, 30);
    taker_rename(t, "app-3.log", "app-3.log.1");
    taker_append_lines(t, "app-3.log", "a", 30, 40);
    taker_wait(t, 40);
    taker_append(t, "app-1.log", "end\n");
    taker_wait_for(t, "end");
    taker_assert_lines(t, "a", 0, 40);
    taker_stop(t);
    taker_append(t, "app-1.log", "again\n");
    taker_start(t, ALL);
    taker_wait_for(t, "again");
    assert_int_equal(t->len, 42);
}

/* ---- Lines ---- */

static void takes_no_copy_by_a_name_of_its_own(void **state)
{
    static const char *const ALL[] = {"*.log", NULL};
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 100);
    taker_start(t, ALL);
    taker_wait(t, 100);
    taker_copy(t, "app.log", "kept.log");
    taker_append_lines(t, "other.log", "b", 0, 10);
    taker_wait(t, 110);
    /* It is judged by the time that a file of nearly the same beginning is read. */
    taker_append_lines(t, "third.log", "a", 0, 1);
    taker_append(t, "third.log", "of its own\n");
    taker_wait_for(t, "of its own");
    assert_int_equal(t->len, 112);
}

static void reads_what_passed_for_a_copy_once_it_goes_on(void **state)
{
    static const char *const ALL[] = {"app*.log", NULL};
    struct taker *t = *state;

    taker_append(t, "app-1.log", "the same banner\n");
    taker_start(t, ALL);
    taker_wait(t, 1);
    taker_append(t, "app-2.log", "the same banner\n");
    /* Once this one is read, that one was judged: it is a copy. */
    taker_append(t, "app-3.log", "another banner\n");
    taker_wait(t, 2);
    taker_append(t, "app-2.log", "two\n");
    taker_append(t, "app-1.log", "one\n");
    taker_wait_for(t, "one");
    taker_wait_for(t, "two");
    assert_int_equal(t->len, 5);
}

static void hands_out_a_long_line_in_parts(void **state)
{
    struct taker *t = *state;
    size_t len = 10 << 20, sum = 0;
    char *text = xmalloc(len + 2);

    memset(text, 'x', len);
    text[len] = '\n';
    text[len + 1] = '\0';
    taker_start(t, APP);
    taker_append(t, "app.log", "before\n");
    /* In many pieces. */
    for (size_t at = 0; at < len + 1;) {
        size_t n = len + 1 - at < 700001 ? len + 1 - at : 700001;
        char kept = text[at + n];

        text[at + n] = '\0';
        taker_append(t, "app.log", text + at);
        text[at + n] = kept;
        at += n;
        taker_take(t);
        follower_wait(t->f, 1, -1);
    }
    taker_append(t, "app.log", "behind\n");
    taker_wait_for(t, "behind");
    assert_string_equal(t->lines[0].text, "before");
    for (size_t i = 1; i + 1 < t->len; i++) {
        sum += strlen(t->lines[i].text);
        assert_int_equal(t->lines[i].offset, 7);
        assert_int_equal(t->lines[i].is_first, i == 1);
        assert_int_equal(t->lines[i].is_last, i + 2 == t->len);
        assert_true(strlen(t->lines[i].text) <= FOLLOW_PIECE_MAX);
    }
    assert_int_equal(sum, len);
    free(text);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct taken_line *)a)->text, ((const struct taken_line *)b)->text);
}

static void follows_more_files_than_it_may_open(void **state)
{
    static const char *const ALL[] = {"*.log", NULL};
    struct taker *t = *state;
    struct rlimit limit, kept;
    char name[32];

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &kept), 0);
    limit = kept;
    limit.rlim_cur = 200;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "x%c%c%c.log", 'a' + i % 10, 'a' + i / 10 % 10, 'a' + i / 100);
        taker_append_lines(t, name, name, 0, 1);
    }
    taker_start(t, ALL);
    taker_wait(t, 300);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "x%c%c%c.log", 'a' + i % 10, 'a' + i / 10 % 10, 'a' + i / 100);
        taker_append_lines(t, name, name, 1, 2);
    }
    taker_wait(t, 600);
    qsort(t->lines, t->len, sizeof(*t->lines), by_text);
    for (size_t i = 1; i < t->len; i++)
        assert_string_not_equal(t->lines[i - 1].text, t->lines[i].text);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &kept), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hands_out_whole_lines_with_their_offsets, setup, teardown),
        cmocka_unit_test_setup_teardown(follows_a_file_that_is_not_there_yet, setup, teardown),
        cmocka_unit_test_setup_teardown(goes_on_after_a_restart_where_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(goes_on_where_devices_have_other_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_the_live_name_of_a_renamed_file_after_a_restart_too,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            hands_out_again_what_was_not_acknowledged_with_the_same_time, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_the_old_file_on_while_somebody_writes_to_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(knows_a_file_that_was_finished_by_its_other_names, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reads_what_was_rotated_while_it_was_away, setup, teardown),
        cmocka_unit_test_setup_teardown(passes_over_rotated_files_that_were_there_first, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reads_on_in_a_rotated_file_that_is_written_to_at_first,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(catches_up_with_fast_rotations_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_a_truncation_by_content, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_a_truncation_after_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(goes_on_with_no_file_that_was_truncated, setup, teardown),
        cmocka_unit_test_setup_teardown(looks_for_what_was_truncated_after_a_restart_too, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(drops_zeros_of_a_hole_when_something_comes_behind_them,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(knows_how_far_a_copy_was_read_of_what_was_truncated, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reads_no_copy_that_is_older_than_the_state, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reads_no_copy_again, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_no_copy_of_less_than_was_read_of_what_is_gone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reads_from_a_copy_what_was_truncated_unread, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reads_no_copy_of_what_it_reads_later, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_copies_of_what_it_had_no_time_to_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(knows_a_copy_though_it_was_truncated_within_a_turn, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reads_a_copy_of_what_was_never_acknowledged, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(tells_files_apart_that_begin_alike, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pattern_takes_new_names_and_no_copies, setup, teardown),
        cmocka_unit_test_setup_teardown(follows_more_files_than_it_may_open, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_no_copy_by_a_name_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_what_passed_for_a_copy_once_it_goes_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(hands_out_a_long_line_in_parts, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
