#include "postgres_place.h"

#include <stdlib.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "base/xalloc.h"

enum { AWAIT_MS = 240000, AWAIT_PAUSE_US = 10000 };

struct postgres_server *postgres_place_server;

bool postgres_place_start(void)
{
    postgres_place_server = postgres_server_new();
    if (!postgres_place_server)
        print_message("no PostgreSQL is installed: skipped\n");
    return postgres_place_server;
}

void postgres_place_stop(void)
{
    postgres_server_free(postgres_place_server);
}

struct store *postgres_place_open(const char *database)
{
    struct store_postgres_options options =
        postgres_server_options(postgres_place_server, database);
    struct errbuf err = ERRBUF_INIT;
    struct store *s = store_postgres_new(&options, &err);

    if (!s || store_migrate(s, &err) != 0)
        fail_msg("no store: %s", err.text);
    return s;
}

int postgres_place_set_up(void **state)
{
    struct postgres_place *p = xcalloc(1, sizeof(*p));

    p->database = postgres_server_database(postgres_place_server, "");
    p->s = postgres_place_open(p->database);
    p->w = store_test_writer(p->s);
    p->r = store_test_reader(p->s);
    *state = p;
    return 0;
}

int postgres_place_tear_down(void **state)
{
    struct postgres_place *p = *state;

    postgres_server_thaw(postgres_place_server); /* after a case that failed amid it */
    store_test_rows_release(&p->rows);
    store_reader_free(p->r);
    store_writer_free(p->w);
    store_free(p->s);
    postgres_server_drop(postgres_place_server, p->database);
    free(p);
    return 0;
}

void postgres_place_sql(struct postgres_place *p, const char *sql)
{
    free(postgres_server_sql(postgres_place_server, p->database, sql));
}

long postgres_place_number(struct postgres_place *p, const char *sql)
{
    char *value = postgres_server_sql(postgres_place_server, p->database, sql);
    long number = strtol(value, NULL, 10);

    free(value);
    return number;
}

void postgres_place_await(struct postgres_place *p, const char *sql, long least)
{
    uint64_t end_us = clock_monotonic_us() + (uint64_t)AWAIT_MS * 1000;
    long number;

    while ((number = postgres_place_number(p, sql)) < least) {
        if (clock_monotonic_us() > end_us)
            fail_msg("%s: %ld after %d ms, not %ld", sql, number, AWAIT_MS, least);
        usleep(AWAIT_PAUSE_US);
    }
}
