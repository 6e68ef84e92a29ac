#include "store_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/buffer.h"
#include "base/timestamp.h"
#include "base/xalloc.h"
#include "query/aggregate.h"
#include "query/extract.h"
#include "store_logs.h"

enum {
    CALLS_MAX = 1000000, /* of one scan: one that takes more does not get on */
    TEXT_MAX = 1 << 30,
};

/* ---- What is stored ---- */

static struct slice copy(struct slice s, char **at)
{
    char *to = *at;

    if (s.len > 0)
        memcpy(to, s.data, s.len);
    *at += s.len;
    return slice_of(to, s.len);
}

static struct store_model_log *log_new(const struct record *r, uint64_t order, uint64_t batch)
{
    struct store_model_log *log =
        xmalloc(sizeof(*log) + r->level.len + r->message.len + r->attributes.len);
    char *at = (char *)(log + 1);

    log->order = order;
    log->batch = batch;
    log->record.key = r->key;
    log->record.level = copy(r->level, &at);
    log->record.message = copy(r->message, &at);
    log->record.attributes = copy(r->attributes, &at);
    return log;
}

void store_model_release(struct store_model *m)
{
    for (size_t i = 0; i < m->len; i++)
        free(m->logs[i]);
    free(m->logs);
    free(m->gone);
    *m = (struct store_model){0};
}

size_t store_model_find(const struct store_model *m, const struct log_key *key, bool *found)
{
    size_t low = 0;
    size_t high = m->len;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = log_key_compare(&m->logs[middle]->record.key, key);

        if (order == 0)
            *found = true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool equal(const struct record *a, const struct record *b)
{
    return log_key_compare(&a->key, &b->key) == 0 && slice_equal(a->level, b->level) &&
           slice_equal(a->message, b->message) && slice_equal(a->attributes, b->attributes);
}

bool store_model_is_gone(const struct store_model *m, const struct log_key *key)
{
    for (size_t i = 0; i < m->gone_len; i++)
        if (log_key_compare(&m->gone[i], key) == 0)
            return true;
    return false;
}

struct store_append_result store_model_append(struct store_model *m, const struct record *records,
                                              size_t n)
{
    struct store_append_result result = {0};

    m->batch++;
    for (size_t i = 0; i < n; i++) {
        bool found;
        size_t at = store_model_find(m, &records[i].key, &found);

        if (found && equal(&m->logs[at]->record, &records[i])) {
            result.repeated++;
        } else if (found) {
            result.conflicts++;
            result.conflict = records[i].key;
        } else if (store_model_is_gone(m, &records[i].key)) {
            result.repeated++;
        } else {
            m->logs =
                array_reserve(m->logs, &m->capacity, m->len + 1, sizeof(struct store_model_log *));
            memmove(m->logs + at + 1, m->logs + at,
                    (m->len - at) * sizeof(struct store_model_log *));
            m->logs[at] = log_new(&records[i], ++m->order, m->batch);
            m->len++;
            result.stored++;
        }
    }
    return result;
}

size_t store_model_remove(struct store_model *m, store_model_fn *fn, void *ctx, bool erased)
{
    size_t kept = 0;
    size_t removed;

    for (size_t i = 0; i < m->len; i++) {
        if (!fn(&m->logs[i]->record, ctx)) {
            m->logs[kept++] = m->logs[i];
            continue;
        }
        if (erased) {
            m->gone = array_reserve(m->gone, &m->gone_capacity, m->gone_len + 1, sizeof(*m->gone));
            m->gone[m->gone_len++] = m->logs[i]->record.key;
        }
        free(m->logs[i]);
    }
    removed = m->len - kept;
    m->len = kept;
    return removed;
}

static bool in_range(const struct log_filter *f, const struct record *r)
{
    return r->key.timestamp_us >= f->since_us && r->key.timestamp_us < f->until_us;
}

static struct log_matcher *matcher_of(const struct log_filter *f)
{
    struct log_matcher *m = log_matcher_new(f);

    if (!m)
        abort();
    return m;
}

static bool matches(const struct log_matcher *m, const struct record *r)
{
    bool yes;

    if (!in_range(log_matcher_filter(m), r))
        return false;
    if (log_matcher_match(m, r, &yes, NULL) != 0)
        abort();
    return yes;
}

bool store_model_takes(const struct log_filter *f, const struct record *r)
{
    struct log_matcher *m = matcher_of(f);
    bool yes = matches(m, r);

    log_matcher_unref(m);
    return yes;
}

/* ---- What is said of a difference ---- */

static void key_text(const struct log_key *key, char out[128])
{
    char time[TIMESTAMP_TEXT_LEN];
    char *at = out + TIMESTAMP_TEXT_LEN;

    timestamp_format(key->timestamp_us, time);
    memcpy(out, time, sizeof(time));
    *at++ = ' ';
    for (size_t i = 0; i < sizeof(key->id.bytes); i++)
        at += sprintf(at, "%02x", key->id.bytes[i]);
}

/* The first bytes of a text, for "%.*s". */
#define HEAD_ARG(s) (int)((s).len < 60 ? (s).len : 60), (s).len > 0 ? (s).data : ""

static int differ(struct errbuf *err, const char *what, const struct record *expected,
                  const struct record *came)
{
    char a[128] = "nothing";
    char b[128] = "nothing";

    if (expected)
        key_text(&expected->key, a);
    if (came)
        key_text(&came->key, b);
    if (expected && came && log_key_compare(&expected->key, &came->key) == 0)
        return errbuf_fail(
            err, LM_EDATA, "%s: log %s is another: [%.*s] [%.*s] [%.*s] for [%.*s] [%.*s] [%.*s]",
            what, a, HEAD_ARG(came->level), HEAD_ARG(came->message), HEAD_ARG(came->attributes),
            HEAD_ARG(expected->level), HEAD_ARG(expected->message), HEAD_ARG(expected->attributes));
    return errbuf_fail(err, LM_EDATA, "%s: %s came for %s", what, b, a);
}

static void describe(struct errbuf *err, const struct log_filter *f)
{
    struct errbuf said = *err;
    struct buffer b;

    buffer_init(&b, TEXT_MAX);
    for (size_t i = 0; i < f->levels_len; i++)
        buffer_appendf(&b, " level=%.*s", SLICE_ARG(f->levels[i]));
    for (size_t i = 0; i < f->excluded_levels_len; i++)
        buffer_appendf(&b, " not.level=%.*s", SLICE_ARG(f->excluded_levels[i]));
    if (f->text.len > 0)
        buffer_appendf(&b, " q=%.*s", SLICE_ARG(f->text));
    if (f->excluded_text.len > 0)
        buffer_appendf(&b, " not.q=%.*s", SLICE_ARG(f->excluded_text));
    for (size_t i = 0; i < f->attributes_len; i++)
        buffer_appendf(&b, " %sattr.%.*s=%.*s", f->attributes[i].excludes ? "not." : "",
                       SLICE_ARG(f->attributes[i].name), SLICE_ARG(f->attributes[i].value));
    buffer_appendf(&b, " since=%lld until=%lld", (long long)f->since_us, (long long)f->until_us);
    errbuf_set(err, "%.250s, of%.*s", said.text, (int)b.len, b.data);
    buffer_release(&b);
}

/* ---- Scans ---- */

/* What has to come, from the newest down; compared as it comes. */
struct expectation {
    const struct store_model *model;
    const struct log_matcher *matcher;
    size_t next; /* all of the model from here up has been passed */
    uint64_t skip;
    uint64_t came;
    const char *what;
    struct errbuf *err;
};

/* The next that has to come; NULL: none. */
static const struct record *expect(struct expectation *e)
{
    while (e->next > 0) {
        const struct record *r = &e->model->logs[--e->next]->record;

        if (!matches(e->matcher, r))
            continue;
        if (e->skip == 0)
            return r;
        e->skip--;
    }
    return NULL;
}

static int compare_next(const struct record *came, void *ctx)
{
    struct expectation *e = ctx;
    const struct record *expected = expect(e);

    e->came++;
    if (!expected || !equal(expected, came))
        return differ(e->err, e->what, expected, came);
    return 0;
}

static struct store_slice random_slice(struct dice *dice)
{
    static const uint64_t rows[] = {1, 2, 7, 100, 1000, UINT64_MAX};

    return (struct store_slice){.rows = rows[dice_below(dice, 6)],
                                .until_us = dice_one_in(dice, 4) ? 1 : 0};
}

static int scan(struct expectation *e, struct store_reader *r, struct store_scan *scan,
                struct dice *dice)
{
    int error = 0;

    for (unsigned calls = 0; !error && !scan->done; calls++) {
        struct store_slice slice = random_slice(dice);
        struct log_key before = scan->before;
        uint64_t came = e->came;

        error = store_scan_next(r, scan, &slice, compare_next, e, e->err);
        if (!error && e->came - came > slice.rows)
            error = errbuf_fail(e->err, LM_EDATA, "%s: more than asked for", e->what);
        if (!error && !scan->done &&
            (calls > CALLS_MAX || log_key_compare(&scan->before, &before) >= 0))
            error = errbuf_fail(e->err, LM_EDATA, "%s: it does not get on", e->what);
    }
    if (!error) {
        const struct record *expected = expect(e);

        if (expected)
            error = differ(e->err, e->what, expected, NULL);
    }
    return error;
}

int store_model_check_all(const struct store_model *m, struct store_reader *r, struct dice *dice,
                          struct errbuf *err)
{
    struct log_filter f;

    log_filter_init(&f);
    struct log_matcher *matcher = matcher_of(&f);
    struct expectation e = {
        .model = m, .matcher = matcher, .next = m->len, .what = "all logs", .err = err};
    struct store_scan all;

    store_scan_init(&all, matcher, NULL, 0);
    int error = scan(&e, r, &all, dice);
    log_matcher_unref(matcher);
    return error;
}

static const struct record *random_log(const struct store_model *m, struct dice *dice)
{
    return m->len > 0 ? &m->logs[dice_below(dice, m->len)]->record : NULL;
}

/* A time that is that of a log, or beside it, or anything. */
static int64_t random_time(const struct store_model *m, struct dice *dice)
{
    const struct record *r = random_log(m, dice);

    if (!r)
        return (int64_t)dice_below(dice, 1000);
    return r->key.timestamp_us + (int64_t)dice_below(dice, 3) - 1;
}

static struct log_matcher *random_matcher(const struct store_model *m, struct dice *dice)
{
    struct log_filter f;

    if (dice_one_in(dice, 4))
        log_filter_init(&f);
    else
        store_logs_random_filter(&f, dice, random_log(m, dice));
    if (dice_one_in(dice, 3))
        f.since_us = random_time(m, dice);
    if (dice_one_in(dice, 3))
        f.until_us = random_time(m, dice);
    return matcher_of(&f);
}

static struct log_key random_key(const struct store_model *m, struct dice *dice)
{
    const struct record *r = random_log(m, dice);
    struct log_key key = r ? r->key : (struct log_key){0};

    if (dice_one_in(dice, 4))
        key.id.bytes[15] ^= 1;
    return key;
}

int store_model_check_scan(const struct store_model *m, struct store_reader *r, struct dice *dice,
                           struct errbuf *err)
{
    struct log_matcher *matcher = random_matcher(m, dice);
    struct log_key cursor = random_key(m, dice);
    bool has_cursor = dice_one_in(dice, 3);
    uint64_t offset = dice_one_in(dice, 4) ? dice_below(dice, m->len + 2) : 0;
    bool found;
    struct expectation e = {.model = m,
                            .matcher = matcher,
                            .next = has_cursor ? store_model_find(m, &cursor, &found) : m->len,
                            .skip = offset,
                            .what = "a scan",
                            .err = err};
    struct store_scan s;

    store_scan_init(&s, matcher, has_cursor ? &cursor : NULL, offset);
    int error = scan(&e, r, &s, dice);
    if (error)
        describe(err, log_matcher_filter(matcher));
    log_matcher_unref(matcher);
    return error;
}

/* ---- Counts ---- */

struct count {
    int64_t bucket;
    char *level;
    size_t level_len;
    uint64_t count;
};

struct counts {
    struct count *items;
    size_t len;
    size_t capacity;
    size_t slice_start; /* those before it are of other slices */
    struct errbuf *err;
};

static void counts_release(struct counts *c)
{
    for (size_t i = 0; i < c->len; i++)
        free(c->items[i].level);
    free(c->items);
}

static void counts_add(struct counts *c, size_t from, int64_t bucket, struct slice level,
                       uint64_t n, bool *was_there)
{
    *was_there = true;
    for (size_t i = from; i < c->len; i++)
        if (c->items[i].bucket == bucket &&
            slice_equal(slice_of(c->items[i].level, c->items[i].level_len), level)) {
            c->items[i].count += n;
            return;
        }
    *was_there = false;
    c->items = array_reserve(c->items, &c->capacity, c->len + 1, sizeof(*c->items));
    c->items[c->len] = (struct count){bucket, xmalloc(level.len + 1), level.len, n};
    if (level.len > 0)
        memcpy(c->items[c->len].level, level.data, level.len);
    c->len++;
}

static int take_count(int64_t bucket, struct slice level, uint64_t n, void *ctx)
{
    struct counts *c = ctx;
    bool was_there;

    if (c->len > c->slice_start && c->items[c->len - 1].bucket > bucket)
        return errbuf_fail(c->err, LM_EDATA, "counts: buckets do not ascend");
    counts_add(c, c->slice_start, bucket, level, n, &was_there);
    if (was_there || n == 0)
        return errbuf_fail(c->err, LM_EDATA, "counts: a pair came twice, or with no logs");
    return 0;
}

/* The same by hand: of the model, those that match below `from`. */
static void count_model(const struct store_model *m, const struct log_matcher *matcher,
                        const struct log_key *from, int64_t since_us, int64_t bucket_us,
                        struct counts *out)
{
    struct buffer lower;
    bool was_there;

    buffer_init(&lower, TEXT_MAX);
    for (size_t i = 0; i < m->len; i++) {
        const struct record *r = &m->logs[i]->record;

        if (!matches(matcher, r) || (from && log_key_compare(&r->key, from) >= 0))
            continue;
        buffer_clear(&lower);
        text_append_lower(&lower, r->level);
        counts_add(out, 0, (r->key.timestamp_us - since_us) / bucket_us, buffer_slice(&lower), 1,
                   &was_there);
    }
    buffer_release(&lower);
}

static int compare_counts(const struct counts *expected, const struct counts *came,
                          struct errbuf *err)
{
    uint64_t total = 0;
    uint64_t total_came = 0;

    for (size_t i = 0; i < expected->len; i++) {
        const struct count *e = &expected->items[i];
        uint64_t n = 0;

        for (size_t k = 0; k < came->len; k++)
            if (came->items[k].bucket == e->bucket &&
                slice_equal(slice_of(came->items[k].level, came->items[k].level_len),
                            slice_of(e->level, e->level_len)))
                n += came->items[k].count;
        if (n != e->count)
            return errbuf_fail(err, LM_EDATA, "counts: bucket %lld has %llu of [%.*s] for %llu",
                               (long long)e->bucket, (unsigned long long)n, (int)e->level_len,
                               e->level, (unsigned long long)e->count);
        total += e->count;
    }
    for (size_t k = 0; k < came->len; k++)
        total_came += came->items[k].count;
    if (total != total_came)
        return errbuf_fail(err, LM_EDATA, "counts: %llu logs for %llu",
                           (unsigned long long)total_came, (unsigned long long)total);
    return 0;
}

/* Some tens of buckets, now and then one microsecond or all times. */
static int64_t random_bucket(const struct store_model *m, struct dice *dice)
{
    int64_t span = m->len > 0 ? m->logs[m->len - 1]->record.key.timestamp_us -
                                    m->logs[0]->record.key.timestamp_us
                              : 1000;

    if (dice_one_in(dice, 6))
        return INT64_C(1) << 60;
    return 1 + span / (int64_t)(1 + dice_below(dice, 40));
}

int store_model_check_counts(const struct store_model *m, struct store_reader *r, struct dice *dice,
                             struct errbuf *err)
{
    struct log_matcher *matcher = random_matcher(m, dice);
    struct log_key cursor = random_key(m, dice);
    bool has_cursor = dice_one_in(dice, 4);
    int64_t bucket_us = random_bucket(m, dice);
    int64_t since_us = log_matcher_filter(matcher)->since_us;
    struct counts expected = {0};
    struct counts came = {.err = err};
    struct store_scan s;
    int error = 0;

    count_model(m, matcher, has_cursor ? &cursor : NULL, since_us, bucket_us, &expected);
    store_scan_init(&s, matcher, has_cursor ? &cursor : NULL, 0);
    for (unsigned calls = 0; !error && !s.done; calls++) {
        struct store_slice slice = random_slice(dice);
        struct log_key before = s.before;

        came.slice_start = came.len;
        error = store_scan_count(r, &s, &slice, since_us, bucket_us, take_count, &came, err);
        if (!error && !s.done && (calls > CALLS_MAX || log_key_compare(&s.before, &before) >= 0))
            error = errbuf_fail(err, LM_EDATA, "counts: it does not get on");
    }
    if (!error)
        error = compare_counts(&expected, &came, err);
    if (error)
        describe(err, log_matcher_filter(matcher));
    counts_release(&expected);
    counts_release(&came);
    log_matcher_unref(matcher);
    return error;
}

/* ---- Batches ---- */

static int add_batch(const struct log_batch *batch, void *ctx)
{
    return aggregate_add(ctx, batch);
}

/* By chance, of attributes that logs by chance have; without sums, which may differ in last bits.
 */
static struct aggregate *random_aggregate(const struct store_model *m, const struct log_filter *f,
                                          struct dice *dice)
{
    static const char *const by[] = {"",        "level", "service,level",  "pattern", "tags,\"n\"",
                                     "message", "user",  "status,ok,host", "trace_id"};
    static const char *const values[] = {"", "count(user),distinct(service),p50(duration.ms)",
                                         "min(n),max(status),distinct(trace_id)",
                                         "min(timestamp),max(timestamp),distinct(message)"};
    struct errbuf err = ERRBUF_INIT;
    struct aggregate_spec spec;
    struct aggregate *a = NULL;

    if (aggregate_spec_parse(slice_of_string(by[dice_below(dice, 9)]),
                             slice_of_string(values[dice_below(dice, 4)]), &spec, &err) == 0) {
        spec.bucket_us = dice_one_in(dice, 2) ? random_bucket(m, dice) : 0;
        spec.bucket_from_us = f->since_us;
        a = aggregate_new(&spec, NULL);
    }
    if (!a)
        abort();
    return a;
}

/* All logs of the model that match, by the extractor. */
static int aggregate_model(const struct store_model *m, const struct log_matcher *matcher,
                           struct aggregate *a)
{
    struct log_extractor *e = log_extractor_new(aggregate_fields(a));
    struct log_batch batch;
    int error = 0;

    for (size_t i = 0; !error && i < m->len; i++) {
        if (!matches(matcher, &m->logs[i]->record))
            continue;
        error = log_extractor_add(e, &m->logs[i]->record);
        if (!error && log_extractor_is_full(e)) {
            error = log_extractor_batch(e, &batch);
            if (!error)
                error = aggregate_add(a, &batch);
            log_extractor_clear(e);
        }
    }
    if (!error)
        error = log_extractor_batch(e, &batch);
    if (!error)
        error = aggregate_add(a, &batch);
    log_extractor_free(e);
    return error;
}

static int compare_aggregates(struct aggregate *expected, struct aggregate *came,
                              struct errbuf *err)
{
    struct buffer a, b;
    int error = 0;
    size_t at = 0;

    buffer_init(&a, TEXT_MAX);
    buffer_init(&b, TEXT_MAX);
    if (aggregate_append_answer(expected, &a, 100) || aggregate_append_answer(came, &b, 100))
        abort();
    while (at < a.len && at < b.len && a.data[at] == b.data[at])
        at++;
    if (!slice_equal(buffer_slice(&a), buffer_slice(&b)))
        error = errbuf_fail(err, LM_EDATA, "batches: %.*s\n for %.*s",
                            (int)(b.len - at < 200 ? b.len - at : 200), b.data + at,
                            (int)(a.len - at < 200 ? a.len - at : 200), a.data + at);
    buffer_release(&a);
    buffer_release(&b);
    return error;
}

int store_model_check_batches(const struct store_model *m, struct store_reader *r,
                              struct dice *dice, struct errbuf *err)
{
    struct log_matcher *matcher = random_matcher(m, dice);
    const struct log_filter *f = log_matcher_filter(matcher);
    struct dice same = *dice;
    struct aggregate *expected = random_aggregate(m, f, dice);
    struct aggregate *came = random_aggregate(m, f, &same);
    struct store_scan s;
    int error = aggregate_model(m, matcher, expected);

    store_scan_init(&s, matcher, NULL, 0);
    for (unsigned calls = 0; !error && !s.done; calls++) {
        struct store_slice slice = random_slice(dice);
        struct log_key before = s.before;

        error = store_scan_batches(r, &s, &slice, aggregate_fields(came), add_batch, came, err);
        if (!error && !s.done && (calls > CALLS_MAX || log_key_compare(&s.before, &before) >= 0))
            error = errbuf_fail(err, LM_EDATA, "batches: it does not get on");
    }
    if (!error)
        error = compare_aggregates(expected, came, err);
    if (error)
        describe(err, f);
    aggregate_free(expected);
    aggregate_free(came);
    log_matcher_unref(matcher);
    return error;
}

/* ---- One log ---- */

struct got {
    const struct store_model *model;
    struct errbuf *err;
    unsigned came;
};

static int compare_got(const struct record *came, void *ctx)
{
    struct got *g = ctx;
    bool found;
    size_t at = store_model_find(g->model, &came->key, &found);

    g->came++;
    if (!found || !equal(&g->model->logs[at]->record, came))
        return differ(g->err, "get", found ? &g->model->logs[at]->record : NULL, came);
    return 0;
}

int store_model_check_get(const struct store_model *m, struct store_reader *r, struct dice *dice,
                          struct errbuf *err)
{
    struct log_key key = random_key(m, dice);
    struct got g = {.model = m, .err = err};
    bool is_there = false;

    for (size_t i = 0; i < m->len; i++)
        is_there = is_there || memcmp(&m->logs[i]->record.key.id, &key.id, sizeof(key.id)) == 0;

    int error = store_get(r, &key.id, compare_got, &g, err);
    if (error == LM_ENOTFOUND && !is_there)
        return 0;
    if (!error && (!is_there || g.came != 1))
        return errbuf_fail(err, LM_EDATA, "get: %u logs came of an id that is %s", g.came,
                           is_there ? "there" : "not there");
    if (error == LM_ENOTFOUND) {
        char text[128];

        key_text(&key, text);
        return errbuf_fail(err, LM_EDATA, "get: %s was not found", text);
    }
    return error;
}

/* ---- Following ---- */

struct following {
    struct store_model_log **logs; /* that have to come, in the order of storing */
    size_t len;
    size_t next;
    size_t stop_after;
    struct store_position last;
    struct errbuf *err;
};

static int by_order(const void *a, const void *b)
{
    const struct store_model_log *x = *(struct store_model_log *const *)a;
    const struct store_model_log *y = *(struct store_model_log *const *)b;

    return x->order < y->order ? -1 : x->order > y->order;
}

/*
 * What has to come next. Within a transaction the order is the store's own: which it is, is learnt
 * from the log that came, and has to stay so.
 */
static struct store_model_log *next_followed(struct following *f, const struct record *came)
{
    struct store_model_log **next = &f->logs[f->next];

    if (f->next == f->len)
        return NULL;
    for (size_t i = f->next; i < f->len && f->logs[i]->batch == (*next)->batch; i++) {
        struct store_model_log *log = f->logs[i];
        uint64_t order = log->order;

        if (log_key_compare(&log->record.key, &came->key) != 0)
            continue;
        for (size_t k = i; &f->logs[k] > next; k--) { /* those before it move up by one */
            f->logs[k] = f->logs[k - 1];
            uint64_t its = f->logs[k]->order;
            f->logs[k]->order = order;
            order = its;
        }
        *next = log;
        log->order = order;
        break;
    }
    return *next;
}

static int follow_one(const struct record *came, const struct store_position *position, void *ctx)
{
    struct following *f = ctx;
    struct store_model_log *expected = next_followed(f, came);

    if (!expected || !equal(&expected->record, came))
        return differ(f->err, "following", expected ? &expected->record : NULL, came);
    if (store_position_compare(position, &f->last) <= 0)
        return errbuf_fail(f->err, LM_EDATA, "following: places do not ascend");
    f->last = *position;
    f->next++;
    return f->next == f->stop_after ? LM_ESTOPPED : 0;
}

static void gather(const struct store_model *m, uint64_t order, struct following *f)
{
    f->logs = xcalloc(m->len + 1, sizeof(*f->logs));
    for (size_t i = 0; i < m->len; i++)
        if (m->logs[i]->order > order)
            f->logs[f->len++] = m->logs[i];
    if (f->len > 0)
        qsort(f->logs, f->len, sizeof(*f->logs), by_order);
}

int store_model_check_follow(struct store_model *m, struct store_reader *r, struct dice *dice,
                             struct store_position *position, uint64_t *order, struct errbuf *err)
{
    struct following f = {.last = *position, .err = err};
    size_t max = 1 + dice_below(dice, 50);
    int error = 0;

    gather(m, *order, &f);
    if (f.len > 0 && dice_one_in(dice, 2))
        f.stop_after = 1 + dice_below(dice, f.len);
    for (;;) {
        struct store_position before = *position;
        bool lost;

        error = store_follow(r, position, max, &lost, follow_one, &f, err);
        if (error == LM_ESTOPPED)
            break;
        if (!error && lost)
            error = errbuf_fail(err, LM_EDATA, "following: logs were lost");
        if (error || store_position_compare(&before, position) == 0)
            break;
    }
    if (error) { /* it is known how far it came */
        *position = f.last;
        if (f.next > 0)
            *order = f.logs[f.next - 1]->order;
        if (error == LM_ESTOPPED)
            error = 0;
    } else if (!error && f.next < f.len) {
        error = differ(err, "following", &f.logs[f.next]->record, NULL);
    } else if (!error) {
        *order = m->order;
    }
    free(f.logs);
    return error;
}

int store_model_check(struct store_model *m, struct store_reader *r, struct dice *dice, size_t n,
                      struct errbuf *err)
{
    struct store_position position = {0};
    uint64_t order = 0;
    int error = store_model_check_all(m, r, dice, err);

    for (size_t i = 0; !error && i < n; i++) {
        error = store_model_check_scan(m, r, dice, err);
        if (!error)
            error = store_model_check_counts(m, r, dice, err);
        if (!error && i % 3 == 0)
            error = store_model_check_batches(m, r, dice, err);
        if (!error)
            error = store_model_check_get(m, r, dice, err);
        if (!error)
            error = store_model_check_follow(m, r, dice, &position, &order, err);
    }
    return error;
}
