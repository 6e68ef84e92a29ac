#include "base/uuid7.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../cmocka_all.h"
#include "base/byte_order.h"
#include "base/clock.h"

static int compare(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static int compare_ids(const void *a, const void *b)
{
    return compare(a, b);
}

/* The first id of another process. */
static struct uuid first_id_of_a_process(void)
{
    struct uuid id = {0};
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        id = uuid7_new(1000);
        _exit(write(fds[1], &id, sizeof(id)) != sizeof(id));
    }
    assert_int_equal(read(fds[0], &id, sizeof(id)), sizeof(id));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(fds[0]);
    close(fds[1]);
    return id;
}

static uint64_t low_bits(const struct uuid *id)
{
    return byte_order_get64((const char *)id->bytes + 8);
}

/* Must be the first to run: this process has made no id yet, or its children would go on from it.
 */
static void each_process_begins_at_a_place_of_its_own(void **state)
{
    struct uuid a = first_id_of_a_process();
    struct uuid b = first_id_of_a_process();
    uint64_t apart = low_bits(&a) - low_bits(&b);

    assert_true(apart > 1000000 && apart < -UINT64_C(1000000));
}

static void ids_that_follow_one_another_differ_by_one(void **state)
{
    struct uuid first = uuid7_new(5000);

    for (uint64_t i = 1; i < 1000; i++) {
        struct uuid id = uuid7_new(5000 + (int64_t)i * 700);

        assert_int_equal(low_bits(&id), low_bits(&first) + i);
        assert_int_equal(id.bytes[6] & 15, first.bytes[6] & 15);
        assert_int_equal(id.bytes[7], first.bytes[7]);
    }
}

static void an_id_carries_the_milliseconds_of_its_timestamp(void **state)
{
    const int64_t times[] = {0, 999, 1000, 1700000000123456, INT64_C(253402300799999999)};

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct uuid id = uuid7_new(times[i]);

        assert_true(uuid_is_v7(&id));
        assert_int_equal(uuid7_ms(&id), times[i] / 1000);
    }
}

static void a_time_before_1970_gives_millisecond_0(void **state)
{
    struct uuid id = uuid7_new(-1);

    assert_true(uuid_is_v7(&id));
    assert_int_equal(uuid7_ms(&id), 0);
    assert_int_equal(uuid7_ms_of_timestamp(INT64_C(-62135596800000000)), 0);
}

static void ids_of_one_millisecond_ascend_whatever_is_made_between(void **state)
{
    struct uuid last = uuid7_new(5000);

    for (int i = 0; i < 100000; i++) {
        struct uuid id;

        uuid7_new((int64_t)i * 7919 % 1000003);
        id = uuid7_new(5000);
        assert_true(compare(&last, &id) < 0);
        last = id;
    }
}

enum { THREADS = 4, IDS = 20000 };

static void *make_ids(void *arg)
{
    struct uuid *ids = arg;

    for (int i = 0; i < IDS; i++)
        ids[i] = uuid7_new(1000);
    return NULL;
}

static void threads_never_get_the_same_id(void **state)
{
    struct uuid *ids = calloc(THREADS * IDS, sizeof(*ids));
    pthread_t threads[THREADS];

    assert_non_null(ids);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_ids, ids + i * IDS), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    qsort(ids, THREADS * IDS, sizeof(*ids), compare_ids);
    for (int i = 1; i < THREADS * IDS; i++)
        assert_int_not_equal(compare(&ids[i - 1], &ids[i]), 0);
    free(ids);
}

static void a_derived_id_depends_on_its_arguments_alone(void **state)
{
    struct uuid a = uuid7_derived(1700000000000000, SLICE_LITERAL("message/0"));
    struct uuid again = uuid7_derived(1700000000000000, SLICE_LITERAL("message/0"));
    struct uuid other = uuid7_derived(1700000000000000, SLICE_LITERAL("message/1"));
    struct uuid later = uuid7_derived(1700000000001000, SLICE_LITERAL("message/0"));

    assert_true(uuid_is_v7(&a));
    assert_int_equal(uuid7_ms(&a), 1700000000000);
    assert_int_equal(compare(&a, &again), 0);
    assert_int_not_equal(compare(&a, &other), 0);
    assert_int_not_equal(compare(&a, &later), 0);
}

static void a_numbered_id_is_ordered_by_its_number_then_told_apart_by_its_bits(void **state)
{
    const uint64_t numbers[] = {0, 1, (1 << 20) - 1, 1 << 20, UUID7_NUMBER_MAX};
    struct uuid before = uuid7_numbered(1700000000000999, 0, 0);

    for (size_t i = 1; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct uuid least = uuid7_numbered(1700000000000000, numbers[i], 0);
        struct uuid most = uuid7_numbered(1700000000000000, numbers[i], UINT64_MAX);

        assert_true(uuid_is_v7(&least) && uuid_is_v7(&most));
        assert_int_equal(uuid7_ms(&most), 1700000000000);
        assert_true(compare(&before, &least) < 0);
        assert_true(compare(&least, &most) < 0);
        before = most;
    }
    struct uuid past = uuid7_numbered(1700000000000000, UUID7_NUMBER_MAX + 1, UINT64_MAX);
    assert_int_equal(compare(&before, &past), 0);
}

static void ids_within_a_request_follow_one_another(void **state)
{
    const uint64_t bits[2] = {UINT64_MAX, UINT64_MAX};
    const uint64_t others[2] = {UINT64_MAX, UINT64_MAX - 1000};
    struct uuid before = uuid7_within(1700000000000000, bits, 0);
    struct uuid other = uuid7_within(1700000000000000, others, 0);

    assert_true(uuid_is_v7(&before));
    assert_int_equal(uuid7_ms(&before), 1700000000000);
    assert_int_not_equal(compare(&before, &other), 0);
    for (uint64_t i = 1; i < 1000; i++) {
        struct uuid id = uuid7_within(1700000000000000, bits, i);
        struct uuid again = uuid7_within(1700000000000000, bits, i);

        assert_true(compare(&before, &id) < 0);
        assert_int_equal(compare(&id, &again), 0);
        before = id;
    }
}

static void the_text_is_lower_case_with_hyphens(void **state)
{
    struct uuid id;
    char text[UUID_TEXT_LEN];

    for (int i = 0; i < 16; i++)
        id.bytes[i] = (uint8_t)(i * 17);
    uuid_format(&id, text);
    assert_memory_equal(text, "00112233-4455-6677-8899-aabbccddeeff", UUID_TEXT_LEN);
}

static void arrivals_never_go_back(void **state)
{
    int64_t last = clock_arrival_us();

    for (int i = 0; i < 100000; i++) {
        int64_t now = clock_arrival_us();

        assert_true(now >= last);
        last = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_process_begins_at_a_place_of_its_own),
        cmocka_unit_test(ids_that_follow_one_another_differ_by_one),
        cmocka_unit_test(an_id_carries_the_milliseconds_of_its_timestamp),
        cmocka_unit_test(a_time_before_1970_gives_millisecond_0),
        cmocka_unit_test(ids_of_one_millisecond_ascend_whatever_is_made_between),
        cmocka_unit_test(threads_never_get_the_same_id),
        cmocka_unit_test(a_derived_id_depends_on_its_arguments_alone),
        cmocka_unit_test(a_numbered_id_is_ordered_by_its_number_then_told_apart_by_its_bits),
        cmocka_unit_test(ids_within_a_request_follow_one_another),
        cmocka_unit_test(the_text_is_lower_case_with_hyphens),
        cmocka_unit_test(arrivals_never_go_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
