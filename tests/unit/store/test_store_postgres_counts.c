/*
 * The store in PostgreSQL: the counts per minute and level that are kept beside the logs are those
 * of the logs, whatever happens, and answer what is counted.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "block/explain.h"
#include "dice.h"
#include "postgres_place.h"
#include "store/inspect.h"
#include "store/postgres/counts.h"
#include "store/postgres/internal.h"

enum {
    BATCH = 40,
    ROUNDS = 60,
    CONCURRENT_ROUNDS = 30,
    LEVELS_MANY = 200,
    STEPS_MAX = 10000, /* a keeper that takes more never ends */
};

static const int64_t MINUTE = INT64_C(60) * 1000000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

static const char *const levels[] = {"info", "Info",          "ERROR", "warn",
                                     "",     "it's \\ \"x\"", "other", "\xc3\x84rger"};

/* ---- Comparing ---- */

/*
 * How many minutes and levels have another number of logs than the tables say. In a snapshot that
 * is older than the plan, which would else lack a partition that others make meanwhile.
 */
static long wrong_counts(struct postgres_place *p)
{
    return postgres_place_number(
        p, "BEGIN ISOLATION LEVEL REPEATABLE READ; LOCK TABLE logs IN ACCESS SHARE MODE; "
           "SELECT FROM counting; SELECT count(*) FROM (SELECT minute, level FROM ("
           "SELECT date_bin('1 minute', \"timestamp\", '0001-01-01 00:00:00+00') AS minute, level, "
           "1 AS n FROM logs UNION ALL "
           "SELECT hour + minute * interval '1 minute', level, -number FROM counts, "
           "unnest(minutes, numbers) AS c(minute, number) UNION ALL "
           "SELECT minute, level, -number FROM counts_added, "
           "unnest(minutes, levels, numbers) AS a(minute, level, number)) AS x "
           "GROUP BY 1, 2 HAVING sum(n) <> 0) AS wrong");
}

static int write_count(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    buffer_appendf(ctx, "%lld ", (long long)bucket);
    buffer_append_slice(ctx, level);
    buffer_appendf(ctx, " %llu\n", (unsigned long long)count);
    return 0;
}

struct asked {
    int64_t since_us, until_us, bucket_us;
    const char *level; /* NULL: all */
};

static int by_line(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines in an order of their own: within a bucket levels may come in any. */
static void sort_lines(struct buffer *b)
{
    char *text = strdup(b->data), *at = text;
    char **lines = xcalloc(b->len + 1, sizeof(*lines));
    size_t n = 0;

    for (char *line; (line = strsep(&at, "\n"));)
        lines[n++] = line;
    qsort(lines, n, sizeof(*lines), by_line);
    buffer_clear(b);
    for (size_t i = 0; i < n; i++)
        buffer_appendf(b, "%s\n", lines[i]);
    buffer_append_char(b, '\0');
    free(lines);
    free(text);
}

/* From the logs, or as the store likes. */
static void ask(struct postgres_place *p, const struct asked *a, bool from_logs, struct buffer *b)
{
    struct store_postgres_reader *r = (struct store_postgres_reader *)p->r;
    struct log_query any = store_test_query(1);
    struct log_stats_query query = {.filter = any.filter, .bucket_us = a->bucket_us};
    struct errbuf err = ERRBUF_INIT;

    query.filter.since_us = a->since_us;
    query.filter.until_us = a->until_us;
    if (a->level)
        query.filter.levels[query.filter.levels_len++] = slice_of_string(a->level);
    buffer_init(b, 64 << 20);
    buffer_append_string(b, "");
    store_test_run(p->r, &any, &p->rows); /* there is a connection */
    r->use_counts = !from_logs;
    if (store_test_stats(p->r, &query, write_count, b, &err))
        fail_msg("cannot count: %s", err.text);
    r->use_counts = true;
    buffer_append_char(b, '\0');
    sort_lines(b);
}

static void assert_counts(struct postgres_place *p, const struct asked *a)
{
    struct buffer counted, scanned;

    ask(p, a, false, &counted);
    ask(p, a, true, &scanned);
    assert_string_equal(counted.data, scanned.data);
    buffer_release(&counted);
    buffer_release(&scanned);
}

static uint64_t total(struct postgres_place *p, const struct asked *a, const char *level)
{
    struct buffer b;
    uint64_t sum = 0;
    char *at;

    ask(p, a, false, &b);
    at = b.data;
    for (char *line; (line = strsep(&at, "\n"));) {
        char *first = strchr(line, ' '), *last = strrchr(line, ' ');

        if (first && (!level || ((size_t)(last - first) == strlen(level) + 1 &&
                                 strncmp(first + 1, level, strlen(level)) == 0)))
            sum += strtoull(last, NULL, 10);
    }
    buffer_release(&b);
    return sum;
}

static int64_t now_minute(void)
{
    return store_postgres_counts_minute(clock_wall_us());
}

static struct asked last_days(int days)
{
    int64_t now_us = now_minute();

    return (struct asked){now_us - days * DAY, now_us + HOUR, 5 * MINUTE, NULL};
}

/* ---- Doing ---- */

static void keep(struct postgres_place *p)
{
    struct errbuf err = ERRBUF_INIT;
    struct store_keeper *k = store_keeper_new(p->s, &err);
    unsigned wait_ms = 0;

    for (int steps = 0; wait_ms < STORE_KEEPER_WAIT_MAX_MS; steps++) {
        if (store_keeper_step(k, true, &wait_ms, &err))
            fail_msg("cannot keep: %s", err.text);
        assert_true(steps < STEPS_MAX);
    }
    store_keeper_free(k);
}

static void keep_once(struct postgres_place *p)
{
    struct errbuf err = ERRBUF_INIT;
    struct store_keeper *k = store_keeper_new(p->s, &err);
    unsigned wait_ms;

    if (store_keeper_step(k, true, &wait_ms, &err))
        fail_msg("cannot keep: %s", err.text);
    store_keeper_free(k);
}

static size_t erase(struct postgres_place *p, const char *level)
{
    const struct store_slice slice = {.rows = 100};
    struct errbuf err = ERRBUF_INIT;
    struct log_filter filter;
    struct store_scan scan;
    size_t all = 0;

    log_filter_init(&filter);
    filter.levels[filter.levels_len++] = slice_of_string(level);
    struct log_matcher *matcher = log_matcher_new(&filter);
    store_scan_init(&scan, matcher, NULL, 0);
    while (!scan.done) {
        size_t erased;

        if (store_erase(p->w, &scan, &slice, true, &erased, &err))
            fail_msg("cannot erase: %s", err.text);
        all += erased;
    }
    log_matcher_unref(matcher);
    return all;
}

static void expire(struct postgres_place *p, int64_t before_us, size_t rows)
{
    struct errbuf err = ERRBUF_INIT;
    size_t deleted;
    bool more;

    if (store_expire(p->w, before_us, rows, &deleted, &more, &err))
        fail_msg("cannot expire: %s", err.text);
}

/* Logs of the last minutes and days; some of them as they were before. */
static void make_batch(struct dice *dice, struct record records[BATCH])
{
    for (uint32_t i = 0; i < BATCH; i++) {
        int64_t back = dice_below(dice, 3) == 0 ? (int64_t)dice_below(dice, 40) * DAY
                                                : (int64_t)dice_below(dice, 90) * MINUTE;

        records[i] = store_test_record(
            now_minute() - back + (int64_t)dice_below(dice, 3) * MINUTE / 2,
            (uint32_t)dice_below(dice, 5000),
            levels[dice_below(dice, sizeof(levels) / sizeof(levels[0]))], "m", NULL);
    }
}

static void append_random(struct store_writer *w, struct dice *dice)
{
    struct record records[BATCH];

    make_batch(dice, records);
    store_test_append(w, records, 1 + dice_below(dice, BATCH));
    if (dice_below(dice, 4) == 0)
        store_test_append(w, records, BATCH); /* with repeats */
}

/* Makes of the schema what the version before had. */
static void take_counts_away(struct postgres_place *p)
{
    postgres_place_sql(p, "DROP TABLE counts, counts_added, counting, counts_missed; "
                          "DROP FUNCTION logmill_count_deleted CASCADE; "
                          "DROP FUNCTION logmill_count_missed CASCADE; "
                          "DELETE FROM logmill_schema WHERE version >= 6");
}

/* ---- Cases ---- */

static void counts_are_those_of_the_logs_whatever_happens(void **state)
{
    struct postgres_place *p = *state;
    struct dice dice = (struct dice){11};

    for (int i = 0; i < ROUNDS; i++) {
        append_random(p->w, &dice);
        if (dice_below(&dice, 5) == 0)
            erase(p, levels[dice_below(&dice, 4)]);
        if (dice_below(&dice, 4) == 0)
            expire(p, now_minute() - (int64_t)dice_below(&dice, 40) * DAY,
                   1 + dice_below(&dice, 50));
        if (dice_below(&dice, 3) == 0)
            keep_once(p);
        if (i % 10 == 9)
            assert_int_equal(wrong_counts(p), 0);
    }
    keep(p);
    assert_int_equal(wrong_counts(p), 0);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM counts_added"), 0);
    assert_int_equal(
        postgres_place_number(p, "SELECT count(*) FROM (SELECT FROM counts GROUP BY hour, level "
                                 "HAVING count(*) > 1) AS twice"),
        0);
}

static void any_range_and_bucket_counts_as_a_scan_does(void **state)
{
    static const int64_t buckets[] = {1000000,        MINUTE,       90 * 1000000, 5 * MINUTE,
                                      7 * MINUTE + 1, HOUR + 13000, DAY,          40 * DAY};
    struct postgres_place *p = *state;
    struct dice dice = (struct dice){12};

    for (int i = 0; i < 10; i++)
        append_random(p->w, &dice);
    keep(p);
    append_random(p->w, &dice);
    for (int i = 0; i < ROUNDS; i++) {
        struct asked a = {.until_us = now_minute() + 10 * MINUTE,
                          .level = dice_below(&dice, 3) == 0 ? "INFO" : NULL,
                          .bucket_us =
                              buckets[dice_below(&dice, sizeof(buckets) / sizeof(buckets[0]))]};

        a.since_us =
            a.until_us - (int64_t)dice_below(&dice, dice_below(&dice, 2) ? 45 * 24 : 2) * HOUR;
        if (dice_below(&dice, 2))
            a.since_us -= (int64_t)dice_below(&dice, 100000000);
        if (dice_below(&dice, 2))
            a.until_us -= (int64_t)dice_below(&dice, 100000000);
        if (a.until_us <= a.since_us)
            a.since_us = a.until_us - 3 * HOUR - 7;
        assert_counts(p, &a);
    }
}

/* Buckets that end within minutes, of which all of time has very many. */
static void buckets_of_all_times_cost_what_their_logs_do(void **state)
{
    struct postgres_place *p = *state;
    struct dice dice = {20};
    struct asked a = {.since_us = TIMESTAMP_MIN_US + 7,
                      .until_us = TIMESTAMP_MAX_US,
                      .bucket_us = MINUTE + 1000003};

    append_random(p->w, &dice);
    keep(p);
    append_random(p->w, &dice);
    assert_counts(p, &a);
    a.since_us = now_minute() - DAY;
    assert_counts(p, &a);
}

/* A number that no log stands for shows where an answer comes from. */
static void what_is_counted_is_not_read_as_logs(void **state)
{
    struct postgres_place *p = *state;
    struct asked a = last_days(2);
    struct record record = store_test_record(now_minute() - 3 * MINUTE, 1, "info", "m", NULL);

    store_test_append(p->w, &record, 1);
    postgres_place_sql(p, "INSERT INTO counts_added SELECT ARRAY[date_trunc('minute', now()) - "
                          "interval '3 min'], '{info}', '{1000}'");
    assert_int_equal(total(p, &a, "info"), 1001);
    keep(p);
    assert_int_equal(total(p, &a, "info"), 1001);
    a.level = "INFO";
    assert_int_equal(total(p, &a, "info"), 1001);
    a.level = "warn";
    assert_int_equal(total(p, &a, NULL), 0);
}

static void logs_of_the_schema_before_are_counted_in_the_background(void **state)
{
    struct postgres_place *p = *state;
    struct dice dice = (struct dice){13};
    struct asked a = last_days(45);
    struct errbuf err = ERRBUF_INIT;

    for (int i = 0; i < 10; i++)
        append_random(p->w, &dice);
    take_counts_away(p);
    assert_int_equal(store_migrate(p->s, &err), 0);
    store_writer_free(p->w);
    p->w = store_test_writer(p->s);
    assert_counts(p, &a);
    append_random(p->w, &dice);
    erase(p, "warn"); /* some of those that are not counted */
    assert_counts(p, &a);
    for (int i = 0; i < 6; i++) {
        keep_once(p);
        assert_counts(p, &a);
        append_random(p->w, &dice);
    }
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM counting WHERE counted_from > "
                                              "'-infinity' AND counted_from < 'infinity'"),
                     1);
    keep(p);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM counting WHERE counted_from = "
                                              "'-infinity'"),
                     1);
    assert_int_equal(wrong_counts(p), 0);
    assert_counts(p, &a);
}

static int count_nothing(int64_t bucket, struct slice level, uint64_t count, void *ctx)
{
    return 0;
}

/* Or each slice would look at a whole day first, and run out of its time. */
static void what_slices_learned_of_windows_is_kept_where_nothing_is_counted(void **state)
{
    struct postgres_place *p = *state;
    const struct store_slice slice = {.rows = 1, .until_us = clock_monotonic_us()};
    struct dice dice = {18};
    struct errbuf err = ERRBUF_INIT;
    struct log_filter filter;
    struct store_scan scan;

    append_random(p->w, &dice);
    postgres_place_sql(p, "INSERT INTO counts_missed DEFAULT VALUES");
    log_filter_init(&filter);
    filter.until_us = now_minute();
    struct log_matcher *matcher = log_matcher_new(&filter);
    store_scan_init(&scan, matcher, NULL, 0);
    scan.window_us = 2 * MINUTE;
    assert_int_equal(store_scan_count(p->r, &scan, &slice, 0, HOUR, count_nothing, NULL, &err), 0);
    assert_int_equal(scan.before.timestamp_us, filter.until_us - 2 * MINUTE);
    log_matcher_unref(matcher);
}

/* As an older logmill does, and people. */
static void who_inserts_without_counting_is_noticed(void **state)
{
    static const char *const changes[] = {
        "INSERT INTO logs SELECT now() - interval '5 min', gen_random_uuid(), 'info', 'm'",
        "UPDATE logs SET level = 'warn'",
        "UPDATE logs SET \"timestamp\" = \"timestamp\" - interval '1 h'",
        "TRUNCATE logs",
    };
    struct postgres_place *p = *state;
    struct dice dice = (struct dice){14};
    struct asked a = last_days(45);

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        append_random(p->w, &dice);
        keep(p);
        postgres_place_sql(p, changes[i]);
        assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM counts_missed"), 1);
        assert_counts(p, &a);
        keep(p);
        assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM counts_missed"), 0);
        assert_int_equal(wrong_counts(p), 0);
    }
    /* What people delete is counted at once. */
    append_random(p->w, &dice);
    postgres_place_sql(p, "DELETE FROM logs WHERE level = 'info'");
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM counts_missed"), 0);
    assert_int_equal(wrong_counts(p), 0);
    /* An append never tells so. */
    append_random(p->w, &dice);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM counts_missed"), 0);
}

static void levels_beyond_a_number_are_counted_together(void **state)
{
    struct postgres_place *p = *state;
    struct record records[LEVELS_MANY];
    char names[LEVELS_MANY][16];
    struct asked a = last_days(2);
    int64_t at_us = now_minute() - 10 * MINUTE;

    for (uint32_t i = 0; i < LEVELS_MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "level%03u", i);
        records[i] = store_test_record(at_us, i, names[i], "m", NULL);
    }
    store_test_append(p->w, records, 10);
    keep(p);
    store_test_append(p->w, records + 10, LEVELS_MANY - 10);
    assert_int_equal(total(p, &a, NULL), LEVELS_MANY);
    keep(p);
    assert_int_equal(total(p, &a, NULL), LEVELS_MANY);
    assert_int_equal(postgres_place_number(p, "SELECT count(level) FROM counts"),
                     STORE_POSTGRES_COUNTED_LEVELS_MAX);
    assert_true(total(p, &a, "other") >= LEVELS_MANY - STORE_POSTGRES_COUNTED_LEVELS_MAX);
    /* One that has its name, one that has not; each can be asked for. */
    a.level = "level150";
    assert_int_equal(total(p, &a, NULL), 1);
    assert_int_equal(erase(p, "level150"), 1);
    assert_int_equal(erase(p, "level001"), 1);
    assert_int_equal(total(p, &a, NULL), 0);
    a.level = NULL;
    assert_int_equal(total(p, &a, NULL), LEVELS_MANY - 2);
    keep(p);
    assert_int_equal(total(p, &a, NULL), LEVELS_MANY - 2);
    /* A name that nobody has any more is nobody else's. */
    records[0] = store_test_record(at_us, 1000, "level151", "m", NULL);
    store_test_append(p->w, records, 1);
    keep(p);
    erase(p, "level151");
    keep(p);
    assert_int_equal(total(p, &a, NULL), LEVELS_MANY - 3);
    expire(p, now_minute(), 1000);
    keep(p);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM counts"), 0);
}

static void a_level_with_a_quote_is_counted_where_no_backslash_may_stand_before_it(void **state)
{
    struct postgres_place *p = *state;
    struct record record = store_test_record(now_minute(), 0, "it's \\ \"x\"", "m", NULL);

    postgres_place_sql(p, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET backslash_quote = "
                          "off', current_database()); END $$");
    store_test_append(p->w, &record, 1);
    assert_int_equal(wrong_counts(p), 0);
}

static void a_level_too_long_to_be_told_apart_has_no_name_whatever_the_database_says(void **state)
{
    struct postgres_place *p = *state;
    struct asked a = last_days(2);
    char level[STORE_STATS_LEVEL_BYTES_MAX + 2];
    struct record record;

    memset(level, 'x', sizeof(level) - 1);
    level[sizeof(level) - 1] = '\0';
    record = store_test_record(now_minute() - 10 * MINUTE, 0, level, "m", NULL);
    postgres_place_sql(p, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET array_nulls = off', "
                          "current_database()); END $$");
    store_test_append(p->w, &record, 1);
    assert_int_equal(total(p, &a, "other"), 1);
    assert_int_equal(total(p, &a, NULL), 1);
}

static void days_that_are_dropped_are_counted_no_more(void **state)
{
    struct postgres_place *p = *state;
    struct record records[3];
    struct errbuf err = ERRBUF_INIT;
    size_t deleted = 1;

    records[0] = store_test_record(now_minute() - 5 * DAY, 0, "info", "m", NULL);
    records[1] = store_test_record(now_minute() - 60 * DAY, 1, "info", "m", NULL);
    records[2] = store_test_record(now_minute(), 2, "info", "m", NULL);
    store_test_append(p->w, records, 3);
    keep(p);
    store_test_append(p->w, records, 3);
    while (deleted > 0)
        if (store_shrink(p->w, 1, &deleted, &err))
            fail_msg("cannot shrink: %s", err.text);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs"), 1);
    assert_int_equal(wrong_counts(p), 0);
    keep(p);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM counts"), 1);
    store_test_append(p->w, records, 3);
    expire(p, now_minute() - 3 * DAY, 1000);
    assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs"), 1);
    assert_int_equal(wrong_counts(p), 0);
}

#define OLD_DAYS                                                                                   \
    "SELECT count(*) FROM pg_class WHERE relname ~ '^logs_2[0-9]{7}$' "                            \
    "AND substr(relname, 6) < to_char(now() AT TIME ZONE 'UTC' - interval '3 days', 'YYYYMMDD')"

/* Who reads the whole table for long has locked it: to drop a day would wait, and all others
 * behind. */
static void logs_of_a_day_go_though_a_long_query_has_locked_it(void **state)
{
    struct postgres_place *p = *state;
    struct record records[2];
    PGconn *other = postgres_server_connect(postgres_place_server, p->database);

    records[0] = store_test_record(now_minute() - 5 * DAY, 0, "info", "m", NULL);
    records[1] = store_test_record(now_minute(), 1, "info", "m", NULL);
    store_test_append(p->w, records, 2);
    keep(p);
    PQclear(
        PQexec(other, "BEGIN; SELECT FROM logs WHERE \"timestamp\" > now() - interval '1 day'"));
    for (int i = 0; i < 2; i++) {
        expire(p, now_minute() - 3 * DAY, 1000);
        assert_int_equal(postgres_place_number(p, "SELECT count(*) FROM logs"), 1);
        assert_int_equal(wrong_counts(p), 0);
        assert_int_equal(postgres_place_number(p, OLD_DAYS), 1);
    }
    PQfinish(other);
    /* The server notices that it has gone. */
    postgres_place_await(p,
                         "SELECT (count(*) = 0)::int FROM pg_stat_activity WHERE state = 'idle "
                         "in transaction' AND datname = current_database()",
                         1);
    expire(p, now_minute() - 3 * DAY, 1000);
    assert_int_equal(postgres_place_number(p, OLD_DAYS), 0);
    assert_int_equal(wrong_counts(p), 0);
}

/* Nobody can notice that: then `logmill store recount` is run. */
static void a_partition_changed_by_its_own_name_is_right_after_a_recount(void **state)
{
    struct postgres_place *p = *state;
    struct dice dice = {17};
    struct asked a = last_days(45);
    struct errbuf err = ERRBUF_INIT;

    append_random(p->w, &dice);
    keep(p);
    postgres_place_sql(p, "INSERT INTO logs_default VALUES (now() + interval '9 days', "
                          "gen_random_uuid(), 'info', 'm'); TRUNCATE logs_past;"
                          "DO $$ BEGIN EXECUTE 'TRUNCATE logs_' || to_char(now() AT TIME ZONE "
                          "'UTC', 'YYYYMMDD'); END $$");
    assert_true(wrong_counts(p) > 0);
    assert_int_equal(store_recount(p->s, &err), 0);
    assert_counts(p, &a);
    keep(p);
    assert_int_equal(wrong_counts(p), 0);
    assert_counts(p, &a);
}

/* ---- Several at once ---- */

struct actor {
    struct postgres_place *p;
    struct store_writer *w;
    struct store_keeper *k;
    unsigned seed;
    atomic_bool *over;
    bool may_fail;
    struct errbuf failure; /* the first one, if it may not */
};

static void note_failure(struct actor *actor, const struct errbuf *err)
{
    if (!actor->may_fail && !actor->failure.text[0])
        errbuf_set(&actor->failure, "%s", err->text);
}

static void *write_logs(void *arg)
{
    struct actor *actor = arg;
    struct dice dice = (struct dice){actor->seed};
    struct record records[BATCH];

    while (!atomic_load(actor->over)) {
        struct store_append_result result;
        struct errbuf err = ERRBUF_INIT;

        make_batch(&dice, records);
        if (store_append(actor->w, records, BATCH, &result, &err))
            note_failure(actor, &err);
    }
    return NULL;
}

static void *keep_counts(void *arg)
{
    struct actor *actor = arg;

    while (!atomic_load(actor->over)) {
        struct errbuf err = ERRBUF_INIT;
        unsigned wait_ms;

        if (store_keeper_step(actor->k, true, &wait_ms, &err))
            note_failure(actor, &err);
    }
    return NULL;
}

/* It outlives a case that fails, which would else take from its threads what they work with. */
static struct {
    struct actor actors[4];
    pthread_t threads[4];
    unsigned running;
    atomic_bool over;
} crowd;

/* Two who write, two who keep. */
static void crowd_start(struct postgres_place *p, bool may_fail)
{
    struct errbuf err = ERRBUF_INIT;

    atomic_store(&crowd.over, false);
    for (unsigned i = 0; i < 4; i++) {
        struct actor *actor = &crowd.actors[i];

        *actor = (struct actor){.p = p, .seed = 20 + i, .over = &crowd.over, .may_fail = may_fail};
        if (i < 2)
            actor->w = store_test_writer(p->s);
        else
            actor->k = store_keeper_new(p->s, &err);
        assert_int_equal(
            pthread_create(&crowd.threads[i], NULL, i < 2 ? write_logs : keep_counts, actor), 0);
        crowd.running++;
    }
}

static void crowd_stop(void)
{
    atomic_store(&crowd.over, true);
    while (crowd.running > 0) {
        struct actor *actor = &crowd.actors[--crowd.running];

        pthread_join(crowd.threads[crowd.running], NULL);
        if (actor->w)
            store_writer_free(actor->w);
        store_keeper_free(actor->k);
    }
}

static void crowd_end(void)
{
    crowd_stop();
    for (unsigned i = 0; i < 4; i++)
        assert_string_equal(crowd.actors[i].failure.text, "");
}

static int crowd_tear_down(void **state)
{
    crowd_stop();
    return postgres_place_tear_down(state);
}

static void writers_and_keepers_at_once_count_right(void **state)
{
    struct postgres_place *p = *state;
    long wrong = 0;

    crowd_start(p, false);
    for (int i = 0; i < CONCURRENT_ROUNDS; i++) {
        if (i % 3 == 0)
            erase(p, levels[i % 4]);
        if (i % 5 == 0)
            expire(p, now_minute() - (45 - i) * DAY, 30);
        if (i % 7 == 0) /* counted anew, meanwhile */
            postgres_place_sql(p, "INSERT INTO counts_missed DEFAULT VALUES");
        wrong += wrong_counts(p);
    }
    crowd_end();
    assert_int_equal(wrong, 0);
    keep(p);
    assert_int_equal(wrong_counts(p), 0);
}

static void a_server_that_is_killed_has_counted_what_it_stored(void **state)
{
    struct postgres_place *p = *state;
    struct dice dice = (struct dice){15};

    for (int i = 0; i < 3; i++) {
        long before = postgres_place_number(p, "SELECT count(*) FROM logs");

        crowd_start(p, true);
        postgres_place_await(p, "SELECT count(*) FROM logs", before + 5 * BATCH);
        postgres_server_kill(postgres_place_server);
        crowd_end();
        postgres_server_start(postgres_place_server);
        assert_int_equal(wrong_counts(p), 0);
    }
    store_writer_free(p->w);
    p->w = store_test_writer(p->s);
    append_random(p->w, &dice);
    keep(p);
    assert_int_equal(wrong_counts(p), 0);
}

/* ---- The end of an append ---- */

/* How the session of a writer runs what an append does last. */
static void assert_finishes_by(struct store_writer *w, const char *plan)
{
    struct store_postgres_writer *pw = (struct store_postgres_writer *)w;
    struct errbuf err = ERRBUF_INIT;
    struct buffer text;
    PGresult *rows;

    if (store_postgres_conn_exec(&pw->conn,
                                 "EXPLAIN EXECUTE logmill_finish (now(), now(), '{}', '{}', '{}')",
                                 &rows, &err))
        fail_msg("cannot explain: %s", err.text);
    buffer_init(&text, 1 << 16);
    for (int i = 0; i < PQntuples(rows); i++)
        buffer_appendf(&text, "%s\n", PQgetvalue(rows, i, 0));
    buffer_append_char(&text, '\0');
    if (!strstr(text.data, plan))
        fail_msg("not by %s:\n%s", plan, text.data);
    buffer_release(&text);
    PQclear(rows);
}

/* Its plan is made ahead, perhaps when there are none. */
static void an_append_after_much_was_erased_does_not_go_through_all_tombstones(void **state)
{
    struct postgres_place *p = *state;
    struct record records[2];

    /* None twice: that would be a way of its own, with a table that makes all plans anew. */
    for (uint32_t i = 0; i < 2; i++)
        records[i] = store_test_record(now_minute(), i, "info", "m", NULL);

    postgres_place_sql(p, "ALTER TABLE tombstones SET (autovacuum_enabled = off)");
    postgres_place_sql(p, "VACUUM ANALYZE tombstones");
    store_test_append(p->w, &records[0], 1);
    assert_finishes_by(p->w, "Seq Scan on tombstones");
    postgres_place_sql(p, "INSERT INTO tombstones SELECT now() - interval '90 days', "
                          "gen_random_uuid() FROM generate_series(1, 20000)");
    ((struct store_postgres_writer *)p->w)->planned_us = 0;
    store_test_append(p->w, &records[1], 1);
    assert_finishes_by(p->w, "Index Only Scan using tombstones_pkey");
}

/* ---- Who may read ---- */

/* ---- Pages of a level ---- */

/* All that match, newest first, with or without the counts; returns how many windows that took. */
static uint64_t find(struct postgres_place *p, const struct log_query *query, bool from_logs,
                     struct store_test_rows *rows)
{
    struct store_postgres_reader *r = (struct store_postgres_reader *)p->r;
    struct log_matcher *m = log_matcher_new(&query->filter);
    const struct store_slice slice = {.rows = 1000};
    struct block_explain explain = {0};
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;

    *rows = (struct store_test_rows){0};
    r->use_counts = !from_logs;
    store_scan_init(&scan, m, NULL, 0);
    scan.explain = &explain;
    while (!scan.done)
        if (store_scan_next(p->r, &scan, &slice, store_test_collect, rows, &err))
            fail_msg("cannot find: %s", err.text);
    assert_true(r->use_counts == !from_logs);
    r->use_counts = true;
    log_matcher_unref(m);
    return explain.windows;
}

static void assert_finds(struct postgres_place *p, const struct log_query *query)
{
    struct store_test_rows by_counts, by_logs;

    find(p, query, false, &by_counts);
    find(p, query, true, &by_logs);
    assert_int_equal(by_counts.len, by_logs.len);
    for (size_t i = 0; i < by_logs.len; i++)
        store_test_assert_equal(&by_counts.items[i], &by_logs.items[i]);
    store_test_rows_release(&by_counts);
    store_test_rows_release(&by_logs);
}

static struct log_query query_of(const char *level)
{
    struct log_query query = store_test_query(1);

    query.filter.since_us = now_minute() - 45 * DAY;
    query.filter.until_us = now_minute() + HOUR;
    query.filter.levels[query.filter.levels_len++] = slice_of_string(level);
    return query;
}

struct lowering {
    struct store_scan scan;
    bool lowered;
};

static int lower(struct store_postgres_reader *r, void *work, struct errbuf *err)
{
    struct lowering *l = work;
    const struct store_postgres_windows w = {.scan = &l->scan};

    return store_postgres_presence_lower(r, &w, &l->lowered, err);
}

/* From the end of the range the counts lead to the end of that minute. */
static void assert_leads_to(struct postgres_place *p, const struct log_query *query, int64_t us)
{
    struct log_matcher *m = log_matcher_new(&query->filter);
    struct errbuf err = ERRBUF_INIT;
    struct lowering l = {.lowered = false};

    store_scan_init(&l.scan, m, NULL, 0);
    if (store_postgres_reader_call((struct store_postgres_reader *)p->r, lower, &l, &err))
        fail_msg("%s", err.text);
    assert_true(l.lowered);
    assert_int_equal(l.scan.before.timestamp_us, us + MINUTE);
    log_matcher_unref(m);
}

/* What was not there is not looked for: few windows, and of those before and after none. */
static void a_rare_level_is_looked_for_where_it_is(void **state)
{
    struct postgres_place *p = *state;
    struct log_query query = query_of("fatal"), all = store_test_query(1);
    struct record records[40];
    struct store_test_rows rows;

    for (uint32_t i = 0; i < 40; i++)
        records[i] = store_test_record(now_minute() - i * 11 * HOUR, i,
                                       i == 30 ? "Critical" : "info", "it is torn", NULL);
    store_test_append(p->w, records, 40);
    store_test_run(p->r, &all, &p->rows); /* there is a connection */
    query.filter.text = SLICE_LITERAL("torn");
    for (int folded = 0; folded < 2; folded++) {
        assert_leads_to(p, &query, records[30].key.timestamp_us);
        assert_in_range(find(p, &query, false, &rows), 1, 5);
        assert_int_equal(rows.len, 1);
        store_test_assert_equal(&rows.items[0], &records[30]);
        store_test_rows_release(&rows);
        keep(p);
    }
    /* One that is counted with others, within a minute, and when it has gone. */
    postgres_place_sql(p, "UPDATE counts SET level = NULL WHERE level = 'Critical'");
    assert_in_range(find(p, &query, false, &rows), 1, 5);
    assert_int_equal(rows.len, 1);
    store_test_rows_release(&rows);
    query.filter.until_us = records[30].key.timestamp_us;
    assert_finds(p, &query);
    query.filter.until_us++;
    assert_finds(p, &query);
    assert_int_equal(erase(p, "fatal"), 1);
    assert_finds(p, &query);
}

/* Else each would cost a window of its own, and a look at the counts. */
static void sparse_logs_of_a_level_cost_few_windows(void **state)
{
    struct postgres_place *p = *state;
    struct log_query query = query_of("info"), all = store_test_query(1);
    struct record records[LEVELS_MANY];
    struct store_test_rows rows;

    for (uint32_t i = 0; i < LEVELS_MANY; i++)
        records[i] = store_test_record(now_minute() - i * 5 * HOUR, i, "info", "m", NULL);
    store_test_append(p->w, records, LEVELS_MANY);
    store_test_run(p->r, &all, &p->rows);
    query.filter.text = SLICE_LITERAL("M");
    query.filter.since_us = now_minute() - 100 * DAY;
    assert_in_range(find(p, &query, false, &rows), 1, 30);
    assert_int_equal(rows.len, LEVELS_MANY);
    store_test_rows_release(&rows);
}

static void levels_are_found_whatever_is_counted(void **state)
{
    static const char *const asked[] = {"INFO", "error", "warning", "other", "none", ""};
    struct postgres_place *p = *state;
    struct dice dice = (struct dice){31};
    struct log_query all = store_test_query(1);

    store_test_run(p->r, &all, &p->rows);
    for (int i = 0; i < ROUNDS / 2; i++) {
        struct log_query query = query_of(asked[dice_below(&dice, 6)]);

        append_random(p->w, &dice);
        if (dice_below(&dice, 3) == 0)
            keep_once(p);
        if (dice_below(&dice, 8) == 0)
            postgres_place_sql(p, "INSERT INTO counts_missed DEFAULT VALUES");
        if (dice_below(&dice, 8) == 0)
            erase(p, levels[dice_below(&dice, 3)]);
        if (dice_below(&dice, 2) == 0)
            query.filter.since_us = now_minute() - (int64_t)dice_below(&dice, 90) * MINUTE / 3;
        query.filter.text = SLICE_LITERAL("M");
        assert_finds(p, &query);
    }
}

static void who_may_not_read_the_counts_counts_logs(void **state)
{
    struct postgres_place *p = *state;
    struct dice dice = (struct dice){16};
    struct asked a = last_days(45);
    struct store_postgres_options options =
        postgres_server_options(postgres_place_server, p->database);
    struct errbuf err = ERRBUF_INIT;

    append_random(p->w, &dice);
    postgres_place_sql(
        p, "CREATE ROLE looker LOGIN PASSWORD 'sesame'; GRANT SELECT ON logs TO looker");
    options.user = "looker";
    struct store *s = store_postgres_new(&options, &err);
    struct postgres_place looker = {.r = store_test_reader(s)};
    assert_int_equal(total(&looker, &a, NULL),
                     postgres_place_number(p, "SELECT count(*) FROM logs"));
    postgres_place_sql(p, "GRANT SELECT ON counts, counts_added, counting, counts_missed TO looker;"
                          "ALTER TABLE logs ENABLE ROW LEVEL SECURITY;"
                          "CREATE POLICY warned ON logs USING (level = 'warn')");
    assert_int_equal(total(&looker, &a, NULL),
                     postgres_place_number(p, "SELECT count(*) FROM logs WHERE level = 'warn'"));
    store_test_rows_release(&looker.rows);
    store_reader_free(looker.r);
    store_free(s);
    postgres_place_sql(p, "DROP OWNED BY looker; DROP ROLE looker");
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, postgres_place_set_up, postgres_place_tear_down)
#define CROWD_CASE(name)                                                                           \
    cmocka_unit_test_setup_teardown(name, postgres_place_set_up, crowd_tear_down)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(counts_are_those_of_the_logs_whatever_happens),
        CASE(any_range_and_bucket_counts_as_a_scan_does),
        CASE(buckets_of_all_times_cost_what_their_logs_do),
        CASE(what_is_counted_is_not_read_as_logs),
        CASE(logs_of_the_schema_before_are_counted_in_the_background),
        CASE(what_slices_learned_of_windows_is_kept_where_nothing_is_counted),
        CASE(who_inserts_without_counting_is_noticed),
        CASE(levels_beyond_a_number_are_counted_together),
        CASE(a_level_with_a_quote_is_counted_where_no_backslash_may_stand_before_it),
        CASE(a_level_too_long_to_be_told_apart_has_no_name_whatever_the_database_says),
        CASE(days_that_are_dropped_are_counted_no_more),
        CASE(logs_of_a_day_go_though_a_long_query_has_locked_it),
        CASE(a_partition_changed_by_its_own_name_is_right_after_a_recount),
        CROWD_CASE(writers_and_keepers_at_once_count_right),
        CROWD_CASE(a_server_that_is_killed_has_counted_what_it_stored),
        CASE(an_append_after_much_was_erased_does_not_go_through_all_tombstones),
        CASE(a_rare_level_is_looked_for_where_it_is),
        CASE(sparse_logs_of_a_level_cost_few_windows),
        CASE(levels_are_found_whatever_is_counted),
        CASE(who_may_not_read_the_counts_counts_logs),
    };

    if (!postgres_place_start())
        return POSTGRES_PLACE_SKIPPED;
    int failed = cmocka_run_group_tests_name("store_postgres counts", cases, NULL, NULL);
    postgres_place_stop();
    return failed;
}
