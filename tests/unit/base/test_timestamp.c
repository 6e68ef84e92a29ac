#include "../vectors.h"

#include "base/timestamp.h"

static int parse(yyjson_val *vector, int64_t *us, struct timestamp_error *error)
{
    struct slice text = vector_text_at(vector, 1);

    *error = (struct timestamp_error){.type = ""};
    if (slice_equal(vector_text_at(vector, 0), SLICE_LITERAL("number")))
        return timestamp_parse_number(text, us, error);
    return timestamp_parse_text(text, us, error);
}

/* True if `us` or `error` is what pydantic made of the text. */
static bool is_as_expected(yyjson_val *vector, int result, int64_t us,
                           const struct timestamp_error *error)
{
    yyjson_val *expected = yyjson_arr_get(vector, 2);
    int64_t expected_us = yyjson_get_sint(expected);
    struct slice reason = vector_text_at(vector, 3);

    if (yyjson_is_str(expected))
        return result == LM_EINVAL &&
               slice_equal(vector_text(expected), slice_of_string(error->type)) &&
               slice_equal(reason, slice_of_string(error->reason));
    /* pydantic keeps the zone with the time, so it can leave the years 1 to 9999 of UTC. */
    if (expected_us < TIMESTAMP_MIN_US)
        return result == LM_EINVAL && strcmp(error->reason, "year 0 is out of range") == 0;
    if (expected_us > TIMESTAMP_MAX_US)
        return result == LM_EINVAL && strcmp(error->reason, "year 10000 is out of range") == 0;
    return result == 0 && us == expected_us;
}

static void timestamps_are_read_and_refused_as_pydantic_does(void **state)
{
    yyjson_doc *doc = vectors_read("timestamps.json");
    size_t wrong = 0;
    size_t i, n;
    yyjson_val *vector;

    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, vector)
    {
        int64_t us = 0;
        struct timestamp_error error;
        int result = parse(vector, &us, &error);
        char *shown;

        if (is_as_expected(vector, result, us, &error))
            continue;
        wrong++;
        shown = yyjson_val_write(vector, 0, NULL);
        print_error("%s: %d, %lld, %s, %s\n", shown, result, (long long)us, error.type,
                    error.reason);
        free(shown);
    }
    assert_true(n > 1000);
    assert_int_equal(wrong, 0);
    yyjson_doc_free(doc);
}

static void numbers_of_any_length_are_read_or_refused(void **state)
{
    char digits[2000];
    int64_t us;
    struct timestamp_error error;

    memset(digits, '7', sizeof(digits));
    assert_int_equal(timestamp_parse_number(slice_of(digits, sizeof(digits)), &us, &error),
                     LM_EINVAL);
    assert_string_equal(error.type, "datetime_type");
    assert_int_equal(timestamp_parse_text(slice_of(digits, sizeof(digits)), &us, &error),
                     LM_EINVAL);
    digits[1] = '.';
    assert_int_equal(timestamp_parse_number(slice_of(digits, sizeof(digits)), &us, &error),
                     LM_EINVAL);
    assert_int_equal(timestamp_parse_text(slice_of(digits, sizeof(digits)), &us, &error),
                     LM_EINVAL);
    assert_int_equal(timestamp_parse_number(slice_of(digits, 300), &us, &error), 0);
    assert_int_equal(us, 7777778);
    assert_int_equal(timestamp_parse_number(SLICE_LITERAL("1e400"), &us, &error), LM_EINVAL);
    assert_string_equal(error.type, "datetime_parsing");
}

static void assert_text(int64_t us, const char *expected)
{
    char text[TIMESTAMP_TEXT_LEN + 1] = {0};

    timestamp_format(us, text);
    assert_string_equal(text, expected);
}

static void times_are_written_as_rfc_3339_with_microseconds(void **state)
{
    assert_text(0, "1970-01-01T00:00:00.000000Z");
    assert_text(-1, "1969-12-31T23:59:59.999999Z");
    assert_text(TIMESTAMP_MIN_US, "0001-01-01T00:00:00.000000Z");
    assert_text(TIMESTAMP_MAX_US, "9999-12-31T23:59:59.999999Z");
    assert_text(INT64_C(951782400000001), "2000-02-29T00:00:00.000001Z");
    assert_text(INT64_C(1709164799000000), "2024-02-28T23:59:59.000000Z");
}

static void what_is_written_is_read_again_on_every_day(void **state)
{
    const int64_t step = INT64_C(86400) * 1000000 + 3723000017; /* a day and some */

    for (int64_t us = TIMESTAMP_MIN_US; us <= TIMESTAMP_MAX_US; us += step) {
        char text[TIMESTAMP_TEXT_LEN];
        struct timestamp_error error;
        int64_t again;

        timestamp_format(us, text);
        assert_int_equal(timestamp_parse_text(slice_of(text, sizeof(text)), &again, &error), 0);
        assert_int_equal(again, us);
    }
}

static void appending_writes_the_same_text(void **state)
{
    struct buffer b;

    buffer_init(&b, 1000);
    timestamp_append(&b, 1);
    assert_true(slice_equal(buffer_slice(&b), SLICE_LITERAL("1970-01-01T00:00:00.000001Z")));
    buffer_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timestamps_are_read_and_refused_as_pydantic_does),
        cmocka_unit_test(numbers_of_any_length_are_read_or_refused),
        cmocka_unit_test(times_are_written_as_rfc_3339_with_microseconds),
        cmocka_unit_test(what_is_written_is_read_again_on_every_day),
        cmocka_unit_test(appending_writes_the_same_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
