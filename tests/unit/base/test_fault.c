/* The seam itself: what its users rely on. */
#include "base/fault.h"

#include <errno.h>

#include "../cmocka_all.h"
#include "base/buffer.h"
#include "base/xalloc.h"
#include "diag/diag.h"

static const struct fault_plan none;

static int lift(void **state)
{
    fault_plan(&none);
    return 0;
}

static void only_the_planned_point_fails(void **state)
{
    fault_plan(&(struct fault_plan){.kind = FAULT_SYNC, .first = 3});
    for (int i = 1; i <= 5; i++) {
        assert_false(fault_here(FAULT_WRITE));
        assert_int_equal(fault_here(FAULT_SYNC), i == 3);
    }
    assert_int_equal(fault_count(), 1);
}

static void onwards_fails_all_the_later_ones(void **state)
{
    fault_plan(&(struct fault_plan){.kind = FAULT_SYNC, .first = 3, .onwards = true});
    for (int i = 1; i <= 5; i++)
        assert_int_equal(fault_here(FAULT_SYNC), i >= 3);
    assert_int_equal(fault_count(), 3);
}

static void errno_says_what_the_system_would(void **state)
{
    fault_plan(&(struct fault_plan){.kind = FAULT_SYNC, .first = 1});
    assert_true(fault_here(FAULT_SYNC));
    assert_int_equal(errno, EIO);
    fault_plan(&(struct fault_plan){.kind = FAULT_WRITE, .first = 1, .way = FAULT_ENOSPC});
    assert_true(fault_here(FAULT_WRITE));
    assert_int_equal(errno, ENOSPC);
    fault_plan(&(struct fault_plan){.kind = FAULT_INPUT, .first = 1});
    assert_null(try_malloc(100));
    assert_int_equal(errno, ENOMEM);
}

static void a_buffer_that_cannot_grow_keeps_what_it_has(void **state)
{
    struct buffer b;

    buffer_init(&b, 1 << 20);
    buffer_append_string(&b, "kept");
    fault_plan(&(struct fault_plan){.kind = FAULT_INPUT, .first = 1});
    assert_null(buffer_reserve(&b, 10000));
    assert_int_equal(buffer_error(&b), LM_ENOMEM);
    buffer_append_string(&b, ", but no more");
    assert_true(slice_equal(buffer_slice(&b), SLICE_LITERAL("kept")));
    buffer_clear(&b);
    buffer_append_string(&b, "again");
    assert_int_equal(buffer_error(&b), 0);
    buffer_release(&b);
}

static void a_diagnostic_needs_no_memory(void **state)
{
    fault_plan(&(struct fault_plan){.kind = FAULT_INPUT, .first = 1, .onwards = true});
    diag(DIAG_INFO, "said without memory", DIAG_STR("by", "a test"));
    assert_int_equal(fault_count(), 0); /* it has not asked for any */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(only_the_planned_point_fails, lift),
        cmocka_unit_test_teardown(onwards_fails_all_the_later_ones, lift),
        cmocka_unit_test_teardown(errno_says_what_the_system_would, lift),
        cmocka_unit_test_teardown(a_buffer_that_cannot_grow_keeps_what_it_has, lift),
        cmocka_unit_test_teardown(a_diagnostic_needs_no_memory, lift),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
