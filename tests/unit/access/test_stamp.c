#include "access/stamp.h"

#include <stdio.h>
#include <string.h>

#include "../cmocka_all.h"

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct stamp stamp;

static struct grant *grant_that_sets(const char *set)
{
    char line[1024];
    struct errbuf err = ERRBUF_INIT;
    struct grant *g = NULL;

    snprintf(line, sizeof(line),
             "{\"name\":\"pay\",\"role\":\"write\",\"sha256\":\"" DIGEST "\",\"set\":%s}", set);
    if (grant_parse(slice_of_string(line), &g, &err))
        fail_msg("%s", err.text);
    return g;
}

static int set_up(void **state)
{
    stamp_init(&stamp, NULL);
    return 0;
}

static int tear_down(void **state)
{
    stamp_release(&stamp);
    return 0;
}

static void whatever_a_log_says_the_attributes_are_those_of_the_key(void **state)
{
    static const struct {
        const char *set, *before, *after;
    } cases[] = {
        {"{\"s\":\"pay\"}", "", "{\"s\":\"pay\"}"},
        {"{\"s\":\"pay\"}", "{}", "{\"s\":\"pay\"}"},
        {"{\"s\":\"pay\"}", "{\"a\":1}", "{\"a\":1,\"s\":\"pay\"}"},
        {"{\"s\":\"pay\"}", "{\"s\":\"x\"}", "{\"s\":\"pay\"}"},
        {"{\"s\":\"pay\"}", "{\"s\":{\"x\":1},\"b\":[1.50,null]}",
         "{\"b\":[1.50,null],\"s\":\"pay\"}"},
        {"{\"s\":\"pay\"}", "{\"\\u0073\":\"x\",\"b\":1}", "{\"b\":1,\"s\":\"pay\"}"},
        {"{\"s\":\"pay\"}", "{\"a\":{\"s\":1}}", "{\"a\":{\"s\":1},\"s\":\"pay\"}"},
        {"{\"s\":\"pay\"}", "{\"a\":\"s\"}", "{\"a\":\"s\",\"s\":\"pay\"}"},
        {"{\"s\":\"a\\\"b\",\"t\":\"\"}", "{\"t\":1,\"s\":2}", "{\"s\":\"a\\\"b\",\"t\":\"\"}"},
        /* Under every name by which a query would find it. */
        {"{\"a.b\":\"v\"}", "{\"a.b\":1}", "{\"a.b\":\"v\"}"},
        {"{\"a.b\":\"v\"}", "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"c\":2},\"a.b\":\"v\"}"},
        {"{\"a.b\":\"v\"}", "{\"a\":[{\"b\":1},{\"c\":2},3]}",
         "{\"a\":[{},{\"c\":2},3],\"a.b\":\"v\"}"},
        {"{\"a.b.c\":\"v\"}", "{\"a.b\":{\"c\":1,\"d\":2},\"a\":{\"b.c\":1,\"b\":{\"c\":1}}}",
         "{\"a.b\":{\"d\":2},\"a\":{\"b\":{}},\"a.b.c\":\"v\"}"},
        {"{\"a.b\":\"v\"}", "{\"a\":1,\"b\":2,\"a.b.c\":3}",
         "{\"a\":1,\"b\":2,\"a.b.c\":3,\"a.b\":\"v\"}"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct grant *g = grant_that_sets(cases[i].set);
        const struct record r = {.attributes = slice_of_string(cases[i].before)};
        struct record stamped;

        assert_int_equal(stamp_apply(&stamp, g, &r, &stamped), 0);
        if (!slice_equal(stamped.attributes, slice_of_string(cases[i].after)))
            fail_msg("%s: %.*s", cases[i].before, SLICE_ARG(stamped.attributes));
        grant_unref(g);
    }
}

static void without_a_key_that_sets_something_a_log_stays_as_it_is(void **state)
{
    const struct record r = {.message = SLICE_LITERAL("m"),
                             .attributes = SLICE_LITERAL("{\"s\":1}")};
    struct record stamped;

    assert_int_equal(stamp_apply(&stamp, NULL, &r, &stamped), 0);
    assert_ptr_equal(stamped.attributes.data, r.attributes.data);
    assert_int_equal(stamped.message.len, 1);
}

static void names_that_no_query_would_find_cannot_be_set(void **state)
{
    static const char *const names[] = {"a..b", ".a", "a.", "."};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char line[512];
        struct errbuf err = ERRBUF_INIT;
        struct grant *g;

        snprintf(line, sizeof(line),
                 "{\"name\":\"pay\",\"role\":\"write\",\"sha256\":\"" DIGEST
                 "\",\"set\":{\"%s\":\"x\"}}",
                 names[i]);
        assert_int_equal(grant_parse(slice_of_string(line), &g, &err), LM_EINVAL);
        assert_non_null(strstr(err.text, "empty parts"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_a_log_says_the_attributes_are_those_of_the_key,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_key_that_sets_something_a_log_stays_as_it_is,
                                        set_up, tear_down),
        cmocka_unit_test(names_that_no_query_would_find_cannot_be_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
