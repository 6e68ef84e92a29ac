#include "content_conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/byte_order.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "store_logs.h"
#include "store_model.h"
#include "store_test_support.h"

enum {
    CHECKS = 12, /* scans, counts, single logs, follows of a case */
    YEARS = 9999,
    ORDERED = 3000,
    LATE = 200,
    OLD = 200,
    NEWER = 4000,
    BATCH = 500,
    MANY_ATTRIBUTES = 3000,
    PATHS = 100000,
    PATHS_OF_A_LOG = 200,
    LARGE_BYTES = 1 << 20,
    MIXED = 3000,
    CHARACTERS_OF_A_LOG = 4096,
    TEXT_MAX = 8 << 20,
};

/* 2026-01-01T00:00:00Z */
#define T0 INT64_C(1767225600000000)

static const struct store_conformance *adapter;

/* A store, and what it has to answer. */
struct content {
    struct store_test_place *p;
    struct store_logs logs; /* of the batch that is being made */
    struct store_model model;
    struct dice dice;
};

static int set_up(void **state)
{
    struct content *c = xcalloc(1, sizeof(*c));

    c->p = store_test_place_new(adapter);
    c->dice.state = 15;
    *state = c;
    return 0;
}

static int tear_down(void **state)
{
    struct content *c = *state;

    store_test_place_free(c->p);
    store_logs_release(&c->logs);
    store_model_release(&c->model);
    free(c);
    return 0;
}

static struct log_key key_at(int64_t timestamp_us, uint32_t n)
{
    return store_test_record(timestamp_us, n, "", "", NULL).key;
}

/* Stores what was made, in batches of `batch`, and compares what is said of each. */
static void store_made(struct content *c, size_t batch)
{
    for (size_t i = 0; i < c->logs.len; i += batch) {
        size_t n = c->logs.len - i < batch ? c->logs.len - i : batch;
        struct store_append_result expected = store_model_append(&c->model, c->logs.items + i, n);
        struct store_append_result result = store_test_place_append(c->p, c->logs.items + i, n);

        assert_int_equal(result.stored, expected.stored);
        assert_int_equal(result.repeated, expected.repeated);
        assert_int_equal(result.conflicts, expected.conflicts);
    }
    store_logs_release(&c->logs);
}

static void check(struct content *c, size_t n)
{
    struct errbuf err = ERRBUF_INIT;

    if (store_model_check(&c->model, c->p->r, &c->dice, n, &err) != 0)
        fail_msg("%s", err.text);
}

static void shuffle(struct content *c)
{
    for (size_t i = c->logs.len; i > 1; i--) {
        size_t k = dice_below(&c->dice, i);
        struct record r = c->logs.items[k];

        c->logs.items[k] = c->logs.items[i - 1];
        c->logs.items[i - 1] = r;
    }
}

static void logs_of_every_year_are_kept_and_found(void **state)
{
    const int64_t year_us = (TIMESTAMP_MAX_US - TIMESTAMP_MIN_US) / YEARS;
    struct content *c = *state;
    char text[32];

    for (uint32_t i = 0; i < YEARS; i++) {
        struct log_key key = key_at(TIMESTAMP_MIN_US + i * year_us, i);

        snprintf(text, sizeof(text), "of year %u", i + 1);
        store_logs_add(&c->logs, &key, i % 7 == 0 ? "warn" : "info", text, "{\"n\":1}");
    }
    shuffle(c);
    store_made(c, BATCH);
    check(c, CHECKS);
}

static void a_late_log_takes_its_place(void **state)
{
    struct content *c = *state;

    for (uint32_t i = 0; i < ORDERED; i++) {
        struct log_key key = key_at(T0 + i * INT64_C(1000), i);

        store_logs_add(&c->logs, &key, "info", "in order", NULL);
    }
    store_made(c, 100);
    for (int round = 0; round < 4; round++) {
        for (uint32_t i = 0; i < LATE; i++) {
            int64_t us = T0 + (int64_t)dice_below(&c->dice, ORDERED) * 1000;
            struct log_key key = key_at(us, ORDERED + (uint32_t)round * LATE + i);

            store_logs_add(&c->logs, &key, "warn", "late", "{\"late\":true}");
        }
        store_made(c, 7);
        check(c, 3);
    }
}

static void add_old(struct content *c)
{
    char text[64];

    for (uint32_t i = 0; i < OLD; i++) {
        struct log_key key = key_at(T0 + i * INT64_C(977), i);

        snprintf(text, sizeof(text), "an old log, number %u", i);
        store_logs_add(&c->logs, &key, "info", text, i % 3 ? "{\"old\":true}" : NULL);
    }
}

static void a_repeat_of_an_old_log_is_found_after_many_newer_ones(void **state)
{
    struct content *c = *state;

    add_old(c);
    store_made(c, OLD);
    for (uint32_t i = 0; i < NEWER; i++) {
        struct log_key key = key_at(T0 + INT64_C(60000000) + i * INT64_C(1000), i);

        store_logs_add(&c->logs, &key, "info", "newer", NULL);
    }
    store_made(c, BATCH);
    add_old(c);
    store_made(c, OLD);
    add_old(c);
    for (size_t i = 0; i < OLD; i += 3)
        c->logs.items[i].message = SLICE_LITERAL("another log with its key");
    for (uint32_t i = 0; i < OLD; i++) { /* and new ones between them */
        struct log_key key = key_at(T0 + i * INT64_C(977) + 1, i);

        store_logs_add(&c->logs, &key, "info", "new beside an old one", NULL);
    }
    shuffle(c);
    store_made(c, 50);
    check(c, CHECKS);
}

static void thousands_of_attributes_are_kept_and_found(void **state)
{
    struct content *c = *state;
    char attributes[128];
    char name[32];

    for (uint32_t i = 0; i < MANY_ATTRIBUTES; i++) {
        struct log_key key = key_at(T0 + i * INT64_C(1000), i);

        snprintf(attributes, sizeof(attributes), "{\"host\":\"h%u\",\"a%05u\":%u}", i % 3,
                 (i * 7919) % MANY_ATTRIBUTES, i);
        if (i % 5 == 0)
            snprintf(attributes, sizeof(attributes), "{\"a%05u\":\"%u\"}",
                     (i * 104729) % MANY_ATTRIBUTES, i);
        store_logs_add(&c->logs, &key, "info", "m", attributes);
    }
    store_made(c, BATCH);
    check(c, 3);
    for (uint32_t i = 0; i < MANY_ATTRIBUTES; i += 97) {
        struct log_query query = store_test_query(10);
        size_t expected = 0;
        char value[16];

        snprintf(name, sizeof(name), "a%05u", (i * 7919) % MANY_ATTRIBUTES);
        snprintf(value, sizeof(value), "%u", i);
        query.filter.attributes[query.filter.attributes_len++] =
            (struct log_attribute_filter){slice_of_string(name), slice_of_string(value), false};
        store_test_run(c->p->r, &query, &c->p->rows);
        for (size_t k = 0; k < c->model.len; k++)
            expected += store_model_takes(&query.filter, &c->model.logs[k]->record);
        assert_int_equal(c->p->rows.len, expected);
    }
}

static void an_attribute_may_change_its_type(void **state)
{
    static const char *const values[] = {
        "1",
        "1.0",
        "\"1\"",
        "-1",
        "0",
        "0.0",
        "true",
        "\"true\"",
        "false",
        "null",
        "\"null\"",
        "[]",
        "{}",
        "\"\"",
        "\"[]\"",
        "[1]",
        "{\"v\":1}",
        "{\"v\":{\"v\":\"1\"}}",
        "\"x\"",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "0.1",
        "\"deadbeef\"",
        "\"DEADBEEF\"",
        "\"0190b1c2-0000-7000-8000-0123456789ab\"",
        "\"0190B1C2-0000-7000-8000-0123456789AB\"",
        "\"01\"",
        "\"1e2\"",
        "100",
        "\" 1\"",
    };
    enum { VALUES = sizeof(values) / sizeof(values[0]) };
    struct content *c = *state;
    char attributes[128];

    for (uint32_t i = 0; i < VALUES * 40; i++) {
        struct log_key key = key_at(T0 + i * INT64_C(1000), i);

        /* At first some of one kind, then each beside the others. */
        snprintf(attributes, sizeof(attributes), "{\"v\":%s}",
                 values[i < VALUES * 20 ? i / 20 : dice_below(&c->dice, VALUES)]);
        store_logs_add(&c->logs, &key, "info", "m", attributes);
    }
    store_made(c, 100);
    check(c, 3);
    for (size_t i = 0; i < VALUES; i++) {
        struct log_query query = store_test_query(100000);
        struct slice value = slice_of_string(values[i]);
        size_t expected = 0;

        if (value.data[0] == '"')
            value = slice_of(value.data + 1, value.len - 2);
        query.filter.attributes[query.filter.attributes_len++] =
            (struct log_attribute_filter){SLICE_LITERAL("v"), value, i % 4 == 3};
        store_test_run(c->p->r, &query, &c->p->rows);
        for (size_t k = 0; k < c->model.len; k++)
            expected += store_model_takes(&query.filter, &c->model.logs[k]->record);
        assert_int_equal(c->p->rows.len, expected);
    }
}

static char *large_text(char last)
{
    char *text = xmalloc(LARGE_BYTES + 1);

    for (size_t i = 0; i < LARGE_BYTES; i++)
        text[i] = "0123456789abcdef ghijklm"[(i * 2654435761u >> 7) % 24];
    text[LARGE_BYTES - 1] = last;
    text[LARGE_BYTES] = '\0';
    return text;
}

static void logs_of_a_megabyte_are_kept_among_small_ones(void **state)
{
    static const char head[] = "{\"text\":\"";
    struct content *c = *state;

    for (uint32_t i = 0; i < 60; i++) {
        struct log_key key = key_at(T0 + i * INT64_C(1000), i);
        char *text = large_text((char)('a' + i % 20));
        char *attributes = xmalloc(LARGE_BYTES + sizeof(head) + 2);

        snprintf(attributes, LARGE_BYTES + sizeof(head) + 2, "%s%s\"}", head, text);
        store_logs_add(&c->logs, &key, "info", i % 10 == 3 ? text : "small",
                       i % 10 == 7 ? attributes : NULL);
        free(attributes);
        free(text);
    }
    store_made(c, 9);
    check(c, 2);
}

static void empty_names_and_values_are_kept(void **state)
{
    static const char *const levels[] = {"", "info"};
    static const char *const messages[] = {"", "m"};
    static const char *const attributes[] = {
        NULL,        "{}",        "{\"\":\"\"}",  "{\"\":{\"\":{\"\":[]}}}",
        "{\"\":[]}", "{\"\":{}}", "{\"a\":\"\"}", "{\"\":null,\"a\":{\"\":\"\"}}",
    };
    struct content *c = *state;
    struct log_query query = store_test_query(1000);
    size_t expected = 0;

    for (uint32_t i = 0; i < 2 * 2 * 8 * 3; i++) {
        struct log_key key = key_at(T0 + i / 3, i);

        store_logs_add(&c->logs, &key, levels[i % 2], messages[i / 2 % 2], attributes[i / 4 % 8]);
    }
    store_made(c, 10);
    check(c, CHECKS);
    query.filter.attributes[query.filter.attributes_len++] =
        (struct log_attribute_filter){SLICE_LITERAL(""), SLICE_LITERAL(""), false};
    store_test_run(c->p->r, &query, &c->p->rows);
    for (size_t k = 0; k < c->model.len; k++)
        expected += store_model_takes(&query.filter, &c->model.logs[k]->record);
    assert_int_equal(c->p->rows.len, expected);
}

/* Each path of attributes is met once: none can be told by another. */
static void a_hundred_thousand_paths_are_kept(void **state)
{
    struct content *c = *state;
    struct buffer b;

    buffer_init(&b, TEXT_MAX);
    for (uint32_t i = 0; i < PATHS / PATHS_OF_A_LOG; i++) {
        struct log_key key = key_at(T0 + i * INT64_C(1000), i);

        buffer_clear(&b);
        for (uint32_t k = 0; k < PATHS_OF_A_LOG; k++)
            buffer_appendf(&b, "%s\"p%06u\":%s", k == 0 ? "{" : ",", i * PATHS_OF_A_LOG + k,
                           k % 3 == 0   ? "1"
                           : k % 3 == 1 ? "\"v\""
                                        : "{\"deeper\":[true]}");
        buffer_append(&b, "}", 2);
        store_logs_add(&c->logs, &key, "info", "m", b.data);
    }
    buffer_release(&b);
    store_made(c, 50);
    check(c, 2);
}

static void append_character(struct buffer *b, uint32_t c)
{
    char utf8[UTF8_LEN_MAX];

    buffer_append(b, utf8, utf8_write(c, utf8));
}

/* As jsonb and we escape what has to be. */
static void append_escaped(struct buffer *b, uint32_t c)
{
    static const char *const short_escapes[] = {
        ['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n", ['\r'] = "\\r", ['\t'] = "\\t",
    };

    if (c == '"' || c == '\\')
        buffer_appendf(b, "\\%c", (char)c);
    else if (c < 0x20 && c < sizeof(short_escapes) / sizeof(char *) && short_escapes[c])
        buffer_append_string(b, short_escapes[c]);
    else if (c < 0x20)
        buffer_appendf(b, "\\u%04x", c);
    else
        append_character(b, c);
}

static void every_character_is_kept(void **state)
{
    struct content *c = *state;
    struct buffer message;
    struct buffer attributes;
    uint32_t n = 0;

    buffer_init(&message, TEXT_MAX);
    buffer_init(&attributes, TEXT_MAX);
    for (uint32_t start = 0; start <= 0x10ffff; start += CHARACTERS_OF_A_LOG) {
        struct log_key key = key_at(T0 + n, n);

        n++;
        buffer_clear(&message);
        buffer_clear(&attributes);
        buffer_append_string(&attributes, "{\"v\":\"");
        for (uint32_t i = start; i < start + CHARACTERS_OF_A_LOG; i++) {
            if (i == 0 || (i >= 0xd800 && i < 0xe000))
                continue;
            append_character(&message, i);
            append_escaped(&attributes, i);
        }
        buffer_append(&message, "", 1);
        buffer_append(&attributes, "\"}", 3);
        store_logs_add(&c->logs, &key, "info", message.data, attributes.data);
    }
    for (uint32_t i = 1; i < 0x3000; i++) { /* and as the names of attributes, and alone */
        struct log_key key = key_at(T0 + n, n);

        n++;
        buffer_clear(&message);
        buffer_clear(&attributes);
        append_character(&message, i);
        buffer_append_string(&attributes, "{\"");
        append_escaped(&attributes, i);
        buffer_append_string(&attributes, "\":\"");
        append_escaped(&attributes, i);
        buffer_append(&attributes, "\"}", 3);
        buffer_append(&message, "", 1);
        store_logs_add(&c->logs, &key, i % 300 == 1 ? message.data : "info", message.data,
                       attributes.data);
    }
    buffer_release(&message);
    buffer_release(&attributes);
    store_made(c, BATCH);
    check(c, 3);
}

static void attributes_come_back_as_they_were_spelled(void **state)
{
    static const char *const attributes[] = {
        "{\"n\":1}",
        "{\"n\":1.0}",
        "{\"n\":1.00}",
        "{\"n\":1e0}",
        "{\"n\":1E0}",
        "{\"n\":1e+0}",
        "{\"n\":1e-0}",
        "{\"n\":0.1e1}",
        "{\"n\":10e-1}",
        "{\"n\":-0}",
        "{\"n\":0}",
        "{\"n\":-0.0}",
        "{\"n\":0e5}",
        "{\"n\":1e400}",
        "{\"n\":1e-400}",
        "{\"n\":123456789012345678901}",
        "{\"n\":0.1234567890123456789012345678901234567890}",
        "{\"n\":9007199254740993}",
        "{\"n\":-9223372036854775809}",
        "{\"b\":1,\"a\":2}",
        "{\"a\":2,\"b\":1}",
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":2,\"a\":1}",
        "{\"a\":1,\"b\":2,\"a\":3,\"b\":4}",
        "{\"a\":{\"x\":1,\"x\":2}}",
        "{\"a\":[{\"x\":1},{\"x\":1,\"x\":1}]}",
        "{\"s\":\"/\"}",
        "{\"s\":\"\\/\"}",
        "{\"s\":\"\\u002f\"}",
        "{\"s\":\"\\u002F\"}",
        "{\"s\":\"\\n\"}",
        "{\"s\":\"\\u000a\"}",
        "{\"s\":\"\\u000A\"}",
        "{\"s\":\"\xc3\xa9\"}",
        "{\"s\":\"\\u00e9\"}",
        "{\"s\":\"\\u00E9\"}",
        "{\"s\":\"\xf0\x9f\x90\x98\"}",
        "{\"s\":\"\\ud83d\\udc18\"}",
        "{\"\\u0073\":1}",
        "{\"s\":1}",
        "{\"s\":1,\"\\u0073\":2}",
        "{ \"a\":1}",
        "{\"a\" :1}",
        "{\"a\": 1}",
        "{\"a\":1 }",
        "{\"a\":\n[1,\t2 , 3]\r\n}",
        "{ }",
        "{}",
        "{\"a.b\":1}",
        "{\"a\":{\"b\":1}}",
        "{\"a\":{\"b\":1},\"a.b\":2}",
        "{\"a\":{\"b.c\":1,\"b\":{\"c\":2}}}",
        "{\"a\":[[[[]]],{}]}",
        "{\"a\":true,\"b\":false,\"c\":null}",
    };
    enum { SPELLINGS = sizeof(attributes) / sizeof(attributes[0]) };
    struct content *c = *state;

    if (!adapter->keeps_spelling)
        skip();
    for (uint32_t i = 0; i < SPELLINGS * 30; i++) {
        struct log_key key = key_at(T0 + i * INT64_C(1000), i);

        store_logs_add(&c->logs, &key, "info", "m",
                       attributes[i < SPELLINGS * 10 ? i / 10 : dice_below(&c->dice, SPELLINGS)]);
    }
    store_made(c, 100);
    check(c, CHECKS);
}

/* In batches of all sizes, new ones, late ones, repeats, other logs under a key. */
static void logs_of_all_kinds_are_answered_as_a_sorted_array_does(void **state)
{
    struct content *c = *state;
    const struct store_logs_kind kind = {.from_us = T0,
                                         .to_us = T0 + INT64_C(3600000000),
                                         .any_time = true,
                                         .spelled = adapter->keeps_spelling,
                                         .large_bytes = 100000};

    while (c->model.len < MIXED) {
        size_t n = 1 + dice_below(&c->dice, dice_one_in(&c->dice, 3) ? 400 : 20);

        while (c->logs.len < n) {
            if (c->model.len > 0 && dice_one_in(&c->dice, 5)) {
                size_t k = dice_below(&c->dice, c->model.len);

                store_logs_add_slices(&c->logs, &c->model.logs[k]->record);
                if (dice_one_in(&c->dice, 4))
                    c->logs.items[c->logs.len - 1].level = SLICE_LITERAL("other");
            } else {
                store_logs_add_random(&c->logs, &c->dice, &kind);
            }
        }
        store_made(c, n);
        if (dice_one_in(&c->dice, 8))
            check(c, 1);
    }
    check(c, 5 * CHECKS);
    store_test_place_close(c->p);
    store_test_place_open(c->p);
    check(c, CHECKS);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int content_conformance_run(const struct store_conformance *a)
{
    const struct CMUnitTest cases[] = {
        CASE(logs_of_every_year_are_kept_and_found),
        CASE(a_late_log_takes_its_place),
        CASE(a_repeat_of_an_old_log_is_found_after_many_newer_ones),
        CASE(thousands_of_attributes_are_kept_and_found),
        CASE(an_attribute_may_change_its_type),
        CASE(logs_of_a_megabyte_are_kept_among_small_ones),
        CASE(empty_names_and_values_are_kept),
        CASE(a_hundred_thousand_paths_are_kept),
        CASE(every_character_is_kept),
        CASE(attributes_come_back_as_they_were_spelled),
        CASE(logs_of_all_kinds_are_answered_as_a_sorted_array_does),
    };

    adapter = a;
    return cmocka_run_group_tests_name(a->name, cases, NULL, NULL);
}
