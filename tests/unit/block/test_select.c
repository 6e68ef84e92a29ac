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

/* ---- Guards ---- */

enum { GUARDED = 60, LONG = 3000, FORMS = 2 * 2 * 3 * 3 };

static const char too_much[] = "(a|a|aa)+$"; /* for a long text */

/* What is written and asked. */
struct guarded {
    bool in_message;   /* else in `x` */
    bool in_array;     /* the other tenant is in one that is not taken apart */
    unsigned distinct; /* texts: all, 6 or 1 */
    unsigned guard;    /* t:a, any:mine, t:/^a$/ */
};

static struct guarded guarded_of(unsigned form)
{
    return (struct guarded){form % 2, form / 2 % 2, form / 4 % 3, form / 12};
}

static struct query *guard_of(const struct guarded *g)
{
    const struct query_node nodes[] = {
        {.field = QUERY_ATTRIBUTE,
         .test = QUERY_EQUALS,
         .path = SLICE_LITERAL("t"),
         .text = SLICE_LITERAL("a")},
        {.field = QUERY_ANY, .test = QUERY_HOLDS, .text = SLICE_LITERAL("mine")},
        {.field = QUERY_ATTRIBUTE,
         .test = QUERY_REGEX,
         .path = SLICE_LITERAL("t"),
         .text = SLICE_LITERAL("^a$")},
    };
    struct query_builder b;
    struct query *q;

    query_builder_init(&b);
    query_builder_test(&b, &nodes[g->guard]);
    assert_int_equal(query_builder_finish(&b, &q), 0);
    return q;
}

/* The guard AND NOT what is too much for the message, or `x`. */
static struct query *guarded_query(const struct guarded *g, bool guards)
{
    const struct query_node of_message = {
        .field = QUERY_MESSAGE, .test = QUERY_REGEX, .text = slice_of_string(too_much)};
    const struct query_node of_x = {.field = QUERY_ATTRIBUTE,
                                    .test = QUERY_REGEX,
                                    .path = SLICE_LITERAL("x"),
                                    .text = slice_of_string(too_much)};
    struct query *guard = guard_of(g);
    struct query_builder b;
    struct query *q;

    query_builder_init(&b);
    query_builder_open(&b, QUERY_AND);
    query_builder_open(&b, QUERY_NOT);
    query_builder_test(&b, g->in_message ? &of_message : &of_x);
    query_builder_close(&b);
    if (guards)
        query_builder_guard(&b, guard);
    else
        query_builder_add(&b, guard);
    query_builder_close(&b);
    assert_int_equal(query_builder_finish(&b, &q), 0);
    query_unref(guard);
    return q;
}

static int select_guarded(struct block_reader *r, const struct guarded *g, bool guards,
                          uint64_t *rows, struct errbuf *err)
{
    struct log_filter f;

    log_filter_init(&f);
    f.query = guarded_query(g, guards);
    struct log_matcher *m = log_matcher_new(&f);
    struct block_plan *p = block_plan_new(m);
    int error = block_select(r, p, rows, NULL, err);
    block_plan_free(p);
    log_matcher_unref(m);
    query_unref(f.query);
    return error;
}

/* A log in three is the tenant's; of each of the others a text is too long. */
static void write_guarded(const struct guarded *g, struct block_row *rows, char texts[][2 * LONG])
{
    char many[2 * 80 + 1] = "";
    char text[LONG] = "";

    for (size_t i = 0; i < 80; i++)
        strcat(many, ",1");
    memset(text, 'a', LONG - 100);
    for (size_t i = 0; i < GUARDED; i++) {
        bool is_own = i % 3 == 0;
        size_t number = g->distinct == 0 ? i : g->distinct == 1 ? i % 6 : 0;
        char *message = texts[2 * i];
        char *attributes = texts[2 * i + 1];

        snprintf(message, 2 * LONG, "%s%zu %s", !is_own && g->in_message ? text : "", number,
                 is_own ? "mine" : "b");
        snprintf(attributes, 2 * LONG, "{\"t\":%s\"%s\"%s%s,\"x\":\"%s%zu %s\"}",
                 !is_own && g->in_array ? "[" : "", is_own ? "a" : "b",
                 !is_own && g->in_array ? many : "", !is_own && g->in_array ? "]" : "",
                 !is_own && !g->in_message ? text : "", number, is_own ? "c" : "b");
        if (is_own && g->distinct == 2) /* `x` is one text, of the others alone */
            snprintf(attributes, 2 * LONG, "{\"t\":\"a\"}");
        rows[i] = (struct block_row){.record = {.key = {.timestamp_us = (int64_t)i},
                                                .level = SLICE_LITERAL("info"),
                                                .message = slice_of_string(message),
                                                .attributes = slice_of_string(attributes)}};
    }
}

static void no_expression_runs_on_what_a_guard_refuses(void **state)
{
    static char texts[2 * GUARDED][2 * LONG];
    const uint64_t all = (UINT64_C(1) << GUARDED) - 1;

    for (unsigned form = 0; form < FORMS; form++) {
        const struct guarded g = guarded_of(form);
        struct block_row rows[GUARDED];
        struct block_writer *w = block_writer_new();
        struct block_reader *r = block_reader_new();
        struct block_head head;
        struct buffer bytes;
        struct errbuf err = ERRBUF_INIT;
        uint64_t asked = all;

        write_guarded(&g, rows, texts);
        buffer_init(&bytes, 1 << 20);
        assert_int_equal(
            block_write(w, rows, GUARDED, &(struct block_options){0}, &bytes, &head, &err), 0);
        const struct block_source source = {read_buffer, &bytes, bytes.len};
        assert_int_equal(block_open(r, &source, &head, &err), 0);
        if (g.guard > 0) /* else it is cheap enough to be asked first, anyway */
            assert_int_equal(select_guarded(r, &g, false, &asked, &err), LM_ETOOBIG);
        asked = all;
        if (select_guarded(r, &g, true, &asked, &err))
            fail_msg("form %u: %s", form, err.text);
        for (size_t i = 0; i < GUARDED; i++)
            assert_int_equal(asked >> i & 1, i % 3 == 0);
        block_reader_free(r);
        block_writer_free(w);
        buffer_release(&bytes);
    }
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
        cmocka_unit_test(no_expression_runs_on_what_a_guard_refuses),
        cmocka_unit_test(a_block_selects_what_the_plain_matcher_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
