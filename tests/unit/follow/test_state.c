#include "follow/state.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/clock.h"
#include "sqlite/db.h"

static char path[1024];
static struct errbuf err;

static int set_up(void **state)
{
    *state = temp_directory_new();
    snprintf(path, sizeof(path), "%s/follow.db", (char *)*state);
    return 0;
}

static int tear_down(void **state)
{
    temp_directory_free(*state);
    return 0;
}

static struct state *opened(void)
{
    struct state *s = state_open(path, &err);

    if (!s)
        fail_msg("%s", err.text);
    return s;
}

/* Number 0, of which each field is something of its own. */
static struct state_file file(unsigned n)
{
    struct state_file f = {
        .key = UINT64_MAX - n,
        .kind = STATE_FINISHED,
        .path = SLICE_LITERAL("/var/log/\xff\xfe.log"),
        .family = SLICE_LITERAL("/var/log/app.log"),
        .identity = {.device = UINT64_MAX - 1, .inode = UINT64_C(1) << 63, .born_ns = 3},
        .generation = UINT32_MAX,
        .before = 4,
        .mark = {.offset = n * 1000,
                 .chain = UINT64_MAX - 5,
                 .head_hash = 6,
                 .head_len = 7,
                 .tail_len = 8,
                 .tail_hash = UINT64_MAX},
        .ahead = {.offset = n * 1000 + 1,
                  .chain = UINT64_MAX - 6,
                  .head_hash = 14,
                  .head_len = 15,
                  .tail_len = 16,
                  .tail_hash = UINT64_MAX - 7},
        .sent = 10,
        .size = 11,
        .changed_us = 12,
        .is_deleted = true,
        .ladder = SLICE_LITERAL("\0\xfe ladder"),
        .form = "python",
        .guessed = UINT64_MAX - 13,
    };

    return f;
}

static void put(struct state *s, struct state_file *f)
{
    assert_int_equal(state_begin(s, &err), 0);
    assert_int_equal(state_put(s, f, &err), 0);
    assert_int_equal(state_commit(s, &err), 0);
}

/* What is in a state, the last row with texts of its own. */
struct content {
    int len;
    struct state_file last;
    char path[64], family[64], ladder[64];
    int64_t numbers[16];
};

static int take(const struct state_file *f, void *ctx)
{
    struct content *c = ctx;

    if (c->len < 16)
        c->numbers[c->len] = f->number;
    c->len++;
    c->last = *f;
    snprintf(c->path, sizeof(c->path), "%.*s", SLICE_ARG(f->path));
    if (f->ladder.len > 0 && f->ladder.len < sizeof(c->ladder))
        memcpy(c->ladder, f->ladder.data, f->ladder.len);
    snprintf(c->family, sizeof(c->family), "%.*s", SLICE_ARG(f->family));
    return 0;
}

static struct content content(struct state *s)
{
    struct content c = {0};

    assert_int_equal(state_load(s, 0, take, &c, &err), 0);
    return c;
}

static void one_can_be_asked_for(void **state)
{
    struct state_file a = file(3), b = file(4);
    struct state *s = opened();
    struct content c = {0};

    put(s, &a);
    put(s, &b);
    assert_int_equal(state_load(s, a.number, take, &c, &err), 0);
    assert_true(c.len == 1 && c.last.key == a.key && c.last.put_us > 0);
    assert_int_equal(state_load(s, 77, take, &c, &err), 0);
    assert_int_equal(c.len, 1);
    state_close(s);
}

struct times {
    int len;
    struct state_time times[8];
};

static int take_time(const struct state_time *t, void *ctx)
{
    struct times *all = ctx;

    assert_true(all->len < 8);
    all->times[all->len++] = *t;
    return 0;
}

static struct times times(struct state *s, int64_t number)
{
    struct times all = {0};

    assert_int_equal(state_load_times(s, number, take_time, &all, &err), 0);
    return all;
}

/* ---- What is kept ---- */

static void all_of_a_file_comes_back(void **state)
{
    struct state_file f = file(9);
    struct state *s = opened();

    put(s, &f);
    assert_int_equal(f.number, 1);
    state_close(s);
    s = opened();
    struct content c = content(s);
    assert_int_equal(c.len, 1);
    assert_string_equal(c.path, "/var/log/\xff\xfe.log");
    assert_string_equal(c.family, "/var/log/app.log");
    assert_string_equal(c.last.form, "python");
    assert_int_equal(c.last.ladder.len, f.ladder.len);
    assert_memory_equal(c.ladder, f.ladder.data, f.ladder.len);
    assert_memory_equal(&c.last.identity, &f.identity, sizeof(f.identity));
    assert_memory_equal(&c.last.mark, &f.mark, sizeof(f.mark));
    assert_memory_equal(&c.last.ahead, &f.ahead, sizeof(f.ahead));
    assert_true(c.last.number == 1 && c.last.key == f.key && c.last.kind == f.kind);
    assert_true(c.last.generation == f.generation && c.last.before == f.before);
    assert_true(c.last.sent == f.sent && c.last.size == f.size);
    assert_true(c.last.changed_us == f.changed_us && c.last.is_deleted);
    assert_true(c.last.guessed == f.guessed);

    memset(f.form, 'x', sizeof(f.form)); /* longer than it may be: cut */
    f.kind = STATE_LIVE;
    f.is_deleted = false;
    f.path = slice_of(NULL, 0);
    f.ladder = slice_of(NULL, 0); /* the one that is there stays */
    put(s, &f);
    c = content(s);
    assert_int_equal(c.len, 1);
    assert_string_equal(c.ladder + 1, "\xfe ladder");
    assert_int_equal(strlen(c.last.form), STATE_FORM_MAX - 1);
    assert_int_equal(c.last.kind, STATE_LIVE);
    assert_false(c.last.is_deleted);
    assert_int_equal(c.last.path.len, 0);
    state_close(s);
}

static void numbers_grow_and_come_back_to_nobody(void **state)
{
    struct state_file a = file(1), b = file(2), c = file(3), d = file(4), e = file(5);
    struct state *s = opened();

    put(s, &a);
    assert_int_equal(state_begin(s, &err), 0);
    assert_int_equal(state_put(s, &b, &err), 0);
    state_roll_back(s);
    assert_int_equal(content(s).len, 1);
    put(s, &c);
    assert_true(a.number < b.number && b.number < c.number);
    put(s, &b); /* with the number that it had */
    struct content all = content(s);
    assert_int_equal(all.len, 3);
    assert_true(all.numbers[0] == a.number && all.numbers[1] == b.number &&
                all.numbers[2] == c.number);

    put(s, &d);
    assert_int_equal(state_begin(s, &err), 0);
    assert_int_equal(state_forget(s, d.number, &err), 0);
    assert_int_equal(state_commit(s, &err), 0);
    state_close(s);
    s = opened();
    put(s, &e);
    assert_int_equal(e.number, d.number + 1);
    state_close(s);
}

static void times_are_kept_until_their_lines_are_stored(void **state)
{
    struct state_file f = file(0), other = file(0);
    struct state *s = opened();

    assert_int_equal(state_begin(s, &err), 0);
    assert_int_equal(state_put(s, &f, &err), 0);
    assert_int_equal(state_put(s, &other, &err), 0);
    for (uint64_t i = 0; i < 4; i++) {
        struct state_time t = {.from = 10 * i, .to = 10 * i + 10, .us = 100 + (int64_t)i};

        assert_int_equal(state_put_time(s, f.number, &t, &err), 0);
        assert_int_equal(state_put_time(s, other.number, &t, &err), 0);
    }
    assert_int_equal(
        state_put_time(s, f.number, &(struct state_time){.from = 30, .to = 45, .us = 7}, &err), 0);
    assert_int_equal(state_commit(s, &err), 0);
    state_close(s);

    s = opened();
    struct times t = times(s, f.number);
    assert_int_equal(t.len, 4);
    assert_true(t.times[1].from == 10 && t.times[1].to == 20 && t.times[1].us == 101);
    assert_true(t.times[3].from == 30 && t.times[3].to == 45 && t.times[3].us == 7);

    f.mark.offset = 29; /* the third one is not stored whole */
    put(s, &f);
    t = times(s, f.number);
    assert_int_equal(t.len, 2);
    assert_int_equal(t.times[0].from, 20);
    f.mark.offset = 45;
    put(s, &f);
    assert_int_equal(times(s, f.number).len, 0);
    assert_int_equal(times(s, other.number).len, 4);
    assert_int_equal(state_begin(s, &err), 0);
    assert_int_equal(state_forget(s, other.number, &err), 0);
    assert_int_equal(state_commit(s, &err), 0);
    assert_int_equal(times(s, other.number).len, 0);
    assert_int_equal(content(s).len, 1);
    state_close(s);
}

static int refuse(const struct state_file *f, void *ctx)
{
    ++*(int *)ctx;
    return LM_ESTOPPED;
}

static int load_times_too(const struct state_file *f, void *ctx)
{
    struct state *s = ctx;

    assert_int_equal(times(s, f->number).len, 1);
    return 0;
}

static void whoever_is_given_files_may_read_on_and_stop(void **state)
{
    struct state *s = opened();
    int calls = 0;

    assert_int_equal(state_begin(s, &err), 0);
    for (int i = 0; i < 3; i++) {
        struct state_file f = file(0);

        assert_int_equal(state_put(s, &f, &err), 0);
        assert_int_equal(state_put_time(s, f.number, &(struct state_time){0, 1, 2}, &err), 0);
    }
    assert_int_equal(state_commit(s, &err), 0);
    assert_int_equal(state_load(s, 0, refuse, &calls, &err), LM_ESTOPPED);
    assert_int_equal(calls, 1);
    assert_int_equal(state_load(s, 0, load_times_too, s, &err), 0);
    state_close(s);
}

static void a_state_is_new_until_something_is_in_it(void **state)
{
    const int64_t before_us = clock_wall_us();
    struct state_file f = file(1);
    struct state *s = opened();

    assert_true(state_is_new(s));
    assert_in_range(state_began_us(s), before_us, clock_wall_us());
    assert_int_equal(state_changed_us(s), 0);
    assert_int_equal(state_begin(s, &err), 0);
    assert_int_equal(state_put(s, &f, &err), 0);
    state_close(s); /* as by a crash */

    s = opened();
    assert_true(state_is_new(s));
    assert_int_equal(content(s).len, 0);
    const int64_t began_us = state_began_us(s);
    put(s, &f);
    assert_false(state_is_new(s));
    assert_int_equal(state_began_us(s), began_us);
    assert_in_range(state_changed_us(s), began_us, clock_wall_us());
    state_close(s);

    s = opened();
    assert_false(state_is_new(s));
    const int64_t changed_us = state_changed_us(s);
    put(s, &f);
    assert_int_equal(state_began_us(s), began_us);
    assert_true(state_changed_us(s) > changed_us);
    state_close(s);
}

/* ---- Who may have it ---- */

static void a_second_follower_is_refused_until_the_first_one_is_gone(void **state)
{
    struct state *s = opened();
    char pid[32];

    snprintf(pid, sizeof(pid), "(pid %ld)", (long)getpid());
    assert_null(state_open(path, &err));
    assert_non_null(strstr(err.text, pid));
    assert_non_null(strstr(err.text, "--state"));
    state_close(s);
    state_close(opened());

    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        s = state_open(path, &err);
        _exit(s && write(ready[1], "x", 1) == 1 && pause() ? 1 : 2);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_null(state_open(path, &err));
    snprintf(pid, sizeof(pid), "(pid %ld)", (long)child);
    assert_non_null(strstr(err.text, pid));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    state_close(opened());
    close(ready[0]);
    close(ready[1]);
}

static void readers_see_what_is_committed_beside_the_owner(void **state)
{
    struct state_file f = file(1);

    assert_null(state_open_to_read(path, &err));
    assert_non_null(strstr(err.text, path));
    assert_int_not_equal(access(path, F_OK), 0); /* none was made */

    struct state *s = opened();
    put(s, &f);
    assert_int_equal(state_begin(s, &err), 0);
    assert_int_equal(state_put(s, &(struct state_file){.key = 2}, &err), 0);
    struct state *r = state_open_to_read(path, &err);
    assert_non_null(r);
    assert_int_equal(content(r).len, 1);
    assert_int_equal(state_owner(r), getpid());
    assert_int_equal(state_owner(s), getpid());
    assert_int_equal(state_commit(s, &err), 0);
    assert_int_equal(content(r).len, 2);
    assert_int_equal(state_changed_us(r), state_changed_us(s));
    /* A second one, and asking who has it, are in nobody's way. */
    struct state *r2 = state_open_to_read(path, &err);
    assert_non_null(r2);
    assert_int_equal(state_owner(r2), getpid());
    state_close(r2);
    state_close(s);
    assert_int_equal(state_owner(r), 0);
    assert_int_equal(content(r).len, 2);
    state_close(r);
    r = state_open_to_read(path, &err); /* with nobody about */
    assert_non_null(r);
    assert_int_equal(content(r).len, 2);
    assert_false(state_is_new(r));
    state_close(r);
}

static mode_t mode_of(const char *ending)
{
    struct stat status;
    char name[1100];

    snprintf(name, sizeof(name), "%s%s", path, ending);
    assert_int_equal(stat(name, &status), 0);
    return status.st_mode & 0777;
}

static void its_files_are_its_owners_alone(void **state)
{
    mode_t mask = umask(0);
    struct state_file f = file(1);
    struct state *s = opened();

    put(s, &f);
    assert_int_equal(mode_of(""), 0600);
    assert_int_equal(mode_of("-wal"), 0600);
    assert_int_equal(mode_of("-shm"), 0600);
    assert_int_equal(mode_of("-lock"), 0600);
    state_close(s);
    assert_int_equal(chmod(path, 0644), 0);
    state_close(opened());
    assert_int_equal(mode_of(""), 0600);
    umask(mask);
}

enum { SOMEBODY = 1234 };

static int (*system_open)(const char *name, int flags, int mode);
static unsigned opened_of_somebody, opened_of_others;

/* What SQLite makes, as it is made: before it can be handed over. */
static int open_watched(const char *name, int flags, int mode)
{
    struct stat status;
    int fd = system_open(name, flags, mode);

    if (fd >= 0 && strncmp(name, path, strlen(path)) == 0) {
        if (fstat(fd, &status) == 0 && status.st_uid == SOMEBODY && status.st_gid == SOMEBODY)
            opened_of_somebody++;
        else
            opened_of_others++;
    }
    return fd;
}

static void watch_opens(void)
{
    sqlite3_vfs *unix_vfs = sqlite3_vfs_find("unix");

    sqlite3_syscall_ptr original = unix_vfs->xGetSystemCall(unix_vfs, "open");
    system_open = (int (*)(const char *, int, int))original;
    assert_int_equal(unix_vfs->xSetSystemCall(unix_vfs, "open", (sqlite3_syscall_ptr)open_watched),
                     SQLITE_OK);
}

static void watch_opens_no_more(void)
{
    sqlite3_vfs *unix_vfs = sqlite3_vfs_find("unix");

    assert_int_equal(unix_vfs->xSetSystemCall(unix_vfs, "open", NULL), SQLITE_OK);
}

/* A follower of that user that starts meanwhile could not open what is root's. */
static void root_reads_as_the_owner_does(void **state)
{
    struct state_file f = file(1);

    if (geteuid() != 0)
        skip();
    struct state *s = opened();
    put(s, &f);
    state_close(s);
    assert_int_equal(chown(*state, SOMEBODY, SOMEBODY), 0);
    assert_int_equal(chown(path, SOMEBODY, SOMEBODY), 0);
    watch_opens();
    struct state *r = state_open_to_read(path, &err);
    watch_opens_no_more();
    assert_int_equal(geteuid(), 0);
    assert_int_equal(getegid(), getgid());
    assert_non_null(r);
    assert_int_equal(content(r).len, 1);
    assert_int_equal(opened_of_others, 0);
    assert_in_range(opened_of_somebody, 3, UINT_MAX); /* the file, its log, its index */
    state_close(r);

    /* One that its owner cannot reach is read all the same. */
    assert_int_equal(chown(*state, 0, 0), 0);
    r = state_open_to_read(path, &err);
    assert_non_null(r);
    assert_int_equal(content(r).len, 1);
    state_close(r);
}

static void only_a_default_folder_is_made(void **state)
{
    struct stat status;
    char *folder = *state;

    snprintf(path, sizeof(path), "%s/a/b/follow.db", folder);
    assert_null(state_open(path, &err));
    assert_non_null(strstr(err.text, "No such file or directory"));
    assert_int_equal(state_make_folder(path, &err), 0);
    assert_int_equal(state_make_folder(path, &err), 0);
    snprintf(path, sizeof(path), "%s/a", folder);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    snprintf(path, sizeof(path), "%s/a/b/follow.db", folder);
    state_close(opened());
    assert_int_equal(state_make_folder("follow.db", &err), 0);

    snprintf(path, sizeof(path), "%s/a/b/follow.db/c/follow.db", folder);
    assert_int_equal(state_make_folder(path, &err), LM_EIO);
}

/* ---- What is no state, or none any more ---- */

static void run_sql(const char *sql)
{
    sqlite3 *handle;

    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
}

static void refused(const char *because)
{
    assert_null(state_open(path, &err));
    if (!strstr(err.text, because))
        fail_msg("%s", err.text);
    assert_null(state_open_to_read(path, &err));
    if (!strstr(err.text, because))
        fail_msg("%s", err.text);
}

static void a_newer_logmills_state_is_left_alone(void **state)
{
    struct state_file f = file(1);
    struct state *s = opened();

    put(s, &f);
    state_close(s);
    run_sql("PRAGMA user_version = 99");
    refused("newer logmill");
    run_sql("PRAGMA user_version = 3");
    s = opened();
    assert_int_equal(content(s).len, 1);
    state_close(s);
}

static void note_unreadable(struct slice file, struct slice reason, void *ctx)
{
    struct buffer *b = ctx;

    buffer_appendf(b, "%.*s: %.*s\n", (int)file.len, file.data, (int)reason.len, reason.data);
}

static const char *unreadable(struct state *s)
{
    static char text[256];
    struct buffer b;

    buffer_init(&b, sizeof(text) - 1);
    assert_int_equal(state_load_unreadable(s, note_unreadable, &b, &err), 0);
    snprintf(text, sizeof(text), "%.*s", (int)b.len, b.data ? b.data : "");
    buffer_release(&b);
    return text;
}

static void what_is_unreadable_and_what_was_lost_is_kept(void **state)
{
    struct state *s = opened();

    assert_int_equal(state_begin(s, &err), 0);
    assert_int_equal(state_put_unreadable(s, "/b", "first", &err), 0);
    assert_int_equal(state_clear_unreadable(s, &err), 0);
    assert_int_equal(state_put_unreadable(s, "/b", "no right", &err), 0);
    assert_int_equal(state_put_unreadable(s, "/a", "a loop", &err), 0);
    state_note_lost(s, 7);
    assert_int_equal(state_commit(s, &err), 0);
    assert_int_equal(state_begin(s, &err), 0);
    assert_int_equal(state_clear_unreadable(s, &err), 0);
    state_note_lost(s, 3);
    state_roll_back(s);
    assert_int_equal(state_lost_bytes(s), 10); /* for the next one */
    state_close(s);
    s = state_open_to_read(path, &err);
    assert_non_null(s);
    assert_string_equal(unreadable(s), "/a: a loop\n/b: no right\n");
    assert_int_equal(state_lost_bytes(s), 7);
    state_close(s);
    s = opened();
    assert_int_equal(state_lost_bytes(s), 7);
    state_close(s);
}

static void a_state_from_before_that_was_kept_is_read_and_goes_on(void **state)
{
    struct state_file f = file(1);
    struct state *s = opened();

    put(s, &f);
    state_close(s);
    run_sql("DROP TABLE unreadable; ALTER TABLE follower DROP COLUMN lost_bytes;"
            "PRAGMA user_version = 2");
    s = state_open_to_read(path, &err);
    assert_non_null(s);
    assert_string_equal(unreadable(s), "");
    assert_int_equal(state_lost_bytes(s), 0);
    assert_int_equal(content(s).len, 1);
    state_close(s);
    s = opened();
    put(s, &f);
    assert_string_equal(unreadable(s), "");
    state_close(s);
}

static void another_programs_file_is_left_alone(void **state)
{
    run_sql("CREATE TABLE theirs(x)");
    refused("no state");
    run_sql("PRAGMA user_version = 2");
    refused("no state");
    run_sql("INSERT INTO theirs VALUES(1); PRAGMA user_version = 0");
    refused("no state");

    assert_int_equal(unlink(path), 0);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    char text[2048];
    memset(text, 'x', sizeof(text));
    assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
    close(fd);
    refused("is damaged; move it away");
    fd = open(path, O_RDONLY | O_CLOEXEC);
    char there[sizeof(text) + 1];
    assert_int_equal(read(fd, there, sizeof(there)), sizeof(text));
    assert_memory_equal(there, text, sizeof(text));
    close(fd);

    snprintf(path, sizeof(path), "%s", (char *)*state);
    assert_null(state_open(path, &err));
    assert_non_null(strstr(err.text, "not a regular file"));
}

static int ignore(const struct state_file *f, void *ctx)
{
    return 0;
}

static void damage_in_its_midst_is_said_with_what_to_do(void **state)
{
    struct state *s = opened();

    assert_int_equal(state_begin(s, &err), 0);
    for (unsigned i = 0; i < 1000; i++) {
        struct state_file f = file(i);

        assert_int_equal(state_put(s, &f, &err), 0);
    }
    assert_int_equal(state_commit(s, &err), 0);
    state_close(s);

    int fd = open(path, O_WRONLY | O_CLOEXEC);
    char zeros[64 << 10] = {0};
    assert_int_equal(pwrite(fd, zeros, sizeof(zeros), 32 << 10), sizeof(zeros));
    close(fd);
    s = opened();
    assert_int_equal(state_load(s, 0, ignore, NULL, &err), LM_EIO);
    assert_non_null(strstr(err.text, "move it away"));
    state_close(s);
}

static void a_start_that_was_cut_off_is_gone_on_with(void **state)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    close(fd);
    assert_null(state_open_to_read(path, &err));
    assert_non_null(strstr(err.text, "nothing"));
    state_close(opened());
    assert_int_equal(unlink(path), 0);
    run_sql("PRAGMA journal_mode = WAL");
    struct state *s = opened();
    assert_true(state_is_new(s));
    state_close(s);
}

/* ---- Limits ---- */

static void what_is_gone_for_long_is_forgotten_and_what_is_there_is_not(void **state)
{
    const int64_t day_us = INT64_C(86400000000);
    char there[1100];
    struct file_look look;
    struct state *s = opened();

    snprintf(there, sizeof(there), "%s/app.log.1", (char *)*state);
    int fd = open(there, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(file_look_fd(fd, &look), 0);
    close(fd);

    struct state_file live = file(0), gone = file(0), kept = file(0), other = file(0);
    live.kind = STATE_LIVE;
    kept.path = other.path = slice_of_string(there);
    kept.identity = other.identity = look.identity;
    kept.kind = STATE_PASSED;
    other.identity.inode++; /* another file has its name */
    put(s, &live);
    put(s, &gone);
    put(s, &kept);
    put(s, &other);
    for (int days = 29; days <= 31; days += 2) {
        assert_int_equal(state_begin(s, &err), 0);
        assert_int_equal(state_put_time(s, gone.number, &(struct state_time){0, 1, 2}, &err), 0);
        assert_int_equal(state_prune(s, clock_wall_us() + days * day_us, &err), 0);
        assert_int_equal(state_commit(s, &err), 0);
        struct content c = content(s);
        assert_int_equal(c.len, days < 30 ? 4 : 2);
        assert_int_equal(c.numbers[0], live.number);
        assert_int_equal(c.last.number, days < 30 ? other.number : kept.number);
    }
    assert_int_equal(times(s, gone.number).len, 0);
    assert_int_equal(unlink(there), 0); /* it was seen 31 days from now */
    assert_int_equal(state_begin(s, &err), 0);
    assert_int_equal(state_prune(s, clock_wall_us() + 60 * day_us, &err), 0);
    assert_int_equal(content(s).len, 2);
    assert_int_equal(state_prune(s, clock_wall_us() + 62 * day_us, &err), 0);
    assert_int_equal(content(s).len, 1);
    state_roll_back(s);
    state_close(s);
}

static void finished_files_are_kept_up_to_a_number(void **state)
{
    enum { EXTRA = 10 };
    struct state *s = opened();

    assert_int_equal(state_begin(s, &err), 0);
    for (int i = 0; i < STATE_KEPT_FILES + EXTRA + 2; i++) {
        struct state_file f = {.kind = i < 2 ? STATE_LIVE : STATE_FINISHED};

        assert_int_equal(state_put(s, &f, &err), 0);
    }
    assert_int_equal(state_prune(s, clock_wall_us(), &err), 0);
    assert_int_equal(state_commit(s, &err), 0);
    struct content c = content(s);
    assert_int_equal(c.len, STATE_KEPT_FILES + 2);
    assert_int_equal(c.numbers[1], 2);
    assert_int_equal(c.numbers[2], 2 + EXTRA + 1);
    state_close(s);
}

/* A limit on the size of files is a full disk to SQLite, as a quota is. */
static int count_it(const struct state_file *f, void *ctx)
{
    (void)f;
    ++*(int *)ctx;
    return 0;
}

static void put_one(struct state *s, unsigned n)
{
    struct state_file f = file(n);

    assert_int_equal(state_begin(s, &err), 0);
    assert_int_equal(state_put(s, &f, &err), 0);
    assert_int_equal(state_commit(s, &err), 0);
}

static void assert_files(int wanted)
{
    struct state *s = opened();
    int files = 0;

    assert_false(state_is_new(s));
    assert_int_equal(state_load(s, 0, count_it, &files, &err), 0);
    assert_int_equal(files, wanted);
    state_close(s);
}

static void what_was_deleted_is_written_anew(void **state)
{
    char other[sizeof(path) + 8];
    struct stat status;

    (void)state;
    struct state *s = opened();
    put_one(s, 1);
    assert_false(state_is_gone(s));
    assert_int_equal(unlink(path), 0); /* and its log stays */
    assert_true(state_is_gone(s));
    assert_int_equal(state_write_anew(s, &err), 0);
    assert_false(state_is_gone(s));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    put_one(s, 2);
    state_close(s);
    assert_files(2);
    s = opened();
    snprintf(other, sizeof(other), "%s.old", path);
    assert_int_equal(rename(path, other), 0);
    snprintf(other, sizeof(other), "%s-lock", path);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(state_write_anew(s, &err), 0);
    assert_null(state_open(path, &err)); /* it is locked */
    put_one(s, 3);
    state_close(s);
    assert_files(3);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_takes_nothing_that_was_there(void **state)
{
    struct state_file f = file(1);
    struct state *s = opened();
    int error = 0;

    signal(SIGXFSZ, SIG_IGN);
    f.mark.offset = 1;
    put(s, &f);
    limit_files(64 << 10);
    for (int round = 0; round < 100 && !error; round++) {
        f.mark.offset++;
        assert_int_equal(state_begin(s, &err), 0);
        assert_int_equal(state_put(s, &f, &err), 0);
        error = state_commit(s, &err);
    }
    assert_int_equal(error, LM_EFULL);
    assert_non_null(strstr(err.text, "no space left"));
    state_roll_back(s);
    assert_int_equal(content(s).last.mark.offset, f.mark.offset - 1);
    /* What is in the log went into the file, so there is space of its own again. */
    put(s, &f);
    assert_int_equal(content(s).last.mark.offset, f.mark.offset);
    limit_files(RLIM_INFINITY);
    put(s, &f);
    state_close(s);
    s = opened();
    assert_int_equal(content(s).last.mark.offset, f.mark.offset);
    state_close(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_can_be_asked_for),
        TEST(all_of_a_file_comes_back),
        TEST(numbers_grow_and_come_back_to_nobody),
        TEST(times_are_kept_until_their_lines_are_stored),
        TEST(whoever_is_given_files_may_read_on_and_stop),
        TEST(a_state_is_new_until_something_is_in_it),
        TEST(a_second_follower_is_refused_until_the_first_one_is_gone),
        TEST(readers_see_what_is_committed_beside_the_owner),
        TEST(its_files_are_its_owners_alone),
        TEST(root_reads_as_the_owner_does),
        TEST(only_a_default_folder_is_made),
        TEST(a_newer_logmills_state_is_left_alone),
        TEST(what_is_unreadable_and_what_was_lost_is_kept),
        TEST(a_state_from_before_that_was_kept_is_read_and_goes_on),
        TEST(another_programs_file_is_left_alone),
        TEST(damage_in_its_midst_is_said_with_what_to_do),
        TEST(a_start_that_was_cut_off_is_gone_on_with),
        TEST(what_is_gone_for_long_is_forgotten_and_what_is_there_is_not),
        TEST(finished_files_are_kept_up_to_a_number),
        TEST(what_was_deleted_is_written_anew),
        TEST(a_full_disk_takes_nothing_that_was_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
