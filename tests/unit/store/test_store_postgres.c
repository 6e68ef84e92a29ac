/*
 * The store in PostgreSQL: what every store promises, what is special about its rows and its
 * reads. What happens when the server fails is in test_store_postgres_faults.c.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "content_conformance.h"
#include "erase_conformance.h"
#include "postgres_place.h"
#include "scan_conformance.h"
#include "store/postgres/days.h"
#include "store/postgres/internal.h"

enum {
    MANY = 20000,

    SCATTERED = 600,
    PAGES = 400,
    SHAPES = 192,
};

/* ---- Conformance ---- */

static const char *database_options = "";

static struct store *open_place(void *database)
{
    return postgres_place_open(database);
}

static void *create(void)
{
    return postgres_server_database(postgres_place_server, database_options);
}

static void destroy(void *database)
{
    postgres_server_drop(postgres_place_server, database);
}

/* ---- Rows ---- */

/* Appends one log with `attributes` now and reads it back. */
static struct record *round_trip(struct postgres_place *p, const char *attributes)
{
    struct record record =
        store_test_record(clock_wall_us(), (uint32_t)random(), "info", "m", attributes);
    struct log_query query = store_test_query(1);

    store_test_append(p->w, &record, 1);
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 1);
    return &p->rows.items[0];
}

static void attributes_come_back_as_jsonb_keeps_them_without_spaces(void **state)
{
    static const char *const pairs[][2] = {
        {"{\"bb\":[1, {\"x\" : null}],\"a\":\"b c\"}", "{\"a\":\"b c\",\"bb\":[1,{\"x\":null}]}"},
        {"{\"q\":\"\\\" \\\\\", \"e\":1e2,\"f\":1.0}", "{\"e\":100,\"f\":1.0,\"q\":\"\\\" \\\\\"}"},
        {"{\"n\":12345678901234567890.123456789}", "{\"n\":12345678901234567890.123456789}"},
        {"{\"u\":\"\\ud83d\\udc18\"}", "{\"u\":\"\xf0\x9f\x90\x98\"}"},
        {"{}", "{}"},
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct record *r = round_trip(*state, pairs[i][0]);

        assert_true(slice_equal(r->attributes, slice_of_string(pairs[i][1])));
    }
}

static void a_number_past_a_double_stays_a_number(void **state)
{
    assert_true(slice_equal(round_trip(*state, "{\"a\":1e+002}")->attributes,
                            SLICE_LITERAL("{\"a\":100}")));
    assert_int_equal(round_trip(*state, "{\"a\":1.7976931348623157e308}")->attributes.len, 315);
    assert_int_equal(round_trip(*state, "{\"a\":1e131071}")->attributes.len, 6 + 131072);
    assert_int_equal(round_trip(*state, "{\"a\":1e-16383}")->attributes.len, 6 + 2 + 16383);
    assert_int_equal(round_trip(*state, "{\"a\":0e999999999}")->attributes.len, 6 + 1);
}

/* What no client can send any longer, but what was taken before, or by others, may hold. */
static void a_number_that_jsonb_does_not_take_is_kept_as_its_text(void **state)
{
    static const char *const pairs[][2] = {
        {"{\"a\":1e131072}", "{\"a\":\"1e131072\"}"},
        {"{\"a\":[-2.5E-99999,1]}", "{\"a\":[\"-2.5E-99999\",1]}"},
        {"{\"a\":\"\\\"1e200000\",\"b\":5e200000}", "{\"a\":\"\\\"1e200000\",\"b\":\"5e200000\"}"},
        {"{\"id\":\"7e1234567\"}", "{\"id\":\"7e1234567\"}"},
        {"{\"a\":0e-16384,\"b\":0e9999999999}", "{\"a\":\"0e-16384\",\"b\":\"0e9999999999\"}"},
    };
    char digits[131073 + sizeof("{\"a\":}")] = "{\"a\":";

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct record *r = round_trip(*state, pairs[i][0]);

        assert_true(slice_equal(r->attributes, slice_of_string(pairs[i][1])));
    }
    memset(digits + 5, '1', 131073);
    memcpy(digits + 5 + 131073, "}", 2);
    assert_int_equal(round_trip(*state, digits)->attributes.len, strlen(digits) + 2);
    digits[6] = '.';
    assert_int_equal(round_trip(*state, digits)->attributes.len, strlen(digits) + 2);
}

/* Or reading them would take gigabytes. */
static void of_very_many_huge_numbers_the_first_are_numbers(void **state)
{
    struct buffer b;

    buffer_init(&b, 1 << 20);
    buffer_append_string(&b, "{\"a\":[1e131071");
    for (int i = 0; i < 600; i++)
        buffer_append_string(&b, ",1e131071");
    buffer_append(&b, "]}", 3);

    struct record *r = round_trip(*state, b.data);
    assert_true(r->attributes.len < 2 * 131072 + 20000);
    assert_non_null(memmem(r->attributes.data, r->attributes.len, ",\"1e131071\"]", 12));
    buffer_release(&b);
}

static void a_log_that_cannot_be_kept_is_bad_data_and_nothing_is_stored(void **state)
{
    struct postgres_place *p = *state;
    const char *const bad_attributes[] = {"{\"a\":\"\\u0000\"}", "{\"a\":"};
    int64_t now_us = clock_wall_us();
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;
    struct record records[3];

    for (uint32_t k = 0; k < 3; k++) {
        for (uint32_t i = 0; i < 3; i++)
            records[i] = store_test_record(now_us, i, "info", "m", NULL);
        if (k < 2)
            records[1].attributes = slice_of_string(bad_attributes[k]);
        else
            records[1].message = SLICE_LITERAL("a\0b");
        assert_int_equal(store_append(p->w, records, 3, &result, &err), LM_EDATA);
        assert_non_null(strstr(err.text, "SQLSTATE 22"));
        assert_int_equal(result.stored, 0);
    }
    records[1] = store_test_record(now_us, 1, "info", "m", NULL);
    assert_int_equal(store_test_append(p->w, records, 3).stored, 3);
}

/* A repeat goes another way: bad data is found there, too. */
static void bad_data_among_repeats_is_bad_data(void **state)
{
    struct postgres_place *p = *state;
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;
    struct record records[2];

    records[0] = store_test_record(clock_wall_us(), 0, "info", "m", NULL);
    records[1] = store_test_record(clock_wall_us(), 1, "info", "a secret", NULL);
    store_test_append(p->w, records, 1);
    postgres_place_sql(p, "CREATE UNIQUE INDEX ON logs (\"timestamp\", id, level);"
                          "ALTER TABLE logs ADD CHECK (level <> 'bad')");
    records[1].level = SLICE_LITERAL("bad");
    assert_int_equal(store_append(p->w, records, 2, &result, &err), LM_EDATA);
    assert_non_null(strstr(err.text, "check constraint"));
    assert_null(strstr(err.text, "secret")); /* PostgreSQL's DETAIL is "Failing row contains …" */
    records[1].level = SLICE_LITERAL("good");
    assert_int_equal(store_test_append(p->w, records, 2).stored, 1);
}

/* ---- Reads ---- */

static int newest_first(const void *a, const void *b)
{
    return log_key_compare(&((const struct record *)b)->key, &((const struct record *)a)->key);
}

/* Logs of some hours, of weeks, of years, of all times. */
static struct record *make_scattered(void)
{
    static const int64_t day_us = INT64_C(86400) * 1000000;
    struct record *records = xcalloc(SCATTERED, sizeof(*records));
    int64_t now_us = clock_wall_us();

    srandom(7);
    for (uint32_t i = 0; i < SCATTERED; i++) {
        int64_t back = i % 5 == 0   ? random() % 3600 * 1000000
                       : i % 5 == 1 ? random() % 40 * day_us
                       : i % 5 == 2 ? random() % 3000 * day_us
                       : i % 5 == 3 ? -(random() % 300000) * day_us
                                    : random() % 700000 * day_us;

        records[i] = store_test_record(now_us - back - random() % day_us, i,
                                       i % 2 == 0 ? "info" : "warn", "m", NULL);
    }
    return records;
}

static void pages_over_all_times_are_those_of_brute_force(void **state)
{
    struct postgres_place *p = *state;
    struct record *records = make_scattered();

    assert_int_equal(store_test_append(p->w, records, SCATTERED).stored, SCATTERED);
    qsort(records, SCATTERED, sizeof(*records), newest_first);
    for (int k = 0; k < PAGES; k++) {
        struct log_query query = store_test_query(1 + (unsigned)random() % 200);
        size_t found = 0;

        if (random() % 3 == 0)
            query.filter.until_us = records[random() % SCATTERED].key.timestamp_us;
        if (random() % 3 == 0)
            query.filter.since_us = records[random() % SCATTERED].key.timestamp_us;
        if (random() % 3 == 0)
            query.filter.levels[query.filter.levels_len++] = SLICE_LITERAL("WARN");
        query.has_cursor = random() % 3 == 0;
        query.cursor = records[random() % SCATTERED].key;
        query.offset = random() % 2 == 0 ? (uint64_t)random() % SCATTERED : 0;
        store_test_run(p->r, &query, &p->rows);
        for (size_t i = 0; i < SCATTERED && found < query.limit; i++) {
            const struct log_key *key = &records[i].key;

            if (key->timestamp_us < query.filter.since_us ||
                key->timestamp_us >= query.filter.until_us ||
                !store_test_matches(&query.filter, &records[i]) ||
                (query.has_cursor && log_key_compare(key, &query.cursor) >= 0))
                continue;
            if (query.offset > 0) {
                query.offset--;
                continue;
            }
            assert_true(found < p->rows.len);
            store_test_assert_equal(&p->rows.items[found++], &records[i]);
        }
        assert_int_equal(found, p->rows.len);
    }
    free(records);
}

static void attribute_filters_answer_as_the_matching_function_does(void **state)
{
    static const char *const attributes[] = {
        "{\"a\":\"x\"}",
        "{\"a\":1}",
        "{\"a\":\"1\"}",
        "{\"a\":1.0}",
        "{\"a\":true}",
        "{\"a\":false}",
        "{\"a\":null}",
        "{\"a\":\"null\"}",
        "{\"a\":{}}",
        "{\"a\":[]}",
        "{\"a\":\"\"}",
        "{\"a\":\"{\\\"\"}",
        "{\"a\":\"true\"}",
        "{\"b\":1}",
        "{}",
        NULL,
        "{\"\":1,\"a\":\"'\"}",
        "{\"a\":\"{}\"}",
    };
    static const char *const names[] = {"a", "b", "", "c", "?", "a'"};
    static const char *const values[] = {"x",  "1",   "1.0", "true", "false",  "null",  "{}",
                                         "[]", "{\"", "",    "'",    "object", "number"};
    enum { LOGS = sizeof(attributes) / sizeof(attributes[0]) };
    struct postgres_place *p = *state;
    struct record records[LOGS];
    int64_t now_us = clock_wall_us();

    for (uint32_t i = 0; i < LOGS; i++)
        records[i] = store_test_record(now_us + i, i, "info", "m", attributes[i]);
    store_test_append(p->w, records, LOGS);
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
        for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
            struct log_query query = store_test_query(100);
            size_t expected = 0;

            query.filter.attributes[query.filter.attributes_len++] = (struct log_attribute_filter){
                slice_of_string(names[n]), slice_of_string(values[v]), (n + v) % 2 == 1};
            store_test_run(p->r, &query, &p->rows);
            for (size_t i = 0; i < LOGS; i++)
                expected += store_test_matches(&query.filter, &records[i]);
            assert_int_equal(p->rows.len, expected);
            for (size_t i = 0; i < p->rows.len; i++)
                assert_true(store_test_matches(&query.filter, &p->rows.items[i]));
        }
}

static void text_is_searched_for_as_it_is(void **state)
{
    static const char *const messages[] = {
        "100% sure", "a_b", "axb", "back\\slash", "%", "\xc3\x84 \xe1\xba\x9e", "''; --"};
    static const char *const texts[] = {"%", "_", "\\", "\xc3\xa4 \xc3\x9f", "'", "A_B", "xyz"};
    enum { LOGS = sizeof(messages) / sizeof(messages[0]) };
    struct postgres_place *p = *state;
    struct record records[LOGS];
    int64_t now_us = clock_wall_us();

    for (uint32_t i = 0; i < LOGS; i++)
        records[i] = store_test_record(now_us + i, i, "info", messages[i], NULL);
    store_test_append(p->w, records, LOGS);
    for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++) {
        struct log_query query = store_test_query(100);
        size_t expected = 0;

        query.filter.text = slice_of_string(texts[t]);
        store_test_run(p->r, &query, &p->rows);
        for (size_t i = 0; i < LOGS; i++)
            expected += store_test_matches(&query.filter, &records[i]);
        assert_int_equal(p->rows.len, expected);
    }
}

static void a_server_with_strings_of_old_is_written_to_and_read(void **state)
{
    struct postgres_place *p = *state;

    postgres_place_sql(p, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET "
                          "standard_conforming_strings = off', current_database()); END $$");
    round_trip(p, "{\"path\":\"c:\\\\logs\"}");
}

static int count_none(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    fail_msg("a count of what cannot be");
    return 0;
}

static void what_postgresql_cannot_look_for_is_not_found(void **state)
{
    static const struct slice impossible[] = {SLICE_LITERAL("m\0"), SLICE_LITERAL("\xff")};
    struct postgres_place *p = *state;
    struct errbuf err = ERRBUF_INIT;

    round_trip(p, "{\"a\":1}");
    for (size_t i = 0; i < 2; i++) {
        struct log_query text = store_test_query(10), level = text, attribute = text;
        struct log_stats_query stats = {.bucket_us = 1000000};

        text.filter.text = impossible[i];
        level.filter.levels[level.filter.levels_len++] = impossible[i];
        attribute.filter.attributes[attribute.filter.attributes_len++] =
            (struct log_attribute_filter){SLICE_LITERAL("a"), impossible[i], false};
        store_test_run(p->r, &text, &p->rows);
        assert_int_equal(p->rows.len, 0);
        store_test_run(p->r, &attribute, &p->rows);
        assert_int_equal(p->rows.len, 0);
        store_test_run(p->r, &level, &p->rows);
        assert_int_equal(p->rows.len, 0);
        level.filter.levels[level.filter.levels_len++] = SLICE_LITERAL("INFO");
        store_test_run(p->r, &level, &p->rows);
        assert_int_equal(p->rows.len, 1);
        stats.filter = text.filter;
        stats.filter.since_us = 0;
        assert_int_equal(store_test_stats(p->r, &stats, count_none, NULL, &err), 0);
    }
}

static void rows_beyond_the_calendar_that_others_put_there_are_left_alone(void **state)
{
    struct postgres_place *p = *state;
    struct log_query query = store_test_query(10);

    round_trip(p, NULL);
    postgres_place_sql(p, "INSERT INTO logs SELECT t, gen_random_uuid(), 'info', 'm', NULL FROM "
                          "unnest('{infinity,-infinity,0001-01-01 BC,10000-01-01 00:00+00}'"
                          "::timestamptz[]) AS t");
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 1);
}

static void any_number_of_kinds_of_filters_can_be_asked_for(void **state)
{
    struct postgres_place *p = *state;

    round_trip(p, "{\"a\":1}");
    for (size_t k = 0; k < SHAPES; k++) {
        struct log_query query = store_test_query(10);

        for (size_t i = 0; i < k % FILTER_LEVELS_MAX; i++)
            query.filter.levels[query.filter.levels_len++] = SLICE_LITERAL("info");
        for (size_t i = 0; i < k / FILTER_LEVELS_MAX; i++)
            query.filter.attributes[query.filter.attributes_len++] =
                (struct log_attribute_filter){SLICE_LITERAL("a"), SLICE_LITERAL("1"), false};
        store_test_run(p->r, &query, &p->rows);
        assert_int_equal(p->rows.len, 1);
    }
}

/* The lines of the plan of the statement that the reader has run last, with other `values`. */
static char *explain(struct postgres_place *p, const char *values)
{
    struct store_postgres_reader *r = (struct store_postgres_reader *)p->r;
    struct errbuf err = ERRBUF_INIT;
    char sql[2048];
    char *plan = xcalloc(1, 16384);
    PGresult *result;

    snprintf(sql, sizeof(sql),
             "DEALLOCATE ALL; SET plan_cache_mode = force_custom_plan; PREPARE page AS %s; "
             "EXPLAIN EXECUTE page (%s)",
             r->statement.sql.data, values);
    if (store_postgres_conn_exec(&r->conn, sql, &result, &err) != 0)
        fail_msg("%s: %s", sql, err.text);
    for (int i = 0; i < PQntuples(result); i++) {
        size_t len = strlen(plan);

        snprintf(plan + len, 16384 - len, "%s\n", PQgetvalue(result, i, 0));
    }
    PQclear(result);
    return plan;
}

static int occurrences(const char *text, const char *part)
{
    int n = 0;

    for (const char *p = text; (p = strstr(p, part)); p++)
        n++;
    return n;
}

static void a_page_reads_indexes_of_few_partitions_and_sorts_nothing(void **state)
{
    struct postgres_place *p = *state;
    struct record *records = xcalloc(MANY, sizeof(*records));
    struct log_query query = store_test_query(10);
    char now[TIMESTAMP_TEXT_LEN + 1] = {0};
    char values[256];
    char *plan;

    for (uint32_t i = 0; i < MANY; i++)
        records[i] = store_test_record(
            clock_wall_us() - (int64_t)(i % (STORE_POSTGRES_DAYS_BACK + 1)) * 86400 * 1000000, i,
            "info", "m", NULL);
    store_test_append(p->w, records, MANY);
    free(records);
    postgres_place_sql(p, "ANALYZE logs");
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 10);
    timestamp_format(clock_wall_us(), now);
    /* The newest window: yesterday to the end of time, which ends with the days ahead. */
    snprintf(values, sizeof(values),
             "date_trunc('day', timestamptz '%s' - interval '1 day'), 'infinity', 10, 0", now);
    plan = explain(p, values);
    assert_int_equal(occurrences(plan, "Sort  ("), 0);
    assert_int_equal(occurrences(plan, "Seq Scan"), 0);
    assert_int_equal(occurrences(plan, "Bitmap"), 0);
    assert_in_range(occurrences(plan, "Index Scan Backward"), 2, 5);
    free(plan);
    /* A day in the past: one partition. */
    snprintf(values, sizeof(values),
             "date_trunc('day', timestamptz '%s' - interval '9 day'), "
             "date_trunc('day', timestamptz '%s' - interval '8 day'), 10, 0",
             now, now);
    plan = explain(p, values);
    assert_int_equal(occurrences(plan, "Scan"), 1);
    assert_int_equal(occurrences(plan, "Index Scan Backward"), 1);
    free(plan);
}

/* Whatever the planner thinks of how many logs match: it would read all, and sort what it found. */
static void a_page_of_what_is_rare_goes_through_the_index(void **state)
{
    struct postgres_place *p = *state;
    struct record *records = xcalloc(MANY, sizeof(*records));
    struct log_query query = store_test_query(3);
    int64_t now_us = clock_wall_us(); /* of all: which ones a page reads is then certain */

    for (uint32_t i = 0; i < MANY; i++)
        records[i] = store_test_record(now_us - i, i, i % 50 == 0 ? "error" : "info",
                                       i % 100 == 0 ? "timed out" : "m", NULL);
    store_test_append(p->w, records, MANY);
    free(records);
    postgres_place_sql(p, "ANALYZE logs");
    query.filter.text = SLICE_LITERAL("timed");
    query.filter.levels[query.filter.levels_len++] = SLICE_LITERAL("error");
    store_test_run(p->r, &query, &p->rows);
    assert_int_equal(p->rows.len, 3);
    store_reader_free(p->r); /* which tells the server what it has read */
    p->r = store_test_reader(p->s);
    postgres_place_await(p,
                         "SELECT sum(idx_tup_fetch) FROM pg_stat_user_tables "
                         "WHERE relname ~ '^logs_2'",
                         201);
    assert_int_equal(postgres_place_number(p, "SELECT sum(seq_tup_read) FROM pg_stat_user_tables "
                                              "WHERE relname ~ '^logs_2'"),
                     0);
}

static void one_log_is_looked_for_in_one_partition(void **state)
{
    struct postgres_place *p = *state;
    struct record record = *round_trip(p, NULL);
    struct errbuf err = ERRBUF_INIT;
    char now[TIMESTAMP_TEXT_LEN + 1] = {0};
    char today[32];
    char *plan;

    store_reader_free(p->r);
    p->r = store_test_reader(p->s);
    assert_int_equal(store_get(p->r, &record.key.id, store_test_collect, &p->rows, &err), 0);
    plan = explain(p, "now(), now() + interval '1 ms', gen_random_uuid()");
    assert_int_equal(occurrences(plan, "Seq Scan") + occurrences(plan, "Bitmap"), 0);
    timestamp_format(clock_wall_us(), now);
    snprintf(today, sizeof(today), "on logs_%.4s%.2s%.2s", now, now + 5, now + 8);
    assert_in_range(occurrences(plan, today), 2, 3);
    assert_int_equal(occurrences(plan, today), occurrences(plan, "on logs_"));
    free(plan);
}

static void the_trigram_index_of_the_manual_serves_a_search(void **state)
{
    struct postgres_place *p = *state;
    struct log_query query = store_test_query(10);
    struct record *records;
    char(*messages)[32];
    char *plan;

    if (postgres_place_number(p, "SELECT count(*) FROM pg_available_extensions "
                                 "WHERE name = 'pg_trgm'") == 0)
        skip();
    records = xcalloc(MANY, sizeof(*records));
    messages = xcalloc(MANY, sizeof(*messages));
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(messages[i], sizeof(messages[i]), "request %08lx done", random());
        records[i] = store_test_record(clock_wall_us() + i, i, "info", messages[i], NULL);
    }
    store_test_append(p->w, records, MANY);
    postgres_place_sql(p, "CREATE EXTENSION pg_trgm;"
                          "CREATE INDEX ON logs USING gin (message gin_trgm_ops);"
                          "ANALYZE logs");
    query.filter.text = slice_of(messages[7] + 8, 8);
    store_test_run(p->r, &query, &p->rows);
    assert_in_range(p->rows.len, 1, 2);
    plan = explain(p, "now() - interval '1 day', 'infinity', '%5a5a5a5a%', 10, 0");
    assert_non_null(strstr(plan, "message_idx"));
    free(plan);
    /* Days to come get the index as well. */
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM pg_indexes WHERE tablename ~ "
                                              "'^logs_2' AND indexdef LIKE '%gin_trgm_ops%'"),
                     1 + STORE_POSTGRES_DAYS_AHEAD);
    records[0] = store_test_record(clock_wall_us() - INT64_C(864000000000), 1, "info", "m", NULL);
    store_test_append(p->w, records, 1);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM pg_indexes WHERE tablename ~ "
                                              "'^logs_2' AND indexdef LIKE '%gin_trgm_ops%'"),
                     2 + STORE_POSTGRES_DAYS_AHEAD);
    free(records);
    free(messages);
}

static void a_reader_needs_nothing_but_select_on_logs_and_cannot_write(void **state)
{
    struct postgres_place *p = *state;
    struct store_postgres_options options =
        postgres_server_options(postgres_place_server, p->database);
    struct log_query query = store_test_query(10);
    struct errbuf err = ERRBUF_INIT;
    struct store_postgres_reader *reader;
    struct store *s;
    struct store_reader *r;
    PGresult *rows;

    round_trip(p, NULL);
    postgres_place_sql(
        p, "CREATE ROLE looker LOGIN PASSWORD 'sesame'; GRANT SELECT ON logs TO looker");
    options.user = "looker";
    s = store_postgres_new(&options, &err);
    r = store_test_reader(s);
    store_test_run(r, &query, &p->rows);
    assert_int_equal(p->rows.len, 1);
    store_reader_free(r);
    store_free(s);
    postgres_place_sql(p, "DROP OWNED BY looker; DROP ROLE looker");
    reader = (struct store_postgres_reader *)p->r;
    store_postgres_statement_begin(&reader->statement, "DELETE FROM logs");
    assert_int_not_equal(store_postgres_reader_run_whole(reader, &rows, &err), 0);
    assert_non_null(strstr(err.text, "25006"));
    /* Nothing of that stays in the session, which a pooler may give to others. */
    assert_int_equal(
        store_postgres_conn_exec(&reader->conn, "SHOW default_transaction_read_only", &rows, &err),
        0);
    assert_string_equal(PQgetvalue(rows, 0, 0), "off");
    PQclear(rows);
}

static void a_log_stored_while_the_clock_was_ahead_does_not_keep_arrivals(void **state)
{
    struct postgres_place *p = *state;
    struct record record = store_test_record(clock_wall_us(), 1, "info", "m", NULL);

    postgres_place_sql(p, "INSERT INTO arrivals (\"transaction\", stored, timestamps, ids) "
                          "SELECT n::text::xid8, now() + interval '1 h' * hours, '{}', '{}' "
                          "FROM (VALUES (1, -2), (2, 8760), (3, -2), (4, 8760)) old (n, hours)");
    store_test_append(p->w, &record, 1);
    /* The last of those that are forgotten stays, for whoever follows. */
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM arrivals"), 2);
    assert_int_equal(
        postgres_place_number(p, "SELECT min(\"transaction\"::text::int) FROM arrivals"), 4);
}

/* To the server it is yesterday: sessions find another now() before its own. */
static void the_servers_clock_tells_which_days_are_over(void **state)
{
    struct postgres_place *p = *state;
    const int64_t day_us = INT64_C(86400) * 1000000;
    struct record records[] = {
        store_test_record(clock_wall_us() - day_us, 0, "info", "today", NULL),
        store_test_record(clock_wall_us(), 1, "info", "tomorrow", NULL),
        store_test_record(clock_wall_us() - 3 * day_us, 2, "info", "over", NULL),
    };
    struct errbuf err = ERRBUF_INIT;
    size_t deleted = 1;

    postgres_place_sql(
        p, "CREATE SCHEMA late; GRANT USAGE ON SCHEMA late TO tester; "
           "CREATE FUNCTION late.now() RETURNS timestamptz LANGUAGE sql STABLE "
           "AS 'SELECT pg_catalog.now() - interval ''1 day'' '; "
           "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, late, "
           "pg_catalog', current_database()); END $$");
    store_test_append(p->w, records, 3);
    while (deleted > 0)
        if (store_shrink(p->w, 1, &deleted, &err))
            fail_msg("cannot shrink: %s", err.text);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs"), 2);
}

/* ---- Erasing ---- */

enum { RACERS = 64, ROUNDS = 25, MANY_KEYS = 500 };

/* Stores the same logs again and again, as a queue does that delivers them again. */
struct redelivery {
    struct store_writer *w;
    struct record records[RACERS];
    atomic_bool over;
};

static void *redeliver(void *arg)
{
    struct redelivery *r = arg;

    while (!atomic_load(&r->over)) {
        store_test_append(r->w, r->records, RACERS);
        store_test_append(r->w, r->records, 1);
    }
    return NULL;
}

static void erase_everything(struct postgres_place *p)
{
    const struct store_slice slice = {.rows = RACERS};
    struct errbuf err = ERRBUF_INIT;
    struct log_filter filter;
    struct store_scan scan;

    log_filter_init(&filter);
    struct log_matcher *matcher = log_matcher_new(&filter);
    store_scan_init(&scan, matcher, NULL, 0);
    while (!scan.done) {
        size_t erased;

        if (store_erase(p->w, &scan, &slice, true, &erased, &err))
            fail_msg("cannot erase: %s", err.text);
    }
    log_matcher_unref(matcher);
}

static void a_redelivery_that_races_the_erasing_brings_nothing_back(void **state)
{
    struct postgres_place *p = *state;
    struct redelivery r = {.w = store_test_writer(p->s)};

    for (unsigned round = 0; round < ROUNDS; round++) {
        pthread_t thread;

        for (unsigned i = 0; i < RACERS; i++)
            r.records[i] =
                store_test_record(clock_wall_us(), round * RACERS + i, "info", "m", NULL);
        store_test_append(p->w, r.records, RACERS);
        atomic_store(&r.over, false);
        assert_int_equal(pthread_create(&thread, NULL, redeliver, &r), 0);
        usleep(2000 + 500 * (round % 5));
        erase_everything(p);
        usleep(5000);
        atomic_store(&r.over, true);
        pthread_join(thread, NULL);
        assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs"), 0);
        assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM tombstones"),
                         (long)(round + 1) * RACERS);
    }
    store_writer_free(r.w);
}

#ifdef LOGMILL_FAULTS
static void what_there_was_no_memory_to_erase_is_not_said_to_be_gone(void **state)
{
    struct postgres_place *p = *state;
    const struct store_slice slice = {.rows = MANY_KEYS};
    struct record records[MANY_KEYS];
    struct errbuf err = ERRBUF_INIT;
    struct log_filter filter;
    unsigned failed = 1;
    int error;

    log_filter_init(&filter);
    struct log_matcher *matcher = log_matcher_new(&filter);
    for (unsigned i = 0; i < MANY_KEYS; i++)
        records[i] = store_test_record(clock_wall_us(), i, "info", "m", NULL);
    for (unsigned point = 1; failed > 0; point++) {
        struct store_writer *w = store_test_writer(p->s);
        struct store_scan scan;
        size_t erased;

        store_test_append(p->w, records, MANY_KEYS);
        store_scan_init(&scan, matcher, NULL, 0);
        fault_plan(&(struct fault_plan){.kind = FAULT_INPUT, .first = point});
        do
            error = store_erase(w, &scan, &slice, false, &erased, &err);
        while (!error && !scan.done);
        failed = fault_count();
        fault_plan(&(struct fault_plan){0});
        if (!error)
            assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs"), 0);
        store_writer_free(w);
    }
    assert_int_equal(error, 0);
    log_matcher_unref(matcher);
}
#endif

static void tombstones_go_when_no_queue_can_have_the_message_any_more(void **state)
{
    struct postgres_place *p = *state;
    struct record record = store_test_record(clock_wall_us(), 1, "info", "m", NULL);

    store_test_append(p->w, &record, 1);
    erase_everything(p);
    postgres_place_sql(p, "INSERT INTO tombstones SELECT now(), gen_random_uuid(), "
                          "now() - interval '1 day' * days FROM generate_series(14, 16) days");
    /* Another process looks at its first append. */
    struct store_writer *w = store_test_writer(p->s);
    struct record other = store_test_record(clock_wall_us(), 2, "info", "m", NULL);
    store_test_append(w, &other, 1);
    store_writer_free(w);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM tombstones"), 2);
    assert_int_equal(
        postgres_place_number(
            p, "SELECT count(*) FROM tombstones WHERE deleted < now() - interval '15 days'"),
        0);
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, postgres_place_set_up, postgres_place_tear_down)

int main(void)
{
    struct store_conformance conformance = {
        .name = "store_postgres", .create = create, .destroy = destroy, .open = open_place};
    const struct CMUnitTest cases[] = {
        CASE(attributes_come_back_as_jsonb_keeps_them_without_spaces),
        CASE(a_number_past_a_double_stays_a_number),
        CASE(a_number_that_jsonb_does_not_take_is_kept_as_its_text),
        CASE(of_very_many_huge_numbers_the_first_are_numbers),
        CASE(a_log_that_cannot_be_kept_is_bad_data_and_nothing_is_stored),
        CASE(bad_data_among_repeats_is_bad_data),
        CASE(pages_over_all_times_are_those_of_brute_force),
        CASE(attribute_filters_answer_as_the_matching_function_does),
        CASE(text_is_searched_for_as_it_is),
        CASE(a_server_with_strings_of_old_is_written_to_and_read),
        CASE(what_postgresql_cannot_look_for_is_not_found),
        CASE(rows_beyond_the_calendar_that_others_put_there_are_left_alone),
        CASE(any_number_of_kinds_of_filters_can_be_asked_for),
        CASE(a_page_reads_indexes_of_few_partitions_and_sorts_nothing),
        CASE(a_page_of_what_is_rare_goes_through_the_index),
        CASE(one_log_is_looked_for_in_one_partition),
        CASE(the_trigram_index_of_the_manual_serves_a_search),
        CASE(a_reader_needs_nothing_but_select_on_logs_and_cannot_write),
        CASE(a_log_stored_while_the_clock_was_ahead_does_not_keep_arrivals),
        CASE(the_servers_clock_tells_which_days_are_over),
        CASE(a_redelivery_that_races_the_erasing_brings_nothing_back),
#ifdef LOGMILL_FAULTS
        CASE(what_there_was_no_memory_to_erase_is_not_said_to_be_gone),
#endif
        CASE(tombstones_go_when_no_queue_can_have_the_message_any_more),
    };
    int failed;

    if (!postgres_place_start())
        return POSTGRES_PLACE_SKIPPED;
    failed = store_conformance_run(&conformance) + scan_conformance_run(&conformance) +
             content_conformance_run(&conformance) + erase_conformance_run(&conformance);
    conformance.name = "store_postgres in a database that knows no Unicode";
    database_options = "TEMPLATE template0 LOCALE 'C'";
    failed += store_conformance_run(&conformance);
    failed += cmocka_run_group_tests_name("store_postgres rows and reads", cases, NULL, NULL);
    postgres_place_stop();
    return failed;
}
