#include "../vectors.h"

#include "base/uuid7.h"

/* True if `id` or `reason` is what pydantic made of the text. */
static bool is_as_expected(yyjson_val *vector, int result, const struct uuid *id,
                           const struct errbuf *reason)
{
    struct slice expected = vector_text_at(vector, 1);
    char text[UUID_TEXT_LEN];

    if (slice_equal(expected, SLICE_LITERAL("uuid_parsing")))
        return result == LM_EINVAL &&
               slice_equal(vector_text_at(vector, 2), slice_of_string(reason->text));
    if (result)
        return false;
    if (slice_equal(expected, SLICE_LITERAL("uuid_version")))
        return !uuid_is_v7(id);
    uuid_format(id, text);
    return uuid_is_v7(id) && slice_equal(expected, slice_of(text, sizeof(text)));
}

static void uuids_are_read_and_refused_as_pydantic_does(void **state)
{
    yyjson_doc *doc = vectors_read("uuids.json");
    size_t wrong = 0;
    size_t i, n;
    yyjson_val *vector;

    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, vector)
    {
        struct uuid id;
        struct errbuf reason = ERRBUF_INIT;
        int result = uuid_parse(vector_text_at(vector, 0), &id, &reason);
        char *shown;

        if (is_as_expected(vector, result, &id, &reason))
            continue;
        wrong++;
        shown = yyjson_val_write(vector, 0, NULL);
        print_error("%s: %d, %s\n", shown, result, reason.text);
        free(shown);
    }
    assert_true(n > 1000);
    assert_int_equal(wrong, 0);
    yyjson_doc_free(doc);
}

static void bytes_that_are_no_text_are_refused(void **state)
{
    static const char *const texts[] = {"\xff", "\xc3", "urn:uuid:\xe2\x82", "{\x80}"};
    struct uuid id;
    struct errbuf reason;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(uuid_parse(slice_of_string(texts[i]), &id, &reason), LM_EINVAL);
    assert_int_equal(uuid_parse(slice_of(NULL, 0), &id, &reason), LM_EINVAL);
    assert_int_equal(uuid_parse(slice_of("a\0b", 3), &id, NULL), LM_EINVAL);
}

static void a_nul_character_is_shown_as_its_replacement(void **state)
{
    struct uuid id;
    struct errbuf reason;

    assert_int_equal(uuid_parse(slice_of("a\0b", 3), &id, &reason), LM_EINVAL);
    assert_string_equal(reason.text, "invalid character: found `\xef\xbf\xbd` at 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uuids_are_read_and_refused_as_pydantic_does),
        cmocka_unit_test(bytes_that_are_no_text_are_refused),
        cmocka_unit_test(a_nul_character_is_shown_as_its_replacement),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
