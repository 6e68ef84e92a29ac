/*
 * Times one way of storing in PostgreSQL, for bench/store.py:
 *
 *   pg_copy URL WAY CORPUS ROWS BATCH
 *
 *   append   store_append(), as a worker calls it
 *   repeat   the same, of logs that are all there already
 *   copy     a bare loop of libpq: COPY FROM STDIN (FORMAT binary), BATCH rows a statement
 *   staging  the same into a temporary table, then INSERT … SELECT … ON CONFLICT DO NOTHING
 *   insert   INSERT with ten rows of parameters a statement, each a transaction
 *
 * CORPUS is for rows_init. Prints the seconds and the CPU seconds of this process. Empties the
 * table `logs` of that database first: give it one of its own.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "rows.h"
#include "store/postgres/adapter.h"

enum { INSERT_ROWS = 10, COLUMNS = 5, CHUNK = 64 * 1024 };

#define EPOCH_US INT64_C(946684800000000)
#define TABLE_COLUMNS "\"timestamp\", id, level, message, attributes"

struct bench {
    PGconn *c;
    struct store_writer *w;
    struct rows rows;
    size_t batch;
    char *chunk;
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "pg_copy: %s: %s\n", what, why);
    exit(1);
}

static void sql(struct bench *b, const char *text)
{
    PGresult *result = PQexec(b->c, text);

    if (PQresultStatus(result) == PGRES_FATAL_ERROR)
        fail(text, PQerrorMessage(b->c));
    PQclear(result);
}

/* ---- The contestants ---- */

static void append(struct bench *b)
{
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;

    for (size_t i = 0; i < b->rows.len; i += b->batch) {
        size_t n = b->rows.len - i < b->batch ? b->rows.len - i : b->batch;

        if (store_append(b->w, b->rows.records + i, n, &result, &err))
            fail("store_append", err.text);
    }
}

static char *put(char *p, const void *data, size_t len)
{
    return (char *)memcpy(p, data, len) + len;
}

static char *put_field(char *p, const void *data, size_t len)
{
    uint32_t wire = __builtin_bswap32((uint32_t)len);

    return put(put(p, &wire, 4), data, len);
}

static char *put_row(char *p, const struct record *r)
{
    uint64_t time = __builtin_bswap64((uint64_t)(r->key.timestamp_us - EPOCH_US));
    uint32_t len = __builtin_bswap32((uint32_t)r->attributes.len + 1);

    p = put(p, "\0\5", 2);
    p = put_field(p, &time, 8);
    p = put_field(p, r->key.id.bytes, 16);
    p = put_field(p, r->level.data, r->level.len);
    p = put_field(p, r->message.data, r->message.len);
    p = put(p, &len, 4);
    *p++ = 1;
    return put(p, r->attributes.data, r->attributes.len);
}

static void copy_batch(struct bench *b, const char *statement, const struct record *r, size_t n)
{
    char *p = put(b->chunk, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);

    sql(b, statement);
    for (size_t i = 0; i < n; i++) {
        p = put_row(p, &r[i]);
        if (p - b->chunk > CHUNK) {
            PQputCopyData(b->c, b->chunk, (int)(p - b->chunk));
            p = b->chunk;
        }
    }
    p = put(p, "\377\377", 2);
    PQputCopyData(b->c, b->chunk, (int)(p - b->chunk));
    PQputCopyEnd(b->c, NULL);
    for (PGresult *result; (result = PQgetResult(b->c)); PQclear(result))
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            fail("COPY", PQerrorMessage(b->c));
}

static void copy(struct bench *b)
{
    for (size_t i = 0; i < b->rows.len; i += b->batch)
        copy_batch(b, "COPY logs (" TABLE_COLUMNS ") FROM STDIN (FORMAT binary)",
                   b->rows.records + i, b->rows.len - i < b->batch ? b->rows.len - i : b->batch);
}

static void staging(struct bench *b)
{
    sql(b, "CREATE TEMPORARY TABLE IF NOT EXISTS staging (LIKE logs) ON COMMIT DELETE ROWS");
    for (size_t i = 0; i < b->rows.len; i += b->batch) {
        sql(b, "BEGIN");
        copy_batch(b, "COPY staging (" TABLE_COLUMNS ") FROM STDIN (FORMAT binary)",
                   b->rows.records + i, b->rows.len - i < b->batch ? b->rows.len - i : b->batch);
        sql(b, "INSERT INTO logs SELECT * FROM staging ON CONFLICT DO NOTHING");
        sql(b, "COMMIT");
    }
}

/* The texts of ten rows' parameters, as a client with a driver of its language would send them. */
static void insert(struct bench *b)
{
    const Oid types[INSERT_ROWS * COLUMNS] = {0};
    const char *values[INSERT_ROWS * COLUMNS];
    char texts[INSERT_ROWS][2][64];
    char statement[2048] = "INSERT INTO logs (" TABLE_COLUMNS ") VALUES ";

    for (int i = 0; i < INSERT_ROWS; i++) {
        size_t len = strlen(statement);
        int p = i * COLUMNS;

        snprintf(
            statement + len, sizeof(statement) - len,
            "%s(timestamptz '1970-01-01Z' + $%d::float8 * interval '1 us', $%d, $%d, $%d, $%d)",
            i ? ", " : "", p + 1, p + 2, p + 3, p + 4, p + 5);
    }
    PQclear(PQprepare(b->c, "ten", statement, INSERT_ROWS * COLUMNS, types));
    for (size_t i = 0; i + INSERT_ROWS <= b->rows.len; i += INSERT_ROWS) {
        PGresult *result;

        for (int k = 0; k < INSERT_ROWS; k++) {
            const struct record *r = &b->rows.records[i + (size_t)k];
            const char **v = &values[k * COLUMNS];

            snprintf(texts[k][0], sizeof(texts[k][0]), "%" PRId64, r->key.timestamp_us);
            uuid_format(&r->key.id, texts[k][1]);
            texts[k][1][UUID_TEXT_LEN] = '\0';
            v[0] = texts[k][0];
            v[1] = texts[k][1];
            v[2] = r->level.data;
            v[3] = r->message.data;
            v[4] = r->attributes.data;
        }
        result = PQexecPrepared(b->c, "ten", INSERT_ROWS * COLUMNS, values, NULL, NULL, 0);
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            fail("INSERT", PQerrorMessage(b->c));
        PQclear(result);
    }
    sql(b, "DEALLOCATE ten");
}

static const struct way {
    const char *name;
    void (*run)(struct bench *b);
} ways[] = {
    {"append", append},   {"repeat", append}, {"copy", copy},
    {"staging", staging}, {"insert", insert},
};
enum { WAYS = sizeof(ways) / sizeof(*ways) };

static const struct way *find_way(const char *name)
{
    for (size_t i = 0; i < WAYS; i++)
        if (strcmp(ways[i].name, name) == 0)
            return &ways[i];
    fail(name, "is none of append, repeat, copy, staging, insert");
    return NULL;
}

/* Leaves the table with the partition of the day, empty, or full if logs are to be repeated. */
static void prepare(struct bench *b, bool full)
{
    size_t len = b->rows.len;

    sql(b, "TRUNCATE logs");
    if (!full && len > b->batch)
        b->rows.len = b->batch;
    append(b);
    b->rows.len = len;
    if (!full)
        sql(b, "TRUNCATE logs");
    sql(b, "CHECKPOINT");
}

int main(int argc, char **argv)
{
    struct errbuf err = ERRBUF_INIT;
    const struct way *way;
    struct bench b = {0};
    struct store *s;
    size_t rows;
    uint64_t start_us;
    double cpu;

    if (argc != 6)
        fail("usage", "pg_copy URL WAY CORPUS ROWS BATCH");
    way = find_way(argv[2]);
    rows = strtoul(argv[4], NULL, 10);
    b.batch = strtoul(argv[5], NULL, 10);
    if (rows == 0 || b.batch == 0)
        fail("usage", "ROWS and BATCH are numbers above 0");
    s = store_postgres_new(&(struct store_postgres_options){.url = argv[1]}, &err);
    if (!s || store_migrate(s, &err))
        fail("migrate", err.text);
    b.w = store_writer_new(s, &err);
    b.c = PQconnectdb(argv[1]);
    if (PQstatus(b.c) != CONNECTION_OK)
        fail("connect", PQerrorMessage(b.c));
    sql(&b, "SET client_min_messages = warning");
    b.chunk = xmalloc(2 * CHUNK);
    rows_init(&b.rows, argv[3], rows);
    prepare(&b, strcmp(way->name, "repeat") == 0);

    start_us = clock_monotonic_us();
    cpu = rows_cpu_seconds();
    way->run(&b);
    printf("%.6f %.6f\n", (double)(clock_monotonic_us() - start_us) / 1e6,
           rows_cpu_seconds() - cpu);

    PQfinish(b.c);
    store_writer_free(b.w);
    store_free(s);
    free(b.chunk);
    rows_release(&b.rows);
    return 0;
}
