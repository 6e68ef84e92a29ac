/*
 * A PostgreSQL server of a test's own: made with initdb in a temporary directory, on a Unix socket
 * in it and a free port of 127.0.0.1, stopped by its pid. As root it runs as another user.
 * Everything fails the test where it fails.
 */
#ifndef LOGMILL_TESTS_POSTGRES_SERVER_H
#define LOGMILL_TESTS_POSTGRES_SERVER_H

#include <libpq-fe.h>

#include "store/postgres/adapter.h"

enum { POSTGRES_SERVER_CONNECTIONS = 30 };

struct postgres_server;

/* NULL where no PostgreSQL is installed. Ends with the process at the latest. */
struct postgres_server *postgres_server_new(void);
void postgres_server_free(struct postgres_server *p);

/* kill -9, with all its sessions; and starting again what does not run. */
void postgres_server_kill(struct postgres_server *p);
void postgres_server_start(struct postgres_server *p);

/* SIGSTOP and SIGCONT to it and all its sessions. What is not frozen may be thawed. */
void postgres_server_freeze(struct postgres_server *p);
void postgres_server_thaw(struct postgres_server *p);

/* A new empty database that `tester`, a role without any privileges, owns; returns its name. */
char *postgres_server_database(struct postgres_server *p, const char *options);

/* Takes it away, whoever is in it, and frees its name. */
void postgres_server_drop(struct postgres_server *p, char *database);

/* A session of the superuser, for the test's own SQL. */
PGconn *postgres_server_connect(struct postgres_server *p, const char *database);

/* Runs SQL; the first value of the first row, or "" where there is none. To be freed. */
char *postgres_server_sql(struct postgres_server *p, const char *database, const char *sql);

/* How `tester` connects to `database`; views that live until the next call. */
struct store_postgres_options postgres_server_options(struct postgres_server *p,
                                                      const char *database);

#endif
