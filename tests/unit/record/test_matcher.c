#include "record/matcher.h"

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
    assert_int_equal(log_matcher_match(m, r, &result), 0);
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
    assert_int_equal(log_matcher_match(m, &example, &result), 0);
    assert_true(result);
    assert_true(slice_equal(log_matcher_filter(m)->text, SLICE_LITERAL("köln")));
    log_matcher_unref(m);
}

static void a_matcher_lives_until_its_last_reference_goes(void **state)
{
    struct log_filter f = every_predicate();
    struct log_matcher *m = log_matcher_new(&f);
    bool result;

    log_matcher_ref(m);
    log_matcher_unref(m);
    assert_int_equal(log_matcher_match(m, &example, &result), 0);
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
    assert_int_equal(log_matcher_match(m, &r, &result), 0);
    assert_true(result);
    fault_plan(&(struct fault_plan){.kind = FAULT_LIBRARY, .first = 1, .onwards = true});
    assert_int_equal(log_matcher_match(m, &r, &result), LM_ENOMEM);
    fault_plan(&(struct fault_plan){.kind = FAULT_INPUT, .first = 1});
    assert_null(log_matcher_new(&f));
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
#ifdef LOGMILL_FAULTS
        cmocka_unit_test(a_lack_of_memory_is_no_answer),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
