#include "answers/answers.h"

#include "../cmocka_all.h"

static void a_number_stands_in_its_place(void **state)
{
    struct errbuf err = ERRBUF_INIT;

    (void)state;
    assert_int_equal(answers_fail(&err, LM_EBUSY, REFUSED_READS, 64), LM_EBUSY);
    assert_string_equal(err.text, "too many reads wait: at most 64 (MAX_READS), try again later");
    assert_int_equal(answers_fail(&err, LM_EBUSY, REFUSED_READS_OF_CLIENT, UINT64_MAX), LM_EBUSY);
    assert_string_equal(err.text, "too many reads wait: at most 18446744073709551615 of one client "
                                  "(MAX_READS_PER_CLIENT), try again later");
}

static void every_text_is_whole_with_the_largest_number(void **state)
{
    (void)state;
    for (unsigned why = 0; why < REFUSALS_LEN; why++) {
        char room[1024];
        struct buffer b;

        buffer_init_over(&b, room, sizeof(room));
        answers_append(&b, why, UINT64_MAX);
        assert_int_equal(buffer_error(&b), 0);
        assert_null(memmem(b.data, b.len, "{}", 2));
        assert_int_equal(b.data[b.len - 2], '"');
        assert_true(answers_status(why) >= 400 && answers_status(why) < 600);
        /* whoever reserved room for an answer has it for this one */
        assert_true(b.len < HTTP_RESERVED_BODY_BYTES);
    }
}

static void a_detail_is_json_whatever_is_in_it(void **state)
{
    char room[64];
    struct buffer b;

    (void)state;
    buffer_init_over(&b, room, sizeof(room));
    answers_append_detail(&b, "a \"quoted\" word");
    assert_true(
        slice_equal(buffer_slice(&b), SLICE_LITERAL("{\"detail\":\"a \\\"quoted\\\" word\"}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_stands_in_its_place),
        cmocka_unit_test(every_text_is_whole_with_the_largest_number),
        cmocka_unit_test(a_detail_is_json_whatever_is_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
