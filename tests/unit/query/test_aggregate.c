#include "query/aggregate.h"

#include <stdio.h>
#include <stdlib.h>

#include "../cmocka_all.h"
#include "base/xalloc.h"
#include "query/aggregate_table.h"
#include "query/extract.h"

enum {
    TEXT_MAX = 1 << 26,
    ROUNDS = 40,
    LOGS = 3000,
    PARTS = 7,
    MINUTE_US = 60000000,
};

/* 2026-01-01T00:00:00Z */
#define T0 INT64_C(1767225600000000)

/* ---- Feeding ---- */

static struct aggregate *new_aggregate(const char *by, const char *values, int64_t bucket_us)
{
    struct aggregate_spec spec;
    struct aggregate *a;
    struct errbuf err = ERRBUF_INIT;

    if (aggregate_spec_parse(slice_of_string(by), slice_of_string(values), &spec, &err))
        fail_msg("%s", err.text);
    spec.bucket_us = bucket_us;
    spec.bucket_from_us = T0;
    a = aggregate_new(&spec, NULL);
    assert_non_null(a);
    return a;
}

static struct record log_of(int64_t time_us, const char *level, const char *message,
                            const char *attributes)
{
    return (struct record){.key = {.timestamp_us = time_us},
                           .level = slice_of_string(level),
                           .message = slice_of_string(message),
                           .attributes = slice_of_string(attributes ? attributes : "")};
}

static void hand_over(struct aggregate *a, struct log_extractor *e)
{
    struct log_batch batch;

    assert_int_equal(log_extractor_batch(e, &batch), 0);
    assert_int_equal(aggregate_add(a, &batch), 0);
    log_extractor_clear(e);
}

/* In batches of up to `batch` rows. */
static void feed(struct aggregate *a, const struct record *records, size_t n, size_t batch)
{
    struct log_extractor *e = log_extractor_new(aggregate_fields(a));

    for (size_t i = 0; i < n; i++) {
        assert_int_equal(log_extractor_add(e, &records[i]), 0);
        if (log_extractor_rows(e) == batch || log_extractor_is_full(e))
            hand_over(a, e);
    }
    if (log_extractor_rows(e))
        hand_over(a, e);
    log_extractor_free(e);
}

/* The caller frees. */
static char *answer_of(struct aggregate *a, size_t top)
{
    struct buffer b;

    buffer_init(&b, TEXT_MAX);
    buffer_append_char(&b, '{');
    assert_int_equal(aggregate_append_answer(a, &b, top), 0);
    buffer_append(&b, "}", 2);
    assert_int_equal(buffer_error(&b), 0);
    return b.data;
}

static void assert_answers(const char *by, const char *values, int64_t bucket_us,
                           const struct record *records, size_t n, size_t top, const char *expected)
{
    struct aggregate *a = new_aggregate(by, values, bucket_us);
    char *answer;

    feed(a, records, n, 2);
    answer = answer_of(a, top);
    assert_string_equal(answer, expected);
    free(answer);
    aggregate_free(a);
}

/* ---- What it answers ---- */

static void groups_are_counted_and_the_rest_is_other(void **state)
{
    const struct record records[] = {
        log_of(T0, "info", "m", "{\"service\":\"pay\",\"ms\":1}"),
        log_of(T0, "INFO", "m", "{\"service\":\"pay\",\"ms\":2.50}"),
        log_of(T0, "error", "m", "{\"service\":\"cart\",\"ms\":\"30\"}"),
        log_of(T0, "error", "m", "{\"ms\":\"slow\"}"),
    };

    (void)state;
    assert_answers("service",
                   "count,sum(ms),avg(ms),min(ms),max(ms),p50(ms),distinct(ms),count(ms)", 0,
                   records, 4, 1,
                   "{\"total\":4,\"by\":[\"service\"],\"groups\":[{\"by\":{\"service\":\"pay\"},"
                   "\"count\":2,\"values\":{\"sum(ms)\":3.5,\"avg(ms)\":1.75,\"min(ms)\":1,"
                   "\"max(ms)\":2.5,\"p50(ms)\":1,\"distinct(ms)\":2,\"count(ms)\":2}}],"
                   "\"other\":{\"count\":2,\"values\":{\"sum(ms)\":30,\"avg(ms)\":30,"
                   "\"min(ms)\":30,\"max(ms)\":30,\"p50(ms)\":30,\"distinct(ms)\":2,"
                   "\"count(ms)\":2}},\"approximate\":null}");
    assert_answers("level,service", "", 0, records, 4, 9,
                   "{\"total\":4,\"by\":[\"level\",\"service\"],\"groups\":["
                   "{\"by\":{\"level\":\"info\",\"service\":\"pay\"},\"count\":2},"
                   "{\"by\":{\"level\":\"error\",\"service\":null},\"count\":1},"
                   "{\"by\":{\"level\":\"error\",\"service\":\"cart\"},\"count\":1}],"
                   "\"other\":null,\"approximate\":null}");
    assert_answers("", "max(timestamp)", 0, records, 1, 9,
                   "{\"total\":1,\"by\":[],\"groups\":[{\"by\":{},\"count\":1,\"values\":"
                   "{\"max(timestamp)\":\"2026-01-01T00:00:00.000000Z\"}}],\"other\":null,"
                   "\"approximate\":null}");
}

static void buckets_have_their_groups_by_place(void **state)
{
    const struct record records[] = {
        log_of(T0 + MINUTE_US, "info", "m", NULL),
        log_of(T0, "info", "m", NULL),
        log_of(T0, "warn", "m", NULL),
        log_of(T0 - 1, "info", "m", NULL),
    };

    (void)state;
    assert_answers(
        "level", "", MINUTE_US, records, 4, 1,
        "{\"total\":4,\"by\":[\"level\"],\"groups\":[{\"by\":{\"level\":\"info\"},"
        "\"count\":3}],\"other\":{\"count\":1},\"buckets\":["
        "{\"timestamp\":\"2025-12-31T23:59:00.000000Z\",\"groups\":[{\"group\":0,\"count\":1}],"
        "\"other\":null},"
        "{\"timestamp\":\"2026-01-01T00:00:00.000000Z\",\"groups\":[{\"group\":0,\"count\":1}],"
        "\"other\":{\"count\":1}},"
        "{\"timestamp\":\"2026-01-01T00:01:00.000000Z\",\"groups\":[{\"group\":0,\"count\":1}],"
        "\"other\":null}],\"approximate\":null}");
}

static void a_log_is_once_in_the_group_of_each_value(void **state)
{
    const struct record records[] = {
        log_of(T0, "info", "m", "{\"tags\":[\"a\",\"b\",\"a\"],\"n\":[1,1.0,2]}"),
        log_of(T0, "info", "m", "{\"tags\":[],\"n\":null}"),
    };

    (void)state;
    assert_answers("tags,n", "", 0, records, 2, 9,
                   "{\"total\":2,\"by\":[\"tags\",\"n\"],\"groups\":["
                   "{\"by\":{\"tags\":\"[]\",\"n\":\"null\"},\"count\":1},"
                   "{\"by\":{\"tags\":\"a\",\"n\":\"1\"},\"count\":1},"
                   "{\"by\":{\"tags\":\"a\",\"n\":\"2\"},\"count\":1},"
                   "{\"by\":{\"tags\":\"b\",\"n\":\"1\"},\"count\":1},"
                   "{\"by\":{\"tags\":\"b\",\"n\":\"2\"},\"count\":1}],"
                   "\"other\":null,\"approximate\":null}");
}

static void patterns_are_a_field(void **state)
{
    const struct record records[] = {
        log_of(T0, "info", "took 12 ms", NULL),
        log_of(T0, "info", "took 7 ms", NULL),
    };

    (void)state;
    assert_answers("pattern", "", 0, records, 2, 9,
                   "{\"total\":2,\"by\":[\"pattern\"],\"groups\":[{\"by\":{\"pattern\":"
                   "\"took <*> ms\"},\"count\":2}],\"other\":null,\"approximate\":null}");
}

static bool begins_with_d(struct slice value, int64_t first_us, void *ctx)
{
    return value.data[0] == 'd' && first_us >= *(int64_t *)ctx;
}

static void lists_have_those_alone_that_are_kept(void **state)
{
    const struct aggregate_words words = {
        .list = "patterns", .value = "pattern", .values = {"levels", "first_seen", "example"}};
    const struct record records[] = {
        log_of(T0 + 3, "Warn", "disk 1 is full", NULL),
        log_of(T0 + 2, "error", "disk 2 is full", NULL),
        log_of(T0 + 1, "hint", "disk 2 is full", NULL),
        log_of(T0 + 1, "info", "day 5", NULL),
        log_of(T0, "info", "day 4", NULL),
        log_of(T0, "info", "took 4 ms", NULL),
    };
    struct aggregate *a =
        new_aggregate("pattern", "levels(level),min(timestamp),example(pattern)", 0);
    int64_t since_us = T0 + 1;
    struct buffer b;

    (void)state;
    feed(a, records, 6, 4);
    assert_int_equal(aggregate_keep(a, begins_with_d, &since_us), 0);
    buffer_init(&b, TEXT_MAX);
    assert_int_equal(aggregate_append_list(a, &b, 5, &words), 0);
    buffer_append(&b, "", 1);
    assert_string_equal(b.data,
                        "\"total\":6,\"patterns\":[{\"pattern\":\"disk <*> is full\",\"count\":3,"
                        "\"levels\":{\"error\":1,\"warning\":1,\"other\":1},"
                        "\"first_seen\":\"2026-01-01T00:00:00.000001Z\","
                        "\"example\":\"disk 1 is full\"}],"
                        "\"other\":{\"count\":3},\"approximate\":null");
    buffer_release(&b);
    aggregate_free(a);
}

/* Of far more values than can have groups, some of which begin so. */
static void a_prefix_is_looked_at_before_groups_are_left_out(void **state)
{
    const struct aggregate_words words = {.list = "values", .value = "value"};
    struct aggregate *a = new_aggregate("service", "", 0);
    char attributes[64];
    struct buffer b;

    (void)state;
    a->groups_max = 10;
    aggregate_begin_with(a, SLICE_LITERAL("x-"));
    for (unsigned i = 0; i < 500; i++) {
        struct record r;

        snprintf(attributes, sizeof(attributes),
                 i == 250   ? "{\"service\":[\"x-%u\",\"y\"]}"
                 : i == 251 ? "{\"other\":\"x-%u\"}"
                            : "{\"service\":\"y-%u\"}",
                 i);
        r = log_of(T0 + i, "info", "m", attributes);
        feed(a, &r, 1, 1);
    }
    buffer_init(&b, TEXT_MAX);
    assert_int_equal(aggregate_append_list(a, &b, 5, &words), 0);
    buffer_append(&b, "", 1);
    assert_string_equal(b.data, "\"total\":500,\"values\":[{\"value\":\"x-250\",\"count\":1}],"
                                "\"other\":{\"count\":500},\"approximate\":null");
    buffer_release(&b);
    aggregate_free(a);
}

/* What is true of a part is true of the whole. */
static void what_is_not_measured_to_its_end_is_approximate(void **state)
{
    struct aggregate *a = new_aggregate("", "count(n),sum(n),max(m)", 0);
    struct aggregate *whole = new_aggregate("", "count(n),sum(n),max(m)", 0);
    struct buffer b;
    struct record r;
    char *answer;

    (void)state;
    buffer_init(&b, TEXT_MAX);
    buffer_append_string(&b, "{\"m\":7,\"n\":[0");
    for (unsigned i = 0; i < AGGREGATE_ELEMENTS_MAX; i++)
        buffer_append_string(&b, ",1");
    buffer_append(&b, "]}", 3);
    r = log_of(T0, "info", "m", b.data);
    feed(a, &r, 1, 1);
    buffer_clear(&b);
    aggregate_append_state(a, &b);
    assert_int_equal(aggregate_merge_state(whole, buffer_slice(&b), NULL), 0);
    answer = answer_of(whole, 5);
    assert_non_null(strstr(answer, "\"sum(n)\":65535,\"max(m)\":7}"));
    assert_non_null(strstr(answer, "\"approximate\":{\"count_error\":0,\"unseen_count\":0,"
                                   "\"values\":[\"sum(n)\"]}"));
    free(answer);
    buffer_release(&b);
    aggregate_free(a);
    aggregate_free(whole);
}

/* What a store by columns hands out: numbers without texts, rows that stand for many. */
static void numbers_without_texts_are_the_same(void **state)
{
    const int64_t integers[] = {150, -5, 150, 7};
    const uint64_t has[] = {0xb}; /* not the third */
    const uint64_t counts[] = {2, 1, 3, 4};
    const struct log_column column = {
        .integers = integers, .has = has, .decimals = 2, .type = LOG_VALUE_NUMBER};
    const struct log_batch batch = {.rows = 4, .counts = counts, .columns = &column};
    struct aggregate *a = new_aggregate("ms", "sum(ms),distinct(ms)", 0);
    char *answer;

    (void)state;
    assert_int_equal(aggregate_add(a, &batch), 0);
    answer = answer_of(a, 9);
    assert_string_equal(answer,
                        "{\"total\":10,\"by\":[\"ms\"],\"groups\":["
                        "{\"by\":{\"ms\":\"0.07\"},\"count\":4,\"values\":{\"sum(ms)\":0.28,"
                        "\"distinct(ms)\":1}},"
                        "{\"by\":{\"ms\":null},\"count\":3,\"values\":{\"sum(ms)\":0,"
                        "\"distinct(ms)\":0}},"
                        "{\"by\":{\"ms\":\"1.5\"},\"count\":2,\"values\":{\"sum(ms)\":3,"
                        "\"distinct(ms)\":1}},"
                        "{\"by\":{\"ms\":\"-0.05\"},\"count\":1,\"values\":{\"sum(ms)\":-0.05,"
                        "\"distinct(ms)\":1}}],"
                        "\"other\":null,\"approximate\":null}");
    free(answer);
    aggregate_free(a);
}

/* ---- Splits and merges ---- */

struct corpus {
    struct record records[LOGS];
    char attributes[LOGS][160];
};

static struct corpus *random_corpus(unsigned values)
{
    static const char *const levels[] = {"info", "warn", "ERROR", "debug"};
    static const char *const messages[] = {"took 5 ms", "took 77 ms", "nothing", "user 12 left"};
    struct corpus *c = xcalloc(1, sizeof(*c));

    for (size_t i = 0; i < LOGS; i++) {
        char *to = c->attributes[i];
        long which = random() % 6;

        if (which == 0)
            strcpy(to, "{}");
        else if (which == 1)
            sprintf(to, "{\"service\":[\"s%ld\",\"s%ld\"],\"ms\":[%ld,\"%ld\"]}", random() % values,
                    random() % values, random() % 1000, random() % 10);
        else
            sprintf(to, "{\"service\":\"s%ld\",\"ms\":%ld,\"user\":{\"id\":%ld}}",
                    random() % (1 + random() % values), random() % 100000 - 500, random() % 5000);
        c->records[i] = log_of(T0 + random() % (20 * MINUTE_US), levels[random() % 4],
                               messages[random() % 4], to);
    }
    return c;
}

/* Sends it to a client and back. */
static void merge_by_state(struct aggregate *a, const struct aggregate *part)
{
    struct errbuf err = ERRBUF_INIT;
    struct buffer b;

    buffer_init(&b, TEXT_MAX);
    aggregate_append_state(part, &b);
    assert_int_equal(buffer_error(&b), 0);
    if (aggregate_merge_state(a, buffer_slice(&b), &err))
        fail_msg("%s", err.text);
    buffer_release(&b);
}

static void shuffle(size_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n - 1; i > 0; i--) {
        size_t k = (size_t)random() % (i + 1), was = order[i];

        order[i] = order[k];
        order[k] = was;
    }
}

/* The corpus in PARTS, merged in any order, by states or not. */
static struct aggregate *in_parts(const struct corpus *c, const char *by, const char *values,
                                  int64_t bucket_us, size_t groups_max)
{
    struct aggregate *whole = new_aggregate(by, values, bucket_us), *parts[PARTS];
    size_t at = 0, order[PARTS];

    whole->groups_max = groups_max;
    for (size_t i = 0; i < PARTS; i++) {
        size_t n = i + 1 == PARTS ? LOGS - at : (size_t)random() % (LOGS - at + 1);

        parts[i] = new_aggregate(by, values, bucket_us);
        parts[i]->groups_max = groups_max;
        feed(parts[i], c->records + at, n, 1 + (size_t)random() % 700);
        at += n;
    }
    shuffle(order, PARTS);
    for (size_t i = 0; i < PARTS; i++) {
        if (random() % 2)
            merge_by_state(whole, parts[order[i]]);
        else
            assert_int_equal(aggregate_merge(whole, parts[order[i]]), 0);
        aggregate_free(parts[order[i]]);
    }
    return whole;
}

/* The numbers are integers, so that sums are exact. */
static void any_split_and_order_gives_the_answer_of_the_whole(void **state)
{
    static const char *const bys[] = {"",
                                      "service",
                                      "level,service",
                                      "user.id",
                                      "level",
                                      "pattern",
                                      "service,level,pattern,message"};
    static const char *const values[] = {
        "", "count,sum(ms),avg(ms),p50(ms),p99.9(ms),distinct(user.id)",
        "min(ms),max(ms),count(ms),distinct(message),distinct(service)",
        "min(timestamp),max(timestamp),p95(user.id),levels(level)"};

    (void)state;
    srandom(1);
    for (int round = 0; round < ROUNDS; round++) {
        struct corpus *c = random_corpus(20);
        const char *by = bys[random() % 7], *value = values[random() % 4];
        int64_t bucket_us = random() % 3 ? 0 : MINUTE_US * (1 + random() % 5);
        size_t top = 1 + (size_t)random() % 30;
        struct aggregate *whole = new_aggregate(by, value, bucket_us);
        struct aggregate *parts = in_parts(c, by, value, bucket_us, AGGREGATE_GROUPS_MAX);
        char *expected, *answer;

        feed(whole, c->records, LOGS, 4096);
        expected = answer_of(whole, top);
        answer = answer_of(parts, top);
        assert_string_equal(answer, expected);
        free(expected);
        free(answer);
        aggregate_free(whole);
        aggregate_free(parts);
        free(c);
    }
}

/* The group of `like`'s group `g` in `a`; NULL: none. */
static const struct group *find(const struct aggregate *a, const struct aggregate *like,
                                const struct group *g)
{
    for (size_t i = 1; i < a->groups_len; i++)
        if (a->groups[i].values[0] != GROUP_VALUE_NONE &&
            slice_equal(dictionary_text(&a->values, a->groups[i].values[0]),
                        dictionary_text(&like->values, g->values[0])))
            return &a->groups[i];
    return NULL;
}

static void what_is_left_out_is_bounded(void **state)
{
    (void)state;
    srandom(2);
    for (int round = 0; round < ROUNDS; round++) {
        struct corpus *c = random_corpus(400);
        struct aggregate *exact = new_aggregate("service,missing", "sum(ms)", 0);
        struct aggregate *parts = in_parts(c, "service,missing", "sum(ms)", 0, 50);
        uint64_t all = 0;

        feed(exact, c->records, LOGS, 4096);
        assert_int_equal(exact->bound, 0);
        assert_true(parts->bound > 0 && parts->groups_len <= 51);
        for (size_t i = 1; i < exact->groups_len; i++) {
            const struct group *g = &exact->groups[i];
            const struct group *got =
                g->values[0] == GROUP_VALUE_NONE ? NULL : find(parts, exact, g);

            all += g->count;
            if (got)
                assert_true(got->count <= g->count && g->count <= got->count + got->lacks);
            else if (g->values[0] != GROUP_VALUE_NONE)
                assert_true(g->count <= parts->bound);
        }
        for (size_t i = 0; i < parts->groups_len; i++)
            all -= parts->groups[i].count;
        assert_int_equal(all, 0);
        assert_int_equal(aggregate_total(parts), LOGS);
        aggregate_free(exact);
        aggregate_free(parts);
        free(c);
    }
}

static void memory_is_charged_and_bounded(void **state)
{
    struct ledger ledger;
    struct account *account;
    struct aggregate_spec spec;
    struct errbuf err = ERRBUF_INIT;
    struct aggregate *a;
    struct corpus *c = random_corpus(20);

    (void)state;
    ledger_init(&ledger, 64 << 20);
    account = ledger_account(&ledger, LEDGER_READS);
    assert_int_equal(
        aggregate_spec_parse(SLICE_LITERAL("user.id"), SLICE_LITERAL("p50(ms)"), &spec, &err), 0);
    a = aggregate_new(&spec, account);
    a->bytes_max = 300000;
    feed(a, c->records, LOGS, 4096);
    assert_true(a->bound > 0);
    assert_true(account_used(account) > 0 && account_used(account) < 1 << 20);
    assert_int_equal(aggregate_total(a), LOGS);
    aggregate_free(a);
    assert_int_equal(account_used(account), 0);
    free(c);
}

/* ---- States that others made ---- */

/* Each has its groups within the room that all have, but the groups of one do not fit in. */
static void groups_are_left_out_within_a_log(void **state)
{
    struct aggregate *a = new_aggregate("tags", "distinct(n),p50(n)", 0);
    struct buffer text;

    (void)state;
    a->bytes_max = 100000;
    buffer_init(&text, 1 << 20);
    for (int log = 0; log < 20; log++) {
        struct record record;

        buffer_clear(&text);
        buffer_append_string(&text, "{\"tags\":[\"t\"");
        for (int i = 0; i < 1000; i++)
            buffer_appendf(&text, ",\"t%d\"", i);
        buffer_append_string(&text, "],\"n\":[0");
        for (int i = 0; i < 50; i++)
            buffer_appendf(&text, ",%d", log * 1000 + i);
        buffer_append_string(&text, "]}");
        buffer_append_char(&text, '\0');
        record = log_of(T0 + log, "info", "m", text.data);
        feed(a, &record, 1, 1);
    }
    assert_int_equal(aggregate_total(a), 20);
    assert_true(aggregate_bound(a) > 0);
    buffer_release(&text);
    aggregate_free(a);
}

static void states_of_something_else_are_refused(void **state)
{
    struct aggregate *a = new_aggregate("level", "p50(ms),distinct(ms)", 0);
    struct aggregate *other = new_aggregate("service", "p50(ms),distinct(ms)", 0);
    struct errbuf err = ERRBUF_INIT;
    struct buffer b;

    (void)state;
    buffer_init(&b, TEXT_MAX);
    aggregate_append_state(other, &b);
    assert_int_equal(aggregate_merge_state(a, buffer_slice(&b), &err), LM_EINVAL);
    assert_string_equal(err.text,
                        "the state of counts is not as it should be: something else is counted");
    buffer_release(&b);
    aggregate_free(a);
    aggregate_free(other);
}

/* Bytes of a real one changed, cut, doubled: refused, or taken as what it says; never more. */
static void hostile_states_are_refused(void **state)
{
    static const char bytes[] = "0123456789-[]{},:\"eE.nutlr\\ \x80";
    struct corpus *c = random_corpus(5);
    struct aggregate *part = new_aggregate(
        "level,service", "p50(ms),distinct(ms),max(ms),levels(level),example(pattern)",
        10 * MINUTE_US);
    struct buffer b;
    unsigned refused = 0;

    (void)state;
    srandom(3);
    feed(part, c->records, 700, 4096);
    buffer_init(&b, TEXT_MAX);
    aggregate_append_state(part, &b);
    for (int round = 0; round < 2000; round++) {
        struct aggregate *a = new_aggregate(
            "level,service", "p50(ms),distinct(ms),max(ms),levels(level),example(pattern)",
            10 * MINUTE_US);
        struct errbuf err = ERRBUF_INIT;
        struct slice text = {.len = b.len};
        char *copy = xmalloc(b.len);
        int error;

        memcpy(copy, b.data, b.len);
        for (long n = 1 + random() % 3; n > 0; n--)
            copy[(size_t)random() % b.len] = bytes[(size_t)random() % (sizeof(bytes) - 1)];
        if (random() % 8 == 0)
            text.len = (size_t)random() % b.len;
        text.data = copy;
        error = aggregate_merge_state(a, text, &err);
        assert_true(!error || error == LM_EINVAL);
        if (error) {
            refused++;
            assert_int_equal(aggregate_total(a), 0);
            assert_int_equal(a->cells_len, 0);
        }
        free(answer_of(a, 5));
        aggregate_free(a);
        free(copy);
    }
    assert_true(refused > 1000);
    buffer_release(&b);
    aggregate_free(part);
    free(c);
}

static void states_beyond_the_limits_are_refused(void **state)
{
    static const char head[] = "{\"version\":1,\"of\":\"level,;p50(ms),distinct(ms),\",\"total\":1,"
                               "\"bound\":0,\"truncated\":0,\"values\":[\"info\"],";
    static const char *const rests[] = {
        "\"groups\":[],\"cells\":[[0,0,1,[]]]}",
        "\"groups\":[[0,0,[]],[1,0,[1]]],\"cells\":[]}",
        "\"groups\":[[0,0,[]],[-1,0,[0]]],\"cells\":[]}",
        "\"groups\":[[0,0,[0]]],\"cells\":[]}",
        "\"groups\":[[0,0,[]],[1,0,[0]]],\"cells\":[[1,1,1,[]]]}",
        "\"groups\":[[0,0,[]],[9007199254740993,0,[0]]],\"cells\":[]}",
        "\"groups\":[[0,0,[]]],\"cells\":[[0,0,1,[[1,1,0,0,null,null,0,0,"
        "{\"places\":[5,4],\"counts\":[1,1]},null,null,null]]]]}",
        "\"groups\":[[0,0,[]]],\"cells\":[[0,0,1,[[1,1,0,0,null,null,0,0,"
        "{\"places\":[99999],\"counts\":[1]},null,null,null]]]]}",
        "\"groups\":[[0,0,[]]],\"cells\":[[0,0,1,[[1,1,0,0,null,null,0,0,[],"
        "{\"registers\":\"////\"},null,null]]]]}",
        "\"groups\":[[0,0,[]]],\"cells\":[[0,0,1,[[1,1,0,0,null,null,0,0,[1e999],null,null,null]]]]"
        "}",
        "\"groups\":[[0,0,[]]],\"cells\":[[0,0,1,[[1,1,0,0,\"x\",null,0,0,[],null,null,null]]]]}",
        "\"groups\":[[0,0,[]]],\"cells\":[[0,0,1,[[1,1,0,0,null,null,0,999999999999999999,[],"
        "null,null,null]]]]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
        struct aggregate *a = new_aggregate("level", "p50(ms),distinct(ms)", 0);
        struct errbuf err = ERRBUF_INIT;
        char text[1024];

        snprintf(text, sizeof(text), "%s%s", head, rests[i]);
        if (aggregate_merge_state(a, slice_of_string(text), &err) != LM_EINVAL)
            fail_msg("%s was taken", text);
        aggregate_free(a);
    }
}

static void a_state_that_is_too_long_is_refused_with_the_limit(void **state)
{
    struct aggregate *a = new_aggregate("level", "count", 0);
    size_t len = AGGREGATE_STATE_BYTES_MAX + 1;
    char *text = xmalloc(len), limit[16];
    struct errbuf err = ERRBUF_INIT;

    (void)state;
    memset(text, ' ', len);
    assert_int_equal(aggregate_merge_state(a, slice_of(text, len), &err), LM_EINVAL);
    snprintf(limit, sizeof(limit), "%d", AGGREGATE_STATE_BYTES_MAX);
    assert_non_null(strstr(err.text, limit));
    free(text);
    aggregate_free(a);
}

/* ---- What people write ---- */

static void lists_are_read(void **state)
{
    static const struct {
        const char *by, *values, *wrong;
    } cases[] = {
        {"level,service", "count,p99.9(ms)", NULL},
        {"\"a, b\",attr.level", "avg(\"strange )\")", NULL},
        {"level,,x", "", "by: a name is missing"},
        {"level,level", "", "by: `level` is there twice"},
        {"a,b,c,d,e", "", "by: at most 4 fields are allowed"},
        {"\"a", "", "by: a quotation mark is missing"},
        {"\"a\"b", "", "by: expected a comma before `b`"},
        {"timestamp", "", "by: times are grouped by `bucket`"},
        {"", "avg", "value: `avg` of what? As in avg(duration)"},
        {"", "avg(ms", "value: `avg(` has no end"},
        {"", "p100(ms)",
         "value: `p100` is none of count, sum, avg, min, max, distinct, p0.1 to p99.9, "
         "levels(level), example(pattern)"},
        {"", "p0(ms)",
         "value: `p0` is none of count, sum, avg, min, max, distinct, p0.1 to p99.9, "
         "levels(level), example(pattern)"},
        {"", "sum(timestamp)", "value: of timestamp there are count, min and max"},
        {"", "levels(service)", "value: it is levels(level)"},
        {"", "example(message)", "value: it is example(pattern)"},
        {"", "p1(a),p2(a),p3(a),p4(a),p5(a),p6(a),p7(a),p8(a),p9(a)",
         "value: at most 8 are allowed"},
        {"", "count,count(a),count(b)", NULL},
        {"", "count,sum(a),count", "value: an entry, count, is there twice"},
        {"", "p50(a),p50.0(a)", "value: an entry, p50.0, is there twice"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct aggregate_spec spec;
        struct errbuf err = ERRBUF_INIT;
        int error = aggregate_spec_parse(slice_of_string(cases[i].by),
                                         slice_of_string(cases[i].values), &spec, &err);

        assert_int_equal(error, cases[i].wrong ? LM_EINVAL : 0);
        assert_string_equal(err.text, cases[i].wrong ? cases[i].wrong : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_counted_and_the_rest_is_other),
        cmocka_unit_test(buckets_have_their_groups_by_place),
        cmocka_unit_test(a_log_is_once_in_the_group_of_each_value),
        cmocka_unit_test(patterns_are_a_field),
        cmocka_unit_test(lists_have_those_alone_that_are_kept),
        cmocka_unit_test(a_prefix_is_looked_at_before_groups_are_left_out),
        cmocka_unit_test(what_is_not_measured_to_its_end_is_approximate),
        cmocka_unit_test(numbers_without_texts_are_the_same),
        cmocka_unit_test(any_split_and_order_gives_the_answer_of_the_whole),
        cmocka_unit_test(what_is_left_out_is_bounded),
        cmocka_unit_test(memory_is_charged_and_bounded),
        cmocka_unit_test(groups_are_left_out_within_a_log),
        cmocka_unit_test(states_of_something_else_are_refused),
        cmocka_unit_test(hostile_states_are_refused),
        cmocka_unit_test(states_beyond_the_limits_are_refused),
        cmocka_unit_test(a_state_that_is_too_long_is_refused_with_the_limit),
        cmocka_unit_test(lists_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
