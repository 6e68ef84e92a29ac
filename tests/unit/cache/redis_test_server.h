/*
 * A real Redis or Valkey server for tests, whichever is installed: on the loopback or a socket
 * file, with its files in a directory of its own, and stopped by its pid. Fails the test where
 * neither program is there.
 */
#ifndef LOGMILL_TESTS_REDIS_TEST_SERVER_H
#define LOGMILL_TESTS_REDIS_TEST_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include <hiredis/hiredis.h>

struct redis_test_server {
    char *directory;
    char socket_path[512];        /* always there, whatever else it listens on */
    char url[600];                /* unix:// */
    unsigned port;                /* of TCP or TLS; 0: none */
    const char *const *arguments; /* further ones, NULL-terminated; NULL: none */
    bool tls;
    pid_t pid; /* 0: not running */
};

/* Starts one with `arguments` (which must outlive it), NULL for none, and waits until it answers.
 */
struct redis_test_server *redis_test_server_new(const char *const *arguments);

/* The same that listens on a free port of 127.0.0.1 too: by TLS, with the files that
 * redis_test_server_certificates has made in its directory, where `tls`. */
struct redis_test_server *redis_test_server_new_port(const char *const *arguments, bool tls);

/* Stops it (SIGKILL) and removes its files. NULL does nothing. */
void redis_test_server_free(struct redis_test_server *s);

void redis_test_server_kill(struct redis_test_server *s);  /* kill -9 */
void redis_test_server_start(struct redis_test_server *s); /* again, with what is on its disk */
void redis_test_server_signal(struct redis_test_server *s, int signal);

/* Runs a command over the socket file and gives its reply; fails the test where that fails. */
redisReply *redis_test_server_ask(struct redis_test_server *s, const char *command);
/* The same, for its integer or its being "OK" (1); fails the test where the reply is an error. */
long long redis_test_server_do(struct redis_test_server *s, const char *command);

#endif
