/*
 * Credentials that are found anew, by a program that prints them: at first those of a file, then
 * what the test writes into a pipe of that name, for which each search waits. The wall clock is the
 * machine's and some more.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "aws/identity.h"
#include "base/clock.h"
#include "base/timestamp.h"

enum {
    PATH_SIZE = 1024,
    SOON_US = 30000000, /* whatever is waited for here comes in a second or two */
    PAUSE_US = 2000,
};

static const int64_t HOUR_US = INT64_C(3600) * 1000000;

static _Atomic int64_t clock_is_ahead_us;

int64_t __real_clock_wall_us(void);
int64_t __wrap_clock_wall_us(void);

int64_t __wrap_clock_wall_us(void)
{
    return __real_clock_wall_us() + atomic_load(&clock_is_ahead_us);
}

/* What has the credentials. */
struct source {
    char *directory;
    char path[PATH_SIZE]; /* of the file or pipe */
};

static int set_up(void **state)
{
    static struct source s;
    char config[PATH_SIZE];

    s.directory = temp_directory_new();
    snprintf(s.path, sizeof(s.path), "%s/answer", s.directory);
    snprintf(config, sizeof(config), "%s/config", s.directory);
    FILE *file = fopen(config, "w");
    assert_non_null(file);
    fprintf(file, "[default]\ncredential_process = cat '%s'\n", s.path);
    fclose(file);
    setenv("AWS_CONFIG_FILE", config, 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    unsetenv("AWS_PROFILE");
    atomic_store(&clock_is_ahead_us, 0);
    *state = &s;
    return 0;
}

static int tear_down(void **state)
{
    temp_directory_free(((struct source *)*state)->directory);
    return 0;
}

/* Writes credentials of this name, which expire in `life_us` (0: never), and closes `fd`. */
static void answer(int fd, const char *key, int64_t life_us)
{
    char expires[TIMESTAMP_TEXT_LEN + 1] = {0};
    char text[512];
    int len;

    timestamp_format(clock_wall_us() + life_us, expires);
    len = snprintf(text, sizeof(text), "{\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"s\"", key);
    if (life_us > 0)
        len += snprintf(text + len, sizeof(text) - (size_t)len, ",\"Expiration\":\"%s\"", expires);
    len += snprintf(text + len, sizeof(text) - (size_t)len, "}");
    assert_int_equal(write(fd, text, (size_t)len), len);
    close(fd);
}

/* Whose first search finds `key`; each later one waits for what search() opens. */
static struct aws_identity *start(struct source *s, const char *key, int64_t life_us)
{
    const struct aws_identity_options options = {.retry_ms = 1000};
    struct errbuf err = ERRBUF_INIT;
    char pipe_path[PATH_SIZE + 8];

    answer(open(s->path, O_WRONLY | O_CREAT | O_EXCL, 0600), key, life_us);
    struct aws_identity *id = aws_identity_new(&options, &err);
    if (!id)
        fail_msg("%s", err.text);
    snprintf(pipe_path, sizeof(pipe_path), "%s.pipe", s->path);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_int_equal(rename(pipe_path, s->path), 0);
    return id;
}

/* Waits until a search has begun; returns where it takes its answer from. */
static int search(struct source *s)
{
    uint64_t end_us = clock_monotonic_us() + SOON_US;
    int fd;

    while ((fd = open(s->path, O_WRONLY | O_NONBLOCK)) < 0) { /* nobody reads */
        if (clock_monotonic_us() > end_us)
            fail_msg("nothing is looked for");
        usleep(PAUSE_US);
    }
    return fd;
}

static void doubt(struct aws_identity *id)
{
    const struct aws_credentials *c = aws_identity_acquire(id);

    aws_identity_doubt(id, c);
    aws_identity_give_back(id, c);
}

/* Waits until these are in use. */
static void await(struct aws_identity *id, const char *key)
{
    uint64_t end_us = clock_monotonic_us() + SOON_US;
    bool in_use = false;

    while (!in_use) {
        const struct aws_credentials *c = aws_identity_acquire(id);

        in_use = strcmp(c->access_key_id, key) == 0;
        aws_identity_give_back(id, c);
        if (!in_use && clock_monotonic_us() > end_us)
            fail_msg("%s is not in use", key);
        usleep(in_use ? 0 : PAUSE_US);
    }
}

static void what_is_refused_is_looked_for_again(void **state)
{
    struct aws_identity *id = start(*state, "first", 0);

    doubt(id);
    answer(search(*state), "second", 0);
    await(id, "second");
    aws_identity_free(id);
}

static void what_was_found_is_doubted_though_what_it_replaced_was_doubted_meanwhile(void **state)
{
    struct aws_identity *id = start(*state, "first", 2000000);
    int fd = search(*state); /* since the first ones expire */

    doubt(id);
    answer(fd, "second", HOUR_US);
    await(id, "second");
    doubt(id);
    answer(search(*state), "third", HOUR_US);
    await(id, "third");
    aws_identity_free(id);
}

static void a_clock_that_is_set_back_delays_nothing(void **state)
{
    struct aws_identity *id = start(*state, "first", 2 * HOUR_US);

    atomic_store(&clock_is_ahead_us, HOUR_US);
    doubt(id);
    atomic_store(&clock_is_ahead_us, 0);
    answer(search(*state), "second", 2 * HOUR_US);
    await(id, "second");
    aws_identity_free(id);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_refused_is_looked_for_again),
        CASE(what_was_found_is_doubted_though_what_it_replaced_was_doubted_meanwhile),
        CASE(a_clock_that_is_set_back_delays_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
