/*
 * Where the integration tests cannot reach: ECS's fixed address, a program that hangs, and a search
 * that is stopped. What each source gives is tested in tests/integration/credentials.test.ts.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "aws/credentials_chain.h"
#include "base/clock.h"

enum { SOON_US = 50000000 }; /* less than what hangs here does, a minute */

static int clear_environment(void **state)
{
    static const char *const names[] = {"AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_PROFILE",
                                        "AWS_WEB_IDENTITY_TOKEN_FILE",
                                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                        "AWS_CONFIG_FILE",
                                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
    *state = temp_directory_new();
    setenv("HOME", *state, 1);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    return 0;
}

static int remove_directory(void **state)
{
    temp_directory_free(*state);
    return 0;
}

/* Answers one request, which it keeps. */
struct server {
    int listener;
    pthread_t thread;
    char request[4096];
};

static void *answer_once(void *arg)
{
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        "{\"AccessKeyId\":\"AKID\",\"SecretAccessKey\":\"key\",\"Token\":\"token\",\"RoleArn\":"
        "\"arn\","
        "\"Expiration\":\"2036-01-02T03:04:05Z\"}";
    struct server *s = arg;
    int connection = accept(s->listener, NULL, NULL);
    size_t len = 0;

    while (!strstr(s->request, "\r\n\r\n") && len < sizeof(s->request) - 1) {
        ssize_t n = read(connection, s->request + len, sizeof(s->request) - 1 - len);

        assert_true(n > 0);
        len += (size_t)n;
    }
    assert_int_equal(write(connection, answer, sizeof(answer) - 1), sizeof(answer) - 1);
    close(connection);
    return NULL;
}

static unsigned start_server(struct server *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(s->listener, 1), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, answer_once, s), 0);
    return ntohs(address.sin_port);
}

static void a_relative_uri_is_asked_at_the_containers_fixed_address(void **state)
{
    struct server s = {0};
    char url[64];
    struct aws_credentials_options options = {.container_at = url};
    struct aws_credentials c;
    struct errbuf err = ERRBUF_INIT;

    snprintf(url, sizeof(url), "http://127.0.0.1:%u", start_server(&s));
    setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/id", 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a-token", 1);
    if (aws_credentials_chain_find(&options, &c, &err))
        fail_msg("%s", err.text);
    pthread_join(s.thread, NULL);
    close(s.listener);
    assert_non_null(strstr(s.request, "GET /v2/credentials/id HTTP/1.1\r\n"));
    assert_non_null(strstr(s.request, "\r\nAuthorization: a-token\r\n"));
    assert_string_equal(c.access_key_id, "AKID");
    assert_string_equal(c.secret_access_key, "key");
    assert_string_equal(c.session_token, "token");
    assert_true(c.expires_us == INT64_C(2082855845000000));
    aws_credentials_release(&c);
}

static void write_config(const char *directory, const char *text)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/config", directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    setenv("AWS_CONFIG_FILE", path, 1);
}

static void a_program_that_hangs_is_ended_with_its_children(void **state)
{
    struct aws_credentials_options options = {.process_timeout_ms = 500};
    struct aws_credentials c;
    struct errbuf err = ERRBUF_INIT;
    uint64_t start = clock_monotonic_us();

    write_config(*state, "[default]\ncredential_process = sleep 60 | sleep 60\n");
    assert_int_equal(aws_credentials_chain_find(&options, &c, &err), LM_ETIMEOUT);
    assert_true(clock_monotonic_us() - start < SOON_US);
}

static void a_program_that_closes_its_output_and_goes_on_is_ended(void **state)
{
    struct aws_credentials_options options = {.process_timeout_ms = 500};
    struct aws_credentials c;
    struct errbuf err = ERRBUF_INIT;

    write_config(*state, "[default]\ncredential_process = exec >&-; sleep 60\n");
    assert_int_equal(aws_credentials_chain_find(&options, &c, &err), LM_ETIMEOUT);
}

static void *stop_soon(void *arg)
{
    usleep(300000);
    atomic_store((atomic_bool *)arg, true);
    return NULL;
}

static void a_search_can_be_stopped(void **state)
{
    atomic_bool stop = false;
    struct aws_credentials_options options = {.stop = &stop};
    struct aws_credentials c;
    struct errbuf err = ERRBUF_INIT;
    uint64_t start = clock_monotonic_us();
    pthread_t thread;

    write_config(*state, "[default]\ncredential_process = sleep 60\n");
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, &stop), 0);
    assert_int_equal(aws_credentials_chain_find(&options, &c, &err), LM_ESTOPPED);
    assert_true(clock_monotonic_us() - start < SOON_US);
    pthread_join(thread, NULL);
}

static void none_at_all_is_told(void **state)
{
    struct aws_credentials_options options = {0};
    struct aws_credentials c;
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(aws_credentials_chain_find(&options, &c, &err), LM_ENOTFOUND);
    assert_non_null(strstr(err.text, "AWS_ACCESS_KEY_ID"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, clear_environment, remove_directory)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(a_relative_uri_is_asked_at_the_containers_fixed_address),
        CASE(a_program_that_hangs_is_ended_with_its_children),
        CASE(a_program_that_closes_its_output_and_goes_on_is_ended),
        CASE(a_search_can_be_stopped),
        CASE(none_at_all_is_told),
    };

    return cmocka_run_group_tests_name("aws_credentials", cases, NULL, NULL);
}
