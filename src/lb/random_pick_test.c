/* Chance with weights, and two choices by load. */
#include "lb/random_pick.c"

#include "lb/test_crew.h"

static void test_random_by_weight(void **state)
{
    static const unsigned weights[] = {5, 3, 0, 2};
    struct crew *crew = crew_new(weights, 4);
    unsigned counts[4];

    crew_start(crew, "random", 1);
    crew_count(crew, 20000, counts);
    for (int i = 0; i < 4; i++)
        assert_share(counts[i], 20000, weights[i] / 10.0);
    crew_set_health(crew, 0, HEALTH_DOWN);
    crew_count(crew, 20000, counts);
    assert_int_equal(counts[0], 0);
    assert_share(counts[1], 20000, 0.6);
    assert_share(counts[3], 20000, 0.4);
    crew_free(crew);
}

static void test_random_with_nearly_all_dead(void **state)
{
    struct crew *crew = crew_new(NULL, 500);
    static unsigned counts[500];

    crew_start(crew, "random", 2);
    for (unsigned i = 0; i < 500; i++)
        crew_set_health(crew, i, i % 250 ? HEALTH_DOWN : HEALTH_UP);
    crew_count(crew, 5000, counts);
    assert_share(counts[0], 5000, 0.5);
    assert_share(counts[250], 5000, 0.5);
    crew_free(crew);
}

static void test_two_avoids_the_loaded(void **state)
{
    struct crew *crew = crew_new(NULL, 4);
    unsigned counts[4];

    crew_start(crew, "random_two", 3);
    atomic_store(&crew->live[1].in_flight, 50);
    crew_count(crew, 12000, counts);
    assert_int_equal(counts[1], 0); /* it loses against whoever else is drawn */
    assert_share(counts[0], 12000, 1.0 / 3);
    crew_free(crew);
}

static void test_two_idle_by_weight(void **state)
{
    static const unsigned weights[] = {1, 1, 6};
    struct crew *crew = crew_new(weights, 3);

    crew_start(crew, "random_two", 4);
    for (int i = 0; i < 800; i++)
        atomic_fetch_add(&crew->live[crew_pick(crew)].in_flight, 1);
    assert_in_range(crew->live[2].in_flight, 560, 640);
    crew_free(crew);
}

static void test_two_with_one_server(void **state)
{
    struct crew *crew = crew_new(NULL, 1);

    crew_start(crew, "random_two", 5);
    assert_int_equal(crew_pick(crew), 0);
    crew_set_health(crew, 0, HEALTH_DOWN);
    assert_int_equal(crew_pick(crew), -1);
    crew_free(crew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_by_weight),
        cmocka_unit_test(test_random_with_nearly_all_dead),
        cmocka_unit_test(test_two_avoids_the_loaded),
        cmocka_unit_test(test_two_idle_by_weight),
        cmocka_unit_test(test_two_with_one_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
