/* The least loaded, exactly up to 64 servers and nearly so above. */
#include "lb/least_conn.c"

#include "lb/test_crew.h"

static void set_load(struct crew *crew, unsigned i, unsigned load)
{
    atomic_store(&crew->live[i].in_flight, load);
}

static void test_fewest_wins(void **state)
{
    static const unsigned weights[] = {1, 9, 1}; /* not looked at */
    struct crew *crew = crew_new(weights, 3);

    crew_start(crew, "least_connections", 1);
    set_load(crew, 0, 3);
    set_load(crew, 1, 4);
    set_load(crew, 2, 5);
    for (int i = 0; i < 10; i++)
        assert_int_equal(crew_pick(crew), 0);
    crew_set_health(crew, 0, HEALTH_DOWN);
    assert_int_equal(crew_pick(crew), 1);
    ask_add_tried(&crew->ask, &crew->live[1]);
    assert_int_equal(crew_pick(crew), 2);
    crew_set_health(crew, 2, HEALTH_DOWN);
    assert_int_equal(crew_pick(crew), -1);
    crew_free(crew);
}

/* Effective load is (in flight + 1) / weight. */
static void test_weighted_load(void **state)
{
    static const unsigned weights[] = {3, 1};
    struct crew *crew = crew_new(weights, 2);

    crew_start(crew, "weighted_least_connections", 2);
    assert_int_equal(crew_pick(crew), 0); /* 1/3 against 1/1 */
    set_load(crew, 0, 1);
    assert_int_equal(crew_pick(crew), 0); /* 2/3 against 1 */
    set_load(crew, 0, 3);
    assert_int_equal(crew_pick(crew), 1); /* 4/3 against 1 */
    set_load(crew, 1, 1);
    assert_int_equal(crew_pick(crew), 0); /* 4/3 against 2 */
    crew_free(crew);
}

static void test_ties_go_by_chance(void **state)
{
    struct crew *crew = crew_new(NULL, 4);
    unsigned counts[4];

    crew_start(crew, "least_connections", 3);
    set_load(crew, 2, 1);
    crew_count(crew, 12000, counts);
    assert_share(counts[0], 12000, 1.0 / 3);
    assert_share(counts[1], 12000, 1.0 / 3);
    assert_share(counts[3], 12000, 1.0 / 3);
    crew_free(crew);
}

/* Requests that never end: shares go by weight, since the load does. */
static void test_filling_up_goes_by_weight(void **state)
{
    static const unsigned weights[] = {4, 2, 1, 0};
    struct crew *crew = crew_new(weights, 4);

    crew_start(crew, "weighted_least_connections", 4);
    for (int i = 0; i < 700; i++)
        atomic_fetch_add(&crew->live[crew_pick(crew)].in_flight, 1);
    assert_in_range(crew->live[0].in_flight, 399, 401);
    assert_in_range(crew->live[1].in_flight, 199, 201);
    assert_in_range(crew->live[2].in_flight, 99, 101);
    assert_int_equal(crew->live[3].in_flight, 0);
    crew_free(crew);
}

/* For random loads the scan finds what a plain search finds. */
static void test_scan_against_a_plain_search(void **state)
{
    unsigned weights[64];
    struct rand rand;

    rand_seed(&rand, 5);
    for (int run = 0; run < 300; run++) {
        unsigned count = 1 + (unsigned)rand_below(&rand, 64);
        double least = 1e300;
        struct crew *crew;
        int at;

        for (unsigned i = 0; i < count; i++)
            weights[i] = (unsigned)rand_below(&rand, 6);
        weights[0] = 3;
        crew = crew_new(weights, count);
        crew_start(crew, "weighted_least_connections", rand_u64(&rand));
        for (unsigned i = 0; i < count; i++) {
            set_load(crew, i, (unsigned)rand_below(&rand, 10));
            if (i && rand_below(&rand, 4) == 0)
                crew_set_health(crew, i, HEALTH_DOWN);
            if (weights[i] && crew->live[i].health == HEALTH_UP &&
                (crew->live[i].in_flight + 1.0) / weights[i] < least)
                least = (crew->live[i].in_flight + 1.0) / weights[i];
        }
        at = crew_pick(crew);
        assert_true(at >= 0 && crew->live[at].health == HEALTH_UP && weights[at]);
        assert_true((crew->live[at].in_flight + 1.0) / weights[at] < least + 1e-9);
        crew_free(crew);
    }
}

/* Two choices keep a thousand servers close together; one choice would not. */
static void test_two_choices_above_the_scan(void **state)
{
    struct crew *crew = crew_new(NULL, 1000);
    unsigned most = 0;

    crew_start(crew, "least_connections", 6);
    assert_non_null(crew->set->tiers.items[0].data);
    for (int i = 0; i < 10000; i++)
        atomic_fetch_add(&crew->live[crew_pick(crew)].in_flight, 1);
    for (int i = 0; i < 1000; i++)
        most = crew->live[i].in_flight > most ? crew->live[i].in_flight : most;
    assert_in_range(most, 11, 15); /* the mean is 10; by plain chance about 22 */
    crew_free(crew);
}

static void test_two_choices_find_the_last_one_alive(void **state)
{
    struct crew *crew = crew_new(NULL, 1000);

    crew_start(crew, "weighted_least_connections", 7);
    for (unsigned i = 0; i < 1000; i++)
        crew_set_health(crew, i, i == 400 || i == 800 ? HEALTH_UP : HEALTH_DOWN);
    set_load(crew, 400, 2);
    for (int i = 0; i < 20; i++)
        assert_int_equal(crew_pick(crew), 800);
    crew_set_health(crew, 800, HEALTH_DOWN);
    assert_int_equal(crew_pick(crew), 400);
    crew_set_health(crew, 400, HEALTH_DOWN);
    assert_int_equal(crew_pick(crew), -1);
    crew_free(crew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fewest_wins),
        cmocka_unit_test(test_weighted_load),
        cmocka_unit_test(test_ties_go_by_chance),
        cmocka_unit_test(test_filling_up_goes_by_weight),
        cmocka_unit_test(test_scan_against_a_plain_search),
        cmocka_unit_test(test_two_choices_above_the_scan),
        cmocka_unit_test(test_two_choices_find_the_last_one_alive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
