/* Marks, hysteresis, waits that do not last, whom it sheds, and that it always recovers. */
#include "overload.c"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static uint64_t at(uint64_t ms)
{
    return 1 + ms * MS;
}

static bool look(struct overload_state *s, uint64_t ms, unsigned memory,
                 unsigned connections, unsigned lag_ms)
{
    return overload_look(
        s, &(struct overload_sample){at(ms), memory, connections, (uint64_t)lag_ms * MS});
}

static void test_whom_it_sheds(void **state)
{
    (void)state;
    for (unsigned p = 0; p < PRIORITY_COUNT; p++)
        assert_false(overload_sheds(OVERLOAD_NONE, p));
    assert_true(overload_sheds(OVERLOAD_LOW, PRIORITY_LOW));
    assert_false(overload_sheds(OVERLOAD_LOW, PRIORITY_NORMAL));
    assert_false(overload_sheds(OVERLOAD_LOW, PRIORITY_CRITICAL));
    assert_true(overload_sheds(OVERLOAD_NORMAL, PRIORITY_LOW));
    assert_true(overload_sheds(OVERLOAD_NORMAL, PRIORITY_NORMAL));
    assert_false(overload_sheds(OVERLOAD_NORMAL, PRIORITY_CRITICAL));
}

static void test_marks(void **state)
{
    static const struct {
        unsigned memory, connections;
        enum overload_level level;
        enum overload_cause cause;
    } cases[] = {
        {0, 0, OVERLOAD_NONE, OVERLOAD_BY_NOTHING},
        {749, 799, OVERLOAD_NONE, OVERLOAD_BY_NOTHING},
        {750, 0, OVERLOAD_LOW, OVERLOAD_BY_MEMORY},
        {0, 800, OVERLOAD_LOW, OVERLOAD_BY_CONNECTIONS},
        {900, 0, OVERLOAD_NORMAL, OVERLOAD_BY_MEMORY},
        {750, 950, OVERLOAD_NORMAL, OVERLOAD_BY_CONNECTIONS},
        {5000, 5000, OVERLOAD_NORMAL, OVERLOAD_BY_MEMORY},
    };

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        struct overload_state s = {0};

        assert_int_equal(look(&s, 0, cases[i].memory, cases[i].connections, 0),
                         cases[i].level != OVERLOAD_NONE);
        assert_int_equal(s.level, cases[i].level);
        assert_int_equal(s.cause, cases[i].cause);
    }
}

static void test_down_by_steps(void **state)
{
    struct overload_state s = {0};

    (void)state;
    assert_true(look(&s, 0, 950, 0, 0));
    assert_false(look(&s, 10, 810, 0, 0)); /* below its mark, but not by much */
    assert_false(look(&s, 5000, 810, 0, 0));
    assert_false(look(&s, 6000, 790, 0, 0));
    assert_false(look(&s, 6999, 790, 0, 0));
    assert_true(look(&s, 7000, 790, 0, 0));
    assert_int_equal(s.level, OVERLOAD_LOW);
    assert_false(look(&s, 20000, 700, 0, 0));
    assert_false(look(&s, 20010, 100, 0, 0));
    assert_false(look(&s, 20500, 700, 0, 0)); /* not calm for long */
    assert_false(look(&s, 20600, 100, 0, 0));
    assert_true(look(&s, 21600, 100, 0, 0));
    assert_int_equal(s.level, OVERLOAD_NONE);
    assert_int_equal(s.cause, OVERLOAD_BY_NOTHING);
}

static void test_one_long_turn_is_no_lag(void **state)
{
    struct overload_state s = {0};

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        assert_false(look(&s, i * 3000, 0, 0, 2500)); /* stopped by somebody else */
        assert_false(look(&s, i * 3000 + 10, 0, 0, 4));
    }
    assert_false(look(&s, 400000, 0, 0, 2500));
    assert_false(look(&s, 402500, 0, 0, 2500));
    assert_true(look(&s, 405000, 0, 0, 2500)); /* the third in a row */
    assert_int_equal(s.level, OVERLOAD_NORMAL);
    assert_int_equal(s.cause, OVERLOAD_BY_LAG);
}

static void test_lag_lasts(void **state)
{
    struct overload_state s = {0};
    unsigned changes = 0;

    (void)state;
    for (unsigned ms = 0; ms < 500; ms += 10)
        changes += look(&s, ms, 0, 0, 300);
    assert_int_equal(changes, 0);
    assert_true(look(&s, 500, 0, 0, 300));
    assert_int_equal(s.level, OVERLOAD_LOW);
    for (unsigned ms = 510; ms < 3000; ms += 10)
        changes += look(&s, ms, 0, 0, 130);
    assert_int_equal(changes, 0);
    for (unsigned ms = 3000; ms < 4000; ms += 10)
        changes += look(&s, ms, 0, 0, 100);
    assert_int_equal(changes, 0);
    assert_true(look(&s, 4000, 0, 0, 100));
    assert_int_equal(s.level, OVERLOAD_NONE);
}

/* Whatever came: never above what the samples of late call for, and quiet ends it. */
static void test_property(void **state)
{
    struct rand rand;

    (void)state;
    rand_seed(&rand, 11);
    for (unsigned run = 0; run < 500; run++) {
        struct overload_state s = {0};
        uint64_t ms = 0;

        for (unsigned i = 0; i < 300; i++) {
            unsigned memory = (unsigned)rand_below(&rand, 1100);
            unsigned connections = (unsigned)rand_below(&rand, 1100);
            enum overload_level before = s.level;

            ms += rand_below(&rand, 300);
            look(&s, ms, memory, connections, 0);
            if (memory >= 900 || connections >= 950)
                assert_int_equal(s.level, OVERLOAD_NORMAL);
            else if (s.level > before)
                assert_true(memory >= 750 || connections >= 800);
            assert_true(s.level + 1 >= before); /* one step at a time */
            assert_true((s.level == OVERLOAD_NONE) == (s.cause == OVERLOAD_BY_NOTHING));
        }
        for (unsigned i = 0; i < 30; i++)
            look(&s, ms += 100, 100, 100, 1);
        assert_int_equal(s.level, OVERLOAD_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whom_it_sheds),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_down_by_steps),
        cmocka_unit_test(test_one_long_turn_is_no_lag),
        cmocka_unit_test(test_lag_lasts),
        cmocka_unit_test(test_property),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
