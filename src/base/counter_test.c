/* Buckets, sums over shards, and quantiles that stay inside the right bucket. */
#include "base/counter.c"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_bucket_bounds(void **state)
{
    static const struct {
        uint64_t ns;
        unsigned bucket;
    } cases[] = {
        {0, 0},
        {5000000, 0},
        {5000999, 0}, /* still 5000 us */
        {5001000, 1},
        {10000000, 1},
        {10001000, 2},
        {10000000000, 13},
        {10000001000, 14},
        {UINT64_MAX, 14},
    };

    for (unsigned i = 1; i < HISTOGRAM_BOUNDS; i++)
        assert_true(histogram_bounds_us[i] > histogram_bounds_us[i - 1]);
    for (size_t i = 0; i < array_len(cases); i++) {
        struct histogram histogram = {0};

        histogram_add(&histogram, cases[i].ns);
        assert_int_equal(histogram.buckets[cases[i].bucket], 1);
        assert_int_equal(histogram_count(&histogram), 1);
        assert_int_equal(histogram.sum_us, cases[i].ns / 1000);
    }
}

static void test_sum_of_shards(void **state)
{
    struct histogram shards[3] = {0}, all = {0}, sum = {0};
    struct rand rand;

    rand_seed(&rand, 1);
    for (int i = 0; i < 3000; i++) {
        uint64_t ns = rand_u64(&rand) >> (28 + rand_below(&rand, 30));

        histogram_add(&shards[i % 3], ns);
        histogram_add(&all, ns);
    }
    for (int i = 0; i < 3; i++)
        histogram_sum(&sum, &shards[i]);
    assert_memory_equal(&sum, &all, sizeof sum);
    assert_int_equal(histogram_count(&sum), 3000);
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static unsigned bucket_of(uint64_t us)
{
    unsigned at = 0;

    while (at < HISTOGRAM_BOUNDS && us > histogram_bounds_us[at])
        at++;
    return at;
}

/* The estimate lies in the bucket in which the true quantile lies, and grows with q. */
static void test_quantile(void **state)
{
    enum { VALUES = 200 };
    uint64_t values[VALUES];
    struct rand rand;

    rand_seed(&rand, 2);
    for (int round = 0; round < 300; round++) {
        struct histogram histogram = {0};
        uint64_t before = 0;

        for (int i = 0; i < VALUES; i++) {
            values[i] = (rand_u64(&rand) >> (40 + rand_below(&rand, 20))) + 1;
            histogram_add(&histogram, values[i] * 1000);
        }
        qsort(values, VALUES, sizeof *values, by_size);
        for (unsigned k = 1; k <= VALUES; k++) {
            uint64_t got = histogram_quantile(&histogram, k / (double)VALUES);
            unsigned bucket = bucket_of(values[k - 1]);
            uint64_t from = bucket ? histogram_bounds_us[bucket - 1] : 0;
            uint64_t to = histogram_bounds_us[bucket < HISTOGRAM_BOUNDS ? bucket : 13];

            assert_in_range(got, from, to);
            assert_true(got >= before);
            before = got;
        }
    }
}

static void test_quantile_at_the_edges(void **state)
{
    struct histogram histogram = {0};

    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    histogram_add(&histogram, 60000000000); /* a minute */
    assert_int_equal(histogram_quantile(&histogram, 0.5), 10000000);
    histogram = (struct histogram){.buckets = {[1] = 10}};
    assert_int_equal(histogram_quantile(&histogram, 0), 5000);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 7500);
    assert_int_equal(histogram_quantile(&histogram, 1), 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket_bounds),
        cmocka_unit_test(test_sum_of_shards),
        cmocka_unit_test(test_quantile),
        cmocka_unit_test(test_quantile_at_the_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
