/* Shares of a split. */
#include "lb/split.c"

#include "lb/test_crew.h"

static void test_shares(void **state)
{
    struct pool pools[3] = {0};
    struct share shares[] = {{&pools[0], 90}, {&pools[1], 0}, {&pools[2], 10}};
    struct route route = {.shares = shares, .share_count = 3, .share_total = 100};
    unsigned counts[3] = {0};
    struct rand rand;

    rand_seed(&rand, 1);
    for (int i = 0; i < 20000; i++)
        counts[route_pool(&route, &rand) - pools]++;
    assert_share(counts[0], 20000, 0.9);
    assert_int_equal(counts[1], 0);
    assert_share(counts[2], 20000, 0.1);
}

static void test_one_pool_and_none(void **state)
{
    struct pool pool = {0};
    struct share shares[] = {{&pool, 0}, {&pool, 0}};
    struct route route = {.shares = shares, .share_count = 1};
    struct rand rand;

    rand_seed(&rand, 1);
    assert_ptr_equal(route_pool(&route, &rand), &pool);
    route.share_count = 2;
    assert_null(route_pool(&route, &rand));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_one_pool_and_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
