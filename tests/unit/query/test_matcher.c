#include "query/matcher.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/fault.h"
#include "base/xalloc.h"

static const struct record example = {
    .level = SLICE_LITERAL("Warn"),
    .message = SLICE_LITERAL("Connection to Köln was reset"),
    .attributes = SLICE_LITERAL("{\"host\":\"web-1\",\"n\":1.50}"),
};

/* A filter with one predicate of each kind, all of which match the example. */
static struct log_filter every_predicate(void)
{
    struct log_filter f;

    log_filter_init(&f);
    f.levels[f.levels_len++] = SLICE_LITERAL("warn");
    f.excluded_levels[f.excluded_levels_len++] = SLICE_LITERAL("debug");
    f.text = SLICE_LITERAL("köln");
    f.excluded_text = SLICE_LITERAL("berlin");
    f.attributes[f.attributes_len++] =
        (struct log_attribute_filter){SLICE_LITERAL("host"), SLICE_LITERAL("web-1"), false};
    f.attributes[f.attributes_len++] =
        (struct log_attribute_filter){SLICE_LITERAL("n"), SLICE_LITERAL("2"), true};
    return f;
}

static bool matches(const struct log_filter *f, const struct record *r)
{
    struct log_matcher *m = log_matcher_new(f);
    bool result;

    assert_non_null(m);
    assert_int_equal(log_matcher_match(m, r, &result, NULL), 0);
    log_matcher_unref(m);
    return result;
}

static void a_log_matches_where_every_predicate_does(void **state)
{
    struct log_filter f = every_predicate();

    assert_true(matches(&f, &example));
    f.levels[0] = SLICE_LITERAL("info");
    assert_false(matches(&f, &example));
    f = every_predicate();
    f.excluded_levels[0] = SLICE_LITERAL("WARN");
    assert_false(matches(&f, &example));
    f = every_predicate();
    f.text = SLICE_LITERAL("koln");
    assert_false(matches(&f, &example));
    f = every_predicate();
    f.excluded_text = SLICE_LITERAL("RESET");
    assert_false(matches(&f, &example));
    f = every_predicate();
    f.attributes[0].value = SLICE_LITERAL("web-2");
    assert_false(matches(&f, &example));
    f = every_predicate();
    f.attributes[1].value = SLICE_LITERAL("1.50");
    assert_false(matches(&f, &example));
}

static void the_time_bounds_are_not_looked_at(void **state)
{
    struct log_filter f;

    log_filter_init(&f);
    f.since_us = 5;
    f.until_us = 6;
    struct log_matcher *m = log_matcher_new(&f);
    assert_false(log_matcher_has_predicates(m));
    log_matcher_unref(m);
    assert_true(matches(&f, &example));
}

static void a_matcher_keeps_its_own_texts(void **state)
{
    char *text = xstrdup("köln");
    struct log_filter f;
    bool result;

    log_filter_init(&f);
    f.text = slice_of_string(text);
    struct log_matcher *m = log_matcher_new(&f);
    memset(text, 'x', strlen(text));
    free(text);
    assert_true(log_matcher_has_predicates(m));
    assert_int_equal(log_matcher_match(m, &example, &result, NULL), 0);
    assert_true(result);
    assert_true(slice_equal(log_matcher_filter(m)->query->nodes[0].text, SLICE_LITERAL("köln")));
    assert_int_equal(log_matcher_filter(m)->text.len, 0);
    log_matcher_unref(m);
}

static void a_matcher_lives_until_its_last_reference_goes(void **state)
{
    struct log_filter f = every_predicate();
    struct log_matcher *m = log_matcher_new(&f);
    bool result;

    log_matcher_ref(m);
    log_matcher_unref(m);
    assert_int_equal(log_matcher_match(m, &example, &result, NULL), 0);
    log_matcher_unref(m);
    log_matcher_unref(NULL);
}

static bool equal(const struct log_filter *f, const struct log_filter *g)
{
    struct log_matcher *a = log_matcher_new(f);
    struct log_matcher *b = log_matcher_new(g);
    bool result = log_matcher_equal(a, b);

    log_matcher_unref(a);
    log_matcher_unref(b);
    return result;
}

static void matchers_of_equal_filters_are_equal(void **state)
{
    struct log_filter f = every_predicate();
    struct log_filter g = every_predicate();

    assert_true(equal(&f, &g));
    g.until_us--;
    assert_false(equal(&f, &g));
    g = every_predicate();
    g.text = SLICE_LITERAL("Köln");
    assert_false(equal(&f, &g));
    g = every_predicate();
    g.excluded_text = SLICE_LITERAL("");
    assert_false(equal(&f, &g));
    g = every_predicate();
    g.levels[g.levels_len++] = SLICE_LITERAL("");
    assert_false(equal(&f, &g));
    g = every_predicate();
    g.excluded_levels[0] = SLICE_LITERAL("debuG");
    assert_false(equal(&f, &g));
    g = every_predicate();
    g.attributes[1].excludes = false;
    assert_false(equal(&f, &g));
    g.attributes_len--;
    assert_false(equal(&f, &g));
}

/* ---- A log for many matchers ---- */

static struct log_matcher *for_attribute(struct slice name, struct slice value, bool excludes)
{
    struct log_filter f;

    log_filter_init(&f);
    f.attributes[f.attributes_len++] = (struct log_attribute_filter){name, value, excludes};
    return log_matcher_new(&f);
}

static struct log_matcher *for_text(struct slice text)
{
    struct log_filter f;

    log_filter_init(&f);
    f.text = text;
    return log_matcher_new(&f);
}

/* Matches, and gives `m` back. */
static void assert_match(struct log_matcher *m, struct log_subject *s, bool expected)
{
    uint64_t steps = 0;
    bool result;

    assert_int_equal(log_matcher_match_subject(m, s, &result, &steps, NULL), 0);
    assert_int_equal(result, expected);
    log_matcher_unref(m);
}

static void what_is_made_ready_is_made_once(void **state)
{
    char level[] = "INFO";
    char message[] = "What the Message was";
    char json[] = "{\"host\":\"a\",\"x\":\"/\"}";
    const struct record r = {.level = SLICE_LITERAL(level),
                             .message = SLICE_LITERAL(message),
                             .attributes = SLICE_LITERAL(json)};
    struct slice host = SLICE_LITERAL("host");
    struct log_filter f;
    struct log_subject *s = log_subject_new();

    log_filter_init(&f);
    f.levels[f.levels_len++] = SLICE_LITERAL("info");
    f.text = SLICE_LITERAL("message WAS");
    log_subject_set(s, &r);
    assert_match(log_matcher_new(&f), s, true);
    assert_match(for_attribute(host, SLICE_LITERAL("a"), false), s, true);

    /* It shows by what is no longer looked at. */
    memset(level, '-', sizeof(level) - 1);
    memset(message, '-', sizeof(message) - 1);
    memset(json, '-', sizeof(json) - 1);
    assert_match(log_matcher_new(&f), s, true);
    assert_match(for_text(SLICE_LITERAL("what")), s, true);
    assert_match(for_attribute(host, SLICE_LITERAL("a"), true), s, false);
    assert_match(for_attribute(SLICE_LITERAL("x"), SLICE_LITERAL("/"), false), s, true);
    log_subject_free(s);
}

static void a_subject_is_the_log_that_was_set_last(void **state)
{
    struct record other = example;
    struct log_subject *s = log_subject_new();

    other.message = SLICE_LITERAL("nothing");
    other.level = SLICE_LITERAL("ERROR");
    other.attributes = SLICE_LITERAL("{\"host\":\"db\"}");
    for (int i = 0; i < 3; i++) {
        struct log_filter f = every_predicate();

        log_subject_set(s, &example);
        assert_match(log_matcher_new(&f), s, true);
        assert_match(for_attribute(SLICE_LITERAL("host"), SLICE_LITERAL("db"), true), s, true);
        log_subject_set(s, &other);
        assert_match(log_matcher_new(&f), s, false);
        f.levels[0] = SLICE_LITERAL("error");
        f.text = SLICE_LITERAL("THING");
        f.attributes[0].value = SLICE_LITERAL("db");
        assert_match(log_matcher_new(&f), s, true);
    }
    log_subject_free(s);
    log_subject_free(NULL);
}

#ifdef LOGMILL_FAULTS
static void a_lack_of_memory_is_no_answer(void **state)
{
    static char json[64 * 1024];
    struct log_filter f;
    struct record r = example;
    bool result;

    memset(json, ' ', sizeof(json));
    memcpy(json, "{\"host\":\"web-1\"", 15);
    json[sizeof(json) - 1] = '}';
    r.attributes = slice_of(json, sizeof(json));
    log_filter_init(&f);
    f.attributes[f.attributes_len++] =
        (struct log_attribute_filter){SLICE_LITERAL("host"), SLICE_LITERAL("web-1"), false};
    struct log_matcher *m = log_matcher_new(&f);
    assert_int_equal(log_matcher_match(m, &r, &result, NULL), 0);
    assert_true(result);
    fault_plan(&(struct fault_plan){.kind = FAULT_LIBRARY, .first = 1, .onwards = true});
    assert_int_equal(log_matcher_match(m, &r, &result, NULL), LM_ENOMEM);
    fault_plan(&(struct fault_plan){.kind = FAULT_INPUT, .first = 1});
    assert_null(log_matcher_new(&f));
    log_matcher_unref(m);
    fault_plan(&(struct fault_plan){0});
    r.message = r.level = r.attributes;
    m = for_text(SLICE_LITERAL("x"));
    fault_plan(&(struct fault_plan){.kind = FAULT_INPUT, .first = 1});
    assert_int_equal(log_matcher_match(m, &r, &result, NULL), LM_ENOMEM);
    fault_plan(&(struct fault_plan){0});
    log_matcher_unref(m);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_matches_where_every_predicate_does),
        cmocka_unit_test(the_time_bounds_are_not_looked_at),
        cmocka_unit_test(a_matcher_keeps_its_own_texts),
        cmocka_unit_test(a_matcher_lives_until_its_last_reference_goes),
        cmocka_unit_test(matchers_of_equal_filters_are_equal),
        cmocka_unit_test(what_is_made_ready_is_made_once),
        cmocka_unit_test(a_subject_is_the_log_that_was_set_last),
#ifdef LOGMILL_FAULTS
        cmocka_unit_test(a_lack_of_memory_is_no_answer),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
