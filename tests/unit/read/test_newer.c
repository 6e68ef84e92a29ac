/*
 * The logs after a place, over a store of which is known what it has and how little each call does:
 * however it is cut into steps, and whenever somebody else goes on with it, they are all found.
 */
#include "read/newer.h"

#include <stdlib.h>
#include <string.h>

#include "base/timestamp.h"

#include "../cmocka_all.h"

enum { LOGS = 4000, STEPS_MAX = 200000, ROUNDS = 60 };

#define T0 INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */

/* ---- The store ---- */

static struct log_key keys[LOGS]; /* ascending */
static char message[64 * 1024];   /* of every log */
static size_t message_len;
static uint64_t looks_a_call; /* logs that a call looks at */
static uint64_t looks;        /* all of them */

static bool is_in_range(const struct store_scan *scan, const struct log_key *key)
{
    const struct log_filter *f = log_matcher_filter(scan->matcher);

    return key->timestamp_us >= f->since_us && key->timestamp_us < f->until_us;
}

static int scan_next(struct store_reader *r, struct store_scan *scan,
                     const struct store_slice *slice, store_row_fn *fn, void *ctx,
                     struct errbuf *err)
{
    uint64_t rows = slice->rows, left = looks_a_call;
    size_t high = LOGS;

    while (high > 0 && log_key_compare(&keys[high - 1], &scan->before) >= 0)
        high--;
    for (; high > 0 && is_in_range(scan, &keys[high - 1]); high--) {
        const struct record record = {.key = keys[high - 1],
                                      .level = SLICE_LITERAL("info"),
                                      .message = slice_of(message, message_len)};
        int error;

        if (rows-- == 0 || left-- == 0)
            return 0;
        looks++;
        error = fn(&record, ctx);
        if (error)
            return error;
        scan->before = record.key;
    }
    scan->done = true;
    return 0;
}

static const struct store_ops ops = {.scan_next = scan_next};
static struct store_reader reader = {&ops};

static int ascending(const void *a, const void *b)
{
    return log_key_compare(a, b);
}

/* Dense, sparse, and many of one microsecond. */
static void make_logs(void)
{
    int64_t time_us = T0;

    for (size_t i = 0; i < LOGS; i++) {
        long kind = random() % 1000;

        if (kind < 300)
            time_us += random() % 1000;
        else if (kind < 305)
            time_us += random() % (INT64_C(30) * 86400 * 1000000);
        keys[i] = log_key_lowest(time_us);
        for (size_t k = 9; k < 16; k++)
            keys[i].id.bytes[k] = (uint8_t)random();
    }
    qsort(keys, LOGS, sizeof(keys[0]), ascending);
}

/* ---- Looking ---- */

static void append_key(struct buffer *b, const struct record *record, void *ctx)
{
    buffer_append(b, &record->key, sizeof(record->key));
    buffer_append(b, record->message.data, record->message.len);
}

static struct log_matcher *all_logs(void)
{
    struct log_filter f;

    log_filter_init(&f);
    struct log_matcher *m = log_matcher_new(&f);
    assert_non_null(m);
    return m;
}

static struct newer_place after(size_t i)
{
    return (struct newer_place){.from = keys[i], .is_taken = true};
}

/* As a client goes on that got it as text. */
static struct newer_place sent(const struct newer_place *place)
{
    char text[NEWER_PLACE_LEN];
    struct newer_place again;
    size_t len = newer_place_format(place, text);

    assert_int_equal(newer_place_parse(slice_of(text, len), &again), 0);
    return again;
}

/* What was found is the logs from `first` on. */
static size_t assert_found(const struct newer *n, size_t first)
{
    size_t len = n->found.len - n->found.gone;

    assert_true(first + len <= LOGS);
    for (size_t i = 0; i < len; i++) {
        const struct newer_log *log = &n->found.items[n->found.len - 1 - i];

        assert_memory_equal(n->found.texts.data + log->start, &keys[first + i], sizeof(keys[0]));
        assert_memory_equal(&log->key, &keys[first + i], sizeof(keys[0]));
    }
    return len;
}

/* Looks for `wanted` after log `at`, with another who goes on now and then. Returns how many. */
static size_t look(size_t at, size_t wanted, unsigned patience)
{
    struct log_matcher *m = all_logs();
    struct newer_place place = after(at);
    size_t found = 0;
    bool more = true;

    for (int rounds = 0; found < wanted && more; rounds++) {
        struct newer n = {.append = append_key};

        assert_true(rounds < STEPS_MAX);
        assert_int_equal(newer_init(&n, m, &place, wanted - found, 1000000, NULL), 0);
        for (unsigned steps = 0; !n.done && (steps < patience || !n.moved); steps++)
            assert_int_equal(newer_step(&n, &reader, 0, NULL), 0);
        found += assert_found(&n, at + 1 + found);
        more = !n.done || n.more;
        place = newer_next(&n);
        place = sent(&place);
        newer_release(&n);
    }
    log_matcher_unref(m);
    assert_int_equal(more, at + 1 + found < LOGS);
    return found;
}

static void those_after_a_place_are_found_however_little_a_step_does(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        size_t at = (size_t)random() % LOGS, wanted = 1 + (size_t)random() % 300;
        size_t left = LOGS - 1 - at;

        make_logs();
        looks_a_call = 1 + (uint64_t)random() % 500;
        assert_int_equal(look(at, wanted, 1000000), wanted < left ? wanted : left);
        assert_int_equal(look(at, wanted, 1 + (unsigned)random() % 5),
                         wanted < left ? wanted : left);
    }
}

static void the_last_log_has_none_after_it(void **state)
{
    (void)state;
    make_logs();
    looks_a_call = 10;
    assert_int_equal(look(LOGS - 1, 5, 1), 0);
}

static void what_is_far_away_costs_what_is_wanted(void **state)
{
    (void)state;
    /* A microsecond between two, after a year. */
    for (size_t i = 0; i < LOGS; i++)
        keys[i] = log_key_lowest(i == 0 ? T0 : T0 + INT64_C(31536000000000) + (int64_t)i);
    looks_a_call = 1000;
    looks = 0;
    assert_int_equal(look(0, 10, 1000000), 10);
    assert_true(looks < 60 * 400);
}

static void large_logs_end_it_early(void **state)
{
    struct log_matcher *m = all_logs();
    struct newer n = {.append = append_key};
    struct newer_place place = after(0);

    (void)state;
    for (size_t i = 0; i < LOGS; i++)
        keys[i] = log_key_lowest(T0 + (int64_t)i * 1000000);
    message_len = sizeof(message);
    looks_a_call = 100;
    assert_int_equal(newer_init(&n, m, &place, 300, 1000000, NULL), 0);
    while (!n.done)
        assert_int_equal(newer_step(&n, &reader, 0, NULL), 0);
    assert_true(n.more);
    size_t len = assert_found(&n, 1);
    assert_in_range(len, 1, NEWER_BYTES_MAX / sizeof(message));
    place = newer_next(&n);
    assert_true(place.is_taken && log_key_compare(&place.from, &keys[len]) == 0);
    newer_release(&n);
    log_matcher_unref(m);
}

/* What append_key has written of log `i` begins with its key. */
static const char *key_in(const struct buffer *b, size_t i)
{
    return b->data + i * (sizeof(keys[0]) + message_len + 1);
}

static void from_the_beginning_of_time_the_oldest_come_first(void **state)
{
    const struct newer_place place = {.from.timestamp_us = TIMESTAMP_MIN_US};
    struct log_matcher *m = all_logs();
    struct newer n = {.append = append_key};
    struct buffer b;

    (void)state;
    make_logs();
    looks_a_call = 100;
    looks = 0;
    buffer_init(&b, 1 << 20);
    assert_int_equal(newer_init(&n, m, &place, 200, 1000000, NULL), 0);
    while (!n.done)
        assert_int_equal(newer_step(&n, &reader, 0, NULL), 0);
    assert_true(looks < 60 * 2000);
    assert_int_equal(newer_append_found(&n, true, &b), 200);
    for (size_t i = 0; i < 200; i++)
        assert_memory_equal(key_in(&b, i), &keys[i], sizeof(keys[0]));
    buffer_clear(&b);
    assert_int_equal(newer_append_found(&n, false, &b), 200);
    for (size_t i = 0; i < 200; i++)
        assert_memory_equal(key_in(&b, i), &keys[199 - i], sizeof(keys[0]));
    buffer_release(&b);
    newer_release(&n);
    log_matcher_unref(m);
}

static void what_is_no_place_is_refused(void **state)
{
    struct newer_place place = {
        .from = log_key_lowest(T0), .has_top = true, .top = log_key_lowest(T0 + 1)};
    char text[NEWER_PLACE_LEN];

    (void)state;
    assert_int_equal(newer_place_format(&place, text), sizeof(text));
    assert_int_equal(newer_place_parse(slice_of(text, sizeof(text)), &place), 0);
    assert_int_equal(newer_place_parse(slice_of(text, sizeof(text) - 1), &place), LM_EINVAL);
    assert_int_equal(newer_place_parse(slice_of(text, 33), &place), 0);
    assert_int_equal(newer_place_parse(slice_of(text + 1, 32), &place), LM_EINVAL);
    assert_int_equal(newer_place_parse(slice_of(text, 0), &place), LM_EINVAL);
    place = (struct newer_place){
        .from = log_key_lowest(T0 + 1), .has_top = true, .top = log_key_lowest(T0)};
    assert_int_equal(newer_place_format(&place, text), sizeof(text));
    assert_int_equal(newer_place_parse(slice_of(text, sizeof(text)), &place), LM_EINVAL);
    text[0] = '!';
    assert_int_equal(newer_place_parse(slice_of(text, 33), &place), LM_EINVAL);
}

static int set_up(void **state)
{
    (void)state;
    message_len = 3;
    memset(message, 'm', sizeof(message));
    srandom(7);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(those_after_a_place_are_found_however_little_a_step_does, set_up),
        cmocka_unit_test_setup(the_last_log_has_none_after_it, set_up),
        cmocka_unit_test_setup(what_is_far_away_costs_what_is_wanted, set_up),
        cmocka_unit_test_setup(large_logs_end_it_early, set_up),
        cmocka_unit_test_setup(from_the_beginning_of_time_the_oldest_come_first, set_up),
        cmocka_unit_test_setup(what_is_no_place_is_refused, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
