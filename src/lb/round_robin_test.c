/* Turns with servers that may not be chosen: nobody inherits a dead neighbour's load. */
#include "lb/round_robin.c"

#include "lb/test_crew.h"

static void test_equal_turns(void **state)
{
    static const unsigned weights[] = {7, 1, 3}; /* not looked at */
    struct crew *crew = crew_new(weights, 3);
    int before;

    crew_start(crew, "round_robin", 1);
    before = crew_pick(crew);
    for (int i = 0; i < 30; i++) {
        int now = crew_pick(crew);

        assert_int_equal(now, (before + 1) % 3);
        before = now;
    }
    crew_free(crew);
}

static void test_weights_and_weight_zero(void **state)
{
    static const unsigned weights[] = {3, 0, 2, 1};
    struct crew *crew = crew_new(weights, 4);
    unsigned counts[4];

    crew_start(crew, "weighted_round_robin", 2);
    crew_count(crew, 600, counts);
    for (int i = 0; i < 4; i++)
        assert_int_equal(counts[i], 100 * weights[i]);
    crew_free(crew);
    crew = crew_new(weights, 4);
    crew_start(crew, "round_robin", 2);
    crew_count(crew, 300, counts);
    assert_int_equal(counts[1], 0);
    assert_int_equal(counts[0], 100);
    crew_free(crew);
}

/* Several workers together: each from its own place, right in sum. */
static void test_right_in_sum_over_workers(void **state)
{
    static const unsigned weights[] = {3, 2, 1};
    unsigned sum[3] = {0};

    for (uint64_t worker = 0; worker < 7; worker++) {
        struct crew *crew = crew_new(weights, 3);
        unsigned counts[3];

        crew_start(crew, "weighted_round_robin", worker);
        crew_count(crew, 12, counts);
        for (int i = 0; i < 3; i++)
            sum[i] += counts[i];
        crew_free(crew);
    }
    assert_int_equal(sum[0], 7 * 6);
    assert_int_equal(sum[1], 7 * 4);
    assert_int_equal(sum[2], 7 * 2);
}

static void test_dead_ones_are_passed_over_without_bias(void **state)
{
    struct crew *crew = crew_new(NULL, 5);
    unsigned counts[5];

    crew_start(crew, "round_robin", 3);
    crew_set_health(crew, 1, HEALTH_DOWN);
    crew_set_health(crew, 2, HEALTH_STARTING);
    crew_count(crew, 300, counts);
    assert_int_equal(counts[0], 100);
    assert_int_equal(counts[3], 100); /* right behind the dead, and no more than others */
    assert_int_equal(counts[4], 100);
    crew_set_health(crew, 1, HEALTH_UP);
    crew_count(crew, 400, counts);
    assert_int_equal(counts[1], 100); /* back, with its own share and no more */
    crew_free(crew);
}

static void test_weights_among_the_living_stay(void **state)
{
    static const unsigned weights[] = {5, 3, 2, 1};
    struct crew *crew = crew_new(weights, 4);
    unsigned counts[4];

    crew_start(crew, "weighted_round_robin", 4);
    crew_set_health(crew, 0, HEALTH_DOWN);
    crew_count(crew, 600, counts);
    assert_int_equal(counts[1], 300);
    assert_int_equal(counts[2], 200);
    assert_int_equal(counts[3], 100);
    crew_free(crew);
}

/* The dead one holds nearly all turns: chance decides, with the right shares. */
static void test_heavy_dead_server(void **state)
{
    static const unsigned weights[] = {10000, 2, 1};
    struct crew *crew = crew_new(weights, 3);
    unsigned counts[3];

    crew_start(crew, "weighted_round_robin", 5);
    crew_set_health(crew, 0, HEALTH_DOWN);
    crew_count(crew, 30000, counts);
    assert_share(counts[1], 30000, 2.0 / 3);
    assert_share(counts[2], 30000, 1.0 / 3);
    crew_free(crew);
}

static void test_heavy_dead_server_without_a_table(void **state)
{
    static const unsigned weights[] = {1000003, 20, 10};
    struct crew *crew = crew_new(weights, 3);
    unsigned counts[3];

    crew_start(crew, "weighted_round_robin", 6);
    assert_true(crew->set->scratch_size >= 3 * sizeof(struct turn));
    crew_set_health(crew, 0, HEALTH_DOWN);
    crew_count(crew, 30000, counts);
    assert_share(counts[1], 30000, 2.0 / 3);
    crew_free(crew);
}

/* One alive among a thousand is found, and nobody is told from somebody. */
static void test_one_of_a_thousand(void **state)
{
    struct crew *crew = crew_new(NULL, 1000);

    crew_start(crew, "weighted_round_robin", 7);
    for (unsigned i = 0; i < 1000; i++)
        crew_set_health(crew, i, HEALTH_DOWN);
    assert_int_equal(crew_pick(crew), -1);
    crew_set_health(crew, 617, HEALTH_UP);
    for (int i = 0; i < 10; i++)
        assert_int_equal(crew_pick(crew), 617);
    ask_add_tried(&crew->ask, &crew->live[617]);
    assert_int_equal(crew_pick(crew), -1);
    crew_free(crew);
}

static void test_tried_servers_are_not_asked_again(void **state)
{
    struct crew *crew = crew_new(NULL, 3);

    crew_start(crew, "round_robin", 8);
    for (int i = 0; i < 20; i++) {
        bool seen[3] = {false};

        crew->ask.tried_count = 0;
        for (int j = 0; j < 3; j++) {
            int at = crew_pick(crew);

            assert_true(at >= 0 && !seen[at]);
            seen[at] = true;
            ask_add_tried(&crew->ask, &crew->live[at]);
        }
        assert_int_equal(crew_pick(crew), -1);
    }
    crew_free(crew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_turns),
        cmocka_unit_test(test_weights_and_weight_zero),
        cmocka_unit_test(test_right_in_sum_over_workers),
        cmocka_unit_test(test_dead_ones_are_passed_over_without_bias),
        cmocka_unit_test(test_weights_among_the_living_stay),
        cmocka_unit_test(test_heavy_dead_server),
        cmocka_unit_test(test_heavy_dead_server_without_a_table),
        cmocka_unit_test(test_one_of_a_thousand),
        cmocka_unit_test(test_tried_servers_are_not_asked_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
