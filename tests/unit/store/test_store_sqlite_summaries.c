/*
 * What summaries of segments tell is what the logs say, blocks need not be read for it, and they go
 * with whatever changes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/xalloc.h"
#include "query/aggregate.h"
#include "query/extract.h"
#include "query/language.h"
#include "query/survey.h"
#include "store/inspect.h"
#include "store/sqlite/adapter.h"
#include "store/sqlite/internal.h"
#include "store_test_support.h"

enum {
    LOGS = 900,
    BATCH = 90,
    BLOCK = 32,
    STEP_US = 1000000,
    ATTRIBUTES_BYTES = 1024,
    CALLS = 9999
};

/* 2026-01-01T00:00:00Z */
#define T0 INT64_C(1767225600000000)

struct place {
    char *directory;
    struct store *s;
    struct store_writer *w;
    struct store_reader *r;
    struct record records[LOGS]; /* ascending */
    bool is_erased[LOGS];
    char attributes[LOGS][ATTRIBUTES_BYTES];
};

static const struct store_slice slices[] = {
    {.rows = UINT64_MAX}, {.rows = 1}, {.rows = UINT64_MAX, .until_us = 1}};

enum { SLICES = sizeof(slices) / sizeof(slices[0]) };

/* Few values, some only of some logs, of two types, nested, and of every log another. */
static void spell(char *to, uint32_t i)
{
    static const char *const status[] = {"200", "404", "500", "\"500\"", "2e2"};
    int len =
        snprintf(to, ATTRIBUTES_BYTES, "{\"host\":\"web-%u\",\"key\":\"%u\"", i % 5, i * 7919);

    if (i % 3)
        len += snprintf(to + len, ATTRIBUTES_BYTES - (size_t)len, ",\"status\":%s", status[i % 5]);
    if (i % 4 == 1)
        len += snprintf(to + len, ATTRIBUTES_BYTES - (size_t)len, ",\"a\":{\"b\":%s}",
                        i % 8 == 1 ? "null" : "true");
    if (i > LOGS / 2)
        len +=
            snprintf(to + len, ATTRIBUTES_BYTES - (size_t)len, ",\"late\":\"\303\251 %u\"", i % 2);
    snprintf(to + len, ATTRIBUTES_BYTES - (size_t)len, "}");
}

/* Now and then an array, or an object where others have a value. */
static void spell_strange(char *to, uint32_t i)
{
    spell(to, i);
    if (i % 50 == 7)
        snprintf(to, ATTRIBUTES_BYTES, "{\"host\":[\"web-1\",\"web-%u\"],\"status\":{\"x\":1}}",
                 i % 3);
    if (i % 70 == 9)
        snprintf(to, ATTRIBUTES_BYTES, "{\"status\":[],\"a.b\":7,\"host\":{}}");
}

/* More fields than a survey is kept of, and than are counted. */
static void spell_many(char *to, uint32_t i)
{
    int len = snprintf(to, ATTRIBUTES_BYTES, "{\"f0\":%u", i % 3);

    for (int k = 1; k < 70; k++)
        len += snprintf(to + len, ATTRIBUTES_BYTES - (size_t)len, ",\"f%d\":%u", k, i % 3);
    snprintf(to + len, ATTRIBUTES_BYTES - (size_t)len, "}");
}

/* All but the newest are in cold segments then. */
static void keep(struct place *p)
{
    struct errbuf err = ERRBUF_INIT;
    struct store_keeper *k = store_keeper_new(p->s, &err);
    unsigned wait_ms = 0;

    assert_non_null(k);
    for (int calls = 0; wait_ms == 0; calls++) {
        assert_true(calls < CALLS);
        assert_int_equal(store_keeper_step(k, true, &wait_ms, &err), 0);
    }
    store_keeper_free(k);
}

static int set_up_with(void **state, void (*spell_one)(char *to, uint32_t i))
{
    const struct store_sqlite_sizes sizes = {
        .block_rows = BLOCK, .segment_blocks = 4, .seal_rows = 100, .keep_rows = 10};
    struct place *p = xcalloc(1, sizeof(*p));
    struct errbuf err = ERRBUF_INIT;

    p->directory = temp_directory_new();
    p->s = store_sqlite_new_sized(p->directory, &sizes, &err);
    p->w = store_test_writer(p->s);
    p->r = store_test_reader(p->s);
    for (uint32_t i = 0; i < LOGS; i++) {
        p->records[i] = store_test_record(T0 + i * (int64_t)STEP_US, i,
                                          i % 7 ? "info" : (i % 2 ? "WARN" : "Error"), "m", NULL);
        spell_one(p->attributes[i], i);
        p->records[i].attributes = slice_of_string(p->attributes[i]);
    }
    for (uint32_t i = 0; i < LOGS; i += BATCH)
        store_test_append(p->w, p->records + i, BATCH);
    keep(p);
    *state = p;
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, spell);
}

static int set_up_strange(void **state)
{
    return set_up_with(state, spell_strange);
}

static int set_up_many(void **state)
{
    return set_up_with(state, spell_many);
}

static int tear_down(void **state)
{
    struct place *p = *state;

    store_reader_free(p->r);
    store_writer_free(p->w);
    store_free(p->s);
    temp_directory_free(p->directory);
    free(p);
    return 0;
}

static void open_again(struct place *p)
{
    const struct store_sqlite_sizes sizes = {
        .block_rows = BLOCK, .segment_blocks = 4, .seal_rows = 100, .keep_rows = 10};
    struct errbuf err = ERRBUF_INIT;

    store_reader_free(p->r);
    store_writer_free(p->w);
    store_free(p->s);
    p->s = store_sqlite_new_sized(p->directory, &sizes, &err);
    p->w = store_test_writer(p->s);
    p->r = store_test_reader(p->s);
}

/* Returns the number in the only column of the only row, if there is one. */
static int64_t run_sql(struct place *p, const char *sql)
{
    char path[4096];
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int64_t n = 0;

    snprintf(path, sizeof(path), "%s/logs.db", p->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        n = sqlite3_column_int64(stmt, 0);
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    sqlite3_close(db);
    return n;
}

/* Blocks of which nothing can be read: whoever opens one notes damage. Nothing is remembered. */
static void spoil_blocks(struct place *p, const char *which)
{
    char sql[512];

    snprintf(sql, sizeof(sql), "UPDATE blocks SET data = zeroblob(length(data)) WHERE %s", which);
    run_sql(p, sql);
    open_again(p);
}

static struct log_matcher *matcher_of(const char *text)
{
    struct query_mistake mistake;
    struct log_matcher *m;
    struct log_filter f;

    log_filter_init(&f);
    f.since_us = T0;
    f.until_us = T0 + LOGS * (int64_t)STEP_US;
    if (*text)
        assert_int_equal(query_parse(slice_of_string(text), T0, NULL, &f.query, &mistake), 0);
    m = log_matcher_new(&f);
    query_unref(f.query);
    assert_non_null(m);
    return m;
}

static struct aggregate *aggregate_of(const char *by, const char *values, int64_t bucket_us)
{
    struct errbuf err = ERRBUF_INIT;
    struct aggregate_spec spec;
    struct aggregate *a;

    assert_int_equal(
        aggregate_spec_parse(slice_of_string(by), slice_of_string(values), &spec, &err), 0);
    spec.bucket_us = bucket_us;
    a = aggregate_new(&spec, NULL);
    assert_non_null(a);
    return a;
}

static int add_batch(const struct log_batch *batch, void *ctx)
{
    return aggregate_add(ctx, batch);
}

static void expect(const struct place *p, const struct log_matcher *m, struct aggregate *a)
{
    struct log_extractor *e = log_extractor_new(aggregate_fields(a));
    struct errbuf err = ERRBUF_INIT;
    struct log_batch batch;

    for (size_t i = 0; i < LOGS; i++) {
        bool matches = false;

        if (!p->is_erased[i])
            assert_int_equal(log_matcher_match(m, &p->records[i], &matches, &err), 0);
        if (matches)
            assert_int_equal(log_extractor_add(e, &p->records[i]), 0);
        if (i + 1 < LOGS && !log_extractor_is_full(e))
            continue;
        assert_int_equal(log_extractor_batch(e, &batch), 0);
        assert_int_equal(aggregate_add(a, &batch), 0);
        log_extractor_clear(e);
    }
    log_extractor_free(e);
}

static void assert_same(const char *what, struct buffer *came, struct buffer *expected)
{
    if (!slice_equal(buffer_slice(came), buffer_slice(expected)))
        fail_msg("%s:\n%.*s\nis to be\n%.*s", what, (int)came->len, came->data, (int)expected->len,
                 expected->data);
    buffer_release(came);
    buffer_release(expected);
}

/* Returns in how many blocks damage was met. */
static uint64_t assert_groups_in(struct place *p, const struct store_slice *slice, const char *text,
                                 const char *by, const char *values, int64_t bucket_us)
{
    struct aggregate *expected = aggregate_of(by, values, bucket_us);
    struct aggregate *came = aggregate_of(by, values, bucket_us);
    struct log_matcher *m = matcher_of(text);
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    struct buffer x, y;

    expect(p, m, expected);
    store_scan_init(&scan, m, NULL, 0);
    for (int calls = 0; !scan.done; calls++) {
        assert_true(calls < CALLS);
        assert_int_equal(
            store_scan_batches(p->r, &scan, slice, aggregate_fields(came), add_batch, came, &err),
            0);
    }
    buffer_init(&x, SIZE_MAX / 2);
    buffer_init(&y, SIZE_MAX / 2);
    assert_int_equal(aggregate_append_answer(expected, &x, 100), 0);
    assert_int_equal(aggregate_append_answer(came, &y, 100), 0);
    if (scan.damaged == 0)
        assert_same(text, &y, &x);
    buffer_release(&x);
    buffer_release(&y);
    aggregate_free(expected);
    aggregate_free(came);
    log_matcher_unref(m);
    return scan.damaged;
}

static uint64_t assert_groups(struct place *p, const char *text, const char *by, const char *values,
                              int64_t bucket_us)
{
    uint64_t damaged = 0;

    for (int i = 0; i < SLICES; i++)
        damaged += assert_groups_in(p, &slices[i], text, by, values, bucket_us);
    return damaged;
}

/* Each log has another: what is said of them is approximate, and depends on their order. */
static void leave_out_key(struct buffer *answer)
{
    char *key, *next;

    buffer_append_char(answer, '\0');
    key = strstr(answer->data, "{\"path\":\"key\"");
    next = key ? strstr(key + 1, "{\"path\"") : NULL;
    if (next)
        memset(key, ' ', (size_t)(next - key));
}

static uint64_t assert_fields(struct place *p, const char *text)
{
    struct log_matcher *m = matcher_of(text);
    struct errbuf err = ERRBUF_INIT;
    uint64_t damaged = 0;

    for (int i = 0; i < SLICES; i++) {
        struct survey *expected = survey_new(NULL), *came = survey_new(NULL);
        struct store_survey survey = {.survey = came};
        struct store_scan scan;
        struct buffer x, y;

        for (size_t k = 0; k < LOGS; k++) {
            bool matches = false;

            if (!p->is_erased[k])
                assert_int_equal(log_matcher_match(m, &p->records[k], &matches, &err), 0);
            if (matches)
                assert_int_equal(survey_add(expected, &p->records[k]), 0);
        }
        store_scan_init(&scan, m, NULL, 0);
        for (int calls = 0; !scan.done; calls++) {
            assert_true(calls < CALLS);
            assert_int_equal(store_scan_survey(p->r, &scan, &slices[i], &survey, &err), 0);
        }
        damaged += scan.damaged;
        buffer_init(&x, SIZE_MAX / 2);
        buffer_init(&y, SIZE_MAX / 2);
        assert_int_equal(survey_append_answer(expected, &x, 100), 0);
        assert_int_equal(survey_append_answer(came, &y, 100), 0);
        leave_out_key(&x);
        leave_out_key(&y);
        if (scan.damaged == 0)
            assert_same(text, &y, &x);
        buffer_release(&x);
        buffer_release(&y);
        survey_free(expected);
        survey_free(came);
    }
    log_matcher_unref(m);
    return damaged;
}

static const char *const questions[] = {
    "",
    "level:warn",
    "host:web-3",
    "status:200",
    "status:>=404",
    "status:* -status:500",
    "level:error (status:500 OR NOT status:*)",
    "status:[400 TO 499] OR level:>=error",
    "host:none",
};

enum { QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

static void blocks_need_not_be_read_for_attributes_of_few_values(void **state)
{
    struct place *p = *state;

    assert_true(run_sql(p, "SELECT count(*) FROM summaries WHERE length(counts) > 0 AND "
                           "length(fields) > 0") > 3);
    spoil_blocks(p, "1");
    assert_int_equal(assert_groups(p, "", "host", "count", 0), 0);
    assert_int_equal(assert_groups(p, "", "level,host", "count", 0), 0);
    assert_int_equal(assert_groups(p, "", "a.b", "count", 0), 0);
    assert_int_equal(assert_groups(p, "", "", "distinct(host)", 0), 0);
    assert_int_equal(assert_groups(p, "", "", "avg(status)", 0), 0);
    for (int i = 0; i < QUESTIONS; i++)
        if (!strstr(questions[i], "host"))
            assert_int_equal(assert_groups(p, questions[i], "status", "count,max(status)", 0), 0);
    assert_int_equal(assert_groups(p, "host:web-3 OR level:warn", "host", "count", 0), 0);
    assert_int_equal(assert_groups(p, "status:404", "level", "count", 0), 0);
    assert_int_equal(assert_groups(p, "", "host", "count", LOGS * (int64_t)STEP_US), 0);
    assert_int_equal(assert_fields(p, ""), 0);
}

static void what_summaries_do_not_tell_the_columns_do(void **state)
{
    struct place *p = *state;

    for (int i = 0; i < QUESTIONS; i++) {
        assert_int_equal(assert_groups(p, questions[i], "status", "count", 0), 0);
        assert_int_equal(assert_groups(p, questions[i], "host,status", "count", 0), 0);
        assert_int_equal(assert_groups(p, questions[i], "level,a.b", "count", 20 * STEP_US), 0);
        assert_int_equal(assert_groups(p, questions[i], "a", "count,distinct(key)", 0), 0);
        assert_int_equal(assert_fields(p, questions[i]), 0);
    }
    assert_int_equal(assert_groups(p, "status:20*", "status", "count", 0), 0);
    assert_int_equal(assert_groups(p, "", "late", "count", 0), 0);
    assert_int_equal(assert_groups(p, "timestamp:>=2026-01-01T00:05:00Z", "host", "count", 0), 0);
    spoil_blocks(p, "1");
    assert_true(assert_groups(p, "", "key", "count", 0) > 0);
    assert_true(assert_groups(p, "host:web-1", "status", "count", 0) > 0);
    assert_true(assert_groups(p, "m", "host", "count", 0) > 0);
    assert_true(assert_fields(p, "host:web-1") > 0);
}

static void erase_logs(struct place *p, const char *text)
{
    struct log_matcher *m = matcher_of(text);
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    size_t erased;

    for (size_t i = 0; i < LOGS; i++) {
        bool matches;

        assert_int_equal(log_matcher_match(m, &p->records[i], &matches, &err), 0);
        p->is_erased[i] = p->is_erased[i] || matches;
    }
    store_scan_init(&scan, m, NULL, 0);
    while (!scan.done)
        assert_int_equal(
            store_erase(p->w, &scan, &(struct store_slice){.rows = 20}, true, &erased, &err), 0);
    log_matcher_unref(m);
}

static void a_summary_goes_with_the_first_log_that_is_erased(void **state)
{
    struct place *p = *state;
    int64_t segments = run_sql(p, "SELECT count(*) FROM summaries");
    char text[64];

    snprintf(text, sizeof(text), "key:%d", 400 * 7919);
    erase_logs(p, text);
    assert_int_equal(run_sql(p, "SELECT count(*) FROM summaries"), segments - 1);
    assert_int_equal(run_sql(p, "SELECT count(*) FROM summaries JOIN segments ON number = segment "
                                "WHERE erased > 0"),
                     0);
    assert_int_equal(assert_groups(p, "", "host", "count", 0), 0);
    assert_int_equal(assert_fields(p, ""), 0);
    keep(p);
    assert_int_equal(assert_groups(p, "", "host", "count", 0), 0);
    assert_int_equal(assert_fields(p, ""), 0);
    erase_logs(p, "level:info");
    assert_int_equal(assert_groups(p, "", "status", "count", 0), 0);
    assert_int_equal(assert_fields(p, ""), 0);
    keep(p);
    assert_true(run_sql(p, "SELECT count(*) FROM summaries") > 0);
    assert_int_equal(assert_groups(p, "", "status", "count", 0), 0);
    assert_int_equal(assert_fields(p, ""), 0);
}

static void a_summary_goes_with_blocks_that_expire(void **state)
{
    struct place *p = *state;
    struct errbuf err = ERRBUF_INIT;
    bool more = true;
    size_t deleted;

    for (int calls = 0; more; calls++) {
        assert_true(calls < CALLS);
        assert_int_equal(store_expire(p->w, T0 + 333 * (int64_t)STEP_US, 64, &deleted, &more, &err),
                         0);
    }
    for (size_t i = 0; i < 333; i++)
        p->is_erased[i] = true;
    assert_int_equal(run_sql(p, "SELECT count(*) FROM summaries JOIN segments ON number = segment "
                                "WHERE gone > 0 OR erased > 0"),
                     0);
    assert_int_equal(run_sql(p,
                             "SELECT count(*) FROM summaries WHERE segment NOT IN (SELECT number "
                             "FROM segments)"),
                     0);
    assert_true(run_sql(p, "SELECT count(*) FROM summaries") > 0);
    assert_int_equal(assert_groups(p, "", "host", "count", 0), 0);
    assert_int_equal(assert_fields(p, ""), 0);
}

static void of_many_fields_some_are_counted(void **state)
{
    struct place *p = *state;

    assert_int_equal(run_sql(p, "SELECT sum(length(fields)) FROM summaries"), 0);
    assert_int_equal(assert_fields(p, ""), 0);
    assert_int_equal(assert_groups(p, "", "f69", "count", 0), 0);
    spoil_blocks(p, "1");
    assert_int_equal(assert_groups(p, "", "f0", "count", 0), 0);
    assert_true(assert_groups(p, "", "f69", "count", 0) > 0);
}

static void found(const struct store_damage *damage, void *ctx)
{
    (void)ctx;
    assert_non_null(strstr(damage->what, "segment "));
    assert_string_equal(damage->reason, "its summary is damaged");
}

static void pass(uint64_t logs, void *ctx)
{
    (void)logs;
    (void)ctx;
}

/* Damaged, from a build that keeps others, or of an older one that has none. */
static void without_summaries_answers_are_the_same(void **state)
{
    const struct store_verifier v = {.found = found, .progress = pass};
    struct place *p = *state;
    int64_t summaries = run_sql(p, "SELECT count(*) FROM summaries");
    struct errbuf err = ERRBUF_INIT;
    struct store_verified all;

    run_sql(p, "UPDATE summaries SET counts = zeroblob(length(counts)), "
               "fields = substr(fields, 1, length(fields) - 1)");
    open_again(p);
    assert_int_equal(assert_groups(p, "", "host", "count", 0), 0);
    assert_int_equal(assert_fields(p, ""), 0);
    assert_int_equal(store_verify(p->s, &v, &all, &err), 0);
    assert_int_equal(all.damages, summaries);
    run_sql(p, "DELETE FROM summaries");
    open_again(p);
    store_test_verify(p->s);
    assert_int_equal(assert_groups(p, "status:*", "status", "count", 0), 0);
    assert_int_equal(assert_fields(p, ""), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define STRANGE(name) cmocka_unit_test_setup_teardown(name, set_up_strange, tear_down)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(blocks_need_not_be_read_for_attributes_of_few_values),
        CASE(what_summaries_do_not_tell_the_columns_do),
        STRANGE(what_summaries_do_not_tell_the_columns_do),
        CASE(a_summary_goes_with_the_first_log_that_is_erased),
        CASE(a_summary_goes_with_blocks_that_expire),
        cmocka_unit_test_setup_teardown(of_many_fields_some_are_counted, set_up_many, tear_down),
        CASE(without_summaries_answers_are_the_same),
    };

    return cmocka_run_group_tests_name("store_sqlite summaries", cases, NULL, NULL);
}
