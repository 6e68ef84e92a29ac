#include "../vectors.h"

#include "base/int_parse.h"

static bool is_as_expected(yyjson_val *vector, int result, int64_t value)
{
    yyjson_val *expected = yyjson_arr_get(vector, 1);

    if (yyjson_is_int(expected))
        return result == 0 && value == yyjson_get_sint(expected);
    return result == (yyjson_equals_str(expected, "int_parsing") ? LM_EINVAL : LM_ETOOBIG);
}

static void integers_are_read_and_refused_as_pydantic_does(void **state)
{
    yyjson_doc *doc = vectors_read("integers.json");
    size_t wrong = 0;
    size_t i, n;
    yyjson_val *vector;

    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, vector)
    {
        int64_t value = 0;
        int result = int_parse_lax(vector_text_at(vector, 0), &value);
        char *shown;

        if (is_as_expected(vector, result, value))
            continue;
        wrong++;
        shown = yyjson_val_write(vector, 0, NULL);
        print_error("%.100s: %d, %lld\n", shown, result, (long long)value);
        free(shown);
    }
    assert_true(n > 1000);
    assert_int_equal(wrong, 0);
    yyjson_doc_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_read_and_refused_as_pydantic_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
