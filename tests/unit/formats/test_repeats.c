#include "formats/repeats.h"

#include <string.h>

#include "../cmocka_all.h"

enum { TIME_US = 1700000000 };

static struct record_draft d;

/* The id of a log of this number in this request. */
static struct uuid id_of(struct slice request, size_t logs, size_t number, bool below_ms)
{
    struct repeats r;
    struct record record;
    struct errbuf why;

    repeats_begin(&r, request, logs);
    record_draft_begin(&d);
    record_draft_time(&d, TIME_US);
    repeats_name(&r, &d, number, below_ms);
    assert_int_equal(record_draft_finish(&d, 0, &record, &why), 0);
    return record.key.id;
}

static bool same(struct uuid a, struct uuid b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static void the_same_request_gives_the_same_ids(void **state)
{
    struct slice request = SLICE_LITERAL("a request");

    record_draft_init(&d);
    assert_true(same(id_of(request, 2, 0, false), id_of(request, 2, 0, false)));
    assert_false(same(id_of(request, 2, 0, false), id_of(request, 2, 1, false)));
    record_draft_release(&d);
}

/* Whatever byte it is, at whatever place: the hash goes by words, and has an end. */
static void another_request_gives_other_ids(void **state)
{
    char text[24] = {0};

    record_draft_init(&d);
    for (size_t len = 0; len < sizeof(text); len++) {
        struct slice request = slice_of(text, len);
        struct uuid id = id_of(request, 2, 0, false);

        assert_false(same(id, id_of(slice_of(text, len + 1), 2, 0, false)));
        for (size_t at = 0; at < len; at++) {
            text[at] ^= 0x40;
            assert_false(same(id, id_of(request, 2, 0, false)));
            text[at] ^= 0x40;
        }
    }
    record_draft_release(&d);
}

static void a_request_of_one_log_of_a_millisecond_is_another_each_time(void **state)
{
    struct slice request = SLICE_LITERAL("a request");

    record_draft_init(&d);
    assert_false(same(id_of(request, 1, 0, false), id_of(request, 1, 0, false)));
    assert_true(same(id_of(request, 1, 0, true), id_of(request, 1, 0, true)));
    record_draft_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_request_gives_the_same_ids),
        cmocka_unit_test(another_request_gives_other_ids),
        cmocka_unit_test(a_request_of_one_log_of_a_millisecond_is_another_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
