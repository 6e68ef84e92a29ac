/*
 * What helpers do for a call on the embedded store (parts.h): the same batches come in the same
 * order as without them, whatever is damaged, erased, cancelled, or goes meanwhile.
 */
#include <stdio.h>
#include <string.h>

#include "../cmocka_all.h"
#include "../temp_directory.h"
#include "base/xalloc.h"
#include "query/batch.h"
#include "query/language.h"
#include "store/helpers.h"
#include "store/sqlite/adapter.h"
#include "store/sqlite/internal.h"
#include "store_test_support.h"

enum { LOGS = 4000, BATCH = 400, BLOCK = 32, HELPERS = 3, STEP_US = 1000000, CALLS = 9999 };

/* 2026-01-01T00:00:00Z */
#define T0 INT64_C(1767225600000000)

static const struct store_sqlite_sizes sizes = {
    .block_rows = BLOCK, .segment_blocks = 16, .seal_rows = 100, .keep_rows = 10};

struct place {
    char *directory;
    struct store *s;
    struct store_writer *w;
    struct store_reader *r;
    struct store_helpers *helpers;
    struct record records[LOGS]; /* ascending */
    char messages[LOGS][64];
    char attributes[LOGS][128];
};

static void open_place(struct place *p)
{
    struct errbuf err = ERRBUF_INIT;

    p->s = store_sqlite_new_sized(p->directory, &sizes, &err);
    assert_non_null(p->s);
    p->w = store_test_writer(p->s);
    p->r = store_test_reader(p->s);
    p->helpers = store_helpers_new(p->s, HELPERS);
}

static void close_place(struct place *p)
{
    store_helpers_free(p->helpers);
    store_reader_free(p->r);
    store_writer_free(p->w);
    store_free(p->s);
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

static int set_up(void **state)
{
    struct place *p = xcalloc(1, sizeof(*p));

    p->directory = temp_directory_new();
    open_place(p);
    for (uint32_t i = 0; i < LOGS; i++) {
        snprintf(p->messages[i], sizeof(p->messages[i]), "customer %u placed order %u", i * 7919,
                 i % 97);
        snprintf(p->attributes[i], sizeof(p->attributes[i]),
                 i % 41 ? "{\"n\":%u}" : "{\"n\":[%u,2]}", i * 31 % 1009);
        p->records[i] = store_test_record(T0 + i * (int64_t)STEP_US, i, i % 7 ? "info" : "error",
                                          p->messages[i], p->attributes[i]);
    }
    for (uint32_t i = 0; i < LOGS; i += BATCH)
        store_test_append(p->w, p->records + i, BATCH);
    keep(p);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;

    close_place(p);
    temp_directory_free(p->directory);
    free(p);
    return 0;
}

/* ---- What comes ---- */

/* A call's batches, written down. */
struct taken {
    struct place *place;
    struct buffer text;
    uint64_t batches, logs;
    void (*then)(
        struct place *p); /* once, within the first call, after a few batches; NULL: nothing */
};

static void write_column(struct buffer *b, const struct log_column *c, size_t row)
{
    if (c->integers)
        buffer_appendf(b, " %lld/%u", (long long)c->integers[row], c->decimals);
    else if (c->codes[row] == LOG_CODE_NONE)
        buffer_append_string(b, " -");
    else if (c->codes[row] & LOG_CODE_LIST)
        buffer_append_string(b, " [");
    else
        buffer_appendf(b, " %.*s", SLICE_ARG(c->values[c->codes[row]].text));
}

static int take_batch(const struct log_batch *batch, void *ctx)
{
    struct taken *t = ctx;

    buffer_appendf(&t->text, "%zu:", batch->rows);
    for (size_t row = 0; row < batch->rows; row++) {
        write_column(&t->text, &batch->columns[0], row);
        buffer_appendf(&t->text, "@%lld", (long long)batch->times_us[row]);
        t->logs += batch->counts ? batch->counts[row] : 1;
    }
    if (++t->batches == 3 && t->then)
        t->then(t->place);
    return 0;
}

/* With times, so that nothing is remembered of the first time. */
static const struct log_fields fields_of_n = {
    .items = {{.kind = LOG_FIELD_ATTRIBUTE, .path = SLICE_LITERAL("n")}}, .len = 1};

/* Whether what is erased or gone matters is the caller's to know. */
static struct taken take_all(struct place *p, const char *text, struct store_helpers *helpers,
                             void (*then)(struct place *p), struct store_scan *scan,
                             struct errbuf *err)
{
    const struct store_slice slice = {.rows = UINT64_MAX, .helpers = helpers};
    struct taken t = {.place = p, .then = then};
    struct query_mistake mistake;
    struct log_matcher *m;
    struct log_filter f;

    buffer_init(&t.text, SIZE_MAX / 2);
    log_filter_init(&f);
    if (*text)
        assert_int_equal(query_parse(slice_of_string(text), T0, NULL, &f.query, &mistake), 0);
    m = log_matcher_new(&f);
    query_unref(f.query);
    assert_non_null(m);
    store_scan_init(scan, m, NULL, 0);
    for (int calls = 0; !scan->done; calls++) {
        int error = store_scan_batches(p->r, scan, &slice, &fields_of_n, take_batch, &t, err);

        assert_true(calls < CALLS);
        assert_true(!error || error == LM_ETIMEOUT);
    }
    log_matcher_unref(m);
    return t;
}

/* Returns how many logs came, the same with and without helpers, who have helped. */
static uint64_t assert_same(struct place *p, const char *text)
{
    struct errbuf err = ERRBUF_INIT, helped_err = ERRBUF_INIT;
    struct store_scan scan, helped_scan;
    uint64_t before = store_helpers_done(p->helpers);
    struct taken alone = take_all(p, text, NULL, NULL, &scan, &err);
    struct taken helped = take_all(p, text, p->helpers, NULL, &helped_scan, &helped_err);

    assert_true(slice_equal(buffer_slice(&alone.text), buffer_slice(&helped.text)));
    assert_int_equal(alone.logs, helped.logs);
    assert_int_equal(scan.damaged, helped_scan.damaged);
    assert_string_equal(err.text, helped_err.text);
    for (int i = 0; store_helpers_done(p->helpers) == before; i++) { /* they may have been slow */
        struct taken again = take_all(p, text, p->helpers, NULL, &helped_scan, &helped_err);

        assert_true(i < CALLS);
        buffer_release(&again.text);
    }
    buffer_release(&alone.text);
    buffer_release(&helped.text);
    return helped.logs;
}

static const char *const texts[] = {"", "/customer \\d+7 placed/", "\"order 11\"", "n:>=500 placed",
                                    "NOT level:error"};

enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };

static void the_same_batches_come_in_the_same_order(void **state)
{
    for (int i = 0; i < TEXTS; i++)
        assert_true(assert_same(*state, texts[i]) > 0);
    assert_int_equal(assert_same(*state, ""), LOGS);
}

/* ---- What is damaged, erased, or gone ---- */

static void run_sql(struct place *p, const char *sql)
{
    char path[4096];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/logs.db", p->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void damage_is_told_as_without_them(void **state)
{
    struct place *p = *state;

    close_place(p);
    run_sql(p, "UPDATE blocks SET data = zeroblob(length(data)) WHERE number % 5 = 0");
    open_place(p);
    uint64_t logs = assert_same(p, "");
    assert_true(logs > 0 && logs < LOGS);
}

static void erased_logs_do_not_come(void **state)
{
    struct place *p = *state;
    const struct store_slice slice = {.rows = LOGS};
    struct errbuf err = ERRBUF_INIT;
    struct query_mistake mistake;
    struct log_matcher *m;
    struct store_scan scan;
    struct log_filter f;
    size_t erased = 0, now;

    log_filter_init(&f);
    f.until_us = T0 + LOGS / 2 * (int64_t)STEP_US;
    assert_int_equal(query_parse(SLICE_LITERAL("level:error"), T0, NULL, &f.query, &mistake), 0);
    m = log_matcher_new(&f);
    query_unref(f.query);
    store_scan_init(&scan, m, NULL, 0);
    for (; !scan.done; erased += now)
        assert_int_equal(store_erase(p->w, &scan, &slice, false, &now, &err), 0);
    log_matcher_unref(m);
    assert_int_equal(erased, (LOGS / 2 + 6) / 7);
    assert_int_equal(assert_same(p, ""), LOGS - erased);
}

/* The older half goes, for who comes later. */
static void expire_half(struct place *p)
{
    struct errbuf err = ERRBUF_INIT;
    bool more = true;
    size_t deleted;

    while (more)
        assert_int_equal(
            store_expire(p->w, T0 + LOGS / 2 * (int64_t)STEP_US, LOGS, &deleted, &more, &err), 0);
}

static void blocks_that_helpers_cannot_find_any_more_are_read_by_the_call(void **state)
{
    struct place *p = *state;
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    struct taken t = take_all(p, texts[1], NULL, NULL, &scan, &err);
    struct taken helped = take_all(p, texts[1], p->helpers, expire_half, &scan, &err);

    assert_true(slice_equal(buffer_slice(&t.text), buffer_slice(&helped.text)));
    buffer_release(&t.text);
    buffer_release(&helped.text);
    helped = take_all(p, texts[1], p->helpers, NULL, &scan, &err);
    assert_true(helped.logs < t.logs); /* it has gone */
    buffer_release(&helped.text);
}

static void cancel(struct place *p)
{
    store_reader_cancel(p->r);
}

static void a_call_that_is_cancelled_leaves_a_place_to_go_on_from(void **state)
{
    struct place *p = *state;
    struct errbuf err = ERRBUF_INIT;
    struct store_scan scan;
    struct taken t = take_all(p, texts[3], NULL, NULL, &scan, &err);
    struct taken helped = take_all(p, texts[3], p->helpers, cancel, &scan, &err);

    assert_int_equal(helped.logs, t.logs); /* the last ones in other batches */
    buffer_release(&t.text);
    buffer_release(&helped.text);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_same_batches_come_in_the_same_order),
        CASE(damage_is_told_as_without_them),
        CASE(erased_logs_do_not_come),
        CASE(blocks_that_helpers_cannot_find_any_more_are_read_by_the_call),
        CASE(a_call_that_is_cancelled_leaves_a_place_to_go_on_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
