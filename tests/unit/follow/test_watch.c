#include "follow/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/clock.h"
#include "base/fault.h"

enum { PATIENCE_S = 60, CALLS_MAX = 64, US_PER_MS = 1000 };

static const uint64_t LOOK_US = (uint64_t)WATCH_POLL_MS * US_PER_MS;

/* Who is told, and what. */
struct place {
    char *dir;
    struct watch *watch;
    uint64_t now_us;
    struct {
        char folder[PATH_MAX], name[NAME_MAX + 1]; /* "" : all of it */
    } folders[CALLS_MAX];
    size_t folders_len;
    void *files[CALLS_MAX];
    size_t files_len;
    size_t said;
    void (*on_file)(struct place *p, void *file);
    void (*on_folder)(struct place *p, const char *folder);
};

static void on_folder(void *ctx, const char *folder, const char *name)
{
    struct place *p = ctx;
    size_t at = p->folders_len++ % CALLS_MAX;

    snprintf(p->folders[at].folder, sizeof(p->folders[at].folder), "%s", folder);
    snprintf(p->folders[at].name, sizeof(p->folders[at].name), "%s", name ? name : "");
    if (p->on_folder)
        p->on_folder(p, folder);
}

static void on_file(void *ctx, void *file)
{
    struct place *p = ctx;

    p->files[p->files_len++ % CALLS_MAX] = file;
    if (p->on_file)
        p->on_file(p, file);
}

static void on_say(void *ctx, const char *text)
{
    struct place *p = ctx;

    p->said++;
}

static void open_watch(struct place *p)
{
    struct watch_calls calls = {on_folder, on_file, on_say, p};
    struct errbuf err = ERRBUF_INIT;

    p->watch = watch_new(&calls, &err);
    assert_non_null(p->watch);
    watch_dispatch(p->watch, p->now_us); /* looks are due a second later */
}

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof(*p));

    p->dir = temp_directory_new();
    p->now_us = 1;
    open_watch(p);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;

    watch_free(p->watch);
    temp_directory_free(p->dir);
    free(p);
    return 0;
}

static const char *in(const struct place *p, const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned turn;
    char *path = paths[turn++ % 4];

    snprintf(path, PATH_MAX, "%s/%s", p->dir, name);
    return path;
}

static int make_file(const struct place *p, const char *name)
{
    int fd = open(in(p, name), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

static void append(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void forget_calls(struct place *p)
{
    p->folders_len = p->files_len = 0;
}

/* What is known now, the looks apart that take a second. */
static void dispatch(struct place *p)
{
    watch_dispatch(p->watch, p->now_us);
}

/* … and those. */
static void look(struct place *p)
{
    p->now_us += LOOK_US;
    dispatch(p);
}

static bool is_told_file(const struct place *p, const void *file)
{
    for (size_t i = 0; i < p->files_len && i < CALLS_MAX; i++)
        if (p->files[i] == file)
            return true;
    return false;
}

static bool is_told(const struct place *p, const char *folder, const char *name)
{
    for (size_t i = 0; i < p->folders_len && i < CALLS_MAX; i++)
        if (strcmp(p->folders[i].folder, folder) == 0 && strcmp(p->folders[i].name, name) == 0)
            return true;
    return false;
}

#define ASSERT_WITHIN_PATIENCE(p, condition, step)                                                 \
    do {                                                                                           \
        uint64_t end_us = clock_monotonic_us() + (uint64_t)PATIENCE_S * 1000 * US_PER_MS;          \
        while (!(condition)) {                                                                     \
            struct pollfd fd = {.fd = watch_fd((p)->watch), .events = POLLIN};                     \
            assert_true(clock_monotonic_us() < end_us);                                            \
            (void)poll(&fd, 1, 10);                                                                \
            step(p);                                                                               \
        }                                                                                          \
    } while (0)

/* ---- Files ---- */

static void what_is_written_to_a_file_is_told_by_whatever_name(void **state)
{
    struct place *p = *state;
    int fd = make_file(p, "app.log"), reader = open(in(p, "app.log"), O_RDONLY | O_CLOEXEC), other;
    int file;

    watch_file(p->watch, reader, &file);
    dispatch(p);
    forget_calls(p);
    append(fd, "a\n");
    dispatch(p);
    assert_true(is_told_file(p, &file));
    assert_int_equal(p->files_len, 1);

    forget_calls(p);
    assert_int_equal(rename(in(p, "app.log"), in(p, "app.log.1")), 0);
    dispatch(p);
    assert_true(is_told_file(p, &file));

    forget_calls(p);
    assert_int_equal(link(in(p, "app.log.1"), in(p, "other")), 0);
    other = open(in(p, "other"), O_WRONLY | O_APPEND | O_CLOEXEC);
    append(other, "b\n");
    dispatch(p);
    assert_true(is_told_file(p, &file));

    forget_calls(p);
    assert_int_equal(ftruncate(other, 0), 0);
    dispatch(p);
    assert_true(is_told_file(p, &file));
    close(other);

    assert_int_equal(unlink(in(p, "other")), 0);
    dispatch(p);
    forget_calls(p);
    assert_int_equal(unlink(in(p, "app.log.1")), 0);
    dispatch(p);
    assert_true(is_told_file(p, &file)); /* its last name is gone */
    forget_calls(p);
    append(fd, "c\n");
    dispatch(p);
    assert_true(is_told_file(p, &file));
    forget_calls(p);
    close(fd);
    dispatch(p);
    assert_true(is_told_file(p, &file)); /* nobody writes any more */
    close(reader);
}

static void many_writes_are_one_call(void **state)
{
    struct place *p = *state;
    int a = make_file(p, "a"), b = make_file(p, "b"), files[2];

    watch_file(p->watch, a, &files[0]);
    watch_file(p->watch, b, &files[1]);
    dispatch(p);
    forget_calls(p);
    for (int i = 0; i < 100; i++) {
        append(a, "a\n");
        append(b, "b\n");
    }
    dispatch(p);
    assert_int_equal(p->files_len, 2);
    assert_true(is_told_file(p, &files[0]) && is_told_file(p, &files[1]));
    close(a);
    close(b);
}

static void two_links_to_a_file_are_told_both_as_long_as_they_are_watched(void **state)
{
    struct place *p = *state;
    int fd = make_file(p, "a"), again, files[3];
    uint64_t numbers[3];

    assert_int_equal(link(in(p, "a"), in(p, "b")), 0);
    again = open(in(p, "b"), O_RDONLY | O_CLOEXEC);
    numbers[0] = watch_file(p->watch, fd, &files[0]);
    numbers[1] = watch_file(p->watch, again, &files[1]);
    numbers[2] = watch_file(p->watch, fd, &files[2]);
    append(fd, "x\n");
    dispatch(p);
    for (int i = 0; i < 3; i++)
        assert_true(is_told_file(p, &files[i]));

    watch_forget_file(p->watch, numbers[1]);
    close(again);
    forget_calls(p);
    append(fd, "x\n");
    dispatch(p);
    assert_true(is_told_file(p, &files[0]) && is_told_file(p, &files[2]));
    assert_false(is_told_file(p, &files[1]));

    watch_forget_file(p->watch, numbers[2]);
    watch_forget_file(p->watch, numbers[2]); /* nothing */
    forget_calls(p);
    append(fd, "x\n");
    dispatch(p);
    assert_true(is_told_file(p, &files[0]));
    watch_forget_file(p->watch, numbers[0]);
    forget_calls(p);
    append(fd, "x\n");
    dispatch(p);
    assert_int_equal(p->files_len, 0);

    /* The place of one that is forgotten is another's, whom its number does not name. */
    uint64_t next = watch_file(p->watch, fd, &files[1]);

    assert_true(next != numbers[0] && next != numbers[1] && next != numbers[2] && next != 0);
    for (int i = 0; i < 3; i++)
        watch_forget_file(p->watch, numbers[i]);
    append(fd, "x\n");
    dispatch(p);
    assert_true(is_told_file(p, &files[1]));
    close(fd);
}

static uint64_t other_number;

static void forget_other(struct place *p, void *file)
{
    watch_forget_file(p->watch, other_number);
    p->on_file = NULL;
}

static void a_call_may_forget_another_file(void **state)
{
    struct place *p = *state;
    int a = make_file(p, "a"), b = make_file(p, "b"), files[2];

    watch_file(p->watch, a, &files[0]);
    other_number = watch_file(p->watch, b, &files[1]);
    dispatch(p);
    forget_calls(p);
    append(a, "a\n");
    append(b, "b\n");
    p->on_file = forget_other;
    dispatch(p);
    assert_int_equal(p->files_len, 1);
    assert_true(is_told_file(p, &files[0]));
    close(a);
    close(b);
}

static void quiet_files_are_not_told(void **state)
{
    struct place *p = *state;
    int fd = make_file(p, "a"), file;

    watch_file(p->watch, fd, &file);
    assert_int_equal(watch_folder(p->watch, p->dir), 0);
    /* What is young may change without being seen: not for ever. */
    uint64_t end_us = clock_monotonic_us() + (uint64_t)PATIENCE_S * 1000 * US_PER_MS;

    do {
        forget_calls(p);
        assert_true(clock_monotonic_us() < end_us);
        (void)poll(NULL, 0, 100);
        for (int i = 0; i < 3 * WATCH_SAFETY_MS / WATCH_POLL_MS; i++)
            look(p);
    } while (p->files_len + p->folders_len > 0);
    close(fd);
}

/* ---- Folders ---- */

static void names_that_come_and_go_are_told(void **state)
{
    struct place *p = *state;
    int fd;

    assert_int_equal(watch_folder(p->watch, p->dir), 0);
    assert_int_equal(watch_folder(p->watch, p->dir), 0);
    fd = make_file(p, "a");
    dispatch(p);
    assert_true(is_told(p, p->dir, "a"));
    assert_int_equal(p->folders_len, 1);

    forget_calls(p);
    append(fd, "x\n");
    close(fd);
    dispatch(p);
    assert_true(is_told(p, p->dir, "a")); /* who wrote it has closed it */

    forget_calls(p);
    assert_int_equal(rename(in(p, "a"), in(p, "b")), 0);
    dispatch(p);
    assert_true(is_told(p, p->dir, "a") && is_told(p, p->dir, "b"));

    forget_calls(p);
    assert_int_equal(chmod(in(p, "b"), 0644), 0);
    dispatch(p);
    assert_true(is_told(p, p->dir, "b"));

    forget_calls(p);
    assert_int_equal(unlink(in(p, "b")), 0);
    dispatch(p);
    assert_true(is_told(p, p->dir, "b"));

    forget_calls(p);
    for (int i = 0; i < 50; i++) {
        close(make_file(p, "c"));
        close(make_file(p, "d"));
        unlink(in(p, "c"));
        unlink(in(p, "d"));
    }
    dispatch(p);
    assert_int_equal(p->folders_len, 2); /* each once */

    watch_forget_folder(p->watch, p->dir);
    watch_forget_folder(p->watch, p->dir);
    forget_calls(p);
    close(make_file(p, "e"));
    dispatch(p);
    assert_int_equal(p->folders_len, 0);
}

static void a_folder_is_told_by_each_of_its_paths(void **state)
{
    struct place *p = *state;
    char real[PATH_MAX], link[PATH_MAX];

    snprintf(real, sizeof(real), "%s", in(p, "real"));
    snprintf(link, sizeof(link), "%s", in(p, "link"));
    assert_int_equal(mkdir(real, 0700), 0);
    assert_int_equal(symlink("real", link), 0);
    assert_int_equal(watch_folder(p->watch, real), 0);
    assert_int_equal(watch_folder(p->watch, link), 0);
    close(make_file(p, "real/a"));
    dispatch(p);
    assert_true(is_told(p, real, "a") && is_told(p, link, "a"));
    watch_forget_folder(p->watch, real);
    forget_calls(p);
    close(make_file(p, "real/b"));
    dispatch(p);
    assert_true(!is_told(p, real, "b") && is_told(p, link, "b"));
    assert_int_equal(unlink(link), 0);
}

static void a_folder_that_is_not_there_yet_is_told_when_it_is(void **state)
{
    struct place *p = *state;
    char deep[PATH_MAX];

    snprintf(deep, sizeof(deep), "%s", in(p, "a/b/c"));
    assert_int_equal(watch_folder(p->watch, deep), LM_EIO);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(watch_folder(p->watch, deep), LM_EIO);
    dispatch(p);
    assert_int_equal(p->folders_len, 0);
    assert_int_equal(mkdir(in(p, "a"), 0700), 0);
    assert_int_equal(mkdir(in(p, "x"), 0700), 0);
    dispatch(p);
    assert_int_equal(p->folders_len, 0);
    assert_int_equal(mkdir(in(p, "a/b"), 0700), 0);
    dispatch(p);
    assert_int_equal(p->folders_len, 0);
    assert_int_equal(mkdir(in(p, "a/b/c"), 0700), 0);
    close(make_file(p, "a/b/c/f"));
    dispatch(p); /* without a look */
    assert_true(is_told(p, deep, ""));
    forget_calls(p);
    close(make_file(p, "a/b/c/g"));
    dispatch(p);
    assert_true(is_told(p, deep, "g"));
    assert_int_equal(watch_folder(p->watch, deep), 0);
}

static void all_parts_of_a_path_may_come_at_once(void **state)
{
    struct place *p = *state;
    char deep[PATH_MAX];

    snprintf(deep, sizeof(deep), "%s", in(p, "a/b/c"));
    assert_int_equal(watch_folder(p->watch, deep), LM_EIO);
    assert_int_equal(mkdir(in(p, "a"), 0700), 0);
    assert_int_equal(mkdir(in(p, "a/b"), 0700), 0);
    assert_int_equal(mkdir(in(p, "a/b/c"), 0700), 0);
    dispatch(p);
    assert_true(is_told(p, deep, ""));
}

static void a_folder_that_was_deleted_is_told_and_awaited(void **state)
{
    struct place *p = *state;
    char dir[PATH_MAX];

    snprintf(dir, sizeof(dir), "%s", in(p, "d"));
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(watch_folder(p->watch, dir), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rmdir(dir), 0);
        dispatch(p);
        assert_true(is_told(p, dir, ""));
        forget_calls(p);
        assert_int_equal(mkdir(dir, 0700), 0);
        dispatch(p);
        assert_true(is_told(p, dir, ""));
        forget_calls(p);
        close(make_file(p, "d/f"));
        dispatch(p);
        assert_true(is_told(p, dir, "f"));
        assert_int_equal(unlink(in(p, "d/f")), 0);
        dispatch(p);
        forget_calls(p);
    }
}

static void a_folder_moved_away_is_not_the_one_that_is_meant(void **state)
{
    struct place *p = *state;
    char dir[PATH_MAX];

    snprintf(dir, sizeof(dir), "%s", in(p, "d"));
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(watch_folder(p->watch, dir), 0);
    assert_int_equal(rename(dir, in(p, "e")), 0);
    assert_int_equal(mkdir(dir, 0700), 0);
    dispatch(p);
    assert_true(is_told(p, dir, ""));
    forget_calls(p);
    close(make_file(p, "e/old"));
    close(make_file(p, "d/new"));
    dispatch(p);
    assert_true(is_told(p, dir, "new"));
    assert_false(is_told(p, dir, "old"));
}

static void a_path_that_leads_elsewhere_is_found_by_looking(void **state)
{
    struct place *p = *state;
    char dir[PATH_MAX];

    /* A link in the path, as deployments switch it. */
    assert_int_equal(mkdir(in(p, "r1"), 0700), 0);
    assert_int_equal(mkdir(in(p, "r1/log"), 0700), 0);
    assert_int_equal(mkdir(in(p, "r2"), 0700), 0);
    assert_int_equal(mkdir(in(p, "r2/log"), 0700), 0);
    assert_int_equal(symlink("r1", in(p, "now")), 0);
    snprintf(dir, sizeof(dir), "%s", in(p, "now/log"));
    assert_int_equal(watch_folder(p->watch, dir), 0);
    assert_int_equal(symlink("r2", in(p, "next")), 0);
    assert_int_equal(rename(in(p, "next"), in(p, "now")), 0);
    look(p);
    assert_true(is_told(p, dir, ""));
    forget_calls(p);
    close(make_file(p, "r2/log/f"));
    dispatch(p);
    assert_true(is_told(p, dir, "f"));

    /* A folder above it moved away. */
    assert_int_equal(rename(in(p, "r2"), in(p, "r3")), 0);
    forget_calls(p);
    look(p);
    assert_true(is_told(p, dir, ""));
    assert_int_equal(mkdir(in(p, "r2"), 0700), 0);
    assert_int_equal(mkdir(in(p, "r2/log"), 0700), 0);
    forget_calls(p);
    look(p);
    assert_true(is_told(p, dir, ""));
    assert_int_equal(unlink(in(p, "now")), 0);
}

static void a_folder_that_may_be_read_at_last_is_told(void **state)
{
    struct place *p = *state;
    char dir[PATH_MAX];

    if (geteuid() == 0)
        skip();
    snprintf(dir, sizeof(dir), "%s", in(p, "d"));
    assert_int_equal(mkdir(dir, 0), 0);
    assert_int_equal(watch_folder(p->watch, dir), LM_EIO);
    assert_int_equal(errno, EACCES);
    dispatch(p);
    forget_calls(p);
    assert_int_equal(chmod(dir, 0700), 0);
    ASSERT_WITHIN_PATIENCE(p, is_told(p, dir, ""), look);
    assert_int_equal(watch_folder(p->watch, dir), 0);
}

static void forget_folder(struct place *p, const char *folder)
{
    watch_forget_folder(p->watch, folder);
}

static void a_call_may_forget_its_folder(void **state)
{
    struct place *p = *state;

    assert_int_equal(watch_folder(p->watch, p->dir), 0);
    p->on_folder = forget_folder;
    close(make_file(p, "a"));
    close(make_file(p, "b"));
    dispatch(p);
    assert_int_equal(p->folders_len, 1);
}

/* ---- Much ---- */

static long limit_of(const char *name)
{
    char path[128], text[32] = "";
    int fd;

    snprintf(path, sizeof(path), "/proc/sys/fs/inotify/%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t len = read(fd, text, sizeof(text) - 1);
    close(fd);
    return len > 0 ? strtol(text, NULL, 10) : -1;
}

static void all_is_looked_at_when_the_queue_was_too_short(void **state)
{
    struct place *p = *state;
    long limit = limit_of("max_queued_events");
    int a = make_file(p, "a"), b = make_file(p, "b"), c = make_file(p, "c"), files[3];

    if (limit < 0 || limit > 200000)
        skip();
    watch_file(p->watch, a, &files[0]);
    watch_file(p->watch, b, &files[1]);
    watch_file(p->watch, c, &files[2]);
    assert_int_equal(watch_folder(p->watch, p->dir), 0);
    dispatch(p);
    forget_calls(p);
    for (long i = 0; i < limit; i++)
        append(i % 2 ? a : b, "x");
    append(c, "x");
    close(make_file(p, "d"));
    ASSERT_WITHIN_PATIENCE(p, is_told_file(p, &files[2]) && is_told(p, p->dir, ""), dispatch);
    assert_int_equal(p->said, 1);
    close(a);
    close(b);
    close(c);
}

static void of_ten_thousand_files_those_that_changed_are_told(void **state)
{
    enum { FILES = 10000, SOME = 997 };
    struct place *p = *state;
    struct rlimit before, all;
    char *files = malloc(FILES), name[32];
    int *fds = malloc(FILES * sizeof(*fds));
    uint64_t *numbers = malloc(FILES * sizeof(*numbers));

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    all = before;
    all.rlim_cur = all.rlim_max;
    if (all.rlim_max < FILES + 100 || setrlimit(RLIMIT_NOFILE, &all) != 0)
        skip();
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        fds[i] = make_file(p, name);
        numbers[i] = watch_file(p->watch, fds[i], &files[i]);
    }
    for (int i = 0; i < FILES; i++)
        if (i % SOME)
            watch_forget_file(p->watch, i % 2 ? numbers[i] : 0);
    dispatch(p);
    forget_calls(p);
    int changed = 0;

    for (int i = 0; i < FILES; i += SOME, changed++)
        append(fds[i], "x\n");
    /* Without watches enough for all, some of them take a look. */
    if (p->said == 0) {
        dispatch(p);
        assert_int_equal(p->files_len, changed);
        for (int i = 0; i < FILES; i += SOME)
            assert_true(is_told_file(p, &files[i]));
    }
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        close(fds[i]);
        unlink(in(p, name));
    }
    setrlimit(RLIMIT_NOFILE, &before);
    free(numbers);
    free(fds);
    free(files);
}

static void when_to_look_again_is_told(void **state)
{
    struct place *p = *state;
    int fd = make_file(p, "a"), file;

    assert_int_equal(watch_timeout_ms(p->watch, 0, 700), 700); /* nothing is watched */
    assert_int_equal(watch_timeout_ms(p->watch, 0, -1), INT_MAX);
    watch_file(p->watch, fd, &file);
    dispatch(p);
    assert_int_equal(watch_timeout_ms(p->watch, p->now_us, -1), WATCH_POLL_MS);
    assert_int_equal(watch_timeout_ms(p->watch, p->now_us, 20), 20);
    assert_int_equal(watch_timeout_ms(p->watch, p->now_us + LOOK_US - 1500, 20), 2);
    assert_int_equal(watch_timeout_ms(p->watch, p->now_us + LOOK_US, 20), 0);
    close(fd);
}

#ifdef LOGMILL_FAULTS

/* ---- Without watches ---- */

/* Opens the watch anew with a plan in which watching fails from `first` on (1: all of inotify). */
static void fail_watches(struct place *p, unsigned first)
{
    watch_free(p->watch);
    fault_plan(&(struct fault_plan){.kind = FAULT_WATCH, .first = first, .onwards = true});
    open_watch(p);
}

static void allow_watches(void)
{
    fault_plan(&(struct fault_plan){.kind = FAULT_WATCH, .first = 0});
}

static void what_cannot_be_watched_is_looked_at(void **state)
{
    struct place *p = *state;

    for (unsigned first = 1; first <= 2; first++) {
        int fd = make_file(p, "a"), again = make_file(p, "a"), files[2];
        char there[PATH_MAX];

        p->said = 0;
        fail_watches(p, first);
        watch_file(p->watch, fd, &files[0]);
        watch_file(p->watch, again, &files[1]);
        assert_int_equal(watch_folder(p->watch, p->dir), 0);
        snprintf(there, sizeof(there), "%s", in(p, "x/y"));
        assert_int_equal(watch_folder(p->watch, there), LM_EIO);
        assert_int_equal(p->said, 1);
        look(p);

        forget_calls(p);
        append(fd, "x\n");
        look(p);
        assert_true(is_told_file(p, &files[0]) && is_told_file(p, &files[1]));
        forget_calls(p);
        close(make_file(p, "b"));
        look(p);
        assert_true(is_told(p, p->dir, ""));
        forget_calls(p);
        assert_int_equal(mkdir(in(p, "x"), 0700), 0);
        assert_int_equal(mkdir(in(p, "x/y"), 0700), 0);
        look(p);
        assert_true(is_told(p, there, ""));
        forget_calls(p);
        assert_int_equal(rmdir(there), 0);
        look(p);
        assert_true(is_told(p, there, ""));

        /* Nobody can open it any more, so it is looked at more often. */
        assert_int_equal(unlink(in(p, "a")), 0);
        look(p);
        assert_int_equal(watch_timeout_ms(p->watch, p->now_us, -1), WATCH_DELETED_MS);
        forget_calls(p);
        append(fd, "x\n");
        p->now_us += (uint64_t)WATCH_DELETED_MS * US_PER_MS;
        dispatch(p);
        assert_true(is_told_file(p, &files[0]));
        assert_int_equal(p->said, 1);
        close(fd);
        close(again);
        assert_int_equal(rmdir(in(p, "x")), 0);
        assert_int_equal(unlink(in(p, "b")), 0);
        allow_watches();
    }
}

static void watches_are_tried_again(void **state)
{
    struct place *p = *state;
    int fd = make_file(p, "a"), file;

    fail_watches(p, 2);
    watch_file(p->watch, fd, &file);
    assert_int_equal(watch_folder(p->watch, p->dir), 0);
    look(p);
    allow_watches();
    look(p);
    assert_true(is_told_file(p, &file)); /* what came in between */
    forget_calls(p);
    append(fd, "x\n");
    close(make_file(p, "b"));
    dispatch(p);
    assert_true(is_told_file(p, &file));
    assert_true(is_told(p, p->dir, "b"));
    assert_int_equal(unlink(in(p, "a")), 0);
    look(p);
    look(p);
    assert_int_equal(watch_timeout_ms(p->watch, p->now_us, -1), WATCH_POLL_MS); /* watched */
    close(fd);
}

static void make_events(struct place *p, int fd)
{
    for (int i = 0; i < 20; i++) {
        append(fd, "x\n");
        assert_int_equal(rename(in(p, "b"), in(p, "c")), 0);
        assert_int_equal(rename(in(p, "c"), in(p, "b")), 0);
    }
    dispatch(p);
    look(p);
}

static void nothing_is_allocated_for_events_once_warm(void **state)
{
    struct place *p = *state;
    int a = make_file(p, "a"), b = make_file(p, "b"), files[2];

    watch_file(p->watch, a, &files[0]);
    watch_file(p->watch, b, &files[1]);
    assert_int_equal(watch_folder(p->watch, p->dir), 0);
    make_events(p, a);
    forget_calls(p);
    /* An allocation would end the test. */
    fault_plan(&(struct fault_plan){.kind = FAULT_SMALL, .first = 1, .onwards = true});
    for (int i = 0; i < 10; i++)
        make_events(p, a);
    fault_plan(&(struct fault_plan){.kind = FAULT_SMALL, .first = 0});
    assert_true(is_told_file(p, &files[0]) && is_told_file(p, &files[1]));
    assert_true(is_told(p, p->dir, "b") && is_told(p, p->dir, "c"));
    close(a);
    close(b);
}

#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_to_a_file_is_told_by_whatever_name),
        TEST(many_writes_are_one_call),
        TEST(two_links_to_a_file_are_told_both_as_long_as_they_are_watched),
        TEST(a_call_may_forget_another_file),
        TEST(quiet_files_are_not_told),
        TEST(names_that_come_and_go_are_told),
        TEST(a_folder_is_told_by_each_of_its_paths),
        TEST(a_folder_that_is_not_there_yet_is_told_when_it_is),
        TEST(all_parts_of_a_path_may_come_at_once),
        TEST(a_folder_that_was_deleted_is_told_and_awaited),
        TEST(a_folder_moved_away_is_not_the_one_that_is_meant),
        TEST(a_path_that_leads_elsewhere_is_found_by_looking),
        TEST(a_folder_that_may_be_read_at_last_is_told),
        TEST(a_call_may_forget_its_folder),
        TEST(all_is_looked_at_when_the_queue_was_too_short),
        TEST(of_ten_thousand_files_those_that_changed_are_told),
        TEST(when_to_look_again_is_told),
#ifdef LOGMILL_FAULTS
        TEST(what_cannot_be_watched_is_looked_at),
        TEST(watches_are_tried_again),
        TEST(nothing_is_allocated_for_events_once_warm),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
