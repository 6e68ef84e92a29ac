#include "store_test_support.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/array.h"
#include "base/byte_order.h"
#include "base/xalloc.h"
#include "query/matcher.h"
#include "store/inspect.h"

enum { STEPS_MAX = 10000 }; /* a keeper that takes more never ends */

struct record store_test_record(int64_t timestamp_us, uint32_t n, const char *level,
                                const char *message, const char *attributes)
{
    struct record r = {
        .key = log_key_lowest(timestamp_us),
        .level = slice_of_string(level),
        .message = slice_of_string(message),
        .attributes = attributes ? slice_of_string(attributes) : (struct slice){NULL, 0},
    };

    byte_order_put32((char *)r.key.id.bytes + 12, n);
    return r;
}

struct store_append_result store_test_append(struct store_writer *w, const struct record *records,
                                             size_t n)
{
    struct store_append_result result;
    struct errbuf err = ERRBUF_INIT;

    if (store_append(w, records, n, &result, &err) != 0)
        fail_msg("cannot append: %s", err.text);
    return result;
}

struct store_writer *store_test_writer(struct store *s)
{
    struct errbuf err = ERRBUF_INIT;
    struct store_writer *w = store_writer_new(s, &err);

    if (!w)
        fail_msg("no writer: %s", err.text);
    return w;
}

struct store_reader *store_test_reader(struct store *s)
{
    struct errbuf err = ERRBUF_INIT;
    struct store_reader *r = store_reader_new(s, &err);

    if (!r)
        fail_msg("no reader: %s", err.text);
    return r;
}

static struct store_keeper *keeper_of(struct store *s)
{
    struct errbuf err = ERRBUF_INIT;
    struct store_keeper *k = store_keeper_new(s, &err);

    if (!k)
        fail_msg("no keeper: %s", err.text);
    return k;
}

/* ---- Places ---- */

struct store_test_place *store_test_place_new(const struct store_conformance *adapter)
{
    struct store_test_place *p = xcalloc(1, sizeof(*p));

    p->adapter = adapter;
    p->place = adapter->create();
    store_test_place_open(p);
    return p;
}

void store_test_place_open(struct store_test_place *p)
{
    p->s = p->adapter->open(p->place);
    assert_non_null(p->s);
    p->w = store_test_writer(p->s);
    p->r = store_test_reader(p->s);
    p->k = keeper_of(p->s);
}

void store_test_place_close(struct store_test_place *p)
{
    store_keeper_free(p->k);
    store_reader_free(p->r);
    store_writer_free(p->w);
    store_free(p->s);
}

static void found_damage(const struct store_damage *damage, void *ctx)
{
    print_error("%s: %s\n", damage->what, damage->reason);
}

static void no_progress(uint64_t logs, void *ctx)
{
}

void store_test_verify(struct store *s)
{
    const struct store_verifier v = {.found = found_damage, .progress = no_progress};
    struct store_verified all;
    struct errbuf err = ERRBUF_INIT;
    int error = store_verify(s, &v, &all, &err);

    if (error == LM_EINVAL) /* it has no such insides */
        return;
    if (error)
        fail_msg("cannot verify: %s", err.text);
    assert_int_equal(all.damages, 0);
}

void store_test_place_free(struct store_test_place *p)
{
    store_test_place_close(p);
    store_test_rows_release(&p->rows);
    p->adapter->destroy(p->place);
    free(p);
}

void store_test_place_settle(struct store_test_place *p)
{
    struct errbuf err = ERRBUF_INIT;
    unsigned wait_ms = 0;

    for (int steps = 0; p->adapter->has_keeper && wait_ms == 0; steps++) {
        if (store_keeper_step(p->k, true, &wait_ms, &err) != 0)
            fail_msg("cannot do what is to be done: %s", err.text);
        assert_true(steps < STEPS_MAX);
    }
}

struct store_append_result store_test_place_append(struct store_test_place *p,
                                                   const struct record *records, size_t n)
{
    struct store_append_result result = store_test_append(p->w, records, n);

    store_test_place_settle(p);
    return result;
}

/* ---- Reading ---- */

struct log_query store_test_query(unsigned limit)
{
    struct log_query query = {.limit = limit};

    log_filter_init(&query.filter);
    return query;
}

static struct slice copy(struct slice s)
{
    char *data = xmalloc(s.len + 1);

    if (s.len > 0)
        memcpy(data, s.data, s.len);
    return slice_of(data, s.len);
}

int store_test_collect(const struct record *record, void *ctx)
{
    struct store_test_rows *rows = ctx;

    rows->items = array_reserve(rows->items, &rows->capacity, rows->len + 1, sizeof(*rows->items));
    rows->items[rows->len++] = (struct record){
        .key = record->key,
        .level = copy(record->level),
        .message = copy(record->message),
        .attributes = copy(record->attributes),
    };
    return 0;
}

static void clear(struct store_test_rows *rows)
{
    for (size_t i = 0; i < rows->len; i++) {
        free((char *)rows->items[i].level.data);
        free((char *)rows->items[i].message.data);
        free((char *)rows->items[i].attributes.data);
    }
    rows->len = 0;
}

void store_test_rows_release(struct store_test_rows *rows)
{
    clear(rows);
    free(rows->items);
    *rows = (struct store_test_rows){0};
}

void store_test_run(struct store_reader *r, const struct log_query *query,
                    struct store_test_rows *rows)
{
    struct errbuf err = ERRBUF_INIT;

    clear(rows);
    if (store_query(r, query, store_test_collect, rows, &err) != 0)
        fail_msg("cannot query: %s", err.text);
}

void store_test_assert_equal(const struct record *a, const struct record *b)
{
    assert_int_equal(log_key_compare(&a->key, &b->key), 0);
    assert_true(slice_equal(a->level, b->level));
    assert_true(slice_equal(a->message, b->message));
    assert_true(slice_equal(a->attributes, b->attributes));
}

bool store_test_matches(const struct log_filter *f, const struct record *r)
{
    struct log_matcher *m = log_matcher_new(f);
    bool matches;

    assert_non_null(m);
    assert_int_equal(log_matcher_match(m, r, &matches, NULL), 0);
    log_matcher_unref(m);
    return matches;
}

int store_test_stats(struct store_reader *r, const struct log_stats_query *query,
                     store_count_fn *fn, void *ctx, struct errbuf *err)
{
    struct log_matcher *matcher = log_matcher_new(&query->filter);
    const struct store_slice slice = {.rows = 1};
    struct store_scan scan;

    if (!matcher)
        return errbuf_fail(err, LM_ENOMEM, "no memory for a filter");
    store_scan_init(&scan, matcher, NULL, 0);
    int error =
        store_scan_count(r, &scan, &slice, query->filter.since_us, query->bucket_us, fn, ctx, err);
    if (!error && !scan.done)
        error = errbuf_fail(err, LM_ETOOBIG, "too many levels to count at once");
    log_matcher_unref(matcher);
    return error;
}
