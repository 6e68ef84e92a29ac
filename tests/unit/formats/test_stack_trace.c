/* Which lines go on with a log (formats/stack_trace.h). */
#include "formats/stack_trace.h"

#include "../cmocka_all.h"
#include "base/buffer.h"

/* `lines` have to be logs of so many lines each as `expected` says, with a space behind each. */
static void check(const char *lines, bool has_head, const char *expected)
{
    struct slice rest = slice_of_string(lines);
    struct stack_trace trace = {.has_head = false};
    bool is_open = false;
    struct buffer got;
    int count = 0;

    buffer_init(&got, 1024);
    while (rest.len) {
        struct slice line = slice_cut(&rest, '\n');

        if (is_open && stack_trace_continues(&trace, line)) {
            count++;
            continue;
        }
        if (is_open)
            buffer_appendf(&got, "%d ", count);
        stack_trace_begin(&trace, line, has_head);
        is_open = true;
        count = 1;
    }
    buffer_appendf(&got, "%d ", count);
    if (!slice_equal(buffer_slice(&got), slice_of_string(expected)))
        fail_msg("%s: %.*s, not %s", lines, SLICE_ARG(buffer_slice(&got)), expected);
    buffer_release(&got);
}

static void what_begins_with_a_blank_goes_on(void **state)
{
    check("a\n b\n\tc\nd", false, "3 1 ");
    check("a\nb\nc", true, "1 1 1 ");
    check("{\n  \"a\": 1\n}", false, "2 1 ");
}

static void an_exception_goes_on_with_a_log_that_has_a_head_alone(void **state)
{
    check("x\njava.io.IOException: y\n\tat z", true, "3 ");
    check("x\njava.io.IOException: y\n\tat z", false, "1 2 ");
    check("x\nTraceback (most recent call last):\n  a\nE: b\nc", true, "4 1 ");
    check("x\nTraceback (most recent call last):\n  a\nE: b\nc", false, "1 3 1 ");
    check("x\nDone: y", true, "1 1 ");
    check("SEVERE: x\njava.io.IOException: y\n\tat z", true, "3 ");
    check("java.lang.Error: x\n\tat y\nCaused by: java.lang.Error\n\tat z\nnext", false, "4 1 ");
}

static void tracebacks_of_python_are_linked(void **state)
{
    check("Traceback (most recent call last):\n  a\nKeyError: 'x'\n\nThe above exception was the "
          "direct cause of the following exception:\n\nTraceback (most recent call last):\n  "
          "b\nValueError\nnext: x",
          false, "9 1 ");
    check("Traceback (most recent call last):\n  a\nKeyError: 'x'\n\nplain", false, "4 1 ");
    check(
        "x\n  + Exception Group Traceback (most recent call last):\n  | a\nTraceback (most recent "
        "call last):\n  a\nKeyError: 'x'",
        true, "3 3 ");
}

static void a_panic_of_go_has_all_its_goroutines(void **state)
{
    check(
        "panic: x [recovered]\n\tpanic: y\n[signal SIGSEGV: segmentation violation]\n\ngoroutine 1 "
        "[running]:\nmain.f({0x1, 0x2})\n\t/a.go:1 +0x1\n\ngoroutine 2 [select]:\nmain.g()\n"
        "\t/a.go:2\ncreated by main.main\n\t/a.go:3\nexit status 2\nup again",
        false, "14 1 ");
}

static void an_uncaught_error_of_node_has_its_place_and_version(void **state)
{
    check("file:///srv/a.mjs:3\nthrow 1\n^\n\nTypeError: x\n    at y {\n  code: 1\n}\n\nNode.js "
          "v22.1.0\nnext",
          false, "10 1 ");
    check(
        "/srv/a.js:3\nthrow new E()\n      ^\n\nTypeError: x\n    at y {\n  code: 1\n}\n\nNode.js "
        "v22.1.0\nnext",
        false, "10 1 ");
    check("Error: x\n    at y\n\nnext", false, "3 1 ");
    check("a.c:12\nb", false, "1 1 ");
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
