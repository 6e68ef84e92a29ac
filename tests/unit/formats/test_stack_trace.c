/* Which lines go on with a log (formats/stack_trace.h). */
#include "formats/stack_trace.h"

#include "../cmocka_all.h"

/* `lines` have to be logs of so many lines each as `counts`, `len` of them, says. */
static void check(const char *lines, bool has_head, const int *counts, int len)
{
    struct slice rest = slice_of_string(lines);
    struct stack_trace trace = {.has_head = false};
    bool is_open = false;
    int log = 0, count = 0;

    while (rest.len) {
        struct slice line = slice_cut(&rest, '\n');

        if (is_open && stack_trace_continues(&trace, line)) {
            count++;
            continue;
        }
        if (is_open && (log + 1 >= len || counts[log++] != count))
            fail_msg("%s: before \"%.*s\" are %d lines", lines, SLICE_ARG(line), count);
        stack_trace_begin(&trace, line, has_head);
        is_open = true;
        count = 1;
    }
    assert_int_equal(log + 1, len);
    assert_int_equal(counts[log], count);
}

#define CHECK(lines, has_head, ...)                                                                \
    check(lines, has_head, (const int[]){__VA_ARGS__},                                             \
          (int)(sizeof((const int[]){__VA_ARGS__}) / sizeof(int)))

static void what_begins_with_a_blank_goes_on(void **state)
{
    CHECK("a\n b\n\tc\nd", false, 3, 1);
    CHECK("a\nb\nc", true, 1, 1, 1);
    CHECK("{\n  \"a\": 1\n}", false, 2, 1);
}

static void an_exception_goes_on_with_a_log_that_has_a_head_alone(void **state)
{
    CHECK("x\njava.io.IOException: y\n\tat z", true, 3);
    CHECK("x\njava.io.IOException: y\n\tat z", false, 1, 2);
    CHECK("x\nTraceback (most recent call last):\n  a\nE: b\nc", true, 4, 1);
    CHECK("x\nTraceback (most recent call last):\n  a\nE: b\nc", false, 1, 3, 1);
    CHECK("x\nDone: y", true, 1, 1);
    CHECK("SEVERE: x\njava.io.IOException: y\n\tat z", true, 3);
    CHECK("java.lang.Error: x\n\tat y\nCaused by: java.lang.Error\n\tat z\nnext", false, 4, 1);
}

static void tracebacks_of_python_are_linked(void **state)
{
    CHECK("Traceback (most recent call last):\n  a\nKeyError: 'x'\n\nThe above exception was the "
          "direct cause of the following exception:\n\nTraceback (most recent call last):\n  "
          "b\nValueError\nnext: x",
          false, 9, 1);
    CHECK("Traceback (most recent call last):\n  a\nKeyError: 'x'\n\nplain", false, 4, 1);
    CHECK(
        "x\n  + Exception Group Traceback (most recent call last):\n  | a\nTraceback (most recent "
        "call last):\n  a\nKeyError: 'x'",
        true, 3, 3);
}

static void a_panic_of_go_has_all_its_goroutines(void **state)
{
    CHECK(
        "panic: x [recovered]\n\tpanic: y\n[signal SIGSEGV: segmentation violation]\n\ngoroutine 1 "
        "[running]:\nmain.f({0x1, 0x2})\n\t/a.go:1 +0x1\n\ngoroutine 2 [select]:\nmain.g()\n"
        "\t/a.go:2\ncreated by main.main\n\t/a.go:3\nexit status 2\nup again",
        false, 14, 1);
}

static void an_uncaught_error_of_node_has_its_place_and_version(void **state)
{
    CHECK("file:///srv/a.mjs:3\nthrow 1\n^\n\nTypeError: x\n    at y {\n  code: 1\n}\n\nNode.js "
          "v22.1.0\nnext",
          false, 10, 1);
    CHECK(
        "/srv/a.js:3\nthrow new E()\n      ^\n\nTypeError: x\n    at y {\n  code: 1\n}\n\nNode.js "
        "v22.1.0\nnext",
        false, 10, 1);
    CHECK("Error: x\n    at y\n\nnext", false, 3, 1);
    CHECK("a.c:12\nb", false, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_begins_with_a_blank_goes_on),
        cmocka_unit_test(an_exception_goes_on_with_a_log_that_has_a_head_alone),
        cmocka_unit_test(tracebacks_of_python_are_linked),
        cmocka_unit_test(a_panic_of_go_has_all_its_goroutines),
        cmocka_unit_test(an_uncaught_error_of_node_has_its_place_and_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
