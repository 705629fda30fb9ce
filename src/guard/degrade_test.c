/* Ladders: what counts stand for, down at once, up after the hold, by hand, and a model. */
#include "degrade.c"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define S ((uint64_t)1000000000)

/* As the user drew it. */
static const struct ladder drawn = {
    .rules = {[DEGRADE_FULL] = {.is_there = true, .is_share = true, .least = 75},
              [DEGRADE_REDUCED] = {.is_there = true, .is_share = true, .least = 50},
              [DEGRADE_CRITICAL] = {.is_there = true, .is_beyond = true, .least = 0},
              [DEGRADE_MAINTENANCE] = {.is_there = true}},
    .hold = 30000};

/* Only two steps, by count. */
static const struct ladder short_one = {
    .rules = {[DEGRADE_FULL] = {.is_there = true, .least = 3},
              [DEGRADE_CRITICAL] = {.is_there = true, .least = 1}},
    .hold = 10000};

static void test_wanted(void **state)
{
    static const struct {
        unsigned healthy, all;
        enum degrade_level drawn, short_one;
    } cases[] = {
        {4, 4, DEGRADE_FULL, DEGRADE_FULL},
        {3, 4, DEGRADE_FULL, DEGRADE_FULL},
        {2, 4, DEGRADE_REDUCED, DEGRADE_CRITICAL},
        {1, 4, DEGRADE_CRITICAL, DEGRADE_CRITICAL},
        {0, 4, DEGRADE_MAINTENANCE, DEGRADE_CRITICAL}, /* its last step */
        {0, 0, DEGRADE_MAINTENANCE, DEGRADE_CRITICAL},
        {1, 1, DEGRADE_FULL, DEGRADE_CRITICAL},
        {7499, 10000, DEGRADE_REDUCED, DEGRADE_FULL},
        {7500, 10000, DEGRADE_FULL, DEGRADE_FULL},
        {1, 10000, DEGRADE_CRITICAL, DEGRADE_CRITICAL},
    };

    (void)state;
    for (size_t i = 0; i < array_len(cases); i++) {
        assert_int_equal(degrade_wanted(&drawn, cases[i].healthy, cases[i].all),
                         cases[i].drawn);
        assert_int_equal(degrade_wanted(&short_one, cases[i].healthy, cases[i].all),
                         cases[i].short_one);
    }
}

static void test_down_at_once_up_after_hold(void **state)
{
    struct degrade_state s = {0};

    (void)state;
    assert_false(degrade_look(&s, &drawn, 4, 4, 1 * S));
    assert_true(degrade_look(&s, &drawn, 1, 4, 2 * S));
    assert_int_equal(s.level, DEGRADE_CRITICAL);
    assert_true(degrade_look(&s, &drawn, 0, 4, 2 * S));
    assert_int_equal(s.level, DEGRADE_MAINTENANCE);
    assert_int_equal(degrade_rises_in(&s, &drawn, 2 * S), 0);
    assert_false(degrade_look(&s, &drawn, 2, 4, 10 * S));
    assert_int_equal(degrade_rises_in(&s, &drawn, 15 * S), 25 * S);
    assert_false(degrade_look(&s, &drawn, 4, 4, 20 * S));
    assert_false(degrade_look(&s, &drawn, 4, 4, 40 * S - 1));
    assert_true(degrade_look(&s, &drawn, 4, 4, 40 * S)); /* reduced has lasted */
    assert_int_equal(s.level, DEGRADE_REDUCED);
    assert_true(degrade_look(&s, &drawn, 4, 4, 50 * S)); /* full has, too */
    assert_int_equal(s.level, DEGRADE_FULL);
    assert_int_equal(degrade_rises_in(&s, &drawn, 50 * S), 0);
}

static void test_flapping_does_not_lift(void **state)
{
    struct degrade_state s = {0};
    unsigned changes = 0;

    (void)state;
    for (unsigned i = 0; i < 600; i++)
        changes += degrade_look(&s, &drawn, i % 20 ? 4 : 2, 4, (1 + i) * S);
    assert_int_equal(s.level, DEGRADE_REDUCED);
    assert_int_equal(changes, 1); /* the first look */
}

static void test_the_first_look_takes_it_as_it_is(void **state)
{
    struct degrade_state s = {0};

    (void)state;
    assert_true(degrade_look(&s, &drawn, 0, 4, S));
    assert_int_equal(s.level, DEGRADE_MAINTENANCE);
    assert_false(degrade_look(&s, &drawn, 4, 4, 2 * S)); /* the second holds */
}

static void test_by_hand(void **state)
{
    struct degrade_state s = {0};

    (void)state;
    degrade_look(&s, &drawn, 4, 4, S);
    assert_true(degrade_force(&s, DEGRADE_CRITICAL));
    assert_false(degrade_force(&s, DEGRADE_CRITICAL));
    assert_false(degrade_look(&s, &drawn, 0, 4, 100 * S));
    assert_int_equal(s.level, DEGRADE_CRITICAL);
    assert_false(degrade_look(&s, &drawn, 4, 4, 200 * S));
    assert_int_equal(degrade_rises_in(&s, &drawn, 200 * S), 0);
    degrade_release(&s);
    assert_false(degrade_look(&s, &drawn, 4, 4, 210 * S)); /* well for 10 s only */
    assert_true(degrade_look(&s, &drawn, 4, 4, 230 * S));
    assert_int_equal(s.level, DEGRADE_FULL);
}

static void test_a_reload_takes_the_level_away(void **state)
{
    struct degrade_state s = {0};

    (void)state;
    degrade_look(&s, &drawn, 2, 4, S);
    assert_int_equal(s.level, DEGRADE_REDUCED);
    assert_true(degrade_look(&s, &short_one, 4, 4, 2 * S));
    assert_int_equal(s.level, DEGRADE_FULL);
}

/* Never better than the counts say; worse only while something better has not lasted. */
static void test_model(void **state)
{
    struct rand rand;

    (void)state;
    rand_seed(&rand, 7);
    for (unsigned run = 0; run < 300; run++) {
        const struct ladder *ladder = run % 2 ? &drawn : &short_one;
        enum degrade_level past[4000];
        struct degrade_state s = {0};
        unsigned all = 1 + (unsigned)rand_below(&rand, 12), healthy = all;
        unsigned hold = ladder->hold / 1000;

        for (unsigned t = 0; t < 400; t++) {
            enum degrade_level before = s.level, best = DEGRADE_FULL;

            if (rand_below(&rand, 8) == 0)
                healthy = (unsigned)rand_below(&rand, all + 1);
            past[t] = degrade_wanted(ladder, healthy, all);
            degrade_look(&s, ladder, healthy, all, (t + 1) * S);
            assert_true(s.level >= past[t]);
            if (s.level < before && t > 0) {
                for (unsigned i = t >= hold ? t - hold : 0; i <= t; i++)
                    best = past[i] > best ? past[i] : best;
                assert_true(t >= hold && s.level == best);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wanted),
        cmocka_unit_test(test_down_at_once_up_after_hold),
        cmocka_unit_test(test_flapping_does_not_lift),
        cmocka_unit_test(test_the_first_look_takes_it_as_it_is),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_a_reload_takes_the_level_away),
        cmocka_unit_test(test_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
