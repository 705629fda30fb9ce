/* Who has room, and how the weights are counted that this goes by. */
#include "lb/bound.c"

#include "lb/test_crew.h"

static struct crew *crew_bounded(const unsigned *weights, unsigned count, uint32_t bound)
{
    struct crew *crew = crew_new(weights, count);

    crew->pool.balance.bound = bound;
    crew_start(crew, "consistent_hash", 1);
    return crew;
}

/* Is the n-th server given room with this load, of so many in flight? */
static bool has_room(struct crew *crew, unsigned server, unsigned load,
                     unsigned in_flight)
{
    const struct tier *tier = &crew->set->tiers.items[0];
    struct bound bound;

    bound_start(&bound, tier);
    crew->ask.in_flight = in_flight;
    atomic_store(&crew->live[server].in_flight, load);
    return bound_has_room(&bound, tier, &crew->ask, &tier->servers[server]);
}

/* A load below the bound, rounded up, has room for one more. */
static void test_room_is_the_bound_rounded_up(void **state)
{
    struct crew *crew = crew_bounded(NULL, 4, 1250);

    for (unsigned in_flight = 1; in_flight < 200; in_flight++) {
        unsigned most = (125 * in_flight + 399) / 400;

        assert_true(has_room(crew, 0, 0, in_flight));
        assert_true(has_room(crew, 0, most - 1, in_flight));
        assert_false(has_room(crew, 0, most, in_flight));
    }
    crew_free(crew);
}

static void test_room_by_weight_and_warmth(void **state)
{
    static const unsigned weights[] = {3, 1};
    struct crew *crew = crew_bounded(weights, 2, 2000);

    assert_true(has_room(crew, 0, 14, 10)); /* 2 * 10 * 3 / 4 = 15 */
    assert_false(has_room(crew, 0, 15, 10));
    assert_true(has_room(crew, 1, 4, 10));
    assert_false(has_room(crew, 1, 5, 10));
    atomic_store(&crew->live[0].ramp, RAMP_FULL / 3); /* about 1 of 2 now */
    assert_true(has_room(crew, 0, 9, 10));
    assert_false(has_room(crew, 0, 10, 10));
    assert_true(has_room(crew, 1, 10, 10));
    crew_free(crew);
}

static void test_who_cannot_be_used_has_no_share(void **state)
{
    struct crew *crew = crew_bounded(NULL, 4, 1000);

    assert_false(has_room(crew, 0, 5, 20));
    crew_set_health(crew, 1, HEALTH_DOWN);
    crew_set_health(crew, 2, HEALTH_STARTING);
    assert_true(has_room(crew, 0, 9, 20));
    assert_false(has_room(crew, 0, 10, 20));
    crew_free(crew);
}

/* Over many servers the count is a few choices old, and no older than one pass. */
static void test_count_catches_up(void **state)
{
    enum { SERVERS = 100 };
    struct crew *crew = crew_bounded(NULL, SERVERS, 1000);
    const struct tier *tier = &crew->set->tiers.items[0];
    struct bound bound;

    bound_start(&bound, tier);
    assert_int_equal(bound.weight, SERVERS * RAMP_FULL);
    for (unsigned i = 0; i < SERVERS / 2; i++)
        crew_set_health(crew, i, HEALTH_DOWN);
    for (unsigned i = 0; i < 2 * SERVERS / COUNT_STEP; i++)
        bound_count(&bound, tier, &crew->ask);
    assert_int_equal(bound.weight, SERVERS / 2 * RAMP_FULL);
    crew->ask.ignore_health = true;
    for (unsigned i = 0; i < 2 * SERVERS / COUNT_STEP; i++)
        bound_count(&bound, tier, &crew->ask);
    assert_int_equal(bound.weight, SERVERS * RAMP_FULL);
    crew_free(crew);
}

static void test_count_of_few_is_exact(void **state)
{
    struct crew *crew = crew_bounded(NULL, COUNT_ALL, 1000);
    const struct tier *tier = &crew->set->tiers.items[0];
    struct bound bound;

    bound_start(&bound, tier);
    crew_set_health(crew, 3, HEALTH_DOWN);
    atomic_store(&crew->live[4].ramp, RAMP_FULL / 2);
    bound_count(&bound, tier, &crew->ask);
    assert_int_equal(bound.weight, (COUNT_ALL - 1) * RAMP_FULL - RAMP_FULL / 2);
    crew_free(crew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room_is_the_bound_rounded_up),
        cmocka_unit_test(test_room_by_weight_and_warmth),
        cmocka_unit_test(test_who_cannot_be_used_has_no_share),
        cmocka_unit_test(test_count_catches_up),
        cmocka_unit_test(test_count_of_few_is_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
