/*
 * The same answer to the same query, whoever gives it: the plain matcher, a store in a file of
 * SQLite, one in PostgreSQL, a tail. By chance and by hand, over logs by chance and, if
 * LOGMILL_REAL_LOGS is the path of a file of them (NDJSON, compressed by zstd), over real ones.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "../query/random_query.h"
#include "../temp_directory.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "postgres_place.h"
#include "query/aggregate.h"
#include "query/extract.h"
#include "query/language.h"
#include "store/helpers.h"
#include "store/sqlite/adapter.h"
#include "store_test_support.h"
#include "tail/judge.h"
#include "json/reader.h"
#include "json/writer.h"

enum {
    LOGS = 20000,
    REAL_LOGS = 5000, /* of them */
    QUERIES = 300,
    BATCH = 1000,
    SECOND_US = 1000000,
    STEPS_MAX = 10000, /* a keeper that takes more never ends */
};

/* By hand; times count from the first log. */
static const char *const by_hand[] = {
    "timeout",
    "\"pool exhausted\"",
    "level:error",
    "level:>=warning",
    "level:warn OR level:fatal",
    "-level:info",
    "NOT (level:info OR level:debug)",
    "host:node-1.a",
    "host:Timeout",
    "http.status:>=404",
    "http.status:[200 TO 404]",
    "http.status:{200 TO 500}",
    "status:<200",
    "a:1",
    "a:1.0",
    "a:(1 OR 10 OR 1.5)",
    "a.b:>1",
    "a.b.c:*",
    "b.c:*",
    "-a.b:*",
    "b.c:true",
    "c:null",
    "host:pool*",
    "host:*exhausted",
    "host:*user*",
    "host:k*",
    "any:4711",
    "any:500",
    "any:straße",
    "any:KELVIN",
    "/time.?out after \\d+/",
    "/(?i)KÖLN/",
    "host:/^[a-z]+$/",
    "http:/\\d{3}/",
    "timeout level:error",
    "timeout OR kelvin",
    "timeout -kelvin level:>=notice",
    "(timeout OR kelvin) (level:error OR a:*)",
    "\"x\\\"y\":*",
    "ключ:*",
    "message:x",
    "timestamp:>=2026-01-02",
    "since:2026-01-01T12:00:00Z until:2026-01-02T00:00:00Z level:error",
    "-(timestamp:>=2026-01-02 OR a:1)",
    "id:*",
    "EventID:4624",
    "event_id:[4000 TO 5000] computer_name:*shire.com",
    "event_data.param5:* OR event_data.TargetUserName:*",
    "log_name:(Security OR System) -keywords:*Audit*",
    "Channel:/Sysmon/ EventID:<=10",
};

enum { BY_HAND = sizeof(by_hand) / sizeof(*by_hand) };

static struct dice dice = {2026};
static struct random_records records;
static struct query *queries[QUERIES];
static struct log_matcher *matchers[QUERIES];
static char *expected[QUERIES]; /* one a log */
static struct buffer real_texts[REAL_LOGS];
static struct store_helpers *helpers; /* NULL: nobody helps */

/* ---- Logs ---- */

static struct slice member(yyjson_val *object, const char *a, const char *b)
{
    yyjson_val *value = yyjson_obj_get(object, a);

    value = yyjson_is_str(value) ? value : yyjson_obj_get(object, b);
    return yyjson_is_str(value) ? json_text(value) : SLICE_LITERAL("");
}

/* Puts real logs in the place of the last ones; their texts live as long as the process. */
static void take_real_logs(const char *path)
{
    char command[4096];
    char *line = NULL;
    size_t capacity = 0;
    size_t at = LOGS - REAL_LOGS;
    ssize_t len;

    snprintf(command, sizeof(command), "zstd -dcq --long=27 '%s'", path);
    FILE *lines = popen(command, "r");
    assert_non_null(lines);
    while (at < LOGS && (len = getline(&line, &capacity, lines)) > 0) {
        yyjson_doc *doc = yyjson_read(line, (size_t)len, YYJSON_READ_NUMBER_AS_RAW);
        yyjson_val *object = yyjson_doc_get_root(doc);
        struct buffer *b = &real_texts[at - (LOGS - REAL_LOGS)];
        struct record *r = &records.items[at++];

        assert_true(yyjson_is_obj(object));
        r->level = member(object, "level", "Level");
        r->message = member(object, "message", "Message");
        buffer_init(b, 1 << 20);
        buffer_append_slice(b, r->level);
        buffer_append_slice(b, r->message);
        json_append_value(b, object);
        r->level.data = b->data;
        r->message.data = b->data + r->level.len;
        r->attributes = slice_of(b->data + r->level.len + r->message.len,
                                 b->len - r->level.len - r->message.len);
        yyjson_doc_free(doc);
    }
    free(line);
    pclose(lines);
}

static void make_queries(void)
{
    for (size_t i = 0; i < QUERIES; i++) {
        struct query_mistake mistake;

        if (i >= BY_HAND)
            queries[i] = random_query(&dice, records.items, LOGS);
        else if (query_parse(slice_of_string(by_hand[i]), records.items[0].key.timestamp_us, NULL,
                             &queries[i], &mistake))
            fail_msg("%s: %s", by_hand[i], mistake.message);
    }
}

static void match_all(size_t i)
{
    struct log_filter f;

    log_filter_init(&f);
    f.query = queries[i];
    log_filter_narrow(&f);
    matchers[i] = log_matcher_new(&f);
    assert_non_null(matchers[i]);
    expected[i] = xcalloc(LOGS, 1);
    for (size_t k = 0; k < LOGS; k++) {
        struct errbuf err = ERRBUF_INIT;
        bool matches;

        if (log_matcher_match(matchers[i], &records.items[k], &matches, &err))
            fail_msg("query %zu: %s", i, err.text);
        expected[i][k] = matches;
    }
}

static int make_all(void **state)
{
    const struct random_records_options options = {.step_us = 10 * (int64_t)SECOND_US,
                                                   .plain_numbers = true};
    const char *real = getenv("LOGMILL_REAL_LOGS");

    random_records_make(&records, &dice, LOGS, &options);
    if (real)
        take_real_logs(real);
    else
        print_message("LOGMILL_REAL_LOGS is not set: without real logs\n");
    make_queries();
    for (size_t i = 0; i < QUERIES; i++)
        match_all(i);
    return 0;
}

static int free_all(void **state)
{
    for (size_t i = 0; i < QUERIES; i++) {
        log_matcher_unref(matchers[i]);
        query_unref(queries[i]);
        free(expected[i]);
    }
    random_records_release(&records);
    for (size_t i = 0; i < REAL_LOGS; i++)
        buffer_release(&real_texts[i]);
    return 0;
}

/* ---- Stores ---- */

struct answer {
    size_t query;
    size_t next; /* the log that comes next, if it matches, is below this one */
};

static int compare(const struct record *record, void *ctx)
{
    struct answer *a = ctx;

    while (a->next > 0 && !expected[a->query][a->next - 1])
        a->next--;
    if (a->next == 0 || log_key_compare(&record->key, &records.items[a->next - 1].key) != 0) {
        random_query_print(queries[a->query]);
        fail_msg("query %zu, before log %zu: another log than is expected, message `%.*s`, "
                 "attributes %.*s",
                 a->query, a->next, SLICE_ARG(record->message), SLICE_ARG(record->attributes));
    }
    a->next--;
    return 0;
}

static struct store_slice slice_of_chance(void)
{
    uint64_t us = dice_one_in(&dice, 3) ? 5000 : 500000;

    return (struct store_slice){.rows = dice_one_in(&dice, 2) ? UINT64_MAX : 700,
                                .until_us = clock_monotonic_us() + us,
                                .helpers = helpers};
}

static void scan(struct store_reader *r, size_t query)
{
    struct answer a = {.query = query, .next = LOGS};
    struct store_scan scan;
    struct errbuf err = ERRBUF_INIT;

    store_scan_init(&scan, matchers[query], NULL, 0);
    while (!scan.done) {
        struct store_slice slice = slice_of_chance();

        if (store_scan_next(r, &scan, &slice, compare, &a, &err))
            fail_msg("query %zu: %s", query, err.text);
    }
    while (a.next > 0 && !expected[query][a.next - 1])
        a.next--;
    if (a.next > 0) {
        random_query_print(queries[query]);
        fail_msg("query %zu: log %zu is missing", query, a.next - 1);
    }
}

static int add_count(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    *(uint64_t *)ctx += count;
    return 0;
}

static void count(struct store_reader *r, size_t query)
{
    struct log_filter f;
    uint64_t counted = 0, there = 0;
    struct store_scan scan;
    struct errbuf err = ERRBUF_INIT;

    for (size_t i = 0; i < LOGS; i++)
        there += (uint64_t)expected[query][i];
    log_filter_init(&f);
    f.query = queries[query];
    f.since_us = records.items[0].key.timestamp_us;
    f.until_us = records.items[LOGS - 1].key.timestamp_us + 1;
    log_filter_narrow(&f);
    struct log_matcher *m = log_matcher_new(&f);
    assert_non_null(m);
    store_scan_init(&scan, m, NULL, 0);
    while (!scan.done) {
        struct store_slice slice = slice_of_chance();

        if (store_scan_count(r, &scan, &slice, f.since_us, 3600 * (int64_t)SECOND_US, add_count,
                             &counted, &err))
            fail_msg("query %zu: %s", query, err.text);
    }
    log_matcher_unref(m);
    if (counted != there) {
        random_query_print(queries[query]);
        fail_msg("query %zu: %llu counted of %llu", query, (unsigned long long)counted,
                 (unsigned long long)there);
    }
}

/* ---- Groups ---- */

static const char *const groups_of[][2] = {
    {"level", "count"},
    {"level,host", "count(a)"},
    {"pattern", "levels(level),min(timestamp),max(timestamp)"},
    {"host", "p95(n),min(n),max(n)"},
    {"a", "distinct(trace_id),count(ok)"},
    {"n", "distinct(a)"},
    {"", "p50(ratio),distinct(message),distinct(host)"},
    {"event_id,level", "distinct(event_data.TargetUserName)"},
};

static struct aggregate *new_aggregate(size_t query)
{
    const char *const *of = groups_of[query % (sizeof(groups_of) / sizeof(*groups_of))];
    struct errbuf err = ERRBUF_INIT;
    struct aggregate_spec spec;
    struct aggregate *a;

    if (aggregate_spec_parse(slice_of_string(of[0]), slice_of_string(of[1]), &spec, &err))
        fail_msg("%s", err.text);
    spec.bucket_us = query % 3 ? 3600 * (int64_t)SECOND_US : 0;
    a = aggregate_new(&spec, NULL);
    assert_non_null(a);
    return a;
}

static int add_batch(const struct log_batch *batch, void *ctx)
{
    return aggregate_add(ctx, batch);
}

/* Of the logs that match, one by one. */
static struct aggregate *group_expected(size_t query)
{
    struct aggregate *a = new_aggregate(query);
    struct log_extractor *e = log_extractor_new(aggregate_fields(a));
    struct log_batch batch;

    for (size_t i = LOGS; i-- > 0;) {
        if (expected[query][i])
            assert_int_equal(log_extractor_add(e, &records.items[i]), 0);
        if (i > 0 && !log_extractor_is_full(e))
            continue;
        assert_int_equal(log_extractor_batch(e, &batch), 0);
        assert_int_equal(aggregate_add(a, &batch), 0);
        log_extractor_clear(e);
    }
    log_extractor_free(e);
    return a;
}

/* A call is cancelled now and then; what it has handed out counts. */
struct cancelled {
    struct aggregate *aggregate;
    struct store_reader *reader;
};

static int add_and_cancel(const struct log_batch *batch, void *ctx)
{
    const struct cancelled *c = ctx;

    if (dice_one_in(&dice, 20))
        store_reader_cancel(c->reader);
    return aggregate_add(c->aggregate, batch);
}

static void group_once(struct store_reader *r, size_t query, struct slice expected_answer)
{
    struct aggregate *came = new_aggregate(query);
    struct cancelled cancelled = {came, r};
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    struct buffer y;

    store_scan_init(&scan, matchers[query], NULL, 0);
    while (!scan.done) {
        struct store_slice slice = slice_of_chance();
        int error = helpers ? store_scan_batches(r, &scan, &slice, aggregate_fields(came),
                                                 add_and_cancel, &cancelled, &err)
                            : store_scan_batches(r, &scan, &slice, aggregate_fields(came),
                                                 add_batch, came, &err);

        if (error && (error != LM_ETIMEOUT || !helpers))
            fail_msg("query %zu: %s", query, err.text);
    }
    buffer_init(&y, SIZE_MAX / 2);
    assert_int_equal(aggregate_append_answer(came, &y, 100), 0);
    if (!slice_equal(expected_answer, buffer_slice(&y))) {
        random_query_print(queries[query]);
        fail_msg("query %zu: groups\n%.*s\nare to be\n%.*s", query, (int)y.len, y.data,
                 (int)expected_answer.len, expected_answer.data);
    }
    buffer_release(&y);
    aggregate_free(came);
}

static void group(struct store_reader *r, size_t query, unsigned times)
{
    struct aggregate *a = group_expected(query);
    struct buffer x;

    buffer_init(&x, SIZE_MAX / 2);
    assert_int_equal(aggregate_append_answer(a, &x, 100), 0);
    for (unsigned i = 0; i < times; i++)
        group_once(r, query, buffer_slice(&x));
    buffer_release(&x);
    aggregate_free(a);
}

/* A page in the middle. */
static void skip_some(struct store_reader *r, size_t query)
{
    struct answer a = {.query = query, .next = LOGS};
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    size_t offset = 0;

    while (offset < 100 && a.next > 0)
        offset += (size_t)expected[query][--a.next];
    store_scan_init(&scan, matchers[query], NULL, offset);
    while (!scan.done && scan.skip > 0) {
        struct store_slice slice = slice_of_chance();

        slice.rows = 50;
        if (store_scan_next(r, &scan, &slice, compare, &a, &err))
            fail_msg("query %zu: %s", query, err.text);
    }
}

/* What one query finds is erased: the others find the rest. */
static void erase(struct store_writer *w, size_t query)
{
    struct store_scan scan;
    struct errbuf err = ERRBUF_INIT;
    size_t erased = 0, there = 0;

    store_scan_init(&scan, matchers[query], NULL, 0);
    while (!scan.done) {
        size_t now = 0;

        struct store_slice slice = slice_of_chance();

        if (store_erase(w, &scan, &slice, false, &now, &err))
            fail_msg("query %zu: %s", query, err.text);
        erased += now;
    }
    for (size_t i = 0; i < LOGS; i++)
        there += (size_t)expected[query][i];
    assert_int_equal(erased, there);
}

static void store_all(struct store *s)
{
    struct store_writer *w = store_test_writer(s);

    for (size_t i = 0; i < LOGS; i += BATCH)
        store_test_append(w, records.items + i, BATCH);
    store_writer_free(w);
}

/* `groups`: how often groups are asked; the second time a store may remember what it has found. */
static void answer_all(struct store *s, unsigned groups)
{
    struct store_writer *w = store_test_writer(s);
    struct store_reader *r = store_test_reader(s);
    char *kept[QUERIES];

    for (size_t i = 0; i < QUERIES; i++) {
        scan(r, i);
        if (i % 3 == 0)
            skip_some(r, i);
        if (i % 3 == 1)
            count(r, i);
        if (groups > 0)
            group(r, i, groups);
    }
    erase(w, 1);
    for (size_t i = 2; i < 12; i++) {
        kept[i] = expected[i];
        expected[i] = xmalloc(LOGS);
        for (size_t k = 0; k < LOGS; k++)
            expected[i][k] = (char)(kept[i][k] && !expected[1][k]);
        scan(r, i);
        count(r, i);
        if (groups > 0)
            group(r, i, groups);
        free(expected[i]);
        expected[i] = kept[i];
    }
    store_reader_free(r);
    store_writer_free(w);
}

static void a_file_of_blocks_answers_as_the_matcher(void **state)
{
    const struct store_sqlite_sizes sizes = {
        .block_rows = 512, .segment_blocks = 8, .seal_rows = 1500, .keep_rows = 300};
    struct errbuf err = ERRBUF_INIT;
    char *directory = temp_directory_new();
    struct store *s = store_sqlite_new_sized(directory, &sizes, &err);

    assert_non_null(s);
    store_all(s);
    answer_all(s, 2);
    store_free(s);
    temp_directory_free(directory);
}

/* Where summaries tell what whole segments have. */
static void groups_of_a_compacted_file_are_those_of_the_matcher(void **state)
{
    const struct store_sqlite_sizes sizes = {
        .block_rows = 512, .segment_blocks = 8, .seal_rows = 1500, .keep_rows = 300};
    struct errbuf err = ERRBUF_INIT;
    char *directory = temp_directory_new();
    struct store *s = store_sqlite_new_sized(directory, &sizes, &err);
    struct store_keeper *k;
    struct store_reader *r;

    assert_non_null(s);
    store_all(s);
    k = store_keeper_new(s, &err);
    assert_non_null(k);
    for (unsigned steps = 0, wait_ms = 0; wait_ms == 0; steps++) {
        if (store_keeper_step(k, true, &wait_ms, &err))
            fail_msg("%s", err.text);
        assert_true(steps < STEPS_MAX);
    }
    store_keeper_free(k);
    r = store_test_reader(s);
    for (size_t i = 0; i < QUERIES; i++)
        group(r, i, 2);
    store_reader_free(r);
    store_free(s);
    temp_directory_free(directory);
}

/* With several threads, and calls that are cancelled in the middle. */
static void helpers_change_no_answer(void **state)
{
    const struct store_sqlite_sizes sizes = {
        .block_rows = 256, .segment_blocks = 16, .seal_rows = 1500, .keep_rows = 300};
    struct errbuf err = ERRBUF_INIT;
    char *directory = temp_directory_new();
    struct store *s = store_sqlite_new_sized(directory, &sizes, &err);
    struct store_reader *r;

    assert_non_null(s);
    store_all(s);
    r = store_test_reader(s);
    helpers = store_helpers_new(s, 3);
    for (size_t i = 0; i < QUERIES; i++)
        group(r, i, 1);
    assert_true(store_helpers_done(helpers) > QUERIES); /* or they did not help */
    store_helpers_free(helpers);
    store_reader_free(r);
    helpers = NULL;
    store_free(s);
    temp_directory_free(directory);
}

static struct store *open_store(const char *database, const char *indexes)
{
    struct store_postgres_options options =
        postgres_server_options(postgres_place_server, database);
    struct errbuf err = ERRBUF_INIT;

    options.indexes = indexes;
    struct store *s = store_postgres_new(&options, &err);
    if (!s || store_migrate(s, &err) != 0)
        fail_msg("no store: %s", err.text);
    return s;
}

static void postgresql_answers_as_the_matcher(void **state)
{
    if (!postgres_place_start()) {
        skip();
        return;
    }
    char *database = postgres_server_database(postgres_place_server, "");
    struct store *s = open_store(database, NULL);

    store_all(s);
    answer_all(s, 1); /* it remembers nothing */
    store_free(s);
    postgres_server_drop(postgres_place_server, database);
    postgres_place_stop();
}

/* The days of the logs as if they had come when these were new. */
static void make_days(const char *database)
{
    char sql[512];

    free(postgres_server_sql(postgres_place_server, database, "DROP TABLE logs_past"));
    for (int day = 1; day <= 4; day++) {
        snprintf(sql, sizeof(sql),
                 "SET ROLE tester; CREATE TABLE logs_2026010%d PARTITION OF logs "
                 "FOR VALUES FROM ('2026-01-0%d 00:00:00+00') TO ('2026-01-0%d 00:00:00+00')",
                 day, day, day + 1);
        free(postgres_server_sql(postgres_place_server, database, sql));
    }
}

static void keep(const char *database)
{
    struct store *s = open_store(database, "message,attributes,levels");
    struct errbuf err = ERRBUF_INIT;
    unsigned wait_ms = 0;
    struct store_keeper *k = store_keeper_new(s, &err);
    assert_non_null(k);
    for (int steps = 0; wait_ms < STORE_KEEPER_WAIT_MAX_MS; steps++) {
        if (store_keeper_step(k, true, &wait_ms, &err))
            fail_msg("%s", err.text);
        assert_true(steps < STEPS_MAX);
        usleep(wait_ms < STORE_KEEPER_WAIT_MAX_MS ? wait_ms * 1000 : 0);
    }
    store_keeper_free(k);
    store_free(s);
}

static void postgresql_with_indexes_answers_as_the_matcher(void **state)
{
    if (!postgres_place_start()) {
        skip();
        return;
    }
    char *database = postgres_server_database(postgres_place_server, "");
    struct store *s = open_store(database, NULL);

    make_days(database);
    store_all(s);
    keep(database);
    char *made = postgres_server_sql(postgres_place_server, database,
                                     "SELECT count(*) FROM pg_class WHERE relkind = 'i' AND "
                                     "relname ~ '^logs_2026010[1-4]_logmill_'");
    assert_int_equal(strtol(made, NULL, 10), 12);
    free(made);
    answer_all(s, 0); /* groups go by the same statements as scans */
    store_free(s);
    postgres_server_drop(postgres_place_server, database);
    postgres_place_stop();
}

/* ---- Tails ---- */

static void tails_answer_as_the_matcher(void **state)
{
    struct tail_filters set = {0};
    struct tail_filter *filters[QUERIES];

    for (size_t i = 0; i < QUERIES; i++) {
        log_matcher_ref(matchers[i]);
        filters[i] = tail_filters_use(&set, matchers[i]);
    }
    for (size_t at = 0; at < LOGS; at += BATCH) {
        struct tail_batch *b = tail_batch_new();
        struct tail_filters copy;

        for (size_t i = 0; i < BATCH && b->len == i; i++) {
            int error = tail_batch_add(&records.items[at + i],
                                       &(struct store_position){1, (int64_t)i, 0}, b);
            assert_true(!error || error == LM_ESTOPPED);
            if (error)
                break;
        }
        tail_batch_seal(b);
        assert_int_equal(tail_filters_copy(&set, &copy), 0);
        tail_judge(b, &copy, UINT64_C(1) << 50);
        for (size_t i = 0; i < QUERIES; i++) {
            const struct tail_verdict *v = tail_batch_verdict(b, filters[i]);

            assert_non_null(v);
            for (size_t k = 0; k < b->len; k++) {
                const struct log_filter *f = log_matcher_filter(matchers[i]);
                int64_t us = records.items[at + k].key.timestamp_us;

                assert_int_equal(tail_verdict_has(v, k),
                                 expected[i][at + k] && us >= f->since_us && us < f->until_us);
            }
        }
        tail_batch_unref(b);
    }
    for (size_t i = 0; i < QUERIES; i++)
        tail_filters_leave(&set, filters[i]);
    tail_filters_release(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tails_answer_as_the_matcher),
        cmocka_unit_test(a_file_of_blocks_answers_as_the_matcher),
        cmocka_unit_test(groups_of_a_compacted_file_are_those_of_the_matcher),
        cmocka_unit_test(helpers_change_no_answer),
        cmocka_unit_test(postgresql_answers_as_the_matcher),
        cmocka_unit_test(postgresql_with_indexes_answers_as_the_matcher),
    };
    return cmocka_run_group_tests(tests, make_all, free_all);
}
