#include "block/filter.h"

#include <stdlib.h>
#include <string.h>

#include "../cmocka_all.h"
#include "base/hash.h"
#include "base/xalloc.h"

/* Number k of the hashes of a block; every block has its own. */
static uint64_t hash_of(uint32_t block, size_t k)
{
    return hash_mix(((uint64_t)block << 40 | k) + UINT64_C(0x9e3779b97f4a7c15));
}

static bool asks(const char *bytes, uint32_t buckets, uint32_t blocks, uint32_t block,
                 uint64_t hash)
{
    size_t row = (size_t)block_filter_bucket(hash, buckets) * blocks * BLOCK_FILTER_BUCKET_BYTES;

    return block_filter_may_hold(bytes + row, block, hash);
}

static void check_segment(uint32_t blocks, size_t hashes)
{
    enum { QUESTIONS = 20000 };
    uint32_t buckets = block_filter_buckets(hashes);
    char *bytes = xcalloc((size_t)buckets * blocks, BLOCK_FILTER_BUCKET_BYTES);
    uint64_t *own = xcalloc(hashes, sizeof(*own));
    size_t wrong = 0;

    for (uint32_t block = 0; block < blocks; block++) {
        for (size_t k = 0; k < hashes; k++)
            own[k] = hash_of(block, k);
        block_filter_add(bytes, buckets, blocks, block, own, hashes);
    }
    for (uint32_t block = 0; block < blocks; block++)
        for (size_t k = 0; k < hashes; k++)
            assert_true(asks(bytes, buckets, blocks, block, hash_of(block, k)));
    for (size_t k = 0; k < QUESTIONS; k++)
        wrong += asks(bytes, buckets, blocks, (uint32_t)k % blocks, hash_of(blocks, k));
    if (hashes > 100) /* fewer stand unevenly */
        assert_in_range(wrong, QUESTIONS / 100, QUESTIONS / 25);
    free(own);
    free(bytes);
}

static void what_was_added_is_always_held_and_little_else(void **state)
{
    check_segment(1, 1);
    check_segment(1, 20000);
    check_segment(3, 7000);
    check_segment(64, 3000);
}

static void an_empty_filter_holds_nothing(void **state)
{
    char bytes[2 * BLOCK_FILTER_BUCKET_BYTES] = {0};

    for (size_t k = 0; k < 1000; k++)
        assert_false(asks(bytes, 1, 2, k % 2, hash_of(0, k)));
}

static void every_bucket_is_within_the_filter(void **state)
{
    static const uint32_t counts[] = {1, 2, 1000, UINT32_MAX};

    assert_int_equal(block_filter_buckets(0), 1);
    assert_int_equal(block_filter_buckets(1), 1);
    assert_int_equal(block_filter_buckets(256), BLOCK_FILTER_BITS);
    assert_true(block_filter_buckets(SIZE_MAX) > block_filter_buckets(1 << 20));
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        assert_true(block_filter_bucket(0, counts[i]) == 0);
        assert_true(block_filter_bucket(UINT64_MAX, counts[i]) == counts[i] - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_always_held_and_little_else),
        cmocka_unit_test(an_empty_filter_holds_nothing),
        cmocka_unit_test(every_bucket_is_within_the_filter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
