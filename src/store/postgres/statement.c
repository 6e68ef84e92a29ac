#include "store/postgres/statement.h"

#include <assert.h>
#include <string.h>

#include "base/timestamp.h"
#include "store/postgres/wire.h"
#include "json/writer.h"

enum {
    SQL_BYTES_MAX = 256 * 1024,
    TEXTS_BYTES_MAX = 16 << 20,
    /* Types, by the numbers that they have in every PostgreSQL (catalog/pg_type.dat). */
    TYPE_INT8 = 20,
    TYPE_TEXT = 25,
    TYPE_TIMESTAMPTZ = 1184,
    TYPE_TIMESTAMPTZ_ARRAY = 1185,
    TYPE_INTERVAL = 1186,
    TYPE_UUID = 2950,
    TYPE_UUID_ARRAY = 2951,
    TYPE_JSONPATH = 4072,
};

void store_postgres_statement_init(struct store_postgres_statement *st)
{
    *st = (struct store_postgres_statement){0};
    buffer_init(&st->sql, SQL_BYTES_MAX);
    buffer_init(&st->texts, TEXTS_BYTES_MAX);
}

void store_postgres_statement_release(struct store_postgres_statement *st)
{
    buffer_release(&st->sql);
    buffer_release(&st->texts);
}

void store_postgres_statement_begin(struct store_postgres_statement *st, const char *sql)
{
    buffer_clear(&st->sql);
    buffer_clear(&st->texts);
    st->len = st->numbers_len = 0;
    buffer_append_string(&st->sql, sql);
}

void store_postgres_statement_sql(struct store_postgres_statement *st, const char *sql)
{
    buffer_append_string(&st->sql, sql);
}

/* Gives it a number, by which SQL can name it. */
static int keep_value(struct store_postgres_statement *st, Oid type, const char *data, size_t len)
{
    assert(st->len < STORE_POSTGRES_VALUES_MAX);
    st->values[st->len] = data ? data : "";
    st->lengths[st->len] = (int)len;
    st->formats[st->len] = 1;
    st->types[st->len] = type;
    return ++st->len;
}

static void add_value(struct store_postgres_statement *st, Oid type, const char *data, size_t len)
{
    store_postgres_statement_again(st, keep_value(st, type, data, len));
}

int store_postgres_statement_value(struct store_postgres_statement *st, struct slice text)
{
    return keep_value(st, TYPE_TEXT, text.data, text.len);
}

void store_postgres_statement_again(struct store_postgres_statement *st, int number)
{
    buffer_appendf(&st->sql, "$%d", number);
}

static void add_fixed(struct store_postgres_statement *st, Oid type, const void *data, size_t len)
{
    assert(st->numbers_len < STORE_POSTGRES_NUMBERS_MAX);
    char *kept = st->numbers[st->numbers_len++];

    add_value(st, type, (char *)memcpy(kept, data, len), len);
}

void store_postgres_statement_text(struct store_postgres_statement *st, struct slice text)
{
    add_value(st, TYPE_TEXT, text.data, text.len);
}

void store_postgres_statement_number(struct store_postgres_statement *st, int64_t number)
{
    char wire[8];

    byte_order_put64(wire, (uint64_t)number);
    add_fixed(st, TYPE_INT8, wire, sizeof(wire));
}

void store_postgres_statement_time(struct store_postgres_statement *st, int64_t timestamp_us)
{
    char wire[8];

    /* Beyond the calendar there are no logs, and what someone else put there is left alone. */
    if (timestamp_us > TIMESTAMP_MAX_US)
        timestamp_us = TIMESTAMP_MAX_US + 1;
    else if (timestamp_us < TIMESTAMP_MIN_US)
        timestamp_us = TIMESTAMP_MIN_US;
    store_postgres_wire_put_time(wire, timestamp_us);
    add_fixed(st, TYPE_TIMESTAMPTZ, wire, sizeof(wire));
}

void store_postgres_statement_interval(struct store_postgres_statement *st, int64_t us)
{
    char wire[16] = {0}; /* then days and months */

    byte_order_put64(wire, (uint64_t)us);
    add_fixed(st, TYPE_INTERVAL, wire, sizeof(wire));
}

void store_postgres_statement_id(struct store_postgres_statement *st, const struct uuid *id)
{
    add_fixed(st, TYPE_UUID, id->bytes, sizeof(id->bytes));
}

void store_postgres_statement_path(struct store_postgres_statement *st, struct slice path)
{
    add_value(st, TYPE_JSONPATH, path.data, path.len);
}

struct slice store_postgres_statement_keep(struct store_postgres_statement *st, struct slice text)
{
    size_t from = st->texts.len;

    buffer_append_slice(&st->texts, text);
    return slice_of(st->texts.data + from, text.len);
}

void store_postgres_statement_times(struct store_postgres_statement *st, struct slice array)
{
    add_value(st, TYPE_TIMESTAMPTZ_ARRAY, array.data, array.len);
}

void store_postgres_statement_ids(struct store_postgres_statement *st, struct slice array)
{
    add_value(st, TYPE_UUID_ARRAY, array.data, array.len);
}
