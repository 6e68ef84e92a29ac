#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/query_string.h"

/* Parses `query`; the params must read "name=value;…", where the values are those of Python's
 * urllib.parse.parse_qsl(query, keep_blank_values=True). */
static void expect(const char *query, const char *params)
{
    struct query_string q;
    char text[512] = "";
    size_t len = 0;

    assert_int_equal(query_string_parse(&q, slice_of_string(query)), 0);
    for (size_t i = 0; i < q.len; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s=%.*s;",
                                SLICE_ARG(q.params[i].name), SLICE_ARG(q.params[i].value));
    assert_string_equal(text, params);
    query_string_release(&q);
}

static void test_names_and_values_are_decoded(void **state)
{
    expect("", "");
    expect("a=b", "a=b;");
    expect("a=b&c=d+e&f=%41%7a%2B", "a=b;c=d e;f=Az+;");
    expect("a%3D=b=c", "a==b=c;");
    expect("a&b=&=c&=", "a=;b=;=c;=;");
    expect("&&a=1&&", "a=1;");
}

static void test_a_broken_escape_stays_as_it_is(void **state)
{
    expect("a=%&b=%4&c=%zz&d=%4%41", "a=%;b=%4;c=%zz;d=%4A;");
}

static void test_invalid_utf8_is_replaced(void **state)
{
    expect("a=%C3%A9&b=%e2%82%ac&c=%F0%9F%98%80", "a=\u00e9;b=\u20ac;c=\U0001F600;");
    expect("a=%FF&b=%C3&c=%e2%82x", "a=\uFFFD;b=\uFFFD;c=\uFFFDx;");
    expect("a=%C0%80", "a=\uFFFD\uFFFD;");                   /* too long a form */
    expect("a=%ED%A0%80", "a=\uFFFD\uFFFD\uFFFD;");          /* a surrogate */
    expect("a=%F4%90%80%80", "a=\uFFFD\uFFFD\uFFFD\uFFFD;"); /* past the end */
    expect("%ff=%ff", "\uFFFD=\uFFFD;");
}

static void test_the_last_value_counts(void **state)
{
    struct query_string q;

    assert_int_equal(query_string_parse(&q, SLICE_LITERAL("a=1&b=2&a=3&c")), 0);
    assert_true(slice_equal(query_string_last(&q, "a"), SLICE_LITERAL("3")));
    assert_non_null(query_string_last(&q, "c").data);
    assert_int_equal(query_string_last(&q, "c").len, 0);
    assert_null(query_string_last(&q, "d").data);
    query_string_release(&q);
}

static void test_params_are_bounded(void **state)
{
    struct query_string q;
    char text[2 * (QUERY_STRING_PARAMS_MAX + 1)];

    for (size_t i = 0; i < sizeof(text); i += 2)
        memcpy(text + i, "a&", 2);
    assert_int_equal(query_string_parse(&q, slice_of(text, sizeof(text) - 2)), 0);
    assert_int_equal(q.len, QUERY_STRING_PARAMS_MAX);
    query_string_release(&q);
    assert_int_equal(query_string_parse(&q, slice_of(text, sizeof(text))), LM_ETOOBIG);
    query_string_release(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_values_are_decoded),
        cmocka_unit_test(test_a_broken_escape_stays_as_it_is),
        cmocka_unit_test(test_invalid_utf8_is_replaced),
        cmocka_unit_test(test_the_last_value_counts),
        cmocka_unit_test(test_params_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
