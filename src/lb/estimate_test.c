/* Fading, failures as time, and the floor under everybody's share. */
#include "lb/estimate.c"

#include "lb/test_crew.h"

#include <math.h>

static const uint64_t second = 1000000000;

static void test_fading_is_near_the_exponential(void **state)
{
    for (uint64_t s = 0; s <= 60; s++) {
        double left = estimate_fade(5, 5 + s * second);

        assert_true(left <= estimate_fade(5, 5 + (s ? s - 1 : 0) * second));
        assert_true(fabs(left - exp(-(double)s / 10)) < 0.035);
    }
    assert_true(estimate_fade(7, 5) == 1); /* the clock of another turn */
}

static void note(struct estimate *estimate, uint64_t now, bool has_failed)
{
    estimate_note(estimate, &(struct outcome){.now = now, .has_failed = has_failed});
}

static void test_failures_cost_time(void **state)
{
    struct estimate estimate = {0};
    double cost;

    note(&estimate, second, false);
    assert_true(estimate_cost(&estimate, 1e7, 1) == 1e7);
    note(&estimate, second, true); /* one is an accident */
    cost = estimate_cost(&estimate, 1e7, 1);
    assert_true(cost > 1e7 && cost < 4e7);
    for (int i = 0; i < 100; i++)
        note(&estimate, second, true);
    cost = estimate_cost(&estimate, 0, 1); /* however fast it fails */
    assert_true(cost > 60e9);
    for (int i = 0; i < 100; i++)
        note(&estimate, second, false);
    assert_true(estimate_cost(&estimate, 1e7, 1) < 1.01e7);
}

static void test_failures_fade(void **state)
{
    struct estimate estimate = {0};

    for (int i = 0; i < 100; i++)
        note(&estimate, second, true);
    assert_true(estimate_cost(&estimate, 0, estimate_fade(second, 61 * second)) < 1e6);
    note(&estimate, 61 * second, false);
    assert_true((double)estimate.errors < 0.01);
}

static void test_nobody_knows_how_an_unfinished_one_ends(void **state)
{
    struct estimate estimate = {0};

    note(&estimate, second, true);
    estimate_note(&estimate,
                  &(struct outcome){.now = second, .is_unfinished = true, .latency = 1});
    assert_true((double)estimate.errors == 1.0 / 8);
}

static struct crew *crew_picked(unsigned count, uint64_t picked_at)
{
    struct crew *crew = crew_new(NULL, count);

    crew_start(crew, "least_response_time", 1);
    for (unsigned i = 0; i < count; i++)
        crew->shards[i].estimate.picked_at = picked_at;
    return crew;
}

/* Of 1,000 picks so many were visits, all of them at `only`. */
static unsigned visits(struct crew *crew, int only)
{
    struct revisit revisit = {0};
    unsigned count = 0;

    for (int i = 0; i < 1000; i++) {
        int at = revisit_pick(&revisit, &crew->set->tiers.items[0], &crew->ask);

        if (at < 0)
            continue;
        assert_int_equal(at, only);
        count++;
    }
    return count;
}

static void test_who_has_waited_longest_is_visited(void **state)
{
    struct crew *crew = crew_picked(10, 100 * second);

    crew->ask.now = 104 * second;
    crew->shards[3].estimate.picked_at = 99 * second;
    assert_int_equal(visits(crew, 3), 10); /* one pick in a hundred */
    crew->shards[3].estimate.picked_at = 100 * second;
    assert_int_equal(visits(crew, 3), 0); /* four seconds are not long */
    crew->shards[5].estimate.picked_at = 90 * second;
    crew->shards[6].estimate.picked_at = 80 * second;
    assert_int_equal(visits(crew, 6), 10);
    crew_set_health(crew, 6, HEALTH_DOWN);
    assert_int_equal(visits(crew, 5), 10);
    crew_free(crew);
}

/* A worker that comes by rarely looks at once. */
static void test_visits_wait_for_a_hundred_picks(void **state)
{
    struct crew *crew = crew_picked(3, 0);
    struct revisit revisit = {0};

    crew->ask.now = 60 * second;
    for (int i = 0; i < 99; i++)
        assert_int_equal(revisit_pick(&revisit, &crew->set->tiers.items[0], &crew->ask),
                         -1);
    assert_true(revisit_pick(&revisit, &crew->set->tiers.items[0], &crew->ask) >= 0);
    crew_free(crew);
}

static void test_of_many_some_are_looked_at(void **state)
{
    struct crew *crew = crew_picked(1000, 100 * second);
    struct revisit revisit = {0};
    unsigned found = 0;

    crew->ask.now = 101 * second;
    for (unsigned i = 0; i < 500; i++)
        crew->shards[i].estimate.picked_at = 10 * second;
    for (int i = 0; i < 100000; i++) {
        int at = revisit_pick(&revisit, &crew->set->tiers.items[0], &crew->ask);

        assert_true(at < 500);
        if (at < 0)
            continue;
        crew->shards[at].estimate.picked_at = crew->ask.now;
        found++;
    }
    assert_in_range(found, 450, 500);
    crew_free(crew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fading_is_near_the_exponential),
        cmocka_unit_test(test_failures_cost_time),
        cmocka_unit_test(test_failures_fade),
        cmocka_unit_test(test_nobody_knows_how_an_unfinished_one_ends),
        cmocka_unit_test(test_who_has_waited_longest_is_visited),
        cmocka_unit_test(test_visits_wait_for_a_hundred_picks),
        cmocka_unit_test(test_of_many_some_are_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
