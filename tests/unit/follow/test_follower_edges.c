/* What grows with what others do, and links that others make. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/xalloc.h"
#include "cmocka_all.h"
#include "follow/internal.h"
#include "follow/taker.h"

static const char *const FOLDER[] = {"d", NULL};

static int setup(void **state)
{
    struct taker *t = xcalloc(1, sizeof(*t));

    taker_init(t);
    assert_int_equal(mkdir(taker_path(t, "d"), 0700), 0);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    taker_release(*state);
    free(*state);
    return 0;
}

/* All times at which something was put into the state are long ago; returns the number of rows. */
static int make_old(struct taker *t)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(t->state, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE files SET put_us = 1", NULL, NULL, NULL), SQLITE_OK);
    int rows = sqlite3_changes(db);
    sqlite3_close(db);
    return rows;
}

static void end_file(struct taker *t, unsigned ended)
{
    while (t->ended < ended) {
        follower_wait(t->f, 20, -1);
        taker_take(t);
    }
    taker_acknowledge(t);
    taker_acknowledge(t);
}

static void forgets_folders_that_are_gone(void **state)
{
    struct taker *t = *state;
    char folder[32], name[64];

    taker_start(t, FOLDER);
    size_t before = t->f->folders.len;
    for (int i = 0; i < 20; i++) {
        snprintf(folder, sizeof(folder), "d/job-%c", 'a' + i);
        snprintf(name, sizeof(name), "%s/x.log", folder);
        assert_int_equal(mkdir(taker_path(t, folder), 0700), 0);
        taker_append_lines(t, name, folder, 0, 1);
        taker_wait(t, (size_t)i + 1);
        taker_unlink(t, name);
        assert_int_equal(rmdir(taker_path(t, folder)), 0);
    }
    end_file(t, 20);
    while (t->f->folders.len > before)
        follower_wait(t->f, 20, -1);
    assert_int_equal(mkdir(taker_path(t, "d/job-a"), 0700), 0); /* the same name again */
    taker_append(t, "d/job-a/x.log", "again\n");
    taker_wait_for(t, "again");
}

static void follows_so_many_files_and_tells_of_others_once(void **state)
{
    static const char *const NAMES[] = {"d/a.log", "d/b.log", "d/c.log", "d/d.log"};
    struct taker *t = *state;

    t->options.files_max = 2;
    for (int i = 0; i < 4; i++)
        taker_append_lines(t, NAMES[i], NAMES[i], 0, 1);
    taker_start(t, FOLDER);
    taker_wait(t, 2);
    taker_wait_said(t, "have to wait: 2 files are followed");
    assert_int_equal(t->f->files, 2);
    for (int i = 0; i < 2; i++)
        taker_unlink(t, strrchr(t->lines[i].path, '/') - 1);
    end_file(t, 2);
    taker_wait(t, 4); /* their turn */
    assert_null(strstr(strstr(t->said, "have to wait") + 1, "have to wait"));
}

static void remembers_what_is_there_and_forgets_what_is_not(void **state)
{
    static const char *const FILES[] = {"d/a.log", "d/b.log", NULL};
    struct taker *t = *state;

    taker_append_lines(t, "d/a.log", "a", 0, 10);
    taker_append_lines(t, "d/b.log", "b", 0, 10);
    taker_start(t, FILES);
    taker_wait(t, 20);
    taker_unlink(t, "d/b.log");
    taker_rename(t, "d/a.log", "d/a.log.1");
    taker_append(t, "d/a.log", "next\n");
    taker_wait_for(t, "next");
    end_file(t, 2);
    taker_rename(t, "d/a.log.1", "d/a.log.2"); /* the state has the name before */
    taker_stop(t);
    assert_int_equal(make_old(t), 3);
    taker_start(t, FILES);
    while (t->f->now_us < t->f->prune_us)
        follower_wait(t->f, 20, -1);
    taker_append(t, "d/a.log", "then\n");
    taker_wait_for(t, "then");
    taker_stop(t);
    assert_int_equal(make_old(t), 2);
    taker_append(t, "d/a.log", "more\n");
    taker_start(t, FILES);
    taker_wait_for(t, "more");
    taker_stop(t);
    assert_int_equal(t->len, 23);
}

static void follows_no_link_of_one_user_to_a_file_of_another(void **state)
{
    struct taker *t = *state;

    if (geteuid() != 0)
        skip();
    taker_append(t, "secret", "secret\n");
    taker_append(t, "d/ours", "ours\n");
    assert_int_equal(symlink(taker_path(t, "secret"), taker_path(t, "d/x.log")), 0);
    assert_int_equal(lchown(taker_path(t, "d/x.log"), 1234, 1234), 0);
    taker_start(t, FOLDER);
    taker_wait_said(t, "x.log cannot be followed: a link of one user to a file of another");
    taker_wait(t, 1);
    assert_string_equal(taker_text(t), "ours");
    assert_int_equal(lchown(taker_path(t, "secret"), 1234, 1234), 0);
    taker_wait_for(t, "secret"); /* not passed over meanwhile as what became of the link */
}

static void take_for_a_while(struct taker *t)
{
    for (int i = 0; i < 30; i++) {
        taker_take(t);
        follower_wait(t->f, 50, -1);
    }
}

static void see_a_copy_first(struct taker *t, int before)
{
    taker_start(t, FOLDER);
    taker_append_lines(t, "d/app.log", "a", 0, before);
    take_for_a_while(t);
    taker_append(t, "d/app.log.1", "x\n");
    taker_unlink(t, "d/app.log.1");
    taker_rename(t, "d/app.log", "d/app.log.2");
    taker_append_lines(t, "d/app.log", "b", 0, 10);
    taker_copy(t, "d/app.log", "d/app.log.1");
    take_for_a_while(t); /* until both were judged */
    taker_append_lines(t, "d/app.log", "b", 10, 20);
    taker_append(t, "d/app.log", "end\n");
    taker_wait_for(t, "end");
    taker_assert_lines(t, "b", 0, 20);
    assert_int_equal(t->len, before + 20 + 1);
}

/* Of names in a folder, all of which are live, that of the copy is told first: what it is a copy of
 * is not known yet, and would pass for one itself. */
static void knows_which_is_the_copy_though_it_is_seen_first(void **state)
{
    see_a_copy_first(*state, 10);
}

static void knows_which_is_the_copy_though_its_file_was_empty(void **state)
{
    see_a_copy_first(*state, 0);
}

/* It was nowhere when what came next was read: nothing that comes can go on with it. */
static void ends_what_was_rotated_and_comes_late_to_a_folder(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "d/app.log", "b", 0, 10);
    taker_start(t, FOLDER);
    taker_wait(t, 10);
    taker_append_lines(t, "away", "a", 0, 10);
    taker_append(t, "away", "half");
    taker_rename(t, "away", "d/app.log.1");
    taker_wait_for(t, "half");
    taker_assert_lines(t, "a", 0, 10);
    assert_int_equal(t->len, 21);
}

static void passes_over_what_is_no_file_in_a_folder_in_silence(void **state)
{
    struct taker *t = *state;

    assert_int_equal(mkfifo(taker_path(t, "d/fifo.log"), 0600), 0);
    assert_int_equal(mkdir(taker_path(t, "d/e"), 0700), 0);
    assert_int_equal(symlink(taker_path(t, "d/e"), taker_path(t, "d/folder.log")), 0);
    taker_append(t, "d/a.log", "one\n");
    taker_start(t, FOLDER);
    taker_wait(t, 1);
    assert_string_equal(t->said, "");
}

#ifdef LOGMILL_FAULTS

/* With a state that is new it would pass over what was rotated since. */
static void follows_nothing_before_its_state_was_written_once(void **state)
{
    struct taker *t = *state;
    char *path = xstrdup(taker_path(t, "d/a.log"));
    const char *given = path;
    unsigned refused = 0, fired = 1;

    t->options.given = &given;
    t->options.given_len = 1;
    taker_append_lines(t, "d/a.log", "a", 0, 10);
    for (unsigned point = 1; fired > 0; point++) {
        struct errbuf err = ERRBUF_INIT;
        char name[32];

        snprintf(name, sizeof(name), ".state/%u.db", point);
        t->options.state_path = taker_path(t, name);
        fault_plan(&(struct fault_plan){.kind = FAULT_SYNC, .first = point, .onwards = true});
        struct follower *f = follower_new(&t->options, &err);
        fired = fault_count();
        fault_plan(&(struct fault_plan){0});
        assert_true(fired == 0 || !f);
        refused += strstr(err.text, "nothing is followed before it was once") != NULL;
        follower_free(f);
    }
    free(path);
    assert_true(refused > 0);
    assert_string_equal(t->said, "");
    taker_append_lines(t, "d/a.log", "a", 10, 20);
    taker_start(t, (const char *const[]){"d/a.log", NULL});
    taker_wait(t, 20);
    taker_assert_lines(t, "a", 0, 20);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(forgets_folders_that_are_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(follows_so_many_files_and_tells_of_others_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(remembers_what_is_there_and_forgets_what_is_not, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(follows_no_link_of_one_user_to_a_file_of_another, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(knows_which_is_the_copy_though_it_is_seen_first, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(knows_which_is_the_copy_though_its_file_was_empty, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(ends_what_was_rotated_and_comes_late_to_a_folder, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(passes_over_what_is_no_file_in_a_folder_in_silence, setup,
                                        teardown),
#ifdef LOGMILL_FAULTS
        cmocka_unit_test_setup_teardown(follows_nothing_before_its_state_was_written_once, setup,
                                        teardown),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
