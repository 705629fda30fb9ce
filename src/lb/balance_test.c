/* The table and the question that every balancer asks. */
#include "lb/balance.c"

#include "lb/test_crew.h"

static void test_find(void **state)
{
    assert_ptr_equal(balancer_find(STR("random_two")), &balancer_random_two);
    assert_ptr_equal(balancer_find(STR("round_robin")), &balancer_round_robin);
    assert_null(balancer_find(STR("round")));
    assert_null(balancer_find(STR("")));
    for (const struct balancer *const *row = balancers; *row; row++) {
        assert_ptr_equal(balancer_find(str_of((*row)->name)), *row);
        assert_true(strlen((*row)->doc) > 10);
    }
}

struct stage {
    struct server_live live;
    struct server server;
    struct ask ask;
};

static struct stage *stage_new(void)
{
    struct stage *stage = aligned_alloc(CACHE_LINE, sizeof *stage);

    assert_non_null(stage);
    memset(stage, 0, sizeof *stage);
    atomic_init(&stage->live.health, HEALTH_UP);
    stage->server = (struct server){.weight = 1, .live = &stage->live};
    return stage;
}

static void test_allows_by_health(void **state)
{
    struct stage *stage = stage_new();

    for (int health = 0; health < HEALTH_COUNT; health++) {
        atomic_store(&stage->live.health, health);
        stage->ask.ignore_health = false;
        assert_int_equal(ask_allows(&stage->ask, &stage->server),
                         health_is_usable((enum health)health));
        stage->ask.ignore_health = true;
        assert_true(ask_allows(&stage->ask, &stage->server));
    }
    free(stage);
}

static void test_allows_weight_drain_and_cap(void **state)
{
    struct stage *stage = stage_new();

    stage->server.weight = 0;
    assert_false(ask_allows(&stage->ask, &stage->server));
    stage->server.weight = 1;
    stage->server.is_draining = true;
    assert_false(ask_allows(&stage->ask, &stage->server));
    stage->server.is_draining = false;
    atomic_store(&stage->live.in_flight, 1000000);
    assert_true(ask_allows(&stage->ask, &stage->server)); /* no cap */
    stage->server.max_in_flight = 2;
    atomic_store(&stage->live.in_flight, 1);
    assert_true(ask_allows(&stage->ask, &stage->server));
    atomic_store(&stage->live.in_flight, 2);
    assert_false(ask_allows(&stage->ask, &stage->server));
    stage->ask.ignore_health = true; /* health, not caps */
    assert_false(ask_allows(&stage->ask, &stage->server));
    free(stage);
}

static void test_allows_not_what_was_tried(void **state)
{
    struct stage *stage = stage_new(), *other = stage_new();

    ask_add_tried(&stage->ask, &other->live);
    assert_true(ask_allows(&stage->ask, &stage->server));
    ask_add_tried(&stage->ask, &stage->live);
    assert_false(ask_allows(&stage->ask, &stage->server));
    assert_false(ask_allows(&stage->ask, &other->server));
    for (int i = 0; i < 2 * TRIED_MOST; i++)
        ask_add_tried(&stage->ask, &other->live);
    assert_int_equal(stage->ask.tried_count, TRIED_MOST);
    free(stage);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_allows_by_health),
        cmocka_unit_test(test_allows_weight_drain_and_cap),
        cmocka_unit_test(test_allows_not_what_was_tried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
