#include "../aborts.h"
#include "../cmocka_all.h"
#include "base/buffer.h"

/* What buffer.h says is always true. */
static void check_invariants(const struct buffer *b)
{
    assert_true(b->len <= b->capacity);
    assert_true(b->capacity <= b->ceiling);
    assert_true(!b->data == (b->capacity == 0));
}

static void appended_pieces_stand_in_order(void **state)
{
    struct buffer b;

    buffer_init(&b, 1 << 20);
    check_invariants(&b);
    buffer_append_string(&b, "ab");
    buffer_append_char(&b, 'c');
    buffer_append_i64(&b, INT64_MIN);
    buffer_append_char(&b, ' ');
    buffer_append_u64(&b, UINT64_MAX);
    buffer_appendf(&b, " %s=%d", "x", 7);
    check_invariants(&b);
    assert_true(slice_equal(buffer_slice(&b),
                            SLICE_LITERAL("abc-9223372036854775808 18446744073709551615 x=7")));
    buffer_consume(&b, 3);
    assert_int_equal(b.data[0], '-');
    buffer_release(&b);
    check_invariants(&b);
}

static void a_long_format_is_not_cut(void **state)
{
    char text[5000];
    struct buffer b;

    memset(text, 'x', sizeof(text));
    buffer_init(&b, 1 << 20);
    buffer_appendf(&b, "<%.*s>", (int)sizeof(text), text);
    assert_int_equal(b.len, sizeof(text) + 2);
    assert_int_equal(b.data[b.len - 1], '>');
    buffer_release(&b);
}

static void nothing_passes_the_ceiling(void **state)
{
    struct buffer b;

    buffer_init(&b, 10);
    buffer_append_string(&b, "12345678");
    buffer_append_string(&b, "abc"); /* 11 > 10 */
    check_invariants(&b);
    assert_int_equal(buffer_error(&b), LM_ETOOBIG);
    assert_int_equal(b.len, 8);
    buffer_append_char(&b, 'x'); /* would fit, but an error stays */
    assert_int_equal(b.len, 8);
    buffer_clear(&b);
    assert_int_equal(buffer_error(&b), 0);
    buffer_append_string(&b, "1234567890");
    assert_int_equal(buffer_error(&b), 0);
    assert_int_equal(b.len, 10);
    check_invariants(&b);
    buffer_release(&b);
}

static void growing_byte_by_byte_keeps_the_bytes(void **state)
{
    struct buffer b;

    buffer_init(&b, 100000);
    for (int i = 0; i < 100000; i++) {
        buffer_append_char(&b, (char)(i % 251));
        check_invariants(&b);
    }
    assert_int_equal(buffer_error(&b), 0);
    for (int i = 0; i < 100000; i++)
        assert_int_equal((unsigned char)b.data[i], i % 251);
    buffer_release(&b);
}

static void truncating_lifts_the_error(void **state)
{
    struct buffer b;

    buffer_init(&b, 4);
    buffer_append_string(&b, "12");
    buffer_append_string(&b, "345");
    assert_int_equal(buffer_error(&b), LM_ETOOBIG);
    buffer_truncate(&b, 1);
    buffer_append_string(&b, "345");
    assert_true(slice_equal(buffer_slice(&b), SLICE_LITERAL("1345")));
    buffer_release(&b);
}

static void what_it_holds_is_charged_as_it_grows(void **state)
{
    static char text[3000];
    struct ledger ledger;
    struct account *reads, *answers;
    struct buffer b;

    ledger_init(&ledger, 16000); /* reads: at most 8,000, those 2,000 of the floor among them */
    reads = ledger_account(&ledger, LEDGER_READS);
    answers = ledger_account(&ledger, LEDGER_ANSWERS);
    buffer_init(&b, 1 << 20);
    assert_true(buffer_charge(&b, reads));
    assert_int_equal(account_used(reads), 0);
    buffer_append(&b, text, sizeof(text));
    assert_int_equal(account_used(reads), b.capacity);
    buffer_append(&b, text, sizeof(text)); /* needs twice the capacity: there is no room */
    assert_int_equal(buffer_error(&b), LM_EBUSY);
    assert_int_equal(b.len, sizeof(text));
    assert_int_equal(account_used(reads), b.capacity);

    assert_true(buffer_charge(&b, answers));
    assert_int_equal(account_used(reads), 0);
    assert_int_equal(account_used(answers), b.capacity);
    assert_true(account_take(reads, reads->ceiling - 3000));
    assert_false(buffer_charge(&b, reads));
    assert_int_equal(account_used(answers), b.capacity);
    buffer_release(&b);
    assert_int_equal(account_used(answers), 0);
    buffer_append_char(&b, 'x'); /* and goes on being charged */
    assert_int_equal(account_used(answers), b.capacity);
    assert_true(buffer_charge(&b, NULL));
    assert_int_equal(account_used(answers), 0);
    buffer_release(&b);
}

#ifdef LOGMILL_CHECKS

static void check(void *arg)
{
    buffer_check(arg);
}

static void a_broken_buffer_is_told(void **state)
{
    char byte = 0;
    struct account account = {.used = 7};
    struct buffer sound = {.data = &byte, .len = 3, .capacity = 8, .ceiling = 9};
    struct buffer broken[] = {sound, sound, sound, sound, sound};

    broken[0].len = 9;
    broken[1].ceiling = 7;
    broken[2].data = NULL;
    broken[3].error = LM_EIO;
    broken[4].account = &account;
    assert_false(aborts(check, &sound));
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_true(aborts(check, &broken[i]));
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_pieces_stand_in_order),
        cmocka_unit_test(a_long_format_is_not_cut),
        cmocka_unit_test(nothing_passes_the_ceiling),
        cmocka_unit_test(growing_byte_by_byte_keeps_the_bytes),
        cmocka_unit_test(truncating_lifts_the_error),
        cmocka_unit_test(what_it_holds_is_charged_as_it_grows),
#ifdef LOGMILL_CHECKS
        cmocka_unit_test(a_broken_buffer_is_told),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
