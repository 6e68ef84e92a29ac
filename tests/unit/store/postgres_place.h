/* One server for all cases of a test program, and for each case a database with a store in it. */
#ifndef LOGMILL_TESTS_POSTGRES_PLACE_H
#define LOGMILL_TESTS_POSTGRES_PLACE_H

#include "postgres_server.h"
#include "store_test_support.h"

enum { POSTGRES_PLACE_SKIPPED = 77 }; /* what Meson takes for a test that could not run */

extern struct postgres_server *postgres_place_server;

/* Starts it; false (and says so) where no PostgreSQL is installed. */
bool postgres_place_start(void);
void postgres_place_stop(void);

struct postgres_place {
    char *database;
    struct store *s;
    struct store_writer *w;
    struct store_reader *r;
    struct store_test_rows rows;
};

/* cmocka's set-up and tear-down; the state is a struct postgres_place. */
int postgres_place_set_up(void **state);
int postgres_place_tear_down(void **state);

/* Opens a store in `database`, migrated. */
struct store *postgres_place_open(const char *database);

/* Runs SQL as the superuser. */
void postgres_place_sql(struct postgres_place *p, const char *sql);

/* Runs SQL as the superuser for one number. */
long postgres_place_number(struct postgres_place *p, const char *sql);

/* Runs it until the number is at least that; the test fails if it is not in a minute. */
void postgres_place_await(struct postgres_place *p, const char *sql, long least);

#endif
