/* Percentiles and distinct values: within the errors that the docs promise. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../cmocka_all.h"
#include "base/xalloc.h"
#include "query/distinct.h"
#include "query/quantiles.h"

enum { VALUES = 20000 };

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void add(struct quantiles *q, double value, uint64_t count)
{
    assert_int_equal(quantiles_add(q, value, quantiles_place(value), count), 0);
}

static double random_value(int kind)
{
    double u = (double)random() / RAND_MAX;

    switch (kind) {
    case 0:
        return floor(u * 1000); /* whole, many alike, zero too */
    case 1:
        return exp(u * 30 - 10); /* 13 powers of ten */
    case 2:
        return (u - 0.5) * 1e6; /* negative, too */
    default:
        return 1 / (u + 1e-9);
    }
}

static void percentiles_are_within_one_percent(void **state)
{
    static const double shares[] = {0.001, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999};
    double *values = xcalloc(VALUES, sizeof(*values));

    (void)state;
    srandom(1);
    for (int kind = 0; kind < 4; kind++) {
        for (size_t n = 1; n <= VALUES; n = n * 3 + 1) {
            struct quantiles q = {.count = 0};

            for (size_t i = 0; i < n; i++) {
                values[i] = random_value(kind);
                add(&q, values[i], 1);
            }
            qsort(values, n, sizeof(*values), ascending);
            for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
                size_t rank = (size_t)ceil(shares[i] * (double)n - 1e-9);
                double exact = values[rank ? rank - 1 : 0];
                double got = quantiles_value(&q, shares[i]);

                if (n <= QUANTILES_EXACT_MAX)
                    assert_true(got == exact);
                else
                    assert_true(fabs(got - exact) <= fabs(exact) * 0.010001);
            }
            quantiles_release(&q);
        }
    }
    free(values);
}

static void all_doubles_have_a_bin(void **state)
{
    static const double values[] = {5e-324, 1e-300, 1, 1e300, 1.7976931348623157e308};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_in_range(quantiles_place(values[i]), 1, QUANTILES_PLACE_MAX);
        assert_int_equal(quantiles_place(-values[i]), -quantiles_place(values[i]));
        if (i > 0)
            assert_true(quantiles_place(values[i]) > quantiles_place(values[i - 1]));
    }
}

/* Values over 300 powers of ten: what is lost is the smallest, however it came. */
static void bins_that_are_too_many_go_from_below(void **state)
{
    struct quantiles whole = {.count = 0}, parts[2] = {{.count = 0}};

    (void)state;
    srandom(2);
    for (int i = 0; i < VALUES; i++) {
        double value = pow(10, (double)(random() % 300) - 150);

        add(&whole, value, 1);
        add(&parts[random() % 2], value, 1);
    }
    for (int i = 0; i < 2; i++)
        assert_true(parts[i].is_binned);
    assert_int_equal(quantiles_merge(&parts[1], &parts[0]), 0);
    assert_int_equal(parts[1].len, whole.len);
    assert_int_equal(parts[1].count, whole.count);
    for (uint32_t i = 0; i < whole.len; i++) {
        assert_int_equal(parts[1].bins[i].place, whole.bins[i].place);
        assert_int_equal(parts[1].bins[i].count, whole.bins[i].count);
    }
    assert_true(whole.len <= QUANTILES_BINS_MAX);
    quantiles_release(&whole);
    quantiles_release(&parts[0]);
    quantiles_release(&parts[1]);

    struct quantiles many = {.count = 0};

    for (int i = -40000 / 2; i < 15000; i++) /* far more bins than there may be */
        add(&many, exp(i * 0.0201), 1);
    assert_int_equal(many.len, QUANTILES_BINS_MAX);
    assert_int_equal(many.count, 35000);
    assert_true(quantiles_value(&many, 0.999) > exp(14900 * 0.0201));
    quantiles_release(&many);
}

static uint64_t hash_of(long i)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "value %ld", i);

    return distinct_hash(slice_of(text, (size_t)len));
}

static void distinct_values_are_counted_or_estimated(void **state)
{
    struct distinct d = {.len = 0};
    double worst = 0, squares = 0;
    int looks = 0;

    (void)state;
    for (long i = 0; i < 300000; i++) {
        assert_int_equal(distinct_add(&d, hash_of(i)), 0);
        assert_int_equal(distinct_add(&d, hash_of(i / 2)), 0);
        if (i < DISTINCT_EXACT_MAX) {
            assert_int_equal(distinct_count(&d), i + 1);
        } else if (i % 997 == 0) {
            double error = ((double)distinct_count(&d) - (double)(i + 1)) / (double)(i + 1);

            worst = fabs(error) > worst ? fabs(error) : worst;
            squares += error * error;
            looks++;
        }
    }
    assert_true(sqrt(squares / looks) < 0.0325); /* two standard errors: one corpus is one dice */
    assert_true(worst < 0.065);
    distinct_release(&d);
}

static void distinct_values_merge(void **state)
{
    (void)state;
    for (long n = 100; n < 20000; n *= 3) {
        struct distinct whole = {.len = 0}, a = {.len = 0}, b = {.len = 0};

        for (long i = 0; i < n; i++) {
            assert_int_equal(distinct_add(&whole, hash_of(i)), 0);
            if (i % 3)
                assert_int_equal(distinct_add(&a, hash_of(i)), 0);
            if (i % 3 != 1)
                assert_int_equal(distinct_add(&b, hash_of(i)), 0);
        }
        assert_int_equal(distinct_merge(&a, &b), 0);
        assert_int_equal(distinct_count(&a), distinct_count(&whole));
        assert_true(!a.registers == !whole.registers);
        distinct_release(&whole);
        distinct_release(&a);
        distinct_release(&b);
    }
}

/* States are sent from one program to another. */
static void hashes_stay_what_they_are(void **state)
{
    (void)state;
    assert_true(distinct_hash(SLICE_LITERAL("pay")) == UINT64_C(0xd1647afa2c7e1ece));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_within_one_percent),
        cmocka_unit_test(all_doubles_have_a_bin),
        cmocka_unit_test(bins_that_are_too_many_go_from_below),
        cmocka_unit_test(distinct_values_are_counted_or_estimated),
        cmocka_unit_test(distinct_values_merge),
        cmocka_unit_test(hashes_stay_what_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
