/* The logarithm, and the draw that it makes. Shares and moves: consistent_test.c. */
#include "lb/rendezvous.c"

#include "lb/test_crew.h"

static void assert_near(uint64_t value, double expected, double off)
{
    double error = (double)value - expected;

    if (error > expected * off || error < -expected * off)
        fail_msg("%.0f, expected %.0f", (double)value, expected);
}

static void test_logarithm(void **state)
{
    static const uint64_t one = (uint64_t)1 << 56;

    for (unsigned e = 0; e < 64; e++) /* powers of two */
        assert_near(wait_of((uint64_t)1 << 63 >> e), (double)one * (e + 1), 4e-4);
    assert_near(wait_of(0), (double)one * 64, 4e-4);
    assert_near(wait_of((uint64_t)3 << 62), (double)one * 0.4150374992788438, 4e-4);
    assert_near(wait_of((uint64_t)7 << 61), (double)one * 0.1926450779423958, 4e-4);
    assert_near(wait_of((uint64_t)5 << 61), (double)one * 0.6780719051126377, 4e-4);
    /* 1 - 2^-20 */
    assert_near(wait_of(-((uint64_t)1 << 44)), (double)one * 1.3758617e-6, 4e-4);
    assert_true(wait_of(UINT64_MAX) < one >> 50);
}

/* A larger draw never waits longer, within a factor of two: equal weights go by the draws
 * alone, and no key may move when one weight among them changes. */
static void test_order_is_that_of_the_draws(void **state)
{
    uint64_t before = UINT64_MAX;

    for (uint64_t i = 0; i < 100000; i++) {
        uint64_t wait = wait_of(((uint64_t)1 << 63) + i * 92233720368547u);

        assert_true(wait <= before);
        before = wait;
    }
}

static void test_bids(void **state)
{
    struct bid low = {(uint64_t)1 << 62, 1}, high = {(uint64_t)3 << 62, 1};

    assert_true(bid_is_better(high, low));
    assert_false(bid_is_better(low, high));
    low.weight = 4; /* 2 / 4 against 0.415 / 1 */
    assert_true(bid_is_better(high, low));
    low.weight = 5;
    assert_true(bid_is_better(low, high));
    assert_false(bid_is_better(high, low));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logarithm),
        cmocka_unit_test(test_order_is_that_of_the_draws),
        cmocka_unit_test(test_bids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
