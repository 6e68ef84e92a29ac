/* What rotated files were compressed to: read as far as it is needed, and no further. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/fault.h"
#include "base/xalloc.h"
#include "cmocka_all.h"
#include "follow/internal.h"
#include "follow/taker.h"

static const char *const APP[] = {"app.log", NULL};

enum { TURNS = 150 }; /* of 20 ms */

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

/* As gzip does: the archive is there before the file is gone. */
static void compress_file(struct taker *t, const char *from, const char *to)
{
    int in = open(taker_path(t, from), O_RDONLY);
    gzFile out = gzopen(taker_path(t, to), "wx");
    char bytes[8192];
    ssize_t n;

    assert_true(in >= 0 && out);
    while ((n = read(in, bytes, sizeof(bytes))) > 0)
        assert_int_equal(gzwrite(out, bytes, (unsigned)n), n);
    close(in);
    assert_int_equal(gzclose(out), Z_OK);
    taker_unlink(t, from);
}

static void reads_the_rest_of_a_file_from_its_archive(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 5000);
    taker_start(t, APP);
    taker_wait(t, 5000);
    taker_stop(t);
    taker_append_lines(t, "app.log", "a", 5000, 9000);
    compress_file(t, "app.log", "app.log.1.gz");
    taker_append_lines(t, "app.log", "a", 9000, 10000);
    taker_start(t, APP);
    taker_wait(t, 10000);
    taker_assert_lines(t, "a", 0, 10000);
    assert_int_equal(t->lines[8000].key, t->lines[0].key);
    assert_int_equal(t->lines[8000].offset, 8000 * 61);
    taker_stop(t);
    taker_rename(t, "app.log.1.gz", "app.log.2.gz");
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    assert_int_equal(t->len, 10001);
}

static void goes_on_in_an_archive_after_a_restart(void **state)
{
    struct taker *t = *state;
    struct follow_line line;

    taker_append_lines(t, "app.log", "a", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 10);
    taker_stop(t);
    taker_append_lines(t, "app.log", "a", 10, 9000);
    compress_file(t, "app.log", "app.log.1.gz");
    taker_start(t, APP);
    while (!follower_next(t->f, &line))
        follower_wait(t->f, 20, -1);
    assert_int_equal(line.offset, 610);
    for (int i = 11; i < 5000; i++)
        assert_true(follower_next(t->f, &line));
    assert_int_equal(line.offset, 4999 * 61);
    taker_stop(t);
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    assert_int_equal(t->len, 10 + 4000 + 1);
    assert_int_equal(t->lines[10].offset, 5000 * 61);
}

static void reads_no_archive_of_what_it_has_read(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 100);
    taker_start(t, APP);
    taker_wait(t, 100);
    for (int i = 1; i <= 3; i++) {
        char plain[32], packed[32];

        snprintf(plain, sizeof(plain), "app.log.%d", i);
        snprintf(packed, sizeof(packed), "app.log.%d.gz", i);
        taker_rename(t, "app.log", plain);
        compress_file(t, plain, packed);
        taker_append_lines(t, "app.log", "a", i * 100, i * 100 + 100);
        taker_wait(t, (size_t)(i * 100) + 100);
        taker_acknowledge(t);
    }
    taker_stop(t);
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    taker_assert_lines(t, "a", 0, 400);
    assert_int_equal(t->len, 401);
}

static void names_the_file_of_what_only_an_archive_has(void **state)
{
    static const char *const DATED[] = {"app-*.log", NULL};
    struct taker *t = *state;

    taker_append(t, "app-1.log", "one\n");
    taker_start(t, DATED);
    taker_wait(t, 1);
    taker_stop(t);
    taker_append(t, "app-2.log", "two\n");
    compress_file(t, "app-2.log", "app-2.log.gz");
    taker_start(t, DATED);
    taker_wait(t, 2);
    assert_string_equal(taker_text(t), "one|two");
    assert_string_equal(t->lines[1].path, taker_path(t, "app-2.log.gz"));
}

/* What a late program writes while the archive is made is in the open file alone. */
static void reads_no_archive_of_a_file_that_grew_meanwhile(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 100);
    taker_start(t, APP);
    taker_wait(t, 100);
    int late = open(taker_path(t, "app.log"), O_WRONLY | O_APPEND);
    assert_true(late >= 0);
    taker_rename(t, "app.log", "app.log.1");
    taker_append_lines(t, "app.log.1", "a", 100, 120);
    taker_wait(t, 120);
    taker_append_lines(t, "copy", "a", 0, 100);
    compress_file(t, "copy", "app.log.1.gz");
    taker_unlink(t, "app.log.1");
    taker_append(t, "app.log", "new\n");
    taker_wait_for(t, "new");
    for (int i = 0; i < 20; i++)
        follower_wait(t->f, 50, -1); /* until the archive was judged */
    close(late);
    taker_append(t, "app.log", "end\n");
    taker_wait_for(t, "end");
    taker_take(t);
    assert_int_equal(t->len, 122);
    taker_assert_lines(t, "a", 0, 120);
}

/* The file is gone, and so is the follower that has read more of it than the archive has. */
static void knows_what_has_less_than_was_read_after_a_crash(void **state)
{
    static const int LENGTHS[] = {1, 3, 40, 70, 500, 900, 1400};
    struct taker *t = *state;
    int lines = 0;

    for (size_t i = 0; i < sizeof(LENGTHS) / sizeof(LENGTHS[0]); i++) {
        int len = LENGTHS[i], more = len + 10 + (int)i;
        char packed[32], plain[32];

        snprintf(packed, sizeof(packed), "app.log.%zu.gz", 2 * i + 1);
        snprintf(plain, sizeof(plain), "app.log.%zu", 2 * i + 2);
        taker_append_lines(t, "app.log", "a", lines, lines + more);
        taker_start(t, APP);
        taker_wait(t, (size_t)(lines + more));
        taker_acknowledge(t);
        taker_acknowledge(t); /* which the state has, too */
        taker_kill(t);
        taker_unlink(t, "app.log");
        taker_append_lines(t, i % 3 ? "app.log.x" : plain, "a", lines, lines + len);
        if (i % 3)
            compress_file(t, "app.log.x", packed);
        lines += more;
    }
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    for (int i = 0; i < 30; i++)
        follower_wait(t->f, 50, -1); /* until all were judged */
    taker_append(t, "app.log", "end 2\n");
    taker_wait_for(t, "end 2");
    taker_assert_lines(t, "a", 0, lines);
    assert_int_equal(t->len, lines + 2);
}

/* Lines were handed out, and of each copy it was said that it is one; but then all were forgotten
 * by a crash. */
static void reads_again_what_only_the_archive_of_a_copy_has(void **state)
{
    struct taker *t = *state;
    struct errbuf err = ERRBUF_INIT;

    taker_append_lines(t, "app.log", "a", 0, 100);
    taker_start(t, APP);
    taker_wait(t, 100);
    taker_copy(t, "app.log", "app.log.1");
    taker_write(t, "app.log", "");
    taker_append(t, "app.log", "new\n");
    for (int i = 0; i < 30; i++)
        follower_wait(t->f, 50, -1);
    compress_file(t, "app.log.1", "app.log.1.gz");
    taker_wait_for(t, "new");
    for (int i = 0; i < 30; i++)
        follower_wait(t->f, 50, -1);
    assert_int_equal(follower_prepare(t->f, follower_mark(t->f), &err), 0);
    taker_kill(t);
    taker_append_lines(t, "app.log", "b", 0, 1000);
    taker_start(t, APP);
    taker_wait(t, 101 + 1 + 1000 + 100);
    int again = 0;
    for (size_t i = 101; i < t->len; i++)
        if (t->lines[i].key == t->lines[0].key)
            assert_int_equal(t->lines[i].offset, again++ * 61);
    assert_int_equal(again, 100);
}

/* Nobody has told whether lines of it are there: they have to be the same ones. */
static void reads_again_under_the_same_key_what_an_archive_has_of_it(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 100);
    taker_start(t, APP);
    taker_wait(t, 100);
    taker_acknowledge(t);
    taker_kill(t);
    taker_rename(t, "app.log", "app.log.x");
    assert_int_equal(truncate(taker_path(t, "app.log.x"), 61 * 90), 0);
    compress_file(t, "app.log.x", "app.log.1.gz");
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    taker_wait(t, 191);
    uint64_t again = 0;
    for (size_t i = 100; i < t->len; i++)
        if (t->lines[i].key == t->lines[0].key)
            assert_int_equal(t->lines[i].offset, again++ * 61);
    assert_int_equal(again, 90);
    assert_int_equal(t->len, 191);
}

/* All files begin alike: what has no more than that is no copy of one that is done with. */
static void reads_what_only_begins_as_another_one(void **state)
{
    struct taker *t = *state;

    for (int i = 0; i < 3; i++) {
        taker_append_lines(t, "app.log", "banner", 0, 20);
        taker_append_lines(t, "app.log", "a", i, i + 1);
    }
    taker_start(t, APP);
    taker_wait(t, 63);
    taker_acknowledge(t);
    taker_rename(t, "app.log", "app.log.1");
    taker_append(t, "app.log", "new\n");
    taker_wait_for(t, "new");
    taker_acknowledge(t);
    for (int i = 0; i < 30; i++)
        follower_wait(t->f, 50, -1);
    taker_stop(t);
    taker_append_lines(t, "app.log.x", "banner", 0, 20);
    compress_file(t, "app.log.x", "app.log.2.gz");
    taker_start(t, APP);
    taker_wait(t, 84);
}

static void reads_an_archive_of_what_nobody_has_seen(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "a", 0, 100);
    taker_start(t, APP);
    taker_wait(t, 100);
    taker_stop(t);
    taker_append_lines(t, "app.log", "a", 100, 200);
    taker_rename(t, "app.log", "app.log.2");
    compress_file(t, "app.log.2", "app.log.2.gz");
    taker_append_lines(t, "app.log.1", "a", 200, 300);
    compress_file(t, "app.log.1", "app.log.1.gz");
    taker_append_lines(t, "app.log", "a", 300, 400);
    taker_start(t, APP);
    taker_wait(t, 400);
    taker_assert_lines(t, "a", 0, 400);
}

static void rotate_with_banner(struct taker *t, const char *word, const char *to)
{
    taker_append_lines(t, "app.log", word, 0, 50);
    compress_file(t, "app.log", to);
    taker_append_lines(t, "app.log", "banner", 0, 20);
}

/* Of what all of them begin with alone nobody can tell one from the other. */
static void rotates_what_begins_alike(struct taker *t, int again)
{
    int counts[128] = {0};

    rotate_with_banner(t, "a", "app.log.3.gz");
    rotate_with_banner(t, "b", "app.log.2.gz");
    rotate_with_banner(t, "c", "app.log.1.gz");
    taker_start(t, APP);
    for (int i = 0; i < 200; i++)
        follower_wait(t->f, 5, -1); /* nobody has room for lines */
    taker_wait(t, (size_t)(20 + again + 3 * (50 + 20)));
    taker_stop(t);
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    for (size_t i = 0; i < t->len; i++)
        if (strncmp(t->lines[i].text, "banner", 6) != 0)
            counts[(unsigned char)t->lines[i].text[0]]++;
    assert_int_equal(counts['a'], 50);
    assert_int_equal(counts['b'], 50);
    assert_int_equal(counts['c'], 50);
    assert_int_equal(t->len, 20 + again + 3 * (50 + 20) + 1);
    /* The oldest one goes on with what was read. */
    for (size_t i = 0; i < t->len; i++)
        assert_int_equal(t->lines[i].text[0] == 'a' || i < 20 + (size_t)again,
                         t->lines[i].key == t->lines[0].key);
}

static void reads_each_of_archives_that_begin_alike(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log", "banner", 0, 20);
    taker_start(t, APP);
    taker_wait(t, 20);
    taker_stop(t);
    rotates_what_begins_alike(t, 0);
}

static void reads_each_of_them_if_nothing_was_acknowledged(void **state)
{
    struct taker *t = *state;
    struct errbuf err = ERRBUF_INIT;

    taker_append_lines(t, "app.log", "banner", 0, 20);
    taker_start(t, APP);
    taker_wait(t, 20);
    assert_int_equal(follower_prepare(t->f, follower_mark(t->f), &err), 0);
    taker_kill(t);
    rotates_what_begins_alike(t, 20);
}

/* Programs write the same banner into all their logs. */
static void takes_no_archive_of_another_log_for_what_begins_alike(void **state)
{
    static const char *const LOGS[] = {"x.log", "y.log", NULL};
    struct taker *t = *state;

    taker_append_lines(t, "x.log", "banner", 0, 20);
    taker_append(t, "y.log", "");
    taker_start(t, LOGS);
    taker_wait(t, 20);
    taker_stop(t);
    taker_append_lines(t, "y.log", "banner", 0, 20);
    taker_append_lines(t, "y.log", "b", 0, 50);
    compress_file(t, "y.log", "y.log.1.gz");
    taker_append_lines(t, "x.log", "a", 0, 50);
    compress_file(t, "x.log", "x.log.1.gz");
    taker_start(t, LOGS);
    taker_wait(t, 20 + 50 + 20 + 50);
    taker_stop(t);
    taker_append(t, "x.log", "end\n");
    taker_start(t, LOGS);
    taker_wait_for(t, "end");
    assert_int_equal(t->len, 20 + 50 + 20 + 50 + 1);
    for (size_t i = 20; i < t->len - 1; i++)
        assert_int_equal(t->lines[i].text[0] == 'a', t->lines[i].key == t->lines[0].key);
}

/* More lines were taken than any mark in the state is of; then it was killed. */
static void take_more_than_is_marked(struct taker *t)
{
    struct errbuf err = ERRBUF_INIT;

    taker_append_lines(t, "app.log", "banner", 0, 20);
    taker_start(t, APP);
    taker_wait(t, 20);
    struct follow_mark *m = follower_mark(t->f);
    taker_append_lines(t, "app.log", "b", 0, 50);
    taker_wait(t, 70);
    assert_int_equal(follower_prepare(t->f, m, &err), 0);
    taker_kill(t);
    taker_append_lines(t, "app.log.x", "banner", 0, 20);
    taker_append_lines(t, "app.log.x", "a", 0, 50);
}

static void assert_each_is_itself(struct taker *t)
{
    uint64_t key = t->lines[0].key;

    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait(t, 70 + 70 + 70 + 1);
    for (size_t i = 70; i < t->len; i++)
        if (t->lines[i].text[0] != 'b' || t->lines[i].text[1] == ' ')
            assert_int_equal(t->lines[i].text[0] == 'b', t->lines[i].key == key);
    taker_assert_lines(t, "a", 0, 50);
}

static void knows_which_archive_has_all_lines_that_were_taken(void **state)
{
    struct taker *t = *state;

    take_more_than_is_marked(t);
    compress_file(t, "app.log.x", "app.log.2.gz");
    compress_file(t, "app.log", "app.log.1.gz");
    assert_each_is_itself(t);
}

static void knows_which_copy_has_all_lines_that_were_taken(void **state)
{
    struct taker *t = *state;

    take_more_than_is_marked(t);
    taker_rename(t, "app.log.x", "app.log.2");
    taker_copy(t, "app.log", "app.log.1");
    taker_unlink(t, "app.log");
    assert_each_is_itself(t);
}

/* What is there begins as what any mark is of, but was written anew. */
static void knows_by_all_lines_that_were_taken_what_was_truncated(void **state)
{
    struct taker *t = *state;

    take_more_than_is_marked(t);
    taker_copy(t, "app.log", "app.log.1");
    taker_write(t, "app.log", "");
    taker_append_lines(t, "app.log", "banner", 0, 20);
    taker_append_lines(t, "app.log", "a", 0, 50);
    taker_unlink(t, "app.log.x");
    assert_each_is_itself(t);
}

static void passes_over_archives_of_what_was_passed_over(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log.1", "old", 0, 1000);
    taker_append_lines(t, "app.log", "a", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 10);
    taker_stop(t);
    compress_file(t, "app.log.1", "app.log.2.gz");
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    taker_append(t, "app.log", "end 2\n");
    taker_wait_for(t, "end 2");
    assert_int_equal(t->len, 12);
}

static void knows_what_was_passed_over_and_then_grew(void **state)
{
    struct taker *t = *state;

    taker_append_lines(t, "app.log.1", "old", 0, 100);
    taker_append_lines(t, "app.log", "a", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 10);
    taker_stop(t);
    taker_append_lines(t, "app.log.1", "old", 100, 110);
    taker_start(t, APP);
    taker_wait(t, 20);
    taker_stop(t);
    compress_file(t, "app.log.1", "app.log.2.gz");
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    for (int i = 0; i < 30; i++)
        follower_wait(t->f, 50, -1); /* until it was judged */
    taker_append(t, "app.log", "end 2\n");
    taker_wait_for(t, "end 2");
    taker_assert_lines(t, "old", 100, 110);
    assert_int_equal(t->len, 22);
}

/* An archive of these lines, of which only the first `part` of 16 is there; returns a descriptor
 * that writes to it, and what is to come. */
static int begin_archive(struct taker *t, const char *name, int part, char **rest, size_t *len)
{
    char packed[8192];

    taker_append_lines(t, "whole", "old", 0, 1000);
    compress_file(t, "whole", "whole.gz");
    int in = open(taker_path(t, "whole.gz"), O_RDONLY);
    ssize_t n = read(in, packed, sizeof(packed));
    assert_true(in >= 0 && n > 64 && n < (ssize_t)sizeof(packed));
    close(in);
    taker_unlink(t, "whole.gz");
    int out = open(taker_path(t, name), O_WRONLY | O_CREAT | O_EXCL, 0600);
    size_t first = (size_t)n * (size_t)part / 16;
    assert_int_equal(write(out, packed, first), first);
    *len = (size_t)n - first;
    *rest = xmalloc(*len);
    memcpy(*rest, packed + first, *len);
    return out;
}

static void passes_over_an_archive_that_is_made_meanwhile(void **state)
{
    struct taker *t = *state;
    char *rest;
    size_t len;
    int out = begin_archive(t, "app.log.1.gz", 8, &rest, &len);

    taker_append_lines(t, "app.log", "a", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 10);
    assert_int_equal(write(out, rest, len / 2), len / 2);
    taker_append(t, "app.log", "between\n");
    taker_wait_for(t, "between");
    assert_int_equal(write(out, rest + len / 2, len - len / 2), len - len / 2);
    close(out);
    free(rest);
    taker_append(t, "app.log", "end\n");
    taker_wait_for(t, "end");
    taker_stop(t);
    taker_append(t, "app.log", "end 2\n");
    taker_start(t, APP);
    taker_wait_for(t, "end 2");
    for (int i = 0; i < 300; i++) { /* more than FOLLOW_SETTLE_MS */
        follower_wait(t->f, 5, -1);
        taker_take(t);
    }
    assert_int_equal(t->len, 13);
}

static void never_reads_an_archive_as_it_is(void **state)
{
    struct taker *t = *state;

    taker_append(t, "none", "");
    compress_file(t, "none", "app.log"); /* a file that was followed, and has no text */
    taker_start(t, APP);
    taker_rename(t, "app.log", "app.log.1");
    taker_append(t, "app.log", "a\n");
    taker_wait_for(t, "a");
    while (t->f->files > 1) { /* until the first one is done with */
        follower_wait(t->f, 20, -1);
        taker_take(t);
        taker_acknowledge(t);
    }
    taker_stop(t);
    taker_append(t, "app.log", "b\n");
    taker_start(t, APP);
    taker_wait_for(t, "b");
    for (int i = 0; i < 300; i++) {
        follower_wait(t->f, 5, -1);
        taker_take(t);
    }
    assert_string_equal(taker_text(t), "a|b");
}

#ifdef LOGMILL_FAULTS

/* From point `first` on nothing of a kind works, until that was said. */
static void fails_for_a_while(struct taker *t, enum fault_kind kind, unsigned first)
{
    taker_append_lines(t, "app.log", "a", 0, 10);
    taker_start(t, APP);
    taker_wait(t, 10);
    taker_stop(t);
    taker_append_lines(t, "app.log", "a", 10, 100);
    compress_file(t, "app.log", "app.log.1.gz");
    taker_append_lines(t, "app.log", "a", 100, 110);
    taker_start(t, APP);
    fault_plan(&(struct fault_plan){.kind = kind, .first = first, .onwards = true});
    taker_wait_said(t, "cannot be read: ");
    fault_plan(&(struct fault_plan){0});
    taker_wait(t, 110);
    taker_assert_lines(t, "a", 0, 110);
    assert_null(strstr(t->said, "broken"));
    taker_stop(t);
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    assert_int_equal(t->len, 111);
}

static void waits_for_an_archive_that_cannot_be_read(void **state)
{
    static const unsigned points[] = {1, 2, 4, 8, 16};

    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        struct taker t;

        taker_init(&t);
        fails_for_a_while(&t, FAULT_READ, points[i]);
        taker_release(&t);
    }
}

/* Read `point` fails once, while it is found out what an archive and a copy are. False: there are
 * not so many, in some seconds. */
static bool fails_once(struct taker *t, unsigned point)
{
    taker_append_lines(t, "app.log", "a", 0, 100);
    taker_start(t, APP);
    taker_wait(t, 100);
    taker_rename(t, "app.log", "app.log.1");
    taker_append_lines(t, "app.log", "a", 100, 200);
    taker_wait(t, 200);
    compress_file(t, "app.log.1", "app.log.1.gz");
    taker_copy(t, "app.log", "app.log.2");
    fault_plan(&(struct fault_plan){.kind = FAULT_READ, .first = point});
    for (int i = 0; fault_count() == 0 && i < TURNS; i++) {
        follower_wait(t->f, 20, -1);
        taker_take(t);
    }
    bool is_reached = fault_count() > 0;
    fault_plan(&(struct fault_plan){0});
    taker_stop(t);
    taker_append(t, "app.log", "end\n");
    taker_start(t, APP);
    taker_wait_for(t, "end");
    assert_int_equal(t->len, 201);
    return is_reached;
}

/* That the two differ from what was read is not known if it could not be compared. */
static void sends_nothing_again_for_a_read_that_fails(void **state)
{
    bool is_reached = true;

    (void)state;
    for (unsigned point = 1; is_reached; point++) {
        struct taker t;

        taker_init(&t);
        is_reached = fails_once(&t, point);
        taker_release(&t);
    }
}

static void waits_for_an_archive_for_which_there_is_no_memory(void **state)
{
    struct taker *t = *state;

    fails_for_a_while(t, FAULT_LIBRARY, 1);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_the_rest_of_a_file_from_its_archive, setup, teardown),
        cmocka_unit_test_setup_teardown(goes_on_in_an_archive_after_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_no_archive_of_what_it_has_read, setup, teardown),
        cmocka_unit_test_setup_teardown(names_the_file_of_what_only_an_archive_has, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reads_no_archive_of_a_file_that_grew_meanwhile, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(knows_what_has_less_than_was_read_after_a_crash, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reads_again_under_the_same_key_what_an_archive_has_of_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(reads_again_what_only_the_archive_of_a_copy_has, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reads_what_only_begins_as_another_one, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_an_archive_of_what_nobody_has_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_each_of_archives_that_begin_alike, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_each_of_them_if_nothing_was_acknowledged, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(takes_no_archive_of_another_log_for_what_begins_alike,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(knows_which_archive_has_all_lines_that_were_taken, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(knows_which_copy_has_all_lines_that_were_taken, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(knows_by_all_lines_that_were_taken_what_was_truncated,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(knows_what_was_passed_over_and_then_grew, setup, teardown),
        cmocka_unit_test_setup_teardown(passes_over_archives_of_what_was_passed_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(passes_over_an_archive_that_is_made_meanwhile, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(never_reads_an_archive_as_it_is, setup, teardown),
#ifdef LOGMILL_FAULTS
        cmocka_unit_test_setup_teardown(waits_for_an_archive_that_cannot_be_read, setup, teardown),
        cmocka_unit_test(sends_nothing_again_for_a_read_that_fails),
        cmocka_unit_test_setup_teardown(waits_for_an_archive_for_which_there_is_no_memory, setup,
                                        teardown),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
