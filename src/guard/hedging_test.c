/* When a hedge is due, and how many there may be. */
#include "guard/hedging.c"

#include "base/rand.h"

#include <stdarg.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#define MS ((uint64_t)1000000)

static const struct hedging p95 = {.is_enabled = true, .quantile = 95, .max_share = 5};

static void test_buckets_hold_what_falls_in_them(void **state)
{
    struct rand rand;

    (void)state;
    rand_seed(&rand, 3);
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t ns = rand_u64(&rand) >> (28 + rand_below(&rand, 30));
        unsigned at = bucket_of(ns);

        if (at == HEDGE_BUCKETS - 1)
            continue;
        assert_true(ns < bucket_end(at));
        if (at)
            assert_true(ns >= bucket_end(at - 1));
        if (at >= 8)
            assert_true(bucket_end(at) - ns <= ns / 8 + 1);
    }
    assert_true(bucket_end(HEDGE_BUCKETS - 2) > 60000 * MS);
}

static void test_nothing_is_known_before_the_floor(void **state)
{
    struct hedge_book book = {0};

    (void)state;
    for (unsigned i = 0; i < 99; i++) {
        hedging_learn(&book, 10 * MS);
        assert_int_equal(hedging_delay(&book, &p95, i), 0);
    }
    hedging_learn(&book, 10 * MS);
    assert_in_range(hedging_delay(&book, &p95, 100), 10 * MS, 12 * MS);
}

static void test_the_95th_of_a_hundred(void **state)
{
    struct hedge_book book = {0};
    uint64_t delay;

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        hedging_learn(&book, (i % 100 + 1) * MS);
    delay = hedging_delay(&book, &p95, 0);
    assert_in_range(delay, 95 * MS, 95 * MS * 9 / 8 + 1);
    for (unsigned i = 0; i < 20000; i++)
        hedging_learn(&book, 5 * MS);
    assert_int_equal(hedging_delay(&book, &p95, MS), delay); /* once a second */
    assert_in_range(hedging_delay(&book, &p95, 1000 * MS), 5 * MS, 6 * MS);
    assert_in_range(book.samples, SAMPLES_MOST / 2, SAMPLES_MOST);
}

static void test_a_fixed_time_is_known_at_once(void **state)
{
    const struct hedging fixed = {.is_enabled = true, .after = 50, .max_share = 5};
    struct hedge_book book = {0};

    (void)state;
    assert_int_equal(hedging_delay(&book, &fixed, 0), 50 * MS);
}

static void test_never_more_than_their_share(void **state)
{
    struct hedging rule = p95;
    struct rand rand;

    (void)state;
    rand_seed(&rand, 5);
    for (rule.max_share = 0; rule.max_share <= 100; rule.max_share += 5) {
        struct hedge_book book = {0};
        unsigned taken = 0, in_a_row = 0;

        for (unsigned asked = 1; asked <= 5000; asked++) {
            hedging_count(&book, &rule);
            if (rand_below(&rand, 2) && hedging_take(&book))
                taken++;
            assert_true(taken * 100 <= asked * rule.max_share);
        }
        while (hedging_take(&book))
            in_a_row++;
        assert_in_range(in_a_row, 0, 10);
        assert_true(rule.max_share > 20 || taken + in_a_row + 1 >= 50 * rule.max_share);
        hedging_give(&book);
        assert_true(hedging_take(&book));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets_hold_what_falls_in_them),
        cmocka_unit_test(test_nothing_is_known_before_the_floor),
        cmocka_unit_test(test_the_95th_of_a_hundred),
        cmocka_unit_test(test_a_fixed_time_is_known_at_once),
        cmocka_unit_test(test_never_more_than_their_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
