#include "follow/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/fault.h"

static char path[1024];
static char other[1024];

static int set_up(void **state)
{
    *state = temp_directory_new();
    snprintf(path, sizeof(path), "%s/app.log", (char *)*state);
    snprintf(other, sizeof(other), "%s/app.log.1", (char *)*state);
    return 0;
}

static int tear_down(void **state)
{
    temp_directory_free(*state);
    return 0;
}

/* Writes at the end of the file, which is made if it is not there. */
static void append(const char *file, const char *data, size_t len)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    close(fd);
}

static int reader(const char *file)
{
    int fd = file_open(file);

    assert_true(fd >= 0);
    return fd;
}

static struct file_look looked(int fd)
{
    struct file_look look;

    assert_int_equal(file_look_fd(fd, &look), 0);
    return look;
}

/* ---- Reading ---- */

static void reading_is_short_at_the_end_alone(void **state)
{
    char data[16];

    append(path, "0123456789", 10);
    int fd = reader(path);
    assert_int_equal(file_read_at(fd, data, 4, 3), 4);
    assert_memory_equal(data, "3456", 4);
    assert_int_equal(file_read_at(fd, data, sizeof(data), 6), 4);
    assert_memory_equal(data, "6789", 4);
    assert_int_equal(file_read_at(fd, data, sizeof(data), 10), 0);
    assert_int_equal(file_read_at(fd, data, sizeof(data), 1000), 0);
    close(fd);

    fd = reader(*state);
    assert_int_equal(file_read_at(fd, data, sizeof(data), 0), -1);
    assert_int_equal(errno, EISDIR);
    close(fd);
    assert_int_equal(file_open(other), -1);
    assert_int_equal(errno, ENOENT);
}

static void what_is_no_file_does_not_hold_opening_up(void **state)
{
    struct file_look look;

    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = reader(path);
    look = looked(fd);
    assert_false(look.is_regular);
    close(fd);
    assert_int_equal(symlink(path, other), 0);
    assert_int_equal(file_look_path(other, false, &look), 0);
    assert_false(look.is_regular);
}

/* ---- Identity ---- */

static void a_file_stays_the_same_by_whatever_is_done_to_it(void **state)
{
    struct file_look before, after;

    append(path, "one\n", 4);
    int fd = reader(path);
    before = looked(fd);
    assert_true(before.is_regular);
    assert_int_equal(before.size, 4);
    assert_int_equal(before.links, 1);
    assert_true(before.changed_ns > INT64_C(1600000000000000000));

    append(path, "two\n", 4);
    after = looked(fd);
    assert_true(file_identity_equal(&before.identity, &after.identity));
    assert_int_equal(after.size, 8);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(truncate(other, 0), 0);
    assert_int_equal(file_look_path(path, true, &after), LM_EIO);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(file_look_path(other, true, &after), 0);
    assert_true(file_identity_equal(&before.identity, &after.identity));
    assert_int_equal(after.size, 0);
    assert_int_equal(unlink(other), 0);
    after = looked(fd);
    assert_true(file_identity_equal(&before.identity, &after.identity));
    assert_int_equal(after.links, 0);
    close(fd);
}

static void a_link_is_what_it_leads_to_or_itself(void **state)
{
    struct file_look file, link;

    append(path, "one\n", 4);
    assert_int_equal(symlink("app.log", other), 0);
    assert_int_equal(file_look_path(path, true, &file), 0);
    assert_int_equal(file_look_path(other, true, &link), 0);
    assert_true(file_identity_equal(&file.identity, &link.identity));
    assert_int_equal(file_look_path(other, false, &link), 0);
    assert_false(file_identity_equal(&file.identity, &link.identity));
}

/*
 * A file is removed and another one made until that has its number. Where the file system gives
 * numbers again and notes births, the two have to be told apart: ext4 does both.
 */
static void look_for_a_number_that_comes_back(const char *file, const char *name)
{
    enum { TRIES = 20000 };
    struct file_look first, next;
    struct statfs fs;
    bool comes_back = false, is_told = false;

    append(file, "x", 1);
    assert_int_equal(file_look_path(file, true, &first), 0);
    assert_int_equal(statfs(file, &fs), 0);
    for (int i = 0; i < TRIES && !is_told; i++) {
        assert_int_equal(unlink(file), 0);
        append(file, "x", 1);
        assert_int_equal(file_look_path(file, true, &next), 0);
        if (next.identity.inode != first.identity.inode)
            continue;
        comes_back = true;
        /* Births are as exact as the kernel's clock, which moves some hundred times a second. */
        is_told = next.identity.born_ns != first.identity.born_ns;
        assert_int_equal(file_identity_equal(&first.identity, &next.identity), !is_told);
    }
    print_message("           %s: numbers of files come back: %s; births are noted: %s\n", name,
                  comes_back ? "yes" : "no", first.identity.born_ns ? "yes" : "no");
    if ((unsigned long)fs.f_type == EXT4_SUPER_MAGIC)
        assert_true(comes_back);
    assert_int_equal(is_told, comes_back && first.identity.born_ns != 0);
}

static void the_next_file_with_its_number_is_another_one(void **state)
{
    char shared[] = "/dev/shm/logmill-test-XXXXXX";
    char file[64];

    look_for_a_number_that_comes_back(path, "TMPDIR");
    if (!mkdtemp(shared)) {
        print_message("           /dev/shm: not there\n");
        return;
    }
    snprintf(file, sizeof(file), "%s/app.log", shared);
    look_for_a_number_that_comes_back(file, "/dev/shm");
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(shared), 0);
}

static void births_and_devices_count_as_far_as_they_can(void **state)
{
    const struct file_identity a = {.device = 1, .inode = 2, .born_ns = 3};
    struct file_identity b = a;

    assert_true(file_identity_equal(&a, &b));
    assert_false(file_identity_moved(&a, &b));
    b.born_ns = 4;
    assert_false(file_identity_equal(&a, &b));
    b.born_ns = 0;
    assert_true(file_identity_equal(&a, &b));
    assert_true(file_identity_equal(&b, &a));
    b.device = 9;
    assert_false(file_identity_equal(&a, &b));
    assert_false(file_identity_moved(&a, &b));
    b.born_ns = 3;
    assert_false(file_identity_equal(&a, &b));
    assert_true(file_identity_moved(&a, &b));
    b.inode = 7;
    assert_false(file_identity_moved(&a, &b));
}

/* ---- Content ---- */

/* Bytes that differ everywhere. */
static void fill(char *data, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        data[i] = (char)('a' + (seed >> 59) % 26);
    }
}

static char bytes[200000];

/* A mark at `offset` of the file. */
static struct content_mark marked(int fd, uint64_t offset)
{
    struct content_mark m = {.offset = offset};

    assert_int_equal(content_mark_take(fd, &m), 0);
    return m;
}

static void check(int fd, const struct content_mark *m, enum content_verdict expected)
{
    assert_int_equal(content_mark_check(fd, m), expected);
}

/* Puts other bytes into the file. */
static void change(int fd, uint64_t at, const char *data, size_t len)
{
    char name[64];

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    int writer = open(name, O_WRONLY | O_CLOEXEC);
    assert_true(writer >= 0);
    assert_int_equal(pwrite(writer, data, len, (off_t)at), len);
    close(writer);
}

static void a_mark_holds_while_the_file_only_grows(void **state)
{
    static const uint64_t offsets[] = {1, 2, 100, 1023, 1024, 1025, 65535, 65536, 65537, 200000};

    fill(bytes, sizeof(bytes), 1);
    append(path, bytes, sizeof(bytes));
    int fd = reader(path);
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        struct content_mark m = marked(fd, offsets[i]);

        assert_int_equal(m.head_len, offsets[i] < MARK_HEAD_MAX ? offsets[i] : MARK_HEAD_MAX);
        assert_int_equal(m.tail_len, offsets[i] < MARK_TAIL_MAX ? offsets[i] : MARK_TAIL_MAX);
        assert_int_equal(m.head_hash, content_hash(slice_of(bytes, m.head_len)));
        assert_int_equal(m.tail_hash,
                         content_hash(slice_of(bytes + offsets[i] - m.tail_len, m.tail_len)));
        check(fd, &m, CONTENT_SAME);
    }
    struct content_mark nothing = marked(fd, 0);
    check(fd, &nothing, CONTENT_SAME);

    struct content_mark beyond = {.offset = sizeof(bytes) + 1};
    assert_int_equal(content_mark_take(fd, &beyond), LM_EDATA);
    close(fd);
    struct content_mark m = {.offset = 10};
    assert_int_equal(content_mark_take(fd, &m), LM_EIO);
    check(fd, &m, CONTENT_UNREADABLE);
}

/* Each byte of head and tail counts, by whatever way another one comes there. */
static void other_content_is_found_whatever_its_size(void **state)
{
    static const uint64_t places[] = {0, 1, 777, 16383, 16384, 65535, 198976, 199998, 199999};

    fill(bytes, sizeof(bytes), 2);
    append(path, bytes, sizeof(bytes));
    int fd = reader(path);
    struct content_mark m = marked(fd, sizeof(bytes));

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        change(fd, places[i], "#", 1);
        check(fd, &m, CONTENT_OTHER);
        change(fd, places[i], bytes + places[i], 1);
        check(fd, &m, CONTENT_SAME);
    }
    /* Truncated and written again: shorter, as long, longer, with the same beginning. */
    static const size_t lengths[] = {0, 1, 70000, 199999, 200000, 200000};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        assert_int_equal(truncate(path, 0), 0);
        append(path, bytes, 66000);
        fill(bytes + 66000, sizeof(bytes) - 66000, 3 + i);
        append(path, bytes + 66000, sizeof(bytes) - 66000);
        assert_int_equal(truncate(path, (off_t)lengths[i]), 0);
        check(fd, &m, CONTENT_OTHER);
    }
    append(path, "and more\n", 9);
    check(fd, &m, CONTENT_OTHER);
    close(fd);
}

/* A file of short lines would be read from its beginning for each of them otherwise. */
static void the_head_is_taken_anew_when_it_doubled(void **state)
{
    struct content_mark m = {0};
    uint32_t heads = 0;

    fill(bytes, sizeof(bytes), 4);
    append(path, bytes, sizeof(bytes));
    int fd = reader(path);
    for (m.offset = 100; m.offset <= sizeof(bytes); m.offset += 100) {
        uint32_t head_len = m.head_len;

        assert_int_equal(content_mark_take(fd, &m), 0);
        heads += m.head_len != head_len;
        assert_true(m.head_len >= m.offset / 2 || m.head_len == MARK_HEAD_MAX);
        check(fd, &m, CONTENT_SAME);
    }
    assert_true(heads > 5 && heads < 16);
    m.offset = 50; /* begun anew */
    assert_int_equal(content_mark_take(fd, &m), 0);
    assert_int_equal(m.head_len, 50);
    check(fd, &m, CONTENT_SAME);
    close(fd);
}

static uint64_t chain_of(int n, const char *const *lines)
{
    uint64_t chain = 0;

    for (int i = 0; i < n; i++)
        chain = content_chain(chain, slice_of_string(lines[i]));
    return chain;
}

static void a_chain_is_of_these_lines_in_this_order(void **state)
{
    const uint64_t ab = chain_of(2, (const char *const[]){"a\n", "b\n"});

    assert_int_equal(chain_of(2, (const char *const[]){"a\n", "b\n"}), ab);
    assert_int_not_equal(chain_of(2, (const char *const[]){"b\n", "a\n"}), ab);
    assert_int_not_equal(chain_of(1, (const char *const[]){"a\nb\n"}), ab);
    assert_int_not_equal(chain_of(2, (const char *const[]){"a\n", "b"}), ab);
    assert_int_not_equal(chain_of(3, (const char *const[]){"a\n", "b\n", "\n"}), ab);
    /* Zeros are content, too. */
    assert_int_not_equal(content_chain(0, slice_of("\0\0\0\0\0\0\0\0", 8)), 0);
    assert_int_not_equal(content_chain(0, slice_of("\0\0\0\0\0\0\0\0", 8)),
                         content_chain(0, slice_of("\0\0\0\0\0\0\0\0\0", 9)));
}

/* ---- What else the system knows ---- */

static void a_writer_is_known_after_a_rename_and_an_unlink(void **state)
{
    bool is_known;

    int writer = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(writer >= 0);
    int fd = reader(path);
    if (!file_has_no_writer(fd, &is_known) && !is_known) {
        print_message("           this file system does not tell of writers\n");
        close(writer);
        close(fd);
        return;
    }
    assert_false(file_has_no_writer(fd, &is_known));
    assert_true(is_known);
    assert_int_equal(rename(path, other), 0);
    assert_false(file_has_no_writer(fd, &is_known));
    assert_int_equal(unlink(other), 0);
    assert_false(file_has_no_writer(fd, &is_known));
    assert_true(is_known);
    close(writer);
    for (int i = 0; i < 3; i++) {
        assert_true(file_has_no_writer(fd, &is_known));
        assert_true(is_known);
    }
    close(fd);

    /* The lease was given back: who opens it waits for nobody, and is seen. */
    append(path, "x", 1);
    fd = reader(path);
    assert_true(file_has_no_writer(fd, &is_known));
    writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(writer >= 0);
    assert_false(file_has_no_writer(fd, &is_known));
    assert_true(is_known);
    close(writer);
    close(fd);
}

static void where_writers_are_not_told_it_is_said_so(void **state)
{
    bool is_known = true;

    int fd = reader("/proc/self/status");
    assert_false(file_has_no_writer(fd, &is_known));
    assert_false(is_known);
    close(fd);
}

static void holes_are_passed_over(void **state)
{
    enum { HOLE = 1 << 20 };
    int pipes[2];

    append(path, "x\n", 2);
    assert_int_equal(truncate(path, HOLE), 0);
    append(path, "y\n", 2);
    int fd = reader(path);
    uint64_t at = file_next_data(fd, 4096 * 16, HOLE + 2);
    assert_in_range(at, 4096 * 16, HOLE); /* as near as the file system keeps it */
    if (at != HOLE)
        print_message("           data begins at %llu, not at %d\n", (unsigned long long)at, HOLE);
    assert_int_equal(file_next_data(fd, 0, HOLE + 2), 0);
    assert_int_equal(file_next_data(fd, HOLE + 1, HOLE + 2), HOLE + 1);
    assert_int_equal(file_next_data(fd, HOLE + 2, HOLE + 2), HOLE + 2);
    assert_int_equal(truncate(path, 2 * HOLE), 0);
    at = file_next_data(fd, HOLE + HOLE / 2, 2 * HOLE);
    assert_true(at == 2 * HOLE || at == HOLE + HOLE / 2); /* the latter: it knows no holes */
    close(fd);

    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(file_next_data(pipes[0], 7, 100), 7);
    close(pipes[0]);
    close(pipes[1]);
}

#ifdef LOGMILL_FAULTS
static void each_look_and_each_read_may_fail(void **state)
{
    struct file_look look;
    char data[4];

    append(path, "0123456789", 10);
    int fd = reader(path);
    struct content_mark m = marked(fd, 10);
    struct content_mark before = m;

    fault_plan(&(struct fault_plan){.kind = FAULT_READ, .first = 1, .onwards = true});
    assert_int_equal(file_open(path), -1);
    assert_int_equal(errno, EIO);
    assert_int_equal(file_read_at(fd, data, sizeof(data), 0), -1);
    assert_int_equal(file_look_fd(fd, &look), LM_EIO);
    assert_int_equal(file_look_path(path, true, &look), LM_EIO);
    check(fd, &m, CONTENT_UNREADABLE);
    m.head_len = 0;
    assert_int_equal(content_mark_take(fd, &m), LM_EIO);
    m.head_len = before.head_len;
    assert_memory_equal(&m, &before, sizeof(m));
    fault_plan(&(struct fault_plan){0});
    check(fd, &m, CONTENT_SAME);
    close(fd);
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reading_is_short_at_the_end_alone),
        TEST(what_is_no_file_does_not_hold_opening_up),
        TEST(a_file_stays_the_same_by_whatever_is_done_to_it),
        TEST(a_link_is_what_it_leads_to_or_itself),
        TEST(the_next_file_with_its_number_is_another_one),
        TEST(births_and_devices_count_as_far_as_they_can),
        TEST(a_mark_holds_while_the_file_only_grows),
        TEST(other_content_is_found_whatever_its_size),
        TEST(the_head_is_taken_anew_when_it_doubled),
        TEST(a_chain_is_of_these_lines_in_this_order),
        TEST(a_writer_is_known_after_a_rename_and_an_unlink),
        TEST(where_writers_are_not_told_it_is_said_so),
        TEST(holes_are_passed_over),
#ifdef LOGMILL_FAULTS
        TEST(each_look_and_each_read_may_fail),
#endif
    };

    signal(SIGIO, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
