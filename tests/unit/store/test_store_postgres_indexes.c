/* The store in PostgreSQL: the indexes that the keeper makes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "base/clock.h"
#include "diag/diag.h"
#include "postgres_place.h"
#include "query/language.h"
#include "store/inspect.h"
#include "store/postgres/internal.h"

enum { LOGS = 3000, STEPS_MAX = 6000 };

static const int64_t DAY_US = INT64_C(86400) * 1000000;

#define OURS                                                                                       \
    "FROM pg_index AS x JOIN pg_class AS n ON n.oid = x.indexrelid "                               \
    "WHERE n.relname LIKE '%\\_logmill\\_%' "

/* The same place, with a store that is to make these. */
static struct store *open_with(struct postgres_place *p, const char *indexes)
{
    struct store_postgres_options options =
        postgres_server_options(postgres_place_server, p->database);
    struct errbuf err = ERRBUF_INIT;

    options.indexes = indexes;
    struct store *s = store_postgres_new(&options, &err);
    if (!s)
        fail_msg("%s", err.text);
    return s;
}

/* A keeper, as a process that starts has it, does all that there is to do. */
static void keep(struct postgres_place *p, const char *indexes)
{
    struct store *s = open_with(p, indexes);
    struct errbuf err = ERRBUF_INIT;
    struct store_keeper *k = store_keeper_new(s, &err);
    unsigned wait_ms = 0;
    int steps = 0;

    assert_non_null(k);
    while (wait_ms < STORE_KEEPER_WAIT_MAX_MS) {
        if (store_keeper_step(k, true, &wait_ms, &err))
            fail_msg("%s", err.text);
        assert_true(steps++ < STEPS_MAX);
        usleep(wait_ms < STORE_KEEPER_WAIT_MAX_MS ? wait_ms * 1000 : 0);
    }
    store_keeper_free(k);
    store_free(s);
}

/* Logs of one day, a second apart, each with an id of its own; returns the time of the last. */
static int64_t append_day(struct postgres_place *p, int days_ago)
{
    static struct record records[LOGS];
    static char messages[LOGS][64], attributes[LOGS][64];
    int64_t now_us = clock_wall_us();
    int64_t start_us = now_us - now_us % DAY_US - days_ago * DAY_US;

    for (uint32_t i = 0; i < LOGS; i++) {
        snprintf(messages[i], sizeof(messages[i]), "request %04u took long", i);
        snprintf(attributes[i], sizeof(attributes[i]), "{\"http\":{\"trace\":\"t%04u\"},\"n\":%u}",
                 i, i % 7);
        records[i] = store_test_record(start_us + i * INT64_C(1000000), i, "info", messages[i],
                                       attributes[i]);
    }
    store_test_append(p->w, records, LOGS);
    return records[LOGS - 1].key.timestamp_us;
}

static void days_that_are_over_get_them_and_no_others(void **state)
{
    struct postgres_place *p = *state;

    append_day(p, 0);
    append_day(p, 3);
    append_day(p, 5);
    keep(p, "");
    assert_int_equal(postgres_place_number(p, "SELECT count(*) " OURS), 0);
    keep(p, "message, attributes");
    assert_int_equal(postgres_place_number(p, "SELECT count(*) " OURS " AND x.indisvalid"), 4);
    assert_int_equal(postgres_place_number(p,
                                           "SELECT count(*) " OURS " AND n.relname LIKE 'logs_' || "
                                           "to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD') || '%'"),
                     0);
}

/* Beside the days that are over, with what is written; none of what is older than the days. */
static void each_day_gets_that_of_levels(void **state)
{
    struct postgres_place *p = *state;
    long days;

    append_day(p, 3);
    append_day(p, 0);
    keep(p, "levels");
    days = postgres_place_number(p, "SELECT count(*) FROM pg_inherits AS i JOIN pg_class AS c ON "
                                    "c.oid = i.inhrelid WHERE i.inhparent = 'logs'::regclass AND "
                                    "c.relname ~ '^logs_[0-9]{8}$'");
    assert_true(days >= 2);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) " OURS " AND x.indisvalid"), days);
}

static void one_that_came_to_no_end_is_made_anew(void **state)
{
    struct postgres_place *p = *state;

    append_day(p, 3);
    keep(p, "attributes");
    long oid = postgres_place_number(p, "SELECT x.indexrelid " OURS);
    assert_true(oid > 0);
    postgres_place_sql(p, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = (SELECT "
                          "x.indexrelid " OURS ")");
    keep(p, "attributes");
    assert_int_equal(postgres_place_number(p, "SELECT count(*) " OURS " AND x.indisvalid"), 1);
    assert_true(postgres_place_number(p, "SELECT x.indexrelid " OURS) != oid);
}

static void pg_trgm_may_be_in_a_schema_of_any_name(void **state)
{
    struct postgres_place *p = *state;

    postgres_place_sql(
        p, "CREATE SCHEMA \"odd \"\" one\"; CREATE EXTENSION pg_trgm SCHEMA \"odd \"\" one\"; "
           "GRANT USAGE ON SCHEMA \"odd \"\" one\" TO tester");
    append_day(p, 3);
    keep(p, "message");
    assert_int_equal(postgres_place_number(p, "SELECT count(*) " OURS " AND x.indisvalid"), 1);
}

/* As where the extension is not installed, but for the reason. */
static void without_pg_trgm_all_goes_on(void **state)
{
    struct postgres_place *p = *state;
    char sql[128];

    snprintf(sql, sizeof(sql), "REVOKE CREATE ON DATABASE %s FROM tester", p->database);
    postgres_place_sql(p, sql);
    append_day(p, 3);
    keep(p, "message,attributes");
    assert_int_equal(postgres_place_number(p, "SELECT count(*) " OURS " AND x.indisvalid "
                                              "AND n.relname LIKE '%attributes'"),
                     1);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) " OURS), 1);
}

/* ---- Reading ---- */

/* The plan of the last statement of the reader that asked for logs, with the settings that it has.
 */
static void explain(struct postgres_place *p, const char *settings, struct buffer *plan)
{
    const struct store_postgres_statement *st = &((struct store_postgres_reader *)p->r)->statement;
    PGconn *pg = postgres_server_connect(postgres_place_server, p->database);
    struct buffer sql;

    buffer_init(&sql, 1 << 20);
    buffer_append_string(&sql, "EXPLAIN ");
    buffer_append_string(&sql, st->sql.data);
    buffer_append_char(&sql, '\0');
    PQclear(PQexec(pg, settings));
    PGresult *rows =
        PQexecParams(pg, sql.data, st->len, st->types, st->values, st->lengths, st->formats, 0);
    if (PQresultStatus(rows) != PGRES_TUPLES_OK)
        fail_msg("%s", PQresultErrorMessage(rows));
    buffer_init(plan, 1 << 20);
    for (int i = 0; i < PQntuples(rows); i++) {
        buffer_append_string(plan, PQgetvalue(rows, i, 0));
        buffer_append_char(plan, '\n');
    }
    buffer_append_char(plan, '\0');
    PQclear(rows);
    PQfinish(pg);
    buffer_release(&sql);
}

/* That the query finds `n` logs, and by this index. */
static void expect_index(struct postgres_place *p, struct log_query *query, size_t n,
                         const char *index)
{
    struct log_matcher *m = log_matcher_new(&query->filter);
    struct errbuf err = ERRBUF_INIT;
    const struct store_slice slice = {.rows = 100};
    struct store_test_rows rows = {0};
    struct store_scan scan;
    struct buffer plan;

    store_scan_init(&scan, m, NULL, 0);
    while (!scan.done)
        if (store_scan_next(p->r, &scan, &slice, store_test_collect, &rows, &err))
            fail_msg("%s", err.text);
    assert_int_equal(rows.len, n);
    assert_non_null(
        strstr(((struct store_postgres_reader *)p->r)->statement.sql.data, ") IS TRUE"));
    explain(p, "SET enable_seqscan = off; SET enable_indexscan = off", &plan);
    if (!strstr(plan.data, index) || !strstr(plan.data, "Index Cond: "))
        fail_msg("another plan: %s", plan.data);
    buffer_release(&plan);
    store_test_rows_release(&rows);
    log_matcher_unref(m);
}

static struct log_query query_until(int64_t last_us)
{
    struct log_query query = store_test_query(100);

    query.filter.since_us = last_us - last_us % DAY_US;
    query.filter.until_us = last_us + 1;
    return query;
}

static void what_is_rare_is_found_by_them(void **state)
{
    struct postgres_place *p = *state;
    int64_t last_us = append_day(p, 3);
    struct log_query query = query_until(last_us);

    keep(p, "message,attributes");
    postgres_place_sql(p, "ANALYZE logs");
    query.filter.text = SLICE_LITERAL("QUEST 0007");
    expect_index(p, &query, 1, "_logmill_message");
    query = query_until(last_us);
    query.filter.attributes[query.filter.attributes_len++] = (struct log_attribute_filter){
        .name = SLICE_LITERAL("http.trace"), .value = SLICE_LITERAL("t0123")};
    expect_index(p, &query, 1, "_logmill_attributes");
}

/* ---- By level ---- */

/* A log each 10 s: all levels that there are, and others, by turns. */
static int64_t append_levels(struct postgres_place *p, int days_ago)
{
    static const char *const levels[] = {
        "info",    "INFO",  "debug", "iNFO",     "error", "Error",     "trace", "access",
        "warning", "WARN",  "err",   "notice",   "fatal", "emergency", "Info",  "\xc4\xb0nfo",
        "info",    "alert", "info",  "critical", "info",  "DeBuG"};
    static struct record records[LOGS];
    int64_t now_us = clock_wall_us();
    int64_t start_us = now_us - now_us % DAY_US - days_ago * DAY_US;

    for (uint32_t i = 0; i < LOGS; i++)
        records[i] = store_test_record(start_us + i * INT64_C(10000000), i,
                                       levels[i % (sizeof(levels) / sizeof(levels[0]))],
                                       i % 5 ? "request" : "a deadline", "");
    store_test_append(p->w, records, LOGS);
    return records[LOGS - 1].key.timestamp_us;
}

/* All logs that match, by a reader of its own, which knows the indexes that there are now. */
static void find_all(struct postgres_place *p, const char *text, int64_t last_us,
                     struct store_test_rows *rows, struct buffer *plan)
{
    struct log_query query = query_until(last_us);
    struct errbuf err = ERRBUF_INIT;
    const struct store_slice slice = {.rows = LOGS};
    struct store_reader *theirs = p->r;
    struct store_scan scan;
    struct query_mistake mistake;
    struct query *tree;

    if (query_parse(slice_of_string(text), last_us, NULL, &tree, &mistake))
        fail_msg("%s: %s", text, mistake.message);
    query.filter.query = tree;
    struct log_matcher *m = log_matcher_new(&query.filter);
    query_unref(tree);
    p->r = store_test_reader(p->s);
    store_scan_init(&scan, m, NULL, 0);
    while (!scan.done)
        if (store_scan_next(p->r, &scan, &slice, store_test_collect, rows, &err))
            fail_msg("%s", err.text);
    explain(p, "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off",
            plan);
    store_reader_free(p->r);
    p->r = theirs;
    log_matcher_unref(m);
}

static void what_is_severe_is_found_by_its_level(void **state)
{
    static const struct {
        const char *query;
        bool by_level;
    } cases[] = {
        {"level:error", true},
        {"level:ERR deadline", true},
        {"level:>=warning deadline", true},
        {"level:>notice", true},
        {"level:warn OR level:access", true},
        {"(level:fatal OR level:alert) -request", true},
        {"level:info", false},
        {"level:>=notice", false},
        {"level:<=error", false},
        {"level:error OR deadline", false},
        {"-level:info", false},
        {"level:*", false},
        {"level:\xc4\xb0nfo", false},
        {"deadline", false},
    };
    struct postgres_place *p = *state;
    int64_t last_us = append_levels(p, 0);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store_test_rows without = {0}, with = {0};
        struct buffer plan, plan_with;

        postgres_place_sql(p, "DO $$ DECLARE n text; BEGIN FOR n IN SELECT n.relname " OURS
                              "LOOP EXECUTE 'DROP INDEX ' || n; END LOOP; END $$");
        find_all(p, cases[i].query, last_us, &without, &plan);
        keep(p, "levels");
        postgres_place_sql(p, "ANALYZE logs");
        find_all(p, cases[i].query, last_us, &with, &plan_with);
        assert_true(without.len > 0);
        assert_int_equal(with.len, without.len);
        for (size_t k = 0; k < with.len; k++)
            store_test_assert_equal(&with.items[k], &without.items[k]);
        if (!strstr(plan_with.data, "_logmill_levels") == cases[i].by_level)
            fail_msg("%s: another plan: %s", cases[i].query, plan_with.data);
        buffer_release(&plan);
        buffer_release(&plan_with);
        store_test_rows_release(&without);
        store_test_rows_release(&with);
    }
}

static int add_count(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    *(uint64_t *)ctx += count;
    return 0;
}

/* Else each window would run out of its time, with an index that finds the whole day. */
static void what_is_too_much_for_an_index_is_counted_by_key(void **state)
{
    struct postgres_place *p = *state;
    struct log_query query = query_until(append_day(p, 3));
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    uint64_t total = 0;

    keep(p, "message");
    postgres_place_sql(p, "ALTER TABLE logs ENABLE ROW LEVEL SECURITY;"
                          "ALTER TABLE logs FORCE ROW LEVEL SECURITY;"
                          "CREATE POLICY slow ON logs USING (pg_sleep(0.001)::text IS NOT NULL)");
    query.filter.text = SLICE_LITERAL("request");
    struct log_matcher *m = log_matcher_new(&query.filter);
    store_scan_init(&scan, m, NULL, 0);
    while (!scan.done) {
        const struct store_slice slice = {.until_us = clock_monotonic_us() + 100000};

        if (store_scan_count(p->r, &scan, &slice, query.filter.since_us, DAY_US, add_count, &total,
                             &err))
            fail_msg("%s", err.text);
    }
    assert_true(scan.by_key);
    assert_int_equal(total, LOGS);
    log_matcher_unref(m);
}

/* ---- Beside them ---- */

static void a_day_goes_with_its_indexes(void **state)
{
    struct postgres_place *p = *state;
    int64_t last_us = append_day(p, 3);
    struct errbuf err = ERRBUF_INIT;
    size_t deleted = 0;
    bool more = true;

    append_day(p, 0);
    keep(p, "message,attributes");
    for (size_t n = 0; more; deleted += n)
        if (store_expire(p->w, last_us - last_us % DAY_US + DAY_US, 1000000, &n, &more, &err))
            fail_msg("%s", err.text);
    assert_int_equal(deleted, LOGS);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) " OURS), 0);
    if (store_recount(p->s, &err))
        fail_msg("%s", err.text);
    keep(p, "message,attributes");
    assert_int_equal(postgres_place_number(p, "SELECT sum(n) FROM counts, unnest(numbers) AS n"),
                     LOGS);
}

static void what_is_no_index_is_refused(void **state)
{
    struct errbuf err = ERRBUF_INIT;
    unsigned wanted;

    assert_int_equal(store_postgres_indexes_parse(NULL, &wanted, &err), 0);
    assert_int_equal(wanted, 0);
    assert_int_equal(store_postgres_indexes_parse(" attributes , message", &wanted, &err), 0);
    assert_int_equal(wanted, 3);
    assert_int_equal(store_postgres_indexes_parse(" attributes , message,levels", &wanted, &err),
                     0);
    assert_int_equal(wanted, 7);
    assert_int_equal(store_postgres_indexes_parse("message,level", &wanted, &err), LM_EINVAL);
    assert_string_equal(err.text, "\"level\" is not an index: message, attributes and levels are, "
                                  "separated by commas");
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, postgres_place_set_up, postgres_place_tear_down)

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(what_is_no_index_is_refused),
        CASE(days_that_are_over_get_them_and_no_others),
        CASE(each_day_gets_that_of_levels),
        CASE(one_that_came_to_no_end_is_made_anew),
        CASE(pg_trgm_may_be_in_a_schema_of_any_name),
        CASE(without_pg_trgm_all_goes_on),
        CASE(what_is_rare_is_found_by_them),
        CASE(what_is_severe_is_found_by_its_level),
        CASE(what_is_too_much_for_an_index_is_counted_by_key),
        CASE(a_day_goes_with_its_indexes),
    };
    int failed;

    if (!postgres_place_start())
        return POSTGRES_PLACE_SKIPPED;
    diag_set_level(DIAG_ERROR);
    failed = cmocka_run_group_tests_name("store_postgres indexes", cases, NULL, NULL);
    postgres_place_stop();
    return failed;
}
