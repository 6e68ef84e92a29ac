#include "formats/validation.h"

#include <string.h>
#include <yyjson.h>

#include "../cmocka_all.h"

static const struct validation_step place[] = {
    {.name = SLICE_LITERAL("body")}, {.index = 3}, {.name = SLICE_LITERAL("na\"me")}};

static void an_entry_is_written_as_fastapi_does(void **state)
{
    struct buffer out;
    struct validation v;

    buffer_init(&out, 4096);
    buffer_append_string(&out, "left over");
    validation_init(&v, &out);
    validation_add(&v, &(struct validation_entry){.type = "string_type",
                                                  .loc = place,
                                                  .loc_len = 3,
                                                  .msg = SLICE_LITERAL("Not \"so\""),
                                                  .input = SLICE_LITERAL("[1]"),
                                                  .ctx = SLICE_LITERAL("{\"error\":\"x\"}")});
    validation_add(&v, &(struct validation_entry){.type = "missing",
                                                  .loc = place,
                                                  .loc_len = 1,
                                                  .msg = SLICE_LITERAL("Field required")});
    assert_int_equal(validation_finish(&v), 0);
    assert_int_equal(v.count, 2);
    buffer_append_char(&out, '\0');
    assert_string_equal(
        out.data,
        "{\"detail\":[{\"type\":\"string_type\",\"loc\":[\"body\",3,\"na\\\"me\"],"
        "\"msg\":\"Not \\\"so\\\"\",\"input\":[1],\"ctx\":{\"error\":\"x\"}},"
        "{\"type\":\"missing\",\"loc\":[\"body\"],\"msg\":\"Field required\",\"input\":null}]}");
    buffer_release(&out);
}

/* Adds `n` equal entries; returns how many entries the finished list has. */
static size_t listed(struct validation *v, struct buffer *out, size_t n, const char **last_type)
{
    static char type[64];

    validation_init(v, out);
    for (size_t i = 0; i < n; i++)
        validation_add(v, &(struct validation_entry){.type = "missing",
                                                     .loc = place,
                                                     .loc_len = 2,
                                                     .msg = SLICE_LITERAL("Field required")});
    assert_int_equal(validation_finish(v), 0);
    assert_int_equal(v->count, n);
    yyjson_doc *doc = yyjson_read(out->data, out->len, 0);
    assert_non_null(doc);
    yyjson_val *detail = yyjson_obj_get(yyjson_doc_get_root(doc), "detail");
    size_t size = yyjson_arr_size(detail);
    const char *text = yyjson_get_str(yyjson_obj_get(yyjson_arr_get_last(detail), "type"));
    type[0] = '\0';
    if (text)
        strncat(type, text, sizeof(type) - 1);
    *last_type = type;
    yyjson_doc_free(doc);
    return size;
}

static void too_many_errors_are_counted_not_listed(void **state)
{
    struct buffer out;
    struct validation v;
    const char *last;

    buffer_init(&out, 1 << 20);
    assert_int_equal(listed(&v, &out, 0, &last), 0);
    assert_int_equal(listed(&v, &out, VALIDATION_ERRORS_MAX, &last), VALIDATION_ERRORS_MAX);
    assert_string_equal(last, "missing");
    assert_int_equal(listed(&v, &out, VALIDATION_ERRORS_MAX + 7, &last), VALIDATION_ERRORS_MAX + 1);
    assert_string_equal(last, "too_many_errors");
    assert_non_null(memmem(out.data, out.len, "7 more", 6));
    buffer_release(&out);
}

static void a_list_that_finds_no_room_still_ends_well(void **state)
{
    for (size_t ceiling = 256; ceiling < 1024; ceiling++) {
        struct buffer out;
        struct validation v;
        const char *last;
        buffer_init(&out, ceiling);
        assert_true(listed(&v, &out, 20, &last) < 20);
        assert_string_equal(last, "too_many_errors");
        buffer_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_written_as_fastapi_does),
        cmocka_unit_test(too_many_errors_are_counted_not_listed),
        cmocka_unit_test(a_list_that_finds_no_room_still_ends_well),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
