#include "http/accept.h"

#include "../cmocka_all.h"

static void expect(struct slice *header, const char *name, int weight)
{
    struct accept_item item;

    assert_true(accept_next(header, &item));
    assert_true(slice_equal(item.name, slice_of_string(name)));
    assert_int_equal(item.weight, weight);
}

static void items_come_with_their_weights(void **state)
{
    struct slice header = SLICE_LITERAL("text/csv;q=0.5 , a/b;v=1;q=0.123,c/d; Q = 0,e/f;q=1.0,");
    struct accept_item item;

    expect(&header, "text/csv", 500);
    expect(&header, "a/b", 123);
    expect(&header, "c/d", 0);
    expect(&header, "e/f", 1000);
    assert_false(accept_next(&header, &item));
}

static void a_weight_that_is_none_counts_as_one(void **state)
{
    struct slice header = SLICE_LITERAL("a;q,b;q=,c;q=x,d;q=0x,e;q=0.a,f;q=0.12345");
    static const char *const names[] = {"a", "b", "c", "d", "e"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        expect(&header, names[i], 1000);
    expect(&header, "f", 123);
}

static void no_header_has_no_item(void **state)
{
    struct slice none = {NULL, 0};
    struct accept_item item;

    assert_false(accept_next(&none, &item));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_with_their_weights),
        cmocka_unit_test(a_weight_that_is_none_counts_as_one),
        cmocka_unit_test(no_header_has_no_item),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
