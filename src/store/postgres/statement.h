/*
 * An SQL statement with the values for its parameters, all in binary form.
 */
#ifndef LOGMILL_STORE_POSTGRES_STATEMENT_H
#define LOGMILL_STORE_POSTGRES_STATEMENT_H

#include <libpq-fe.h>

#include "base/buffer.h"
#include "base/uuid7.h"
#include "query/tree.h"

enum {
    STORE_POSTGRES_NUMBERS_MAX = 12 + 2 * QUERY_TESTS_MAX, /* values that are numbers or ids */
    STORE_POSTGRES_VALUES_OF_TEST = 16, /* of a range of levels: the names of all */
    STORE_POSTGRES_VALUES_MAX = 12 + STORE_POSTGRES_VALUES_OF_TEST * QUERY_TESTS_MAX,
};

struct store_postgres_statement {
    struct buffer sql;   /* terminated once it is finished */
    struct buffer texts; /* that are made for it: room is reserved before they are */
    const char *values[STORE_POSTGRES_VALUES_MAX]; /* views */
    int lengths[STORE_POSTGRES_VALUES_MAX];
    int formats[STORE_POSTGRES_VALUES_MAX];
    Oid types[STORE_POSTGRES_VALUES_MAX];
    int len;
    char numbers[STORE_POSTGRES_NUMBERS_MAX][16];
    int numbers_len;
};

void store_postgres_statement_init(struct store_postgres_statement *st);
void store_postgres_statement_release(struct store_postgres_statement *st);

/* Starts anew with `sql`. */
void store_postgres_statement_begin(struct store_postgres_statement *st, const char *sql);

/* Append SQL, or a value by its $n. What a slice views must live until the statement has run. */
void store_postgres_statement_sql(struct store_postgres_statement *st, const char *sql);
void store_postgres_statement_text(struct store_postgres_statement *st, struct slice text);
void store_postgres_statement_number(struct store_postgres_statement *st, int64_t number);
void store_postgres_statement_time(struct store_postgres_statement *st, int64_t timestamp_us);
void store_postgres_statement_interval(struct store_postgres_statement *st, int64_t us);
void store_postgres_statement_id(struct store_postgres_statement *st, const struct uuid *id);

/* A text that the SQL does not name yet; returns its number for _again, which appends its $n. */
int store_postgres_statement_value(struct store_postgres_statement *st, struct slice text);
void store_postgres_statement_again(struct store_postgres_statement *st, int number);

/* A path of jsonb in its binary form: a byte 1 comes first. */
void store_postgres_statement_path(struct store_postgres_statement *st, struct slice path);

/* A copy in st->texts, where there must be room. */
struct slice store_postgres_statement_keep(struct store_postgres_statement *st, struct slice text);

/* Arrays of times and of ids, as PostgreSQL sent them. */
void store_postgres_statement_times(struct store_postgres_statement *st, struct slice array);
void store_postgres_statement_ids(struct store_postgres_statement *st, struct slice array);

#endif
