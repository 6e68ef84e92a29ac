/* The store in PostgreSQL behind a pooler: a real pgbouncer in front of a real server. */
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "diag/diag.h"
#include "postgres_place.h"

enum { START_TRIES = 500, START_PAUSE_US = 20000 };

static const char program[] = "/usr/sbin/pgbouncer";

struct pooler {
    pid_t pid;
    char *directory;
    struct postgres_place *place;
};

static void write_settings(const struct pooler *p, const char *mode, const char *path)
{
    struct store_postgres_options o =
        postgres_server_options(postgres_place_server, p->place->database);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fprintf(f,
            "[databases]\n* = host=%s port=%s user=%s password=%s\n"
            "[pgbouncer]\nlisten_addr=\nlisten_port=6432\nunix_socket_dir=%s\nauth_type=any\n"
            "pool_mode=%s\nlogfile=%s/log\n",
            o.host, o.port, o.user, o.password, p->directory, mode, p->directory);
    fclose(f);
}

/* It refuses to run as root. */
static void become_other_user(void)
{
    const struct passwd *user = getpwnam("postgres");

    if (geteuid() == 0 && (!user || setgid(user->pw_gid) || setuid(user->pw_uid)))
        _exit(126);
}

static void start(struct pooler *p, const char *mode)
{
    const struct passwd *user = getpwnam("postgres");
    char path[256], socket[256];
    struct stat st;

    p->directory = temp_directory_new();
    if (geteuid() == 0)
        assert_int_equal(chown(p->directory, user->pw_uid, user->pw_gid), 0);
    snprintf(path, sizeof(path), "%s/pgbouncer.ini", p->directory);
    snprintf(socket, sizeof(socket), "%s/.s.PGSQL.6432", p->directory);
    write_settings(p, mode, path);
    chmod(path, 0644);
    p->pid = fork();
    if (p->pid == 0) {
        become_other_user();
        execl(program, program, "-q", path, NULL);
        _exit(127);
    }
    for (int i = 0; stat(socket, &st) != 0; i++) {
        assert_true(i < START_TRIES);
        usleep(START_PAUSE_US);
    }
}

static struct pooler pooler;

static void stop(struct pooler *p)
{
    kill(p->pid, SIGTERM);
    waitpid(p->pid, NULL, 0);
    temp_directory_free(p->directory);
}

static struct store *open_behind(struct pooler *p)
{
    struct store_postgres_options o = {
        .host = p->directory, .port = "6432", .name = p->place->database, .user = "tester"};
    struct errbuf err = ERRBUF_INIT;
    struct store *s = store_postgres_new(&o, &err);

    assert_non_null(s);
    return s;
}

static void another_session_for_each_transaction_is_refused_at_the_start(void **state)
{
    struct errbuf err = ERRBUF_INIT;

    pooler.place = *state;
    start(&pooler, "transaction");
    struct store *s = open_behind(&pooler);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(store_migrate(s, &err), LM_EINVAL);
        assert_non_null(strstr(err.text, "pool_mode=session"));
        assert_null(strchr(err.text, '\n'));
    }
    store_free(s);
    stop(&pooler);
}

static void a_session_for_each_client_is_as_good_as_none_between(void **state)
{
    struct record record = store_test_record(clock_wall_us(), 1, "info", "m", NULL);
    struct store_test_rows rows = {0};
    struct errbuf err = ERRBUF_INIT;

    pooler.place = *state;
    start(&pooler, "session");
    struct store *s = open_behind(&pooler);
    if (store_migrate(s, &err) != 0)
        fail_msg("%s", err.text);
    struct store_writer *w = store_test_writer(s);
    struct store_reader *r = store_test_reader(s);
    assert_int_equal(store_test_append(w, &record, 1).stored, 1);
    assert_int_equal(store_get(r, &record.key.id, store_test_collect, &rows, &err), 0);
    assert_int_equal(rows.len, 1);
    store_test_rows_release(&rows);
    store_writer_free(w);
    store_reader_free(r);
    store_free(s);
    stop(&pooler);
}

/* A reader keeps nothing in its session, and leaves nothing there for others. */
static void reading_does_with_any_pooler(void **state)
{
    struct record record = store_test_record(clock_wall_us(), 1, "info", "m", NULL);
    struct store_reader *readers[3];
    struct errbuf err = ERRBUF_INIT;

    pooler.place = *state;
    start(&pooler, "transaction");
    struct store *s = open_behind(&pooler);
    store_test_append(pooler.place->w, &record, 1);
    for (int i = 0; i < 3; i++)
        readers[i] = store_test_reader(s);
    for (int i = 0; i < 30; i++) {
        struct log_query query = store_test_query(10);

        query.filter.levels_len = i % 3;
        query.filter.levels[0] = query.filter.levels[1] = SLICE_LITERAL("info");
        store_test_run(readers[i % 3], &query, &pooler.place->rows);
        assert_int_equal(pooler.place->rows.len, 1);
    }
    struct store_writer *w = store_test_writer(s);
    struct store_append_result result;
    record.key.timestamp_us++;
    assert_int_equal(store_append(w, &record, 1, &result, &err), 0);
    store_writer_free(w);
    for (int i = 0; i < 3; i++)
        store_reader_free(readers[i]);
    store_free(s);
    stop(&pooler);
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, postgres_place_set_up, postgres_place_tear_down)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(another_session_for_each_transaction_is_refused_at_the_start),
        CASE(a_session_for_each_client_is_as_good_as_none_between),
        CASE(reading_does_with_any_pooler),
    };
    int failed;

    if (access(program, X_OK) != 0 || !postgres_place_start())
        return POSTGRES_PLACE_SKIPPED;
    diag_set_level(DIAG_ERROR);
    failed = cmocka_run_group_tests_name("store_postgres behind a pooler", cases, NULL, NULL);
    postgres_place_stop();
    return failed;
}
