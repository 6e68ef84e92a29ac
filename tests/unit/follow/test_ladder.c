#include "follow/ladder.h"

#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"

static char text[1 << 20];

/* Lines of `columns` columns, [0, lines); the line `other` is another one. Returns their length. */
static size_t write_lines(int lines, int columns, int other)
{
    size_t len = 0;

    for (int i = 0; i < lines; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%0*d\n", columns,
                                i == other ? 999999 : i);
    return len;
}

static struct ladder ladder_of(int lines, int columns, int other)
{
    struct ladder l = {0};

    (void)ladder_add_text(&l, slice_of(text, write_lines(lines, columns, other)));
    return l;
}

static bool has(struct ladder whole, struct ladder part)
{
    bool result = ladder_has(&whole, &part);

    ladder_release(&whole);
    ladder_release(&part);
    return result;
}

static void tells_each_line_of_a_short_text(void **state)
{
    for (int lines = 1; lines <= 100; lines++) {
        assert_true(has(ladder_of(100, 60, -1), ladder_of(lines, 60, -1)));
        assert_false(has(ladder_of(100, 60, -1), ladder_of(lines, 60, 0)));
        assert_false(has(ladder_of(100, 60, -1), ladder_of(lines, 60, lines - 1)));
    }
    assert_false(has(ladder_of(100, 60, -1), ladder_of(101, 60, -1)));
    assert_false(has(ladder_of(100, 60, -1), ladder_of(0, 60, -1)));
    assert_false(has(ladder_of(0, 60, -1), ladder_of(0, 60, -1)));
}

static void tells_nearly_all_of_a_long_one(void **state)
{
    static const int LINES[] = {257, 511, 512, 513, 1000, 1023, 3000};

    for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
        struct ladder whole = ladder_of(3000, 20, -1), part = ladder_of(LINES[i], 20, -1);
        int changed = LINES[i] - 13; /* the steps are of every 16th line then */
        struct ladder other = ladder_of(LINES[i], 20, changed);

        assert_in_range(whole.len, LADDER_STEPS_MAX / 2, LADDER_STEPS_MAX);
        assert_int_equal(whole.lines, 3000);
        assert_true(ladder_has(&whole, &part));
        assert_int_equal(whole.shift, 4);
        assert_int_equal(ladder_has(&whole, &other), LINES[i] / 16 * 16 <= changed);
        ladder_thin(&whole, LADDER_STEPS_KEPT);
        assert_true(whole.len <= LADDER_STEPS_KEPT);
        assert_true(ladder_has(&whole, &part));
        ladder_release(&whole);
        ladder_release(&part);
        ladder_release(&other);
    }
}

static bool differs(struct ladder a, struct ladder b)
{
    bool result = ladder_differs(&a, &b);

    assert_int_equal(ladder_differs(&b, &a), result);
    ladder_release(&a);
    ladder_release(&b);
    return result;
}

static void tells_which_lines_of_both_are_others(void **state)
{
    struct ladder thin = ladder_of(300, 60, -1);

    assert_false(differs(ladder_of(100, 60, -1), ladder_of(100, 60, -1)));
    assert_false(differs(ladder_of(100, 60, -1), ladder_of(70, 60, -1)));
    assert_true(differs(ladder_of(100, 60, -1), ladder_of(70, 60, 69)));
    assert_false(differs(ladder_of(70, 60, -1), ladder_of(100, 60, 70)));
    assert_true(differs(ladder_of(1000, 60, -1), ladder_of(300, 60, 13)));
    assert_false(differs(ladder_of(0, 60, -1), ladder_of(100, 60, -1)));
    ladder_thin(&thin, LADDER_STEPS_KEPT);
    assert_true(differs(thin, ladder_of(300, 60, 20)));
}

static void goes_no_further_than_a_beginning(void **state)
{
    struct ladder l = ladder_of(2000, 60, -1);

    assert_in_range(l.to, LADDER_BYTES - 60, LADDER_BYTES);
    ladder_release(&l);
    assert_true(has(ladder_of(8000, 60, -1), ladder_of(2000, 60, -1)));
    l = ladder_of(0, 0, -1);
    memset(text, 'x', LADDER_BYTES);
    text[LADDER_BYTES] = '\n';
    (void)ladder_add_text(&l, slice_of(text, LADDER_BYTES + 1));
    assert_int_equal(l.lines, 0);
    ladder_release(&l);
}

static void adds_a_line_once(void **state)
{
    struct ladder once = ladder_of(10, 60, -1), twice = ladder_of(5, 60, -1);

    (void)ladder_add_text(&twice, slice_of(text, write_lines(10, 60, -1)));
    assert_int_equal(twice.lines, 10);
    assert_true(ladder_has(&once, &twice) && ladder_has(&twice, &once));
    ladder_release(&once);
    ladder_release(&twice);
}

static void leaves_out_what_is_no_whole_line(void **state)
{
    struct ladder l = {0}, hole = {0};

    (void)ladder_add_text(&l, SLICE_LITERAL("one\ntwo\nthr"));
    (void)ladder_add_text(&hole, SLICE_LITERAL("\0\0\0one\n\0two\n\0\0"));
    assert_int_equal(l.lines, 2);
    assert_int_equal(l.to, 8);
    assert_true(ladder_has(&l, &hole)); /* zeros are not handed out */
    assert_int_equal(hole.to, 12);
    ladder_release(&l);
    ladder_release(&hole);
}

static void comes_back_as_it_was_written(void **state)
{
    struct ladder l = ladder_of(700, 60, -1), again = {0}, none = {0};
    struct buffer b;

    buffer_init(&b, 1 << 20);
    ladder_write(&l, &b);
    assert_int_equal(b.len, 12 + 4 * l.len);
    ladder_read(&again, buffer_slice(&b));
    assert_true(ladder_has(&l, &again) && ladder_has(&again, &l));
    assert_true(again.lines == 700 && again.to == l.to && again.shift == l.shift);
    ladder_add(&again, l.to + 50, 1);
    assert_int_equal(again.lines, 701);
    ladder_release(&again);
    for (size_t len = 0; len < b.len; len++) { /* one that was cut off is none */
        ladder_read(&again, slice_of(b.data, len));
        assert_int_equal(again.len, len / 4 == b.len / 4 ? l.len : 0);
        ladder_release(&again);
    }
    b.data[0] = 1; /* the shift */
    ladder_read(&none, buffer_slice(&b));
    assert_int_equal(none.len, 0);
    buffer_release(&b);
    ladder_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_each_line_of_a_short_text),
        cmocka_unit_test(tells_nearly_all_of_a_long_one),
        cmocka_unit_test(tells_which_lines_of_both_are_others),
        cmocka_unit_test(goes_no_further_than_a_beginning),
        cmocka_unit_test(adds_a_line_once),
        cmocka_unit_test(leaves_out_what_is_no_whole_line),
        cmocka_unit_test(comes_back_as_it_was_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
