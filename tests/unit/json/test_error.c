#include "../vectors.h"

#include "base/utf8.h"
#include "json/error.h"

static const size_t DEPTH = 100;

static void json_is_refused_with_the_words_and_places_of_python(void **state)
{
    yyjson_doc *doc = vectors_read("json_errors.json");
    size_t wrong = 0;
    size_t i, n;
    yyjson_val *vector;

    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, vector)
    {
        struct json_error error = {.message = "none"};
        bool found = json_find_error(vector_text_at(vector, 0), DEPTH, &error);
        struct slice message = vector_text_at(vector, 1);
        char *shown;

        if (message.data ? found && slice_equal(slice_of_string(error.message), message) &&
                               error.position == yyjson_get_uint(yyjson_arr_get(vector, 2))
                         : !found)
            continue;
        wrong++;
        shown = yyjson_val_write(vector, 0, NULL);
        print_error("%s: %s %zu\n", shown, error.message, error.position);
        free(shown);
    }
    assert_true(n > 1000);
    assert_int_equal(wrong, 0);
    yyjson_doc_free(doc);
}

static void assert_error(const char *text, const char *message, size_t position)
{
    struct json_error error;

    assert_true(json_find_error(slice_of_string(text), DEPTH, &error));
    assert_string_equal(error.message, message);
    assert_int_equal(error.position, position);
}

static void what_python_takes_but_json_is_not_is_refused(void **state)
{
    assert_error("NaN", "Expecting value", 0);
    assert_error("[1, -Infinity]", "Expecting value", 4);
    assert_error("{\"\xc3\xa9\": Infinity}", "Expecting value", 6);
    assert_error("\"\\ud800\"", "Lone surrogate in \\uXXXX escape", 2);
    assert_error("\"\\udc00\\ud800\"", "Lone surrogate in \\uXXXX escape", 2);
    assert_error("[\"\xc3\xa9\", \"\\ud800\\u0041\"]", "Lone surrogate in \\uXXXX escape", 8);
    assert_error("[\"\xc3\xa9\", \"\xff\"]", "Invalid UTF-8", 7);
    assert_error("\xed\xa0\x80", "Invalid UTF-8", 0);
}

static void nesting_past_the_limit_is_refused_at_the_bracket(void **state)
{
    char text[2 * 200 + 1] = {0};
    struct json_error error;

    memset(text, '[', 200);
    memset(text + 200, ']', 200);
    assert_true(json_find_error(slice_of_string(text), 199, &error));
    assert_string_equal(error.message, "Nested too deeply");
    assert_int_equal(error.position, 199);
    assert_false(json_find_error(slice_of_string(text), 200, &error));
    assert_false(json_find_error(slice_of_string("[[],[],{\"a\":1},[]]"), 2, &error));
}

static void utf8_is_told_from_what_is_not(void **state)
{
    static const char *const valid[] = {
        "",
        "plain text of more than eight bytes",
        "\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf",
        "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
        "12345678\xe2\x82\xac, 12345678",
    };
    static const char *const invalid[] = {
        "\x80",         "\xc0\x80",         "\xc1\xbf",         "\xc3",
        "\xc3(",        "\xe0\x9f\xbf",     "\xed\xa0\x80",     "\xe2\x82",
        "\xe2\x82(",    "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff",         "12345678\xff",     "1234567\xff",      "12345678\xe2\x82",
        "\xf0\x9f\x98",
    };

    for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
        assert_true(utf8_valid(slice_of_string(valid[i])));
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
        assert_false(utf8_valid(slice_of_string(invalid[i])));
}

/* As Python has it: print(b"…".decode("utf-8", "replace")) */
static void repairing_replaces_as_python_does(void **state)
{
    static const char *const cases[][2] = {
        {"good \xe2\x82\xac", "good \xe2\x82\xac"},
        {"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\xe2\x82"
         "b",
         "a\xef\xbf\xbd"
         "b"},
        {"\xf0\x9f\x98", "\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc0\x80x", "\xef\xbf\xbd\xef\xbf\xbdx"},
    };
    struct buffer b;

    buffer_init(&b, 1000);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buffer_clear(&b);
        utf8_append_repaired(&b, slice_of_string(cases[i][0]));
        assert_true(slice_equal(buffer_slice(&b), slice_of_string(cases[i][1])));
        assert_true(utf8_valid(buffer_slice(&b)));
    }
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_refused_with_the_words_and_places_of_python),
        cmocka_unit_test(what_python_takes_but_json_is_not_is_refused),
        cmocka_unit_test(nesting_past_the_limit_is_refused_at_the_bracket),
        cmocka_unit_test(utf8_is_told_from_what_is_not),
        cmocka_unit_test(repairing_replaces_as_python_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
