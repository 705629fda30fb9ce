/* What it learns, whom it prefers, and what comes of it in small worlds. */
#include "lb/least_time.c"

#include "lb/test_adaptive.h"
#include "lb/test_crew.h"

static const uint64_t second = 1000000000;

static void hear(struct crew *crew, unsigned i, uint64_t now, uint64_t ms)
{
    least_time_learn(&crew->shards[i],
                     &(struct outcome){.now = now, .latency = ms * 1000000});
}

static struct crew *crew_that_knows(const unsigned *weights, const unsigned *ms,
                                    unsigned count)
{
    struct crew *crew = crew_new(weights, count);

    crew_start(crew, "least_response_time", 1);
    crew->ask.now = 100 * second;
    for (unsigned i = 0; i < count; i++) {
        crew->shards[i].estimate.picked_at = crew->ask.now;
        hear(crew, i, crew->ask.now, ms[i]);
    }
    return crew;
}

static void set_load(struct crew *crew, unsigned i, unsigned load)
{
    atomic_store(&crew->live[i].in_flight, load);
}

static void test_fastest_with_fewest(void **state)
{
    struct crew *crew = crew_that_knows(NULL, (unsigned[]){10, 25, 90}, 3);

    assert_int_equal(crew_pick(crew), 0);
    set_load(crew, 0, 1);
    assert_int_equal(crew_pick(crew), 0); /* 20 against 25 */
    set_load(crew, 0, 2);
    assert_int_equal(crew_pick(crew), 1); /* 30 against 25 */
    crew_set_health(crew, 1, HEALTH_DOWN);
    assert_int_equal(crew_pick(crew), 0);
    set_load(crew, 0, 9);
    assert_int_equal(crew_pick(crew), 2); /* 100 against 90 */
    crew_free(crew);
}

static void test_weights_divide(void **state)
{
    struct crew *crew = crew_that_knows((unsigned[]){1, 3}, (unsigned[]){10, 25}, 2);

    assert_int_equal(crew_pick(crew), 1);
    atomic_store(&crew->live[1].ramp, RAMP_FULL / 4); /* slow start: 3/4 of 1 */
    assert_int_equal(crew_pick(crew), 0);
    crew_free(crew);
}

/* Up at once, down slowly, and not by more than eight times at once. */
static void test_peaks(void **state)
{
    struct server_shard shard = {.estimate = {0}};
    struct outcome outcome = {.now = second, .latency = 10000000};

    least_time_learn(&shard, &outcome);
    assert_true((double)shard.estimate.peak == 10e6);
    outcome.latency = 30000000;
    least_time_learn(&shard, &outcome);
    assert_true((double)shard.estimate.peak == 30e6);
    outcome.latency = 10000000;
    outcome.now += second;
    least_time_learn(&shard, &outcome);
    assert_within(shard.estimate.peak, 27e6, 29e6);
    outcome.latency = 60 * second;
    least_time_learn(&shard, &outcome);
    assert_within(shard.estimate.peak, 27e6 * 8, 29e6 * 8);
}

/* Who fails, or was left by who had waited, is not fast for that. */
static void test_no_answer_is_not_fast(void **state)
{
    struct server_shard shard = {.estimate = {.at = second, .peak = 10e6}};
    struct outcome outcome = {.now = 2 * second, .latency = 1000, .has_failed = true};

    least_time_learn(&shard, &outcome);
    outcome = (struct outcome){.now = 3 * second, .latency = 1000, .is_unfinished = true};
    least_time_learn(&shard, &outcome);
    assert_true((double)shard.estimate.peak == 10e6);
    outcome.latency = 40000000;
    least_time_learn(&shard, &outcome);
    assert_true((double)shard.estimate.peak == 40e6);
}

/* A newcomer gets one request, and no more before that is answered. */
static void test_unknown_ones_are_asked_once(void **state)
{
    struct crew *crew = crew_that_knows(NULL, (unsigned[]){10, 10, 10}, 3);

    crew->shards[2].estimate = (struct estimate){0};
    assert_int_equal(crew_pick(crew), 2);
    set_load(crew, 2, 1);
    for (int i = 0; i < 50; i++)
        assert_in_range(crew_pick(crew), 0, 1);
    hear(crew, 2, crew->ask.now, 1);
    assert_int_equal(crew_pick(crew), 2);
    crew_free(crew);
}

static void test_ties_go_by_chance(void **state)
{
    struct crew *crew = crew_new(NULL, 4);
    unsigned counts[4];

    crew_start(crew, "least_response_time", 3);
    crew_count(crew, 12000, counts);
    for (int i = 0; i < 4; i++)
        assert_share(counts[i], 12000, 0.25);
    crew_free(crew);
}

/* Above 64 servers: the better of two, so never the worst of all. */
static void test_two_of_many(void **state)
{
    struct crew *crew = crew_new(NULL, 200);
    static unsigned counts[200];

    crew_start(crew, "least_response_time", 4);
    crew->ask.now = 100 * second;
    for (unsigned i = 0; i < 200; i++) {
        crew->shards[i].estimate.picked_at = crew->ask.now;
        hear(crew, i, crew->ask.now, 10 + i);
    }
    crew_count(crew, 20000, counts);
    assert_int_equal(counts[199], 0);
    assert_share(counts[0], 20000, 2.0 / 200);
    assert_share(counts[100], 20000, 2.0 * 99 / 200 / 199);
    for (unsigned i = 1; i < 200; i++)
        crew_set_health(crew, i, HEALTH_DOWN);
    assert_int_equal(crew_pick(crew), 0);
    crew_free(crew);
}

static void test_shares_by_capacity(void **state)
{
    check_shares_by_capacity("least_response_time");
    check_shares_by_capacity("least_connections"); /* it knows that, too */
}

static void test_black_hole(void **state)
{
    check_black_hole("least_response_time");
}

static void test_found_again(void **state)
{
    check_found_again("least_response_time");
}

static void test_no_starvation(void **state)
{
    check_no_starvation("least_response_time");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fastest_with_fewest),
        cmocka_unit_test(test_weights_divide),
        cmocka_unit_test(test_peaks),
        cmocka_unit_test(test_no_answer_is_not_fast),
        cmocka_unit_test(test_unknown_ones_are_asked_once),
        cmocka_unit_test(test_ties_go_by_chance),
        cmocka_unit_test(test_two_of_many),
        cmocka_unit_test(test_shares_by_capacity),
        cmocka_unit_test(test_black_hole),
        cmocka_unit_test(test_found_again),
        cmocka_unit_test(test_no_starvation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
