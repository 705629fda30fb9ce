/* Hot and cold, times by requests in flight, and what comes of it in small worlds. */
#include "lb/prequal.c"

#include "lb/test_adaptive.h"
#include "lb/test_crew.h"

static const uint64_t second = 1000000000;

static void hear(struct crew *crew, unsigned i, unsigned in_flight, uint64_t ms)
{
    prequal_learn(&crew->shards[i], &(struct outcome){.now = crew->ask.now,
                                                      .latency = ms * 1000000,
                                                      .in_flight = in_flight});
}

static struct crew *crew_ready(const unsigned *weights, unsigned count)
{
    struct crew *crew = crew_new(weights, count);

    crew_start(crew, "prequal", 1);
    crew->ask.now = 100 * second;
    for (unsigned i = 0; i < count; i++)
        crew->shards[i].estimate.picked_at = crew->ask.now;
    return crew;
}

static void set_load(struct crew *crew, unsigned i, unsigned load)
{
    atomic_store(&crew->live[i].in_flight, load);
}

static struct prequal_scratch *scratch_of(struct crew *crew)
{
    return (struct prequal_scratch *)(void *)(crew->scratch +
                                              crew->set->tiers.items[0].scratch_at);
}

/* Pretends that all loads up to this one are usual. */
static void set_limit(struct crew *crew, unsigned limit)
{
    struct prequal_scratch *mine = scratch_of(crew);

    memset(mine->seen, 0, sizeof mine->seen);
    mine->seen[limit] = 900;
    mine->seen_count = 900;
    mine->looks = 0;
}

static void test_fastest_of_the_cold(void **state)
{
    struct crew *crew = crew_ready(NULL, 3);

    hear(crew, 0, 1, 30);
    hear(crew, 1, 1, 10);
    hear(crew, 2, 1, 20);
    set_limit(crew, 4);
    assert_int_equal(crew_pick(crew), 1);
    set_load(crew, 1, 4); /* as many as usual: still cold */
    assert_int_equal(crew_pick(crew), 1);
    set_load(crew, 1, 5); /* hot, however fast */
    assert_int_equal(crew_pick(crew), 2);
    set_load(crew, 2, 9);
    assert_int_equal(crew_pick(crew), 0);
    set_load(crew, 0, 7); /* all are hot: the fewest */
    assert_int_equal(crew_pick(crew), 1);
    crew_free(crew);
}

/* The limit is the 84th percentile of the loads that were seen. */
static void test_limit_follows_what_is_seen(void **state)
{
    struct prequal_scratch mine = {.limit = 0};
    struct rand rand;

    rand_seed(&rand, 2);
    for (int i = 0; i < 20000; i++)
        see(&mine, 840, (unsigned)rand_below(&rand, 50));
    assert_in_range(mine.limit, 38, 45);
    for (int i = 0; i < 8000; i++)
        see(&mine, 840, (unsigned)rand_below(&rand, 10));
    assert_in_range(mine.limit, 7, 9);
}

static void test_levels_of_load(void **state)
{
    unsigned before = 0;

    for (unsigned load = 0; load < 100000; load++) {
        unsigned level = load_level(load);

        assert_true(level == before || level == before + 1);
        assert_true(level < LEVELS && (load >= 8 || level == load));
        before = level;
    }
    assert_int_equal(load_level(1e300), LEVELS - 1);
}

/* A server that is slow under load is known to be, and is fast for the first one. */
static void test_time_near_the_load(void **state)
{
    struct crew *crew = crew_ready(NULL, 1);
    const struct server *server = &crew->set->servers[0];
    bool is_failing;

    for (int i = 0; i < 60; i++) {
        hear(crew, 0, 1, 10);
        hear(crew, 0, 100, 200);
    }
    assert_within(expected_time(server, &crew->ask, 0, &is_failing), 9e6, 14e6);
    assert_within(expected_time(server, &crew->ask, 90, &is_failing), 150e6, 210e6);
    assert_true(expected_time(server, &crew->ask, 10, &is_failing) >
                expected_time(server, &crew->ask, 1, &is_failing));
    crew_free(crew);
}

/* One report of a minute moves a median by a step. */
static void test_median_moves_by_steps(void **state)
{
    struct crew *crew = crew_ready(NULL, 1);

    hear(crew, 0, 1, 10);
    hear(crew, 0, 1, 60000);
    assert_within(crew->shards[0].estimate.near[0], 11.2e6, 11.3e6);
    for (int i = 0; i < 40; i++)
        hear(crew, 0, 1, 100);
    assert_within(crew->shards[0].estimate.near[0], 99e6, 101e6);
    prequal_learn(&crew->shards[0], &(struct outcome){.now = crew->ask.now,
                                                      .in_flight = 1,
                                                      .latency = 1,
                                                      .has_failed = true});
    assert_within(crew->shards[0].estimate.near[0], 99e6, 101e6);
    crew_free(crew);
}

static void test_unknown_ones_are_asked_once(void **state)
{
    struct crew *crew = crew_ready(NULL, 3);

    hear(crew, 0, 1, 10);
    hear(crew, 1, 1, 10);
    set_limit(crew, 5);
    assert_int_equal(crew_pick(crew), 2);
    set_load(crew, 2, 1);
    for (int i = 0; i < 50; i++)
        assert_in_range(crew_pick(crew), 0, 1);
    crew_free(crew);
}

static void test_ties_go_by_chance(void **state)
{
    struct crew *crew = crew_ready(NULL, 4);
    unsigned counts[4];

    crew_count(crew, 12000, counts);
    for (int i = 0; i < 4; i++)
        assert_share(counts[i], 12000, 0.25);
    crew_free(crew);
}

/* Who fails comes last, even if all others are hot. */
static void test_failing_is_worse_than_hot(void **state)
{
    struct crew *crew = crew_ready(NULL, 2);

    hear(crew, 0, 1, 10);
    hear(crew, 1, 1, 10);
    set_limit(crew, 2);
    for (int i = 0; i < 3; i++)
        prequal_learn(
            &crew->shards[0],
            &(struct outcome){.now = crew->ask.now, .in_flight = 1, .has_failed = true});
    set_load(crew, 1, 50);
    assert_int_equal(crew_pick(crew), 1);
    crew_set_health(crew, 1, HEALTH_DOWN);
    assert_int_equal(crew_pick(crew), 0);
    crew_free(crew);
}

/* Filling up with what never ends goes by weight once all are hot. */
static void test_weights(void **state)
{
    static const unsigned weights[] = {4, 2, 1};
    struct crew *crew = crew_ready(weights, 3);

    for (unsigned i = 0; i < 3; i++)
        hear(crew, i, 1, 10);
    for (int i = 0; i < 700; i++)
        atomic_fetch_add(&crew->live[crew_pick(crew)].in_flight, 1);
    assert_in_range(crew->live[0].in_flight, 340, 460);
    assert_in_range(crew->live[1].in_flight, 160, 240);
    assert_in_range(crew->live[2].in_flight, 70, 130);
    crew_free(crew);
}

static void test_shares_by_capacity(void **state)
{
    check_shares_by_capacity("prequal");
}

static void test_black_hole(void **state)
{
    check_black_hole("prequal");
}

static void test_found_again(void **state)
{
    check_found_again("prequal");
}

static void test_no_starvation(void **state)
{
    check_no_starvation("prequal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fastest_of_the_cold),
        cmocka_unit_test(test_limit_follows_what_is_seen),
        cmocka_unit_test(test_levels_of_load),
        cmocka_unit_test(test_time_near_the_load),
        cmocka_unit_test(test_median_moves_by_steps),
        cmocka_unit_test(test_unknown_ones_are_asked_once),
        cmocka_unit_test(test_ties_go_by_chance),
        cmocka_unit_test(test_failing_is_worse_than_hot),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_shares_by_capacity),
        cmocka_unit_test(test_black_hole),
        cmocka_unit_test(test_found_again),
        cmocka_unit_test(test_no_starvation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
