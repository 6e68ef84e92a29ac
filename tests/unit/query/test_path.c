#include "query/path.h"

#include <string.h>

#include "../cmocka_all.h"
#include "base/buffer.h"
#include "json/writer.h"

struct found {
    struct buffer text;
    unsigned max;
};

static bool take(yyjson_val *value, void *ctx)
{
    struct found *f = ctx;

    if (f->text.len)
        buffer_append_char(&f->text, ' ');
    json_append_value(&f->text, value);
    return --f->max > 0;
}

/* The values at `path`, in their order. */
static void assert_values_of(const char *json, struct slice path, unsigned max,
                             const char *expected)
{
    yyjson_doc *doc = yyjson_read(json, strlen(json), YYJSON_READ_NUMBER_AS_RAW);
    struct found f = {.max = max};
    uint64_t steps = 0;

    buffer_init(&f.text, 4096);
    bool is_over = path_each(yyjson_doc_get_root(doc), path, take, &f, &steps);
    assert_int_equal(is_over, f.max > 0);
    buffer_append_char(&f.text, '\0');
    assert_string_equal(f.text.data, expected);
    buffer_release(&f.text);
    yyjson_doc_free(doc);
}

static void assert_values(const char *json, const char *path, const char *expected)
{
    assert_values_of(json, slice_of_string(path), 100, expected);
}

static void members_may_have_dots(void **state)
{
    assert_values("{\"a\":{\"b\":1}}", "a.b", "1");
    assert_values("{\"a.b\":1}", "a.b", "1");
    assert_values("{\"a\":{\"b\":{\"c\":1},\"b.c\":2},\"a.b\":{\"c\":3},\"a.b.c\":4}", "a.b.c",
                  "1 2 3 4");
    assert_values("{\"a\":{\"b\":1}}", "a", "{\"b\":1}");
    assert_values("{\"a\":1}", "a.b", "");
    assert_values("{\"ab\":1}", "a", "");
    assert_values("{\"\":{\"\":1},\".\":2}", ".", "1 2");
    assert_values("{\"\":1}", "", "1");
}

static void an_array_is_its_elements(void **state)
{
    assert_values("{\"a\":[1,[2,[3]],{\"b\":4},[]]}", "a", "1 2 3 {\"b\":4} []");
    assert_values("{\"a\":[{\"b\":1},[{\"b\":[2]}],3]}", "a.b", "1 2");
    assert_values("{\"a\":[]}", "a", "[]");
    assert_values("[1]", "a", "");
}

static void who_has_enough_is_not_called_again(void **state)
{
    assert_values_of("{\"a\":[1,2,3],\"a\":4}", SLICE_LITERAL("a"), 2, "1 2");
    assert_values_of("{\"a\":[{\"b\":1},{\"b\":2}]}", SLICE_LITERAL("a.b"), 1, "1");
}

static void a_path_of_very_many_names_is_one_name(void **state)
{
    char path[2 * PATH_NAMES_MAX + 2];
    char json[200];

    for (int names = PATH_NAMES_MAX; names <= PATH_NAMES_MAX + 1; names++) {
        memset(path, 0, sizeof(path));
        for (int i = 0; i < names; i++)
            strcat(path, i ? ".a" : "a");
        snprintf(json, sizeof(json), "{\"a\":{\"%s\":1},\"%s\":2}", path + 2, path);
        assert_values(json, path, names == PATH_NAMES_MAX ? "1 2" : "2");
    }
}

static void no_attributes_have_no_values(void **state)
{
    struct found f = {.max = 1};
    uint64_t steps = 0;

    assert_true(path_each(NULL, SLICE_LITERAL("a"), take, &f, &steps));
}

static void the_longest_name_is_part_of_a_member(void **state)
{
    assert_true(slice_equal(path_longest_name(SLICE_LITERAL("a.long.b")), SLICE_LITERAL("long")));
    assert_true(slice_equal(path_longest_name(SLICE_LITERAL("one")), SLICE_LITERAL("one")));
    assert_int_equal(path_longest_name(SLICE_LITERAL("..")).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_may_have_dots),
        cmocka_unit_test(an_array_is_its_elements),
        cmocka_unit_test(who_has_enough_is_not_called_again),
        cmocka_unit_test(a_path_of_very_many_names_is_one_name),
        cmocka_unit_test(no_attributes_have_no_values),
        cmocka_unit_test(the_longest_name_is_part_of_a_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
