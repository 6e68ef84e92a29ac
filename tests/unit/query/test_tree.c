#include "query/tree.h"

#include <stdlib.h>

#include "../cmocka_all.h"

/*
 * Builds what a sketch says: letters are tests of the message, & | ! open a node, a full stop
 * closes one.
 */
static int build(const char *sketch, struct query **q)
{
    struct query_builder b;

    query_builder_init(&b);
    for (const char *c = sketch; *c; c++) {
        if (*c == '.')
            query_builder_close(&b);
        else if (*c == '&' || *c == '|')
            query_builder_open(&b, *c == '&' ? QUERY_AND : QUERY_OR);
        else if (*c == '!')
            query_builder_open(&b, QUERY_NOT);
        else
            query_builder_test(&b, &(struct query_node){.field = QUERY_MESSAGE,
                                                        .test = QUERY_HOLDS,
                                                        .text = slice_of(c, 1)});
    }
    return query_builder_finish(&b, q);
}

/* The sketch of a tree. */
static void draw(const struct query *q, char *sketch)
{
    uint32_t ends[QUERY_DEPTH_MAX];
    unsigned depth = 0;

    for (uint32_t i = 0; q && i < q->len; i++) {
        const struct query_node *node = &q->nodes[i];

        *sketch++ = node->kind == QUERY_TEST ? *node->text.data : "&|!"[node->kind];
        if (node->kind != QUERY_TEST)
            ends[depth++] = node->end;
        for (; depth && ends[depth - 1] == i + 1; depth--)
            *sketch++ = '.';
    }
    *sketch = '\0';
}

static void assert_becomes(const char *sketch, const char *expected)
{
    struct query *q;
    char drawn[2 * QUERY_TESTS_MAX];

    assert_int_equal(build(sketch, &q), 0);
    draw(q, drawn);
    assert_string_equal(drawn, expected);
    query_unref(q);
}

static void what_says_nothing_goes_away(void **state)
{
    assert_becomes("", "");
    assert_becomes("&.", "");
    assert_becomes("!&..", "");
    assert_becomes("a", "a");
    assert_becomes("&a.", "a");
    assert_becomes("|&a..", "a");
    assert_becomes("&|.a.", "a");
    assert_becomes("!!a..", "a");
    assert_becomes("!!!a...", "!a.");
    assert_becomes("!|!a...", "a");
    assert_becomes("&ab.", "&ab.");
    assert_becomes("&a&bc..", "&abc.");
    assert_becomes("&a&b&cd...", "&abcd.");
    assert_becomes("&a|&bc..d.", "&abcd.");
    assert_becomes("&a!!&bc...d.", "&abcd.");
    assert_becomes("|a&bc.|d..", "|a&bc.d.");
    assert_becomes("&|ab.!|cd..e.", "&|ab.!|cd..e.");
}

static void all_of_a_tree_is_added_to_another(void **state)
{
    struct query_builder b;
    struct query *part;
    struct query *whole;
    char drawn[64];

    assert_int_equal(build("&a|b!&cd....", &part), 0);
    query_builder_init(&b);
    query_builder_open(&b, QUERY_AND);
    query_builder_add(&b, part);
    query_builder_add(&b, part);
    query_builder_close(&b);
    assert_int_equal(query_builder_finish(&b, &whole), 0);
    query_unref(part);
    draw(whole, drawn);
    assert_string_equal(drawn, "&a|b!&cd...a|b!&cd....");
    query_unref(whole);
}

static void what_guards_says_so_and_what_is_guarded_does_not(void **state)
{
    struct query *trees[2];
    struct query *guard;

    assert_int_equal(build("&a|bc..", &guard), 0);
    for (size_t i = 0; i < 2; i++) {
        struct query_builder b;

        query_builder_init(&b);
        query_builder_open(&b, QUERY_AND);
        if (i == 0)
            query_builder_guard(&b, guard);
        else
            query_builder_add(&b, guard);
        query_builder_test(&b, &(struct query_node){.field = QUERY_MESSAGE,
                                                    .test = QUERY_HOLDS,
                                                    .text = SLICE_LITERAL("d")});
        query_builder_close(&b);
        assert_int_equal(query_builder_finish(&b, &trees[i]), 0);
    }
    for (uint32_t k = 1; k < trees[0]->len; k++)
        assert_int_equal(trees[0]->nodes[k].guards, k + 1 < trees[0]->len);
    assert_false(query_equal(trees[0], trees[1]));

    /* … and goes on to, of a copy. */
    struct query_builder b;
    struct query *copy;
    query_builder_init(&b);
    query_builder_add(&b, trees[0]);
    assert_int_equal(query_builder_finish(&b, &copy), 0);
    assert_true(query_equal(copy, trees[0]));
    query_unref(copy);
    query_unref(trees[0]);
    query_unref(trees[1]);
    query_unref(guard);
}

static void equal_trees_are_equal_and_others_are_not(void **state)
{
    static const char *const sketches[] = {"a", "b", "&ab.", "|ab.", "&ba.", "!a.", "&a|bc..", ""};
    enum { SKETCHES = sizeof(sketches) / sizeof(*sketches) };

    for (size_t i = 0; i < SKETCHES; i++) {
        for (size_t k = 0; k < SKETCHES; k++) {
            struct query *a;
            struct query *b;

            assert_int_equal(build(sketches[i], &a), 0);
            assert_int_equal(build(sketches[k], &b), 0);
            assert_int_equal(query_equal(a, b), i == k);
            query_unref(query_ref(a));
            query_unref(a);
            query_unref(b);
        }
    }
}

/* `n` times `c`, then `middle`, then as many full stops. */
static int build_nested(size_t n, const char *c, const char *middle, struct query **q)
{
    char sketch[1024] = "";

    for (size_t i = 0; i < n; i++)
        strcat(sketch, c);
    strcat(sketch, middle);
    for (size_t i = 0; i < n * strcspn(c, "abc"); i++)
        strcat(sketch, ".");
    return build(sketch, q);
}

static void what_is_too_deep_or_too_much_is_refused(void **state)
{
    struct query *q;

    assert_int_equal(build_nested(QUERY_DEPTH_MAX - 1, "!", "&ab.", &q), 0);
    query_unref(q);
    assert_int_equal(build_nested(QUERY_OPEN_MAX, "!", "a", &q), 0);
    query_unref(q);
    assert_int_equal(build_nested(QUERY_OPEN_MAX + 1, "!", "a", &q), LM_ETOOBIG);
    assert_null(q);

    char sketch[2 * QUERY_TESTS_MAX] = "|";

    memset(sketch + 1, 'a', QUERY_TESTS_MAX);
    strcpy(sketch + 1 + QUERY_TESTS_MAX, ".");
    assert_int_equal(build(sketch, &q), 0);
    query_unref(q);
    strcpy(sketch + 1 + QUERY_TESTS_MAX, "a.");
    assert_int_equal(build(sketch, &q), LM_ETOOBIG);
    assert_null(q);
}

static void nesting_that_stays_is_bounded(void **state)
{
    struct query *q;
    char sketch[1024] = "";

    for (unsigned i = 0; i < QUERY_DEPTH_MAX; i++)
        strcat(sketch, i % 2 ? "&a" : "|a");
    strcat(sketch, "b");
    for (unsigned i = 0; i < QUERY_DEPTH_MAX; i++)
        strcat(sketch, ".");
    assert_int_equal(build(sketch, &q), 0);
    query_unref(q);
    memmove(sketch + 2, sketch, strlen(sketch) + 1);
    memcpy(sketch, "&a", 2);
    strcat(sketch, ".");
    assert_int_equal(build(sketch, &q), LM_ETOOBIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_says_nothing_goes_away),
        cmocka_unit_test(all_of_a_tree_is_added_to_another),
        cmocka_unit_test(what_guards_says_so_and_what_is_guarded_does_not),
        cmocka_unit_test(equal_trees_are_equal_and_others_are_not),
        cmocka_unit_test(what_is_too_deep_or_too_much_is_refused),
        cmocka_unit_test(nesting_that_stays_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
