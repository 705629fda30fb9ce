/* Each judgement by itself, and a pool's life against the bounds. */
#include "guard/outlier.c"

#include <stdarg.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static const struct passive usual = {.is_enabled = true,
                                     .failures = 5,
                                     .within = 10000,
                                     .error_rate = 50,
                                     .latency = 3,
                                     .samples = 20,
                                     .eject = 10000,
                                     .eject_max = 300000,
                                     .max_ejected = 50};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void test_selection_is_sorting(void **state)
{
    struct rand rand;

    rand_seed(&rand, 1);
    for (int run = 0; run < 20000; run++) {
        uint64_t values[40], sorted[40];
        unsigned count = 1 + (unsigned)rand_below(&rand, 40);
        unsigned rank = (unsigned)rand_below(&rand, count);

        for (unsigned i = 0; i < count; i++)
            values[i] = sorted[i] = rand_below(&rand, 1 + rand_below(&rand, 50));
        qsort(sorted, count, sizeof *sorted, by_value);
        assert_int_equal(select_rank(values, count, rank), sorted[rank]);
    }
}

static void test_window(void **state)
{
    struct outlier outlier = {0};
    struct outlier_counts counts = {0}, window;
    uint64_t now = 1000 * SECOND;

    window = outlier_window(&outlier, &usual, &counts, now);
    assert_int_equal(window.total, 0);
    for (int second = 0; second < 60; second++) { /* 10 a second, 1 of them fails */
        outlier_sample(&outlier, &usual, &counts, now);
        window = outlier_window(&outlier, &usual, &counts, now);
        assert_int_equal(window.total, 10 * (second < 9 ? second : 9));
        assert_int_equal(window.failed, second < 9 ? second : 9);
        counts.total += 10;
        counts.failed += 1;
        counts.timed += 9;
        counts.time_us += 9000;
        now += SECOND;
    }
    now += 100 * SECOND; /* nobody has looked: what is old does not count */
    window = outlier_window(&outlier, &usual, &counts, now);
    assert_int_equal(window.total, 0);
}

static void test_often(void **state)
{
    struct passive off = usual;

    off.error_rate = 0;
    assert_false(outlier_fails_often(&usual, &(struct outlier_counts){19, 19, 0, 0}));
    assert_true(outlier_fails_often(&usual, &(struct outlier_counts){20, 11, 0, 0}));
    assert_false(outlier_fails_often(&usual, &(struct outlier_counts){20, 10, 0, 0}));
    assert_false(outlier_fails_often(&off, &(struct outlier_counts){100, 100, 0, 0}));
}

static uint64_t bound_of(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    uint64_t means[] = {a, b, c, d};

    return outlier_slow_bound(&usual, means, 4);
}

static void test_slow(void **state)
{
    uint64_t two[] = {1000, 900000};

    assert_int_equal(outlier_slow_bound(&usual, two, 2), UINT64_MAX);
    assert_int_equal(outlier_mean(&usual, &(struct outlier_counts){0, 0, 19, 19000}), 0);
    assert_int_equal(outlier_mean(&usual, &(struct outlier_counts){0, 0, 20, 20000}),
                     1000);
    assert_int_equal(bound_of(10000, 10100, 9900, 500000), 35000);     /* +25 ms */
    assert_int_equal(bound_of(100000, 101000, 99000, 500000), 200000); /* twice */
    assert_true(bound_of(100000, 300000, 200000, 400000) > 400000);    /* all differ */
}

static void test_how_long(void **state)
{
    struct outlier outlier = {0};
    struct rand rand;
    uint64_t now = 1000 * SECOND;

    rand_seed(&rand, 2);
    for (uint64_t i = 1; i < 60; i++) {
        uint64_t base = i * 10000 < 300000 ? i * 10000 : 300000;
        uint64_t time = outlier_eject(&outlier, &usual, now, &rand);

        assert_in_range(time, base, base + base / 10);
        assert_int_equal(outlier.until, now + time * MS);
        now = outlier.until;
        outlier_return(&outlier, now);
    }
    outlier_ease(&outlier, &usual, now + 50 * SECOND); /* five times 10 s of good work */
    assert_int_equal(outlier.ejections, 24);
    outlier_ease(&outlier, &usual, now + 59 * SECOND);
    assert_int_equal(outlier.ejections, 24);
    outlier_ease(&outlier, &usual, now + 3600 * SECOND);
    assert_int_equal(outlier.ejections, 0);
}

/* Whatever the servers do: never above the share, never the last one. */
static void test_bounds_hold_for_ever(void **state)
{
    struct rand rand;

    rand_seed(&rand, 3);
    for (int run = 0; run < 20000; run++) {
        struct passive passive = usual;
        unsigned all = (unsigned)rand_below(&rand, 12), down, ejected = 0;

        passive.max_ejected = (uint32_t)rand_below(&rand, 101);
        down = (unsigned)rand_below(&rand, all + 1);
        while (outlier_may_eject(&passive, all, ejected, all - down - ejected))
            ejected++;
        assert_true(ejected * 100 <= all * passive.max_ejected);
        assert_true(ejected == 0 || all - down - ejected >= 1);
    }
    assert_false(outlier_may_eject(&usual, 1, 0, 1));
    assert_true(outlier_may_eject(&usual, 2, 0, 2));
    assert_true(outlier_may_eject(&usual, 4, 1, 3));
    assert_false(outlier_may_eject(&usual, 4, 2, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selection_is_sorting),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_often),
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_how_long),
        cmocka_unit_test(test_bounds_hold_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
