/* What grows with what others do, and links that others make. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

/* Deleted and made again by who cleans up, and just not there while a follower starts. */
static void follows_a_name_that_becomes_a_folder_or_a_file(void **state)
{
    static const char *const LATE[] = {"late", "file", NULL};
    struct taker *t = *state;

    taker_start(t, LATE);
    take_for_a_while(t);
    assert_int_equal(mkdir(taker_path(t, "late"), 0700), 0);
    assert_int_equal(mkdir(taker_path(t, "late/sub"), 0700), 0);
    taker_append(t, "late/sub/app.log", "one\n");
    taker_wait(t, 1);
    taker_append(t, "late/app.log", "two\n");
    taker_wait(t, 2);
    taker_append(t, "file", "three\n");
    taker_wait(t, 3);
    assert_string_equal(taker_text(t), "one|two|three");
    assert_string_equal(t->said, "");
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

/* ---- Fewer descriptors than files ---- */

enum { MANY = 60, DESCRIPTORS = 40 /* of which files have half */ };

/* How many descriptors there may be from now on. */
static void limit_descriptors(rlim_t n)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = n > 0 ? n : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static int setup_few(void **state)
{
    limit_descriptors(DESCRIPTORS);
    return setup(state);
}

static int teardown_few(void **state)
{
    int error = teardown(state);

    limit_descriptors(0);
    return error;
}

static const char *many_name(int n, const char *ending)
{
    static char name[32];

    snprintf(name, sizeof(name), "d/app-%c%c.log%s", 'a' + n / 26, 'a' + n % 26, ending);
    return name;
}

static void append_to_many(struct taker *t, int from, int to)
{
    for (int i = 0; i < MANY; i++)
        taker_append_lines(t, many_name(i, ""), strrchr(many_name(i, ""), '-'), from, to);
}

static struct source *source_at_path(struct taker *t, const char *name)
{
    struct source *s = t->f->all;

    while (s && strcmp(s->path, taker_path(t, name)) != 0)
        s = s->all_behind;
    assert_non_null(s);
    return s;
}

/* It would take the descriptors away from those that have something to be read. */
static void opens_nothing_that_has_not_changed_when_a_folder_is_looked_through(void **state)
{
    static const char *const PATTERN[] = {"d/app-*.log", NULL};
    struct taker *t = *state;
    size_t closed = 0;
    bool was_open[MANY];

    append_to_many(t, 0, 1);
    taker_start(t, PATTERN);
    taker_wait(t, MANY);
    for (int i = 0; i < MANY; i++) {
        was_open[i] = source_at_path(t, many_name(i, ""))->fd >= 0;
        closed += source_at_path(t, many_name(i, ""))->is_closed;
    }
    assert_int_equal(closed, MANY - DESCRIPTORS / 2);
    place_look(t->f, taker_path(t, "d"), NULL);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(source_at_path(t, many_name(i, ""))->fd >= 0, was_open[i]);
    assert_int_equal(t->f->closed, closed);
}

struct looked {
    struct follower *f;
    int len;
};

static void count_looked(struct table_node *n, void *ctx)
{
    struct looked *looked = ctx;

    looked->len += container_of(n, struct name, node)->scan == looked->f->scan;
}

/* Where many wait, looking at each would take the time in which the others are read. */
static void tries_no_other_file_where_one_finds_no_descriptor(void **state)
{
    struct taker *t = *state;
    struct looked looked = {.len = 0};

    append_to_many(t, 0, 1);
    taker_start(t, FOLDER);
    looked.f = t->f;
    assert_int_equal(t->f->troubled, MANY - DESCRIPTORS / 2);
    t->f->now_us++;
    t->f->scan++;
    place_retry(t->f);
    table_each(&t->f->names_by_path, count_looked, &looked);
    assert_int_equal(looked.len, 1);
    taker_wait(t, MANY);
}

/* More have changed each time than can be opened at once: those that could not be are the next. */
static void reads_all_by_turns_where_all_are_written_to(void **state)
{
    struct taker *t = *state;
    int writers[MANY];

    append_to_many(t, 0, 1);
    taker_start(t, FOLDER);
    taker_wait(t, MANY);
    uint64_t first = source_at_path(t, many_name(0, ""))->offset;
    limit_descriptors(0);
    for (int i = 0; i < MANY; i++) /* whoever does not close it is not told of */
        assert_true((writers[i] = open(taker_path(t, many_name(i, "")), O_WRONLY | O_APPEND)) >= 0);
    for (int round = 0; round < 2 * MANY * 2 / DESCRIPTORS; round++) {
        for (int i = 0; i < MANY; i++)
            assert_int_equal(write(writers[i], "x\n", 2), 2);
        t->f->closed_us = 0;
        follower_wait(t->f, 20, -1);
        t->f->closed_us = UINT64_MAX;
        taker_take(t);
    }
    for (int i = 0; i < MANY; i++) {
        assert_true(source_at_path(t, many_name(i, ""))->offset > first);
        close(writers[i]);
    }
}

static void make_inside(struct taker *t, const char *name)
{
    char *text = xmalloc(FOLLOW_LINE_MAX + 2);

    memset(text, 'x', FOLLOW_LINE_MAX + 1);
    text[FOLLOW_LINE_MAX + 1] = '\0';
    taker_append(t, name, text);
    free(text);
}

/* Whether it ends is looked at, though it has not changed. */
static void ends_a_line_that_is_not_whole_though_its_file_was_closed(void **state)
{
    static const char *const PATTERN[] = {"d/app-*.log", NULL};
    struct taker *t = *state;

    taker_append(t, "d/app-2026-01-01.log", "one\nhalf");
    taker_start(t, PATTERN);
    taker_wait(t, 1);
    t->f->open_max = 1;
    taker_append(t, "d/app-2026-01-02.log", "two\n");
    while (!source_at_path(t, "d/app-2026-01-01.log")->is_closed)
        follower_wait(t->f, 20, -1);
    t->f->open_max = 2;
    taker_wait(t, 3);
    assert_string_equal(taker_text(t), "one|half|two");
}

/* Found under its other name while no descriptor was left for it. */
static void reads_what_was_closed_and_rotated_once_there_is_a_descriptor(void **state)
{
    static const char *const PATTERN[] = {"d/*.log", NULL};
    struct taker *t = *state;

    taker_append_lines(t, "d/app.log", "a", 0, 10);
    taker_start(t, PATTERN);
    taker_wait(t, 10);
    t->f->open_max = 1;
    make_inside(t, "d/long.log"); /* stays open until its line ends */
    while (!source_at_path(t, "d/app.log")->is_closed || t->len == 10) {
        taker_take(t);
        follower_wait(t->f, 20, -1);
    }
    taker_append_lines(t, "d/app.log", "a", 10, 20);
    taker_rename(t, "d/app.log", "d/app.log.1");
    taker_append_lines(t, "d/app.log", "a", 20, 30);
    take_for_a_while(t);
    (void)source_at_path(t, "d/app.log.1"); /* where it was found */
    taker_append(t, "d/long.log", "\n");
    taker_wait_for(t, "a 000029 of a text that is as long as most lines of logs are");
    taker_assert_lines(t, "a", 0, 30);
}

/* As they are at a start: nothing was read yet, and nothing may be closed. */
static void reads_what_is_rotated_while_it_waits_for_a_descriptor(void **state)
{
    static const char *const PATTERN[] = {"d/app-*.log", NULL};
    struct taker *t = *state;
    char to[32];

    append_to_many(t, 0, 1);
    taker_start(t, PATTERN);
    taker_wait(t, MANY);
    taker_stop(t);
    append_to_many(t, 1, 2);
    taker_start(t, PATTERN);
    for (int i = 0; i < MANY; i++) {
        snprintf(to, sizeof(to), "%s", many_name(i, ".1"));
        taker_rename(t, many_name(i, ""), to);
    }
    append_to_many(t, 2, 3);
    taker_wait(t, (size_t)3 * MANY);
    assert_int_equal(t->len, 3 * MANY);
    for (size_t i = 0; i < t->len; i++) /* once; not by turns, if the descriptors come too late */
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(t->lines[i].text, t->lines[j].text);
}

/* … and a folder can be looked through no more than a file be opened. */
static void looks_through_a_folder_again_that_could_not_be_opened(void **state)
{
    static const char *const PATTERN[] = {"d/*.log", NULL};
    struct taker *t = *state;

    taker_append_lines(t, "d/app.log", "a", 0, 10);
    taker_start(t, PATTERN);
    taker_wait(t, 10);
    taker_append_lines(t, "d/new.log", "b", 0, 10);
    limit_descriptors(3);
    place_look(t->f, taker_path(t, "d"), NULL);
    limit_descriptors(DESCRIPTORS);
    assert_true(t->f->troubled > 0);
    taker_wait(t, 20);
}

/* ---- A start that is given up ---- */

static int looks_left;

static bool is_over(void *ctx)
{
    (void)ctx;
    return looks_left-- <= 0;
}

/* Starts that are given up behind the first of their looks, the second, and so on. */
static void give_up_starts(struct taker *t, const char *name, int starts)
{
    char *path = xstrdup(taker_path(t, name));
    const char *given = path;

    t->options.given = &given;
    t->options.given_len = 1;
    t->options.state_path = t->state;
    t->options.calls.is_over = is_over;
    for (int looks = 0; looks < starts; looks++) {
        struct errbuf err = ERRBUF_INIT;

        looks_left = looks;
        assert_null(follower_new(&t->options, &err));
        assert_string_equal(err.text, "given up at the start");
    }
    t->options.calls.is_over = NULL;
    free(path);
}

/* Nothing of what was seen is known then, nor that the rest was not there. */
static void knows_no_more_after_a_start_that_was_given_up(void **state)
{
    static const char *const FILES[] = {"d/a.log", "d/b.log", "d/c.log"};
    struct taker *t = *state;

    for (int i = 0; i < 3; i++)
        taker_append_lines(t, FILES[i], FILES[i], 0, 10);
    taker_start(t, FOLDER);
    taker_wait(t, 30);
    taker_stop(t);
    for (int i = 0; i < 3; i++)
        taker_append_lines(t, FILES[i], FILES[i], 10, 20);
    taker_rename(t, "d/b.log", "d/b.log.1");
    taker_append_lines(t, "d/b.log", "d/b.log", 20, 30);
    give_up_starts(t, "d", 4);
    taker_start(t, FOLDER);
    taker_wait(t, 70);
    taker_assert_lines(t, "d/a.log", 0, 20);
    taker_assert_lines(t, "d/b.log", 0, 30);
    taker_assert_lines(t, "d/c.log", 0, 20);
    assert_null(strstr(t->said, "are gone"));
}

/* What is rotated is passed over by the first start of all alone. */
static void is_at_its_first_start_until_one_was_not_given_up(void **state)
{
    static const char *const PATTERN[] = {"d/*.log", NULL};
    struct taker *t = *state;

    taker_append_lines(t, "d/a.log.1", "old", 0, 10);
    taker_append_lines(t, "d/a.log", "a", 0, 10);
    give_up_starts(t, PATTERN[0], 2);
    taker_start(t, PATTERN);
    taker_wait(t, 10);
    taker_append(t, "d/a.log", "end\n");
    taker_wait_for(t, "end");
    assert_int_equal(t->len, 11);
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
        cmocka_unit_test_setup_teardown(follows_a_name_that_becomes_a_folder_or_a_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(passes_over_what_is_no_file_in_a_folder_in_silence, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            opens_nothing_that_has_not_changed_when_a_folder_is_looked_through, setup_few,
            teardown_few),
        cmocka_unit_test_setup_teardown(reads_all_by_turns_where_all_are_written_to, setup_few,
                                        teardown_few),
        cmocka_unit_test_setup_teardown(
            reads_what_was_closed_and_rotated_once_there_is_a_descriptor, setup_few, teardown_few),
        cmocka_unit_test_setup_teardown(reads_what_is_rotated_while_it_waits_for_a_descriptor,
                                        setup_few, teardown_few),
        cmocka_unit_test_setup_teardown(looks_through_a_folder_again_that_could_not_be_opened,
                                        setup_few, teardown_few),
        cmocka_unit_test_setup_teardown(knows_no_more_after_a_start_that_was_given_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(is_at_its_first_start_until_one_was_not_given_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(tries_no_other_file_where_one_finds_no_descriptor,
                                        setup_few, teardown_few),
        cmocka_unit_test_setup_teardown(ends_a_line_that_is_not_whole_though_its_file_was_closed,
                                        setup_few, teardown_few),
#ifdef LOGMILL_FAULTS
        cmocka_unit_test_setup_teardown(follows_nothing_before_its_state_was_written_once, setup,
                                        teardown),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
