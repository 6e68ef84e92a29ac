/* The embedded queue: what every queue promises, and the faults of a file. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "queue/sqlite/adapter.h"
#include "queue_conformance.h"
#include "queue_test_support.h"

enum {
    QUIET_MS = 500,
    SENT_BEFORE_KILL = 50,
    SMALL_DISK_BYTES = 2 << 20,
    BIG_MESSAGE_BYTES = 64 << 10,
    WAL_BYTES_MAX = 64 << 20,
    BACKLOG = 20000, /* more than are counted one by one */
};

static struct queue *open_in(const char *directory)
{
    struct queue_sqlite_options options = {.directory = directory};
    struct errbuf err = ERRBUF_INIT;
    struct queue *q = queue_sqlite_new(&options, &err);

    if (!q)
        print_error("cannot open the queue: %s\n", err.text);
    return q;
}

static void *create(void)
{
    return temp_directory_new();
}

static void destroy(void *directory)
{
    temp_directory_free(directory);
}

static struct queue *open_place(void *directory)
{
    return open_in(directory);
}

static int set_up(void **state)
{
    *state = temp_directory_new();
    return 0;
}

static int tear_down(void **state)
{
    temp_directory_free(*state);
    return 0;
}

static char *file_path(const char *directory, const char *name)
{
    static char path[1024];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

/* Runs SQL on the file, as a person with the sqlite3 program; returns the first row's first number.
 */
static int64_t run_sql(const char *directory, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    int64_t number = 0;

    assert_int_equal(sqlite3_open(file_path(directory, "queue.db"), &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (sqlite3_step(stmt) == SQLITE_ROW)
        number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return number;
}

/* Expects that opening fails and names the file and `hint`. */
static void assert_cannot_open(const char *directory, const char *hint)
{
    struct queue_sqlite_options options = {.directory = directory};
    struct errbuf err = ERRBUF_INIT;

    assert_null(queue_sqlite_new(&options, &err));
    assert_non_null(strstr(err.text, file_path(directory, "queue.db")));
    if (!strstr(err.text, hint))
        fail_msg("no \"%s\" in: %s", hint, err.text);
}

static void a_file_that_is_no_database_is_named(void **state)
{
    FILE *f = fopen(file_path(*state, "queue.db"), "w");

    for (int i = 0; i < 1000; i++)
        fputs("this is not a database\n", f);
    fclose(f);
    assert_cannot_open(*state, "damaged");
}

static void a_file_of_a_newer_logmill_is_refused(void **state)
{
    queue_free(open_in(*state));
    run_sql(*state, "PRAGMA user_version=99");
    assert_cannot_open(*state, "newer logmill");
}

static void a_missing_directory_is_named(void **state)
{
    assert_cannot_open(file_path(*state, "none"), "unable to open");
}

static void a_person_can_read_the_messages(void **state)
{
    struct queue *q = open_in(*state);

    assert_int_equal(queue_test_send_text(q, "{\"v\":1,\"logs\":[]}"), 0);
    assert_int_equal(run_sql(*state, "SELECT count(*) FROM messages WHERE typeof(body) = 'text' "
                                     "AND json_extract(body, '$.v') = 1"),
                     1);
    queue_free(q);
}

static void a_message_over_the_limit_fails_alone(void **state)
{
    struct queue_sqlite_options options = {.directory = *state, .max_message_bytes = 10};
    struct errbuf err = ERRBUF_INIT;
    struct queue *q = queue_sqlite_new(&options, &err);

    assert_int_equal(queue_test_send_text(q, "01234567890"), LM_ETOOBIG);
    assert_int_equal(queue_test_send_text(q, "0123456789"), 0);
    assert_int_equal(queue_test_stats(q).depth, 1);
    queue_free(q);
}

/* Several sends that are under way at once. */
struct sends {
    struct slice messages[4][2];
    struct queue_send items[4];
    _Atomic int errors[4];
};

static void note_error(struct queue_send *send, int error, const char *detail)
{
    atomic_store((_Atomic int *)send->ctx, error);
}

/* With the file locked meanwhile, so that all after the first are in one round. */
static void send_together(struct queue *q, const char *directory, struct sends *s)
{
    sqlite3 *locker;

    assert_int_equal(sqlite3_open(file_path(directory, "queue.db"), &locker), SQLITE_OK);
    assert_int_equal(sqlite3_exec(locker, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 4; i++) {
        s->errors[i] = 1; /* not yet */
        s->items[i] = (struct queue_send){.messages = s->messages[i],
                                          .messages_len = s->messages[i][1].len > 0 ? 2 : 1,
                                          .done = note_error,
                                          .ctx = &s->errors[i]};
        assert_int_equal(queue_send(q, &s->items[i]), 0);
        usleep(50000);
    }
    sqlite3_close(locker);
    for (int i = 0; i < 4; i++)
        while (atomic_load(&s->errors[i]) == 1)
            usleep(1000);
}

static void a_send_that_is_refused_for_its_own_sake_fails_alone(void **state)
{
    struct sends s = {.messages = {{SLICE_LITERAL("first")},
                                   {SLICE_LITERAL("good")},
                                   {SLICE_LITERAL("half"), SLICE_LITERAL("bad")},
                                   {SLICE_LITERAL("better")}}};
    struct queue *q = open_in(*state);

    run_sql(*state, "CREATE TRIGGER no_bad BEFORE INSERT ON messages WHEN new.body = 'bad' "
                    "BEGIN SELECT raise(ABORT, 'bad is not allowed'); END");
    send_together(q, *state, &s);
    assert_int_equal(s.errors[0], 0);
    assert_int_equal(s.errors[1], 0);
    assert_int_equal(s.errors[2], LM_EDATA);
    assert_int_equal(s.errors[3], 0);
    assert_int_equal(queue_test_stats(q).depth, 3);
    assert_int_equal(run_sql(*state, "SELECT count(*) FROM messages WHERE body = 'half'"), 0);
    assert_int_equal(run_sql(*state, "SELECT max(seq) FROM messages"), 3);
    queue_free(q);
}

static void a_queue_that_holds_all_it_may_refuses_until_there_is_room(void **state)
{
    struct queue_sqlite_options options = {.directory = *state, .max_bytes = 4 << 20};
    struct errbuf err = ERRBUF_INIT;
    struct queue *q = queue_sqlite_new(&options, &err);
    struct queue_consumer *c = queue_test_consumer(q);
    char *text = xcalloc(1, BIG_MESSAGE_BYTES);
    struct slice message = slice_of(text, BIG_MESSAGE_BYTES);
    size_t sent = 0;

    memset(text, 'x', BIG_MESSAGE_BYTES);
    while (!queue_test_send(q, &message, 1) && sent < 100)
        sent++;
    assert_in_range(sent, 50, 64);
    assert_int_equal(queue_test_send(q, &message, 1), LM_EBUSY);
    while (!queue_test_send_text(q, "1")) /* to the last byte */
        continue;
    assert_int_equal(queue_check(q, &err), LM_EBUSY);
    assert_non_null(strstr(err.text, "QUEUE_MAX_BYTES is 4194304"));
    queue_test_drain(c, sent, 0, NULL, NULL);
    usleep(2 * QUIET_MS * 1000);
    assert_int_equal(queue_test_send(q, &message, 1), 0);
    assert_int_equal(queue_check(q, &err), 0);
    queue_consumer_free(c);
    queue_free(q);
    free(text);
}

static struct queue_letter_excess trim(struct queue *q, struct queue_letter_limits limits)
{
    struct queue_letter_excess found;
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(queue_dead_letters_trim(q, &limits, &found, &err), 0);
    return found;
}

static void dead_letters_past_an_age_or_size_are_found_and_dropped(void **state)
{
    struct queue *q = open_in(*state);
    struct queue_consumer *c = queue_test_consumer(q);
    struct errbuf err = ERRBUF_INIT;
    int64_t now_us = clock_wall_us();

    assert_false(
        trim(q, (struct queue_letter_limits){.before_us = now_us, .max_bytes = 1}).is_over);
    for (int i = 0; i < 10; i++)
        assert_int_equal(queue_dead_letter(c, SLICE_LITERAL("0123456789"), "bad", &err), 0);
    run_sql(*state, "UPDATE dead_letters SET died_us = died_us - 86400000000 WHERE seq <= 3");

    struct queue_letter_excess found =
        trim(q, (struct queue_letter_limits){.before_us = now_us - 1, .max_bytes = 1000});
    assert_true(found.is_over);
    assert_int_equal(found.bytes, 100);
    assert_int_equal(found.dropped, 0);
    assert_int_equal(queue_test_stats(q).dead_letters, 10);
    assert_false(trim(q, (struct queue_letter_limits){.max_bytes = 100}).is_over);

    found = trim(q, (struct queue_letter_limits){.before_us = now_us - 1, .drops = true});
    assert_int_equal(found.dropped, 3);
    found = trim(q, (struct queue_letter_limits){.max_bytes = 55, .drops = true});
    assert_int_equal(found.dropped, 2);
    assert_int_equal(queue_test_stats(q).dead_letters, 5);
    assert_int_equal(run_sql(*state, "SELECT min(seq) FROM dead_letters"), 6);
    queue_consumer_free(c);
    queue_free(q);
}

static void there_are_no_more_consumers_than_the_limit(void **state)
{
    struct queue *q = open_in(*state);
    struct queue_consumer *consumers[8] = {NULL};
    unsigned max = queue_limits(q).max_consumers;
    struct errbuf err = ERRBUF_INIT;

    assert_in_range(max, 1, 8);
    for (unsigned i = 0; i < max; i++)
        consumers[i] = queue_test_consumer(q);
    assert_null(queue_consumer_new(q, &err));
    assert_non_null(strstr(err.text, "consumer"));
    queue_consumer_free(consumers[0]);
    consumers[0] = queue_test_consumer(q);
    for (unsigned i = 0; i < max; i++)
        queue_consumer_free(consumers[i]);
    queue_free(q);
}

static void what_a_consumer_has_not_settled_comes_to_another(void **state)
{
    struct queue *q = open_in(*state);
    struct queue_consumer *ending = queue_test_consumer(q);
    struct queue_consumer *staying = queue_test_consumer(q);
    struct queue_delivery d;

    assert_int_equal(queue_test_send_text(q, "1"), 0);
    queue_test_receive(ending, &d);
    queue_consumer_free(ending);
    queue_test_receive(staying, &d);
    assert_int_equal(d.count, 1);
    assert_int_equal(queue_test_number(d.messages[0].body), 1);
    assert_true(d.messages[0].redelivered);
    queue_test_settle(staying, &d, QUEUE_ACKNOWLEDGE);
    queue_consumer_free(staying);
    queue_free(q);
}

static void a_tool_works_beside_a_running_queue(void **state)
{
    struct queue *q = open_in(*state);
    struct queue_sqlite_options options = {.directory = *state, .no_sender = true};
    struct errbuf err = ERRBUF_INIT;
    struct queue *tool = queue_sqlite_new(&options, &err);
    struct queue_consumer *c = queue_test_consumer(q);
    struct slice message = SLICE_LITERAL("x");
    struct queue_send send = {.messages = &message, .messages_len = 1};
    struct queue_delivery d;
    uint64_t moved;

    assert_non_null(tool);
    assert_int_equal(queue_send(tool, &send), LM_ESTOPPED);
    assert_null(queue_consumer_new(tool, &err));
    assert_int_equal(queue_dead_letter(c, SLICE_LITERAL("letter"), "why", &err), 0);
    assert_int_equal(queue_test_stats(tool).dead_letters, 1);
    assert_int_equal(queue_check(tool, &err), 0);
    assert_int_equal(queue_dead_letters_requeue(tool, NULL, 0, &moved, &err), 0);
    assert_int_equal(moved, 1);
    queue_test_receive(c, &d);
    assert_true(slice_equal(d.messages[0].body, SLICE_LITERAL("letter")));
    queue_test_settle(c, &d, QUEUE_ACKNOWLEDGE);
    queue_consumer_free(c);
    queue_free(tool);
    queue_free(q);
}

static void a_delivery_is_bounded_in_bytes_and_holds_at_least_one(void **state)
{
    enum { HUGE_BYTES = 9 << 20, LARGE_BYTES = 700 << 10 };
    struct queue_sqlite_options options = {.directory = *state, .max_message_bytes = HUGE_BYTES};
    struct errbuf err = ERRBUF_INIT;
    struct queue *q = queue_sqlite_new(&options, &err);
    struct queue_consumer *c = queue_test_consumer(q);
    char *text = xcalloc(1, HUGE_BYTES);
    struct slice messages[] = {
        {text, HUGE_BYTES}, {text, LARGE_BYTES}, {text, LARGE_BYTES}, {text, LARGE_BYTES}};
    const size_t expected[] = {1, 2, 1};
    struct queue_delivery d;

    memset(text, 'x', HUGE_BYTES);
    assert_int_equal(queue_test_send(q, messages, 4), 0);
    for (size_t i = 0; i < 3; i++) {
        queue_test_receive(c, &d);
        assert_int_equal(d.count, expected[i]);
        queue_test_settle(c, &d, QUEUE_ACKNOWLEDGE);
    }
    queue_consumer_free(c);
    queue_free(q);
    free(text);
}

static void the_depth_of_a_long_queue_is_exact(void **state)
{
    struct queue *q = open_in(*state);
    struct queue_consumer *c = queue_test_consumer(q);
    struct slice *messages = xcalloc(BACKLOG, sizeof(*messages));
    struct errbuf err = ERRBUF_INIT;
    struct queue_delivery d;
    size_t settled = 0;

    for (int i = 0; i < BACKLOG; i++)
        messages[i] = SLICE_LITERAL("x");
    assert_int_equal(queue_test_send(q, messages, BACKLOG), 0);
    assert_int_equal(queue_test_stats(q).depth, BACKLOG);
    queue_test_receive(c, &d);
    for (size_t i = 0; i < d.count; i++) {
        d.messages[i].outcome = i % 3 == 0 ? QUEUE_RETURN : QUEUE_ACKNOWLEDGE;
        settled += d.messages[i].outcome == QUEUE_ACKNOWLEDGE;
    }
    assert_int_equal(queue_settle(c, &d, &err), 0);
    assert_int_equal(queue_test_stats(q).depth, BACKLOG - settled);
    assert_int_equal(run_sql(*state, "SELECT count(*) FROM messages"), BACKLOG - settled);
    queue_consumer_free(c);
    queue_free(q);
    free(messages);
}

/* The store is away for long: everything comes back again and again. */
static void returned_messages_are_bounded_in_number(void **state)
{
    struct queue *q = open_in(*state);
    struct queue_consumer *c = queue_test_consumer(q);
    struct slice *messages = xcalloc(BACKLOG, sizeof(*messages));
    struct queue_delivery d;
    struct errbuf err = ERRBUF_INIT;
    uint64_t end = clock_monotonic_us() + 2000000;

    for (int i = 0; i < BACKLOG; i++)
        messages[i] = SLICE_LITERAL("x");
    assert_int_equal(queue_test_send(q, messages, BACKLOG), 0);
    while (clock_monotonic_us() < end) {
        assert_int_equal(queue_receive(c, 100, &d, &err), 0);
        queue_test_settle(c, &d, QUEUE_RETURN);
    }
    assert_int_equal(queue_test_drain(c, BACKLOG, QUIET_MS, NULL, NULL), BACKLOG);
    queue_consumer_free(c);
    queue_free(q);
    free(messages);
}

static void the_write_ahead_log_is_bounded(void **state)
{
    struct queue *q = open_in(*state);
    struct queue_consumer *c = queue_test_consumer(q);
    char *text = xcalloc(1, BIG_MESSAGE_BYTES);
    struct slice messages[16];
    struct stat st;

    memset(text, 'x', BIG_MESSAGE_BYTES);
    for (int i = 0; i < 16; i++)
        messages[i] = slice_of(text, BIG_MESSAGE_BYTES);
    for (int i = 0; i < 150; i++) {
        assert_int_equal(queue_test_send(q, messages, 16), 0);
        queue_test_drain(c, 1, 0, NULL, NULL);
    }
    assert_int_equal(stat(file_path(*state, "queue.db-wal"), &st), 0);
    assert_in_range(st.st_size, 1, WAL_BYTES_MAX);
    queue_consumer_free(c);
    queue_free(q);
    free(text);
}

/* ---- Crashes and other processes ---- */

/* Runs `fn` in a child, which is forked while this process has no queue open. */
static pid_t start_child(void (*fn)(const char *directory, int out), const char *directory, int *in)
{
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        fn(directory, fds[1]);
        _exit(0);
    }
    close(fds[1]);
    *in = fds[0];
    return pid;
}

/* Tells each message that is durable to the parent, for ever. */
static void send_and_tell(const char *directory, int out)
{
    struct queue *q = open_in(directory);
    char text[32];

    for (uint32_t i = 0; q; i++) {
        snprintf(text, sizeof(text), "%u", i);
        if (queue_test_send_text(q, text) || write(out, &i, sizeof(i)) != sizeof(i))
            break;
    }
    _exit(1);
}

struct seen {
    bool *numbers;
    uint32_t max;
};

static void note_number(struct slice body, void *ctx)
{
    struct seen *s = ctx;
    uint32_t n = queue_test_number(body);

    if (n < s->max)
        s->numbers[n] = true;
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    struct seen seen = {0};
    uint32_t told = 0;
    uint32_t number;
    int in;
    pid_t pid = start_child(send_and_tell, *state, &in);

    while (told < SENT_BEFORE_KILL) {
        assert_int_equal(read(in, &number, sizeof(number)), sizeof(number));
        assert_int_equal(number, told++);
    }
    kill(pid, SIGKILL);
    while (read(in, &number, sizeof(number)) == sizeof(number))
        told++;
    waitpid(pid, NULL, 0);
    close(in);

    struct queue *q = open_in(*state);
    assert_non_null(q);
    seen = (struct seen){xcalloc(told, sizeof(bool)), told};
    struct queue_consumer *c = queue_test_consumer(q);
    queue_test_drain(c, 0, QUIET_MS, note_number, &seen);
    for (uint32_t i = 0; i < told; i++)
        assert_true(seen.numbers[i]);
    queue_consumer_free(c);
    queue_free(q);
    free(seen.numbers);
}

static void send_200_and_tell(const char *directory, int out)
{
    struct queue *q = open_in(directory);
    char text[32];

    for (uint32_t i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "%u", 1000 + i);
        if (!q || queue_test_send_text(q, text))
            _exit(1);
    }
    queue_free(q);
}

/* An api and a worker are two processes: both write, one receives. */
static void two_processes_share_the_file(void **state)
{
    struct seen seen = {xcalloc(1200, sizeof(bool)), 1200};
    char text[32];
    int status;
    int in;
    pid_t pid = start_child(send_200_and_tell, *state, &in);
    struct queue *q = open_in(*state);

    assert_non_null(q);
    struct queue_consumer *c = queue_test_consumer(q);
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(queue_test_send_text(q, text), 0);
        if (i % 10 == 0)
            queue_test_drain(c, 0, 1, note_number, &seen);
    }
    queue_test_drain(c, 0, 3 * QUIET_MS, note_number, &seen);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    queue_test_drain(c, 0, QUIET_MS, note_number, &seen);
    for (int i = 0; i < 200; i++)
        assert_true(seen.numbers[i] && seen.numbers[1000 + i]);
    assert_int_equal(queue_test_stats(q).depth, 0);
    queue_consumer_free(c);
    queue_free(q);
    close(in);
    free(seen.numbers);
}

static void hold_the_lock(const char *directory, int out)
{
    sqlite3 *db;

    if (sqlite3_open(file_path(directory, "queue.db"), &db) != SQLITE_OK ||
        sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
        write(out, "x", 1) != 1)
        _exit(1);
    sleep(3);
}

static void a_lock_held_by_another_process_is_waited_for(void **state)
{
    char x;
    int in;

    queue_free(open_in(*state));
    pid_t pid = start_child(hold_the_lock, *state, &in);
    assert_int_equal(read(in, &x, 1), 1);
    struct queue *q = open_in(*state);
    assert_non_null(q);
    assert_int_equal(queue_test_send_text(q, "a"), 0);
    waitpid(pid, NULL, 0);
    close(in);
    queue_free(q);
}

static void acknowledge_and_hang(const char *directory, int out)
{
    struct queue *q = open_in(directory);
    struct queue_consumer *c = queue_test_consumer(q);

    if (queue_test_drain(c, 10, 0, NULL, NULL) != 10)
        _exit(1);
    usleep(500000); /* acknowledgements are written after a delay */
    if (write(out, "x", 1) != 1)
        _exit(1);
    pause();
}

static void acknowledgements_are_written_soon_even_if_nothing_is_sent(void **state)
{
    struct queue *q = open_in(*state);
    char x;
    int in;

    for (int i = 0; i < 10; i++)
        assert_int_equal(queue_test_send_text(q, "a"), 0);
    queue_free(q);
    pid_t pid = start_child(acknowledge_and_hang, *state, &in);
    assert_int_equal(read(in, &x, 1), 1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(in);
    q = open_in(*state);
    assert_int_equal(queue_test_stats(q).depth, 0);
    queue_free(q);
}

/* ---- No space ---- */

/* Sends until one fails; returns its error, and how many succeeded. */
static int send_until_failure(struct queue *q, struct slice message, int *sent)
{
    int error = 0;

    for (*sent = 0; *sent < 1000; ++*sent) {
        if ((error = queue_test_send(q, &message, 1)))
            break;
    }
    return error;
}

/* The common part: `q` cannot grow until `make_room` is called. */
static void check_full_and_healing(struct queue *q, void (*make_room)(void *), void *ctx)
{
    char *text = xcalloc(1, BIG_MESSAGE_BYTES);
    struct slice message = {text, BIG_MESSAGE_BYTES};
    struct queue_consumer *c = queue_test_consumer(q);
    struct errbuf err = ERRBUF_INIT;
    int sent;
    int more;

    memset(text, 'x', BIG_MESSAGE_BYTES);
    assert_int_equal(send_until_failure(q, message, &sent), LM_EFULL);
    assert_true(sent > 0);
    assert_int_equal(queue_test_stats(q).depth, sent);
    assert_int_equal(send_until_failure(q, message, &more), LM_EFULL);
    sent += more;
    /* A probe is smaller than the message and may still find room: only an error's kind is sure. */
    if (queue_check(q, &err))
        assert_non_null(strstr(err.text, "no space"));

    make_room(ctx);
    assert_int_equal(queue_check(q, &err), 0);
    assert_int_equal(queue_test_send(q, &message, 1), 0);
    assert_int_equal(queue_test_drain(c, sent + 1, QUIET_MS, NULL, NULL), sent + 1);
    assert_int_equal(queue_test_stats(q).depth, 0);
    queue_consumer_free(c);
    free(text);
}

static void remove_file(void *path)
{
    assert_int_equal(unlink(path), 0);
}

static void a_full_disk_fails_sends_and_heals_by_itself(void **state)
{
    char options[32];
    char ballast[1024];
    char block[4096] = {0};

    snprintf(options, sizeof(options), "size=%d", SMALL_DISK_BYTES);
    if (mount("tmpfs", *state, "tmpfs", 0, options) != 0)
        skip(); /* not allowed to mount: the next test does nearly the same */
    struct queue *q = open_in(*state);
    snprintf(ballast, sizeof(ballast), "%s/ballast", (char *)*state);
    int fd = open(ballast, O_WRONLY | O_CREAT, 0600);
    for (int i = 0; i < SMALL_DISK_BYTES / 2 / (int)sizeof(block); i++)
        assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
    close(fd);
    check_full_and_healing(q, remove_file, ballast);
    queue_free(q);
    assert_int_equal(umount(*state), 0);
}

static void lift_limit(void *ctx)
{
    assert_int_equal(setrlimit(RLIMIT_FSIZE, ctx), 0);
}

static void a_limit_on_file_size_is_as_a_full_disk(void **state)
{
    struct rlimit none;
    struct queue *q = open_in(*state);

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &none), 0);
    struct rlimit small =
        (struct rlimit){.rlim_cur = SMALL_DISK_BYTES / 2, .rlim_max = none.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    check_full_and_healing(q, lift_limit, &none);
    queue_free(q);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct queue_conformance conformance = {
        .name = "queue_sqlite",
        .create = create,
        .destroy = destroy,
        .open = open_place,
        .keeps_dead_letters = true,
    };
    const struct CMUnitTest cases[] = {
        CASE(a_file_that_is_no_database_is_named),
        CASE(a_file_of_a_newer_logmill_is_refused),
        CASE(a_missing_directory_is_named),
        CASE(a_person_can_read_the_messages),
        CASE(a_message_over_the_limit_fails_alone),
        CASE(a_send_that_is_refused_for_its_own_sake_fails_alone),
        CASE(a_queue_that_holds_all_it_may_refuses_until_there_is_room),
        CASE(dead_letters_past_an_age_or_size_are_found_and_dropped),
        CASE(there_are_no_more_consumers_than_the_limit),
        CASE(what_a_consumer_has_not_settled_comes_to_another),
        CASE(a_tool_works_beside_a_running_queue),
        CASE(a_delivery_is_bounded_in_bytes_and_holds_at_least_one),
        CASE(the_depth_of_a_long_queue_is_exact),
        CASE(returned_messages_are_bounded_in_number),
        CASE(the_write_ahead_log_is_bounded),
        CASE(what_was_acknowledged_survives_kill_9),
        CASE(two_processes_share_the_file),
        CASE(a_lock_held_by_another_process_is_waited_for),
        CASE(acknowledgements_are_written_soon_even_if_nothing_is_sent),
        CASE(a_full_disk_fails_sends_and_heals_by_itself),
        CASE(a_limit_on_file_size_is_as_a_full_disk),
    };
    int failed = queue_conformance_run(&conformance);

    return failed + cmocka_run_group_tests_name("queue_sqlite faults", cases, NULL, NULL);
}
