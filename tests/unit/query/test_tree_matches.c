/* What a tree means, case by case, and over random trees against an oracle (oracle.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/fault.h"
#include "oracle.h"
#include "query/matcher.h"
#include "random_query.h"

enum { LOGS = 300, TREES = 1500 };

/* ---- One test ---- */

static struct query *of_test(struct query_node node)
{
    struct query_builder b;
    struct query *q;

    query_builder_init(&b);
    query_builder_test(&b, &node);
    assert_int_equal(query_builder_finish(&b, &q), 0);
    return q;
}

static struct log_matcher *matcher_of(struct query *q)
{
    struct log_filter f;
    struct log_matcher *m;

    log_filter_init(&f);
    f.query = q;
    m = log_matcher_new(&f);
    assert_non_null(m);
    query_unref(q);
    return m;
}

static bool matches(struct query_node node, const struct record *r)
{
    struct log_matcher *m = matcher_of(of_test(node));
    struct errbuf err = ERRBUF_INIT;
    bool result;

    assert_int_equal(log_matcher_match(m, r, &result, &err), 0);
    assert_int_equal(result, oracle_matches(log_matcher_filter(m)->query, r));
    log_matcher_unref(m);
    return result;
}

static struct query_node attribute(const char *path, enum query_test test, const char *text)
{
    return (struct query_node){.field = QUERY_ATTRIBUTE,
                               .test = test,
                               .path = slice_of_string(path),
                               .text = slice_of_string(text)};
}

static struct query_node range(const char *path, const char *low, bool low_included,
                               const char *high, bool high_included)
{
    return (struct query_node){.field = QUERY_ATTRIBUTE,
                               .test = QUERY_RANGE,
                               .path = slice_of_string(path),
                               .low = low ? slice_of_string(low) : (struct slice){0},
                               .high = high ? slice_of_string(high) : (struct slice){0},
                               .low_included = low_included,
                               .high_included = high_included};
}

static struct record log_of(const char *attributes)
{
    return (struct record){.level = SLICE_LITERAL("info"),
                           .message = SLICE_LITERAL("m"),
                           .attributes = slice_of_string(attributes)};
}

static void numbers_are_equal_by_value(void **state)
{
    struct record r = log_of("{\"n\":1.50,\"s\":\"1.50\",\"big\":9007199254740993}");

    assert_true(matches(attribute("n", QUERY_EQUALS, "1.5"), &r));
    assert_true(matches(attribute("n", QUERY_EQUALS, "15e-1"), &r));
    assert_true(matches(attribute("n", QUERY_EQUALS, "1.50"), &r));
    assert_false(matches(attribute("n", QUERY_EQUALS, "1.51"), &r));
    assert_true(matches(attribute("s", QUERY_EQUALS, "1.50"), &r));
    assert_false(matches(attribute("s", QUERY_EQUALS, "1.5"), &r));
    assert_false(matches(attribute("big", QUERY_EQUALS, "9007199254740992"), &r));
}

static void strings_that_are_numbers_are_in_ranges(void **state)
{
    struct record r = log_of("{\"n\":500,\"s\":\"500\",\"t\":\" 500\",\"x\":\"many\",\"b\":true}");

    assert_true(matches(range("n", "500", true, NULL, false), &r));
    assert_false(matches(range("n", "500", false, NULL, false), &r));
    assert_true(matches(range("s", "499.9", false, "500", true), &r));
    assert_false(matches(range("s", NULL, false, "500", false), &r));
    assert_false(matches(range("t", "0", true, NULL, false), &r));
    assert_false(matches(range("x", "0", true, NULL, false), &r));
    assert_false(matches(range("b", "0", true, NULL, false), &r));
}

static void a_path_is_every_way_to_cut_it(void **state)
{
    struct record nested = log_of("{\"a\":{\"b\":{\"c\":1}}}");
    struct record flat = log_of("{\"a.b.c\":1}");
    struct record mixed = log_of("{\"a\":{\"b.c\":1},\"a.b\":{\"d\":[{\"e\":[2,[3]]},4]}}");

    assert_true(matches(attribute("a.b.c", QUERY_EQUALS, "1"), &nested));
    assert_true(matches(attribute("a.b.c", QUERY_EQUALS, "1"), &flat));
    assert_true(matches(attribute("a.b.c", QUERY_EQUALS, "1"), &mixed));
    assert_true(matches(attribute("a.b.d.e", QUERY_EQUALS, "3"), &mixed));
    assert_true(matches(attribute("a.b.d", QUERY_EQUALS, "4"), &mixed));
    assert_false(matches(attribute("b.c", QUERY_EXISTS, ""), &nested));
    assert_true(matches(attribute("a.b", QUERY_EXISTS, ""), &nested));
    assert_false(matches(attribute("a.b", QUERY_EQUALS, "1"), &nested));
}

static void what_is_null_or_empty_exists(void **state)
{
    struct record r = log_of("{\"n\":null,\"o\":{},\"a\":[],\"s\":\"\"}");

    assert_true(matches(attribute("n", QUERY_EXISTS, ""), &r));
    assert_true(matches(attribute("o", QUERY_EXISTS, ""), &r));
    assert_true(matches(attribute("a", QUERY_EXISTS, ""), &r));
    assert_true(matches(attribute("s", QUERY_EQUALS, ""), &r));
    assert_false(matches(attribute("x", QUERY_EXISTS, ""), &r));
    assert_true(matches(attribute("n", QUERY_EQUALS, "null"), &r));
}

static void levels_have_two_names_and_an_order(void **state)
{
    struct record r = log_of("");

    r.level = SLICE_LITERAL("WARN");
    struct query_node node = {.field = QUERY_LEVEL, .test = QUERY_EQUALS};
    node.text = SLICE_LITERAL("warning");
    assert_true(matches(node, &r));
    node.text = SLICE_LITERAL("warnin");
    assert_false(matches(node, &r));
    node.test = QUERY_BEGINS;
    node.text = SLICE_LITERAL("wAr");
    assert_true(matches(node, &r));
    node = (struct query_node){.field = QUERY_LEVEL,
                               .test = QUERY_RANGE,
                               .low = SLICE_LITERAL("notice"),
                               .high = SLICE_LITERAL("err")};
    assert_true(matches(node, &r));
    r.level = SLICE_LITERAL("error");
    assert_false(matches(node, &r));
    r.level = SLICE_LITERAL("verbose");
    node.high = (struct slice){0};
    assert_false(matches(node, &r));
}

static void an_escape_of_another_spelling_is_no_other_value(void **state)
{
    struct record r = log_of("{\"\\u0061\":\"\\u0062c\"}");

    assert_true(matches(attribute("a", QUERY_EQUALS, "bc"), &r));
}

/* ---- Regular expressions that take too long ---- */

static void an_expression_that_takes_too_long_is_told(void **state)
{
    static char message[20000];
    struct record r = log_of("");
    struct errbuf err = ERRBUF_INIT;
    bool result;

    memset(message, 'a', sizeof(message));
    r.message = slice_of(message, sizeof(message));
    struct log_matcher *m = matcher_of(of_test((struct query_node){
        .field = QUERY_MESSAGE, .test = QUERY_REGEX, .text = SLICE_LITERAL("(a+)+[^a]")}));
    assert_int_equal(log_matcher_match(m, &r, &result, &err), LM_ETOOBIG);
    assert_non_null(strstr(err.text, "/(a+)+[^a]/"));
    log_matcher_unref(m);
}

/* ---- Trees by chance ---- */

static void compare(const struct query *q, const struct random_records *records, unsigned *matched)
{
    struct log_matcher *m = matcher_of(query_ref((struct query *)q));

    for (size_t i = 0; i < records->len; i++) {
        const struct record *r = &records->items[i];
        struct errbuf err = ERRBUF_INIT;
        bool result = false;

        if (log_matcher_match(m, r, &result, &err))
            fail_msg("cannot match: %s", err.text);
        *matched += result;
        if (result == oracle_matches(q, r))
            continue;
        random_query_print(q);
        fail_msg("the matcher says %d of level `%.*s` message `%.*s` attributes %.*s", result,
                 SLICE_ARG(r->level), SLICE_ARG(r->message), SLICE_ARG(r->attributes));
    }
    log_matcher_unref(m);
}

static void the_matcher_says_what_the_oracle_says(void **state)
{
    struct dice d = {18};
    struct random_records records;
    unsigned matched = 0;

    random_records_make(&records, &d, LOGS, &(struct random_records_options){0});
    for (int i = 0; i < TREES; i++) {
        struct query *q = i % 3 ? random_query(&d, records.items, records.len)
                                : random_query_test(&d, records.items, records.len);

        compare(q, &records, &matched);
        query_unref(q);
    }
    assert_in_range(matched, TREES, TREES * LOGS * 3 / 4); /* neither never nor always */
    random_records_release(&records);
}

static void a_subject_serves_many_trees(void **state)
{
    struct dice d = {19};
    struct random_records records;
    struct log_subject *s = log_subject_new();
    struct log_matcher *matchers[20];

    random_records_make(&records, &d, LOGS, &(struct random_records_options){0});
    for (int i = 0; i < 20; i++)
        matchers[i] = matcher_of(random_query(&d, records.items, records.len));
    for (size_t i = 0; i < records.len; i++) {
        log_subject_set(s, &records.items[i]);
        for (int k = 0; k < 20; k++) {
            uint64_t steps = 0;
            bool result;

            assert_int_equal(log_matcher_match_subject(matchers[k], s, &result, &steps, NULL), 0);
            assert_int_equal(
                result, oracle_matches(log_matcher_filter(matchers[k])->query, &records.items[i]));
            assert_true(steps > 0);
        }
    }
    for (int i = 0; i < 20; i++)
        log_matcher_unref(matchers[i]);
    log_subject_free(s);
    random_records_release(&records);
}

/* ---- The time bounds ---- */

static void ranges_of_time_at_the_top_narrow_the_bounds(void **state)
{
    const struct query_node from = {
        .field = QUERY_TIMESTAMP, .test = QUERY_RANGE, .low_us = 100, .high_us = INT64_MAX};
    const struct query_node to = {
        .field = QUERY_TIMESTAMP, .test = QUERY_RANGE, .low_us = INT64_MIN, .high_us = 200};
    struct query_builder b;
    struct log_filter f;

    log_filter_init(&f);
    f.since_us = 50;
    query_builder_init(&b);
    query_builder_open(&b, QUERY_AND);
    query_builder_test(&b, &from);
    query_builder_open(&b, QUERY_NOT);
    query_builder_test(&b, &to);
    query_builder_close(&b);
    query_builder_close(&b);
    assert_int_equal(query_builder_finish(&b, &f.query), 0);
    log_filter_narrow(&f);
    assert_int_equal(f.since_us, 100);
    assert_int_equal(f.until_us, INT64_MAX);
    query_unref(f.query);
    f.query = of_test(to);
    log_filter_narrow(&f);
    assert_int_equal(f.until_us, 200);
    query_unref(f.query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_equal_by_value),
        cmocka_unit_test(strings_that_are_numbers_are_in_ranges),
        cmocka_unit_test(a_path_is_every_way_to_cut_it),
        cmocka_unit_test(what_is_null_or_empty_exists),
        cmocka_unit_test(levels_have_two_names_and_an_order),
        cmocka_unit_test(an_escape_of_another_spelling_is_no_other_value),
        cmocka_unit_test(an_expression_that_takes_too_long_is_told),
        cmocka_unit_test(the_matcher_says_what_the_oracle_says),
        cmocka_unit_test(a_subject_serves_many_trees),
        cmocka_unit_test(ranges_of_time_at_the_top_narrow_the_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
