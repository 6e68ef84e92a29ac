#include "block/select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/hash.h"
#include "block/writer.h"
#include "select_property.h"

static void a_block_selects_what_the_plain_matcher_takes(void **state)
{
    struct block_explain explain = {0};

    const char *more = getenv("LOGMILL_SELECT_SEEDS"); /* how many; more find more */
    uint64_t seeds = more ? strtoull(more, NULL, 10) : 300;

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        uint64_t mixed = hash_mix(seed);
        char bytes[sizeof(mixed)];

        memcpy(bytes, &mixed, sizeof(bytes));
        select_property_check(slice_of(bytes, sizeof(bytes)), seed % 10 ? 100 : 3000, 30, &explain);
    }
    assert_true(explain.rows > 0);
    assert_true(explain.rows_matched < explain.rows / 8); /* columns decide most of it */
}

/* ---- What chance seldom makes ---- */

enum { ROWS = 40 };

/* ROWS logs with these attributes, in turn, each with its number for "#", which is ten digits. */
static void ask(const char *const *attributes, size_t n, const struct query_node *tests,
                size_t tests_len)
{
    static char texts[ROWS][4096];
    struct block_row rows[ROWS] = {0};

    for (size_t i = 0; i < ROWS; i++) {
        const char *from = attributes[i % n];
        char *to = texts[i];

        for (; *from; from++) {
            if (*from == '#')
                to += snprintf(to, 11, "%010zu", i);
            else
                *to++ = *from;
        }
        rows[i].record.key = (struct log_key){.timestamp_us = (int64_t)i};
        rows[i].record.level = SLICE_LITERAL("info");
        rows[i].record.message = SLICE_LITERAL("m");
        rows[i].record.attributes = slice_of(texts[i], (size_t)(to - texts[i]));
    }
    select_property_ask(rows, ROWS, tests, tests_len);
}

#define TEST(test_, path_, text_)                                                                  \
    {                                                                                              \
        .field = QUERY_ATTRIBUTE,                                                                  \
        .test = (test_),                                                                           \
        .path = SLICE_LITERAL(path_),                                                              \
        .text = SLICE_LITERAL(text_),                                                              \
    }
#define RANGE(path_, low_, high_)                                                                  \
    {                                                                                              \
        .field = QUERY_ATTRIBUTE,                                                                  \
        .test = QUERY_RANGE,                                                                       \
        .path = SLICE_LITERAL(path_),                                                              \
        .low = SLICE_LITERAL(low_),                                                                \
        .high = SLICE_LITERAL(high_),                                                              \
        .low_included = true,                                                                      \
    }
#define ASK(attributes, tests)                                                                     \
    ask(attributes, sizeof(attributes) / sizeof(*(attributes)), tests,                             \
        sizeof(tests) / sizeof(*(tests)))

#define TEN(element)                                                                               \
    element "," element "," element "," element "," element "," element "," element "," element    \
            "," element "," element
#define SEVENTY(e) TEN(e) "," TEN(e) "," TEN(e) "," TEN(e) "," TEN(e) "," TEN(e) "," TEN(e)

static void arrays_that_are_not_taken_apart_are_found_in(void **state)
{
    static const char *const attributes[] = {
        "{\"a\":[" SEVENTY("{\"b\":7}") "]}",
        "{\"a\":[" SEVENTY("7") "]}",
        "{\"a\":{\"b\":[" SEVENTY("\"x\"") "]}}",
        "{\"b\":1}",
    };
    static const struct query_node tests[] = {
        TEST(QUERY_EQUALS, "a.b", "7"), TEST(QUERY_EQUALS, "a", "7"),
        TEST(QUERY_EXISTS, "a", ""),    TEST(QUERY_EXISTS, "a.b", ""),
        TEST(QUERY_EQUALS, "a.b", "x"), TEST(QUERY_BEGINS, "b", "1"),
        TEST(QUERY_EQUALS, "c", "7"),
    };

    ASK(attributes, tests);
}

static void members_without_a_column_are_found(void **state)
{
    char top[2048] = "{", nested[2048] = "{\"a\":{";
    const char *const attributes[] = {top, nested};
    static const struct query_node tests[] = {
        TEST(QUERY_EQUALS, "k0000000038_39", "1"),
        TEST(QUERY_EXISTS, "k0000000038_39", ""),
        TEST(QUERY_EQUALS, "a.k0000000039_39", "1"),
        TEST(QUERY_EXISTS, "a.k0000000039_39", ""),
        TEST(QUERY_EQUALS, "a.k0000000001_0", "1"),
        TEST(QUERY_EXISTS, "a", ""),
        TEST(QUERY_EXISTS, "a.b", ""),
    };

    for (int i = 0; i < 40; i++) { /* times ROWS: more than BLOCK_COLUMNS_MAX */
        char name[32];

        snprintf(name, sizeof(name), "%s\"k#_%d\":1", i ? "," : "", i);
        strcat(top, name);
        strcat(nested, name);
    }
    strcat(top, "}");
    strcat(nested, "}}");
    ASK(attributes, tests);
}

static void numbers_with_zeroes_in_front_are_texts(void **state)
{
    static const char *const attributes[] = {"{\"n\":\"#\",\"w\":\"1#\"}"};
    static const struct query_node tests[] = {
        RANGE("n", "0", "99"),        RANGE("w", "10000000003", "10000000009"),
        TEST(QUERY_EQUALS, "n", "7"), TEST(QUERY_EQUALS, "n", "0000000007"),
        TEST(QUERY_ENDS, "n", "7"),
    };

    ASK(attributes, tests);
}

static void numbers_are_equal_by_value(void **state)
{
    static const char *const attributes[] = {"{\"n\":1.50}", "{\"n\":15e-1}", "{\"n\":\"1.50\"}",
                                             "{\"n\":-0.0}", "{\"n\":2}",     "{\"n\":1e2000}"};
    static const struct query_node tests[] = {
        TEST(QUERY_EQUALS, "n", "1.5"),  TEST(QUERY_EQUALS, "n", "0"),
        TEST(QUERY_EQUALS, "n", "2.00"), TEST(QUERY_EQUALS, "n", "10e1999"),
        RANGE("n", "1.5", "1.500001"),   RANGE("n", "-1", "2"),
    };

    for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
        ask(&attributes[i], 1, tests, sizeof(tests) / sizeof(*tests));
    ASK(attributes, tests);
}

static void strings_are_found_however_they_are_spelled(void **state)
{
    static const char *const attributes[] = {"{\"s\":\"a\x7f#\"}", "{\"s\":\"a\\u007f#\"}",
                                             "{\"s\":\"a\\\"\\n#\"}", "{\"s\":\"an#\"}",
                                             "{\"s\":\"\\u00e9#\"}"};
    static const struct query_node tests[] = {
        TEST(QUERY_CONTAINS, "s", "\x7f"),
        TEST(QUERY_BEGINS, "s", "a\x7f"),
        TEST(QUERY_CONTAINS, "s", "n"),
        TEST(QUERY_CONTAINS, "s", "\"\n"),
        TEST(QUERY_REGEX, "s",
             "^a\x7f"
             "0+1$"),
        TEST(QUERY_CONTAINS, "s", "007f"),
        TEST(QUERY_BEGINS, "s", "é"),
        TEST(QUERY_EQUALS, "s",
             "a\x7f"
             "0000000001"),
    };

    ASK(attributes, tests);
}

static int read_buffer(void *ctx, size_t offset, size_t len, char *to, struct errbuf *err)
{
    memcpy(to, ((const struct buffer *)ctx)->data + offset, len);
    return 0;
}

static void an_expression_that_takes_too_long_is_named(void **state)
{
    static char text[3000];
    struct block_row row = {
        .record = {.level = SLICE_LITERAL("info"), .message = slice_of(text, sizeof(text))}};
    const struct query_node test = {
        .field = QUERY_MESSAGE, .test = QUERY_REGEX, .text = SLICE_LITERAL("(a|a|aa)+$")};
    struct block_writer *w = block_writer_new();
    struct block_reader *r = block_reader_new();
    struct query_builder b;
    struct log_filter f;
    struct block_head head;
    struct buffer bytes;
    struct errbuf err = ERRBUF_INIT;
    uint64_t rows = 1;

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = 'b';
    log_filter_init(&f);
    query_builder_init(&b);
    query_builder_test(&b, &test);
    assert_int_equal(query_builder_finish(&b, &f.query), 0);
    struct log_matcher *m = log_matcher_new(&f);
    struct block_plan *p = block_plan_new(m);
    buffer_init(&bytes, 1 << 20);
    assert_int_equal(block_write(w, &row, 1, &(struct block_options){0}, &bytes, &head, &err), 0);
    const struct block_source source = {read_buffer, &bytes, bytes.len};
    assert_int_equal(block_open(r, &source, &head, &err), 0);
    assert_int_equal(block_select(r, p, &rows, NULL, &err), LM_ETOOBIG);
    assert_non_null(strstr(err.text, "/(a|a|aa)+$/"));
    block_plan_free(p);
    log_matcher_unref(m);
    query_unref(f.query);
    buffer_release(&bytes);
    block_reader_free(r);
    block_writer_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_that_are_not_taken_apart_are_found_in),
        cmocka_unit_test(members_without_a_column_are_found),
        cmocka_unit_test(numbers_with_zeroes_in_front_are_texts),
        cmocka_unit_test(numbers_are_equal_by_value),
        cmocka_unit_test(strings_are_found_however_they_are_spelled),
        cmocka_unit_test(an_expression_that_takes_too_long_is_named),
        cmocka_unit_test(a_block_selects_what_the_plain_matcher_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
