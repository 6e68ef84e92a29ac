#include "query/filter.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/timestamp.h"
#include "query/language.h"
#include "query/matcher.h"

static bool match(const struct log_filter *f, const struct record *r)
{
    struct log_matcher *m = log_matcher_new(f);
    bool matches;

    assert_non_null(m);
    assert_int_equal(log_matcher_match(m, r, &matches, NULL), 0);
    log_matcher_unref(m);
    return matches;
}

static const struct record example = {
    .level = SLICE_LITERAL("Warn"),
    .message = SLICE_LITERAL("Connection to Köln was reset"),
    .attributes = SLICE_LITERAL("{\"host\":\"web-1\",\"n\":1.50,\"ok\":true,\"none\":null,"
                                "\"deep\":{\"host\":\"db\"},\"list\":[\"x\"],\"\":\"empty\","
                                "\"a\\\"b\":\"say \\\"x\\\"\",\"blank\":\"\",\"d\\u007f\":\"/\"}"),
};

static void the_first_filter_takes_every_log(void **state)
{
    struct log_filter f;

    log_filter_init(&f);
    assert_int_equal(f.since_us, TIMESTAMP_MIN_US);
    assert_int_equal(f.until_us, INT64_MAX);
    assert_false(log_filter_has_predicates(&f));
    assert_true(match(&f, &example));
    f.since_us = 5;
    f.until_us = 6;
    assert_false(log_filter_has_predicates(&f));
    assert_true(match(&f, &example));
}

static void any_of_the_levels_matches_without_case(void **state)
{
    struct log_filter f;

    log_filter_init(&f);
    f.levels[f.levels_len++] = SLICE_LITERAL("error");
    assert_true(log_filter_has_predicates(&f));
    assert_false(match(&f, &example));
    f.levels[f.levels_len++] = SLICE_LITERAL("WARN");
    assert_true(match(&f, &example));
    f.levels[1] = SLICE_LITERAL("war"); /* no substring */
    assert_false(match(&f, &example));
}

static void a_part_of_the_message_matches_without_case(void **state)
{
    struct log_filter f;

    log_filter_init(&f);
    f.text = SLICE_LITERAL("to KÖLN");
    assert_true(log_filter_has_predicates(&f));
    assert_true(match(&f, &example));
    f.text = SLICE_LITERAL("web-1");
    assert_false(match(&f, &example));
}

static bool has(const struct record *r, struct slice name, struct slice value)
{
    struct log_filter f;

    log_filter_init(&f);
    f.attributes[f.attributes_len++] = (struct log_attribute_filter){name, value, false};
    assert_true(log_filter_has_predicates(&f));
    return match(&f, r);
}

#define HAS(name, value) has(&example, SLICE_LITERAL(name), SLICE_LITERAL(value))

static void scalars_match_by_their_text_and_numbers_by_value(void **state)
{
    assert_true(HAS("host", "web-1"));
    assert_false(HAS("host", "web"));
    assert_false(HAS("host", "WEB-1"));
    assert_true(HAS("n", "1.50"));
    assert_true(HAS("n", "1.5"));
    assert_false(HAS("n", "1.51"));
    assert_true(HAS("ok", "true"));
    assert_true(HAS("none", "null"));
    assert_true(HAS("blank", ""));
    assert_false(HAS("host", ""));
    assert_true(HAS("", "empty"));
    assert_true(has(&example, slice_of(NULL, 0), SLICE_LITERAL("empty")));
}

static void names_and_values_are_compared_unescaped(void **state)
{
    assert_true(HAS("a\"b", "say \"x\""));
    assert_false(HAS("a\\\"b", "say \"x\""));
    assert_true(HAS("d\x7f", "/"));
}

static void an_array_matches_by_its_elements_and_an_object_not(void **state)
{
    assert_false(HAS("host", "db"));
    assert_true(HAS("list", "x"));
    assert_false(HAS("list", "[\"x\"]"));
    assert_false(HAS("web-1", "host"));
    assert_false(HAS("missing", "null"));
}

static void all_attributes_must_match(void **state)
{
    struct log_filter f;

    log_filter_init(&f);
    f.attributes[f.attributes_len++] =
        (struct log_attribute_filter){SLICE_LITERAL("host"), SLICE_LITERAL("web-1"), false};
    f.attributes[f.attributes_len++] =
        (struct log_attribute_filter){SLICE_LITERAL("ok"), SLICE_LITERAL("true"), false};
    assert_true(match(&f, &example));
    f.attributes[1].value = SLICE_LITERAL("null");
    assert_false(match(&f, &example));
}

static void a_log_without_attributes_matches_none(void **state)
{
    struct record r = example;

    r.attributes = slice_of(NULL, 0);
    assert_false(has(&r, SLICE_LITERAL("host"), SLICE_LITERAL("web-1")));
    r.attributes = SLICE_LITERAL("{}");
    assert_false(has(&r, SLICE_LITERAL("host"), SLICE_LITERAL("web-1")));
}

static void what_is_excluded_does_not_match(void **state)
{
    struct record bare = example;
    struct log_filter f;

    bare.attributes = slice_of(NULL, 0);
    log_filter_init(&f);
    f.excluded_levels[f.excluded_levels_len++] = SLICE_LITERAL("debug");
    assert_true(log_filter_has_predicates(&f));
    assert_true(match(&f, &example));
    f.excluded_levels[f.excluded_levels_len++] = SLICE_LITERAL("WARN");
    assert_false(match(&f, &example));

    log_filter_init(&f);
    f.excluded_text = SLICE_LITERAL("TO kÖln");
    assert_true(log_filter_has_predicates(&f));
    assert_false(match(&f, &example));
    f.excluded_text = SLICE_LITERAL("to Bonn");
    assert_true(match(&f, &example));

    log_filter_init(&f);
    f.attributes[f.attributes_len++] =
        (struct log_attribute_filter){SLICE_LITERAL("host"), SLICE_LITERAL("web-1"), true};
    assert_false(match(&f, &example));
    assert_true(match(&f, &bare));
    f.attributes[0].value = SLICE_LITERAL("web-2");
    assert_true(match(&f, &example));
    f.attributes[f.attributes_len++] =
        (struct log_attribute_filter){SLICE_LITERAL("ok"), SLICE_LITERAL("true"), false};
    assert_true(match(&f, &example));
    assert_false(match(&f, &bare));
}

static void large_attributes_are_searched_too(void **state)
{
    struct buffer b;
    struct record r = example;

    buffer_init(&b, 1 << 20);
    buffer_append_string(&b, "{");
    for (int i = 0; i < 10000; i++)
        buffer_appendf(&b, "\"n%d\":%d,", i, i);
    buffer_append_string(&b, "\"last\":\"x\"}");
    r.attributes = buffer_slice(&b);
    assert_true(has(&r, SLICE_LITERAL("last"), SLICE_LITERAL("x")));
    assert_true(has(&r, SLICE_LITERAL("n77"), SLICE_LITERAL("77")));
    assert_false(has(&r, SLICE_LITERAL("n77"), SLICE_LITERAL("78")));
    buffer_release(&b);
}

static struct log_attribute_filter attribute(const char *name, const char *value, bool excludes)
{
    return (struct log_attribute_filter){slice_of_string(name), slice_of_string(value), excludes};
}

static void assert_is_query(const struct log_filter *f, const char *text)
{
    struct query_mistake mistake;
    struct query *q;

    assert_int_equal(query_parse(slice_of_string(text), 0, NULL, &q, &mistake), 0);
    assert_true(query_equal(f->query, q));
    query_unref(q);
}

static void joined_it_is_the_query_that_asks_the_same(void **state)
{
    struct log_filter f;
    struct query_mistake mistake;

    log_filter_init(&f);
    f.since_us = 5;
    assert_int_equal(log_filter_join(&f), 0);
    assert_null(f.query);

    f.levels[f.levels_len++] = SLICE_LITERAL("warn");
    assert_int_equal(log_filter_join(&f), 0);
    assert_is_query(&f, "level:warn");
    assert_int_equal(f.levels_len, 0);
    assert_int_equal(f.since_us, 5);
    query_unref(f.query);

    log_filter_init(&f);
    f.levels[f.levels_len++] = SLICE_LITERAL("warn");
    f.levels[f.levels_len++] = SLICE_LITERAL("error");
    f.excluded_levels[f.excluded_levels_len++] = SLICE_LITERAL("debug");
    f.excluded_levels[f.excluded_levels_len++] = SLICE_LITERAL("info");
    f.text = SLICE_LITERAL("pool");
    f.excluded_text = SLICE_LITERAL("cool");
    f.attributes[f.attributes_len++] = attribute("x", "a", false);
    f.attributes[f.attributes_len++] = attribute("x", "b", true);
    f.attributes[f.attributes_len++] = attribute("y z", "", false);
    f.attributes[f.attributes_len++] = attribute("x", "c", false);
    f.attributes[f.attributes_len++] = attribute("x", "d", true);
    assert_int_equal(query_parse(SLICE_LITERAL("p:1 q:2"), 0, NULL, &f.query, &mistake), 0);
    assert_int_equal(log_filter_join(&f), 0);
    assert_is_query(&f, "level:(warn OR error) -level:(debug OR info) pool -cool x:(a OR c) -x:b "
                        "\"y z\":\"\" -x:d p:1 q:2");
    query_unref(f.query);
}

static void what_does_not_fit_into_one_query_is_not_joined(void **state)
{
    char text[2 * QUERY_TESTS_MAX];
    struct query_mistake mistake;
    struct log_filter f;

    memset(text, ' ', sizeof(text));
    for (size_t i = 0; i < sizeof(text); i += 2)
        text[i] = 'a';
    log_filter_init(&f);
    assert_int_equal(query_parse(slice_of(text, sizeof(text)), 0, NULL, &f.query, &mistake), 0);
    f.text = SLICE_LITERAL("b");
    assert_int_equal(log_filter_join(&f), LM_ETOOBIG);
    assert_non_null(f.query);
    assert_int_equal(f.text.len, 1);
    query_unref(f.query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_filter_takes_every_log),
        cmocka_unit_test(any_of_the_levels_matches_without_case),
        cmocka_unit_test(a_part_of_the_message_matches_without_case),
        cmocka_unit_test(scalars_match_by_their_text_and_numbers_by_value),
        cmocka_unit_test(names_and_values_are_compared_unescaped),
        cmocka_unit_test(an_array_matches_by_its_elements_and_an_object_not),
        cmocka_unit_test(all_attributes_must_match),
        cmocka_unit_test(a_log_without_attributes_matches_none),
        cmocka_unit_test(what_is_excluded_does_not_match),
        cmocka_unit_test(joined_it_is_the_query_that_asks_the_same),
        cmocka_unit_test(what_does_not_fit_into_one_query_is_not_joined),
        cmocka_unit_test(large_attributes_are_searched_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
