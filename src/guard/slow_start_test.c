/* The curve against its formula, and its ends. */
#include "guard/slow_start.c"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct slow_start plain = {true, 30000, 1000, 10};

static void test_straight_line(void **state)
{
    assert_int_equal(slow_start_ramp(&plain, 0), RAMP_FULL / 10);
    assert_int_equal(slow_start_ramp(&plain, 2999), RAMP_FULL / 10);
    assert_int_equal(slow_start_ramp(&plain, 15000), RAMP_FULL / 2);
    assert_int_equal(slow_start_ramp(&plain, 29990), RAMP_FULL - 1);
    assert_int_equal(slow_start_ramp(&plain, 30000), RAMP_FULL);
    assert_int_equal(slow_start_ramp(&plain, UINT64_MAX), RAMP_FULL);
}

static void test_off(void **state)
{
    struct slow_start off = plain;

    off.is_enabled = false;
    assert_int_equal(slow_start_ramp(&off, 0), RAMP_FULL);
    off = (struct slow_start){true, 0, 1000, 10};
    assert_int_equal(slow_start_ramp(&off, 0), RAMP_FULL);
}

/* Above 1 it rises early, below 1 late. */
static void test_aggression(void **state)
{
    struct slow_start bold = plain, shy = plain;

    bold.aggression = 2000;
    shy.aggression = 500;
    assert_int_equal(slow_start_ramp(&bold, 7500), RAMP_FULL / 2); /* (1/4)^(1/2) */
    assert_int_equal(slow_start_ramp(&shy, 15000), RAMP_FULL / 4); /* (1/2)^2 */
}

/* Never nothing, never falling, never over the whole. */
static void test_bounds(void **state)
{
    static const uint32_t aggressions[] = {100, 500, 1000, 1500, 10000};

    for (unsigned i = 0; i < array_len(aggressions); i++)
        for (uint32_t least = 0; least <= 100; least += 25) {
            struct slow_start settings = {true, 1000, aggressions[i], least};
            unsigned before = 1;

            for (uint64_t ms = 0; ms <= 1100; ms++) {
                unsigned ramp = slow_start_ramp(&settings, ms);

                assert_true(ramp >= before && ramp <= RAMP_FULL);
                assert_true(ramp >= RAMP_FULL * least / 100);
                before = ramp;
            }
            assert_int_equal(before, RAMP_FULL);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_straight_line),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_aggression),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
