/* The ring: in order, found by its index as by looking, made for any weights. */
#include "lb/ring.c"

#include "lb/test_crew.h"

#include "base/rand.h"

enum { SERVERS_MOST = 64 };

struct circle {
    struct arena arena;
    struct server servers[SERVERS_MOST];
    uint64_t ids[SERVERS_MOST];
    struct tier tier;
    const struct ring *ring;
};

static void circle_make(struct circle *circle, const unsigned *weights, unsigned count,
                        uint32_t virtual_nodes)
{
    arena_init(&circle->arena, 0);
    for (unsigned i = 0; i < count; i++) {
        circle->servers[i] = (struct server){.weight = weights ? weights[i] : 1};
        circle->ids[i] = hash_u64(i + 1);
    }
    circle->tier = (struct tier){.servers = circle->servers, .count = count};
    circle->ring = ring_new(&circle->arena, &circle->tier, circle->ids, virtual_nodes);
}

static void circle_close(struct circle *circle)
{
    arena_reset(&circle->arena);
}

static unsigned points_of(const struct circle *circle, unsigned server)
{
    unsigned count = 0;

    for (unsigned i = 0; i < circle->ring->count; i++)
        count += circle->ring->points[i].server == server;
    return count;
}

static void test_points_are_in_order(void **state)
{
    static const unsigned weights[] = {3, 0, 1, 7, 2};

    for (uint32_t nodes = 1; nodes < 300; nodes += 37) {
        struct circle circle;

        circle_make(&circle, weights, 5, nodes);
        assert_int_equal(circle.ring->count, 13 * nodes);
        for (unsigned i = 1; i < circle.ring->count; i++)
            assert_true(circle.ring->points[i - 1].at <= circle.ring->points[i].at);
        for (unsigned i = 0; i < 5; i++)
            assert_int_equal(points_of(&circle, i), weights[i] * nodes);
        circle_close(&circle);
    }
}

static unsigned find_by_looking(const struct ring *ring, uint64_t key)
{
    for (unsigned i = 0; i < ring->count; i++)
        if (ring->points[i].at >= key >> 32)
            return i;
    return 0;
}

static void test_find_is_looking(void **state)
{
    struct rand rand;

    rand_seed(&rand, 1);
    for (unsigned servers = 1; servers <= 9; servers++) {
        struct circle circle;

        circle_make(&circle, NULL, servers, servers * servers);
        for (int i = 0; i < 5000; i++) {
            uint64_t key = rand_u64(&rand);

            assert_int_equal(ring_find(circle.ring, key),
                             find_by_looking(circle.ring, key));
        }
        for (unsigned i = 0; i < circle.ring->count; i++)
            assert_int_equal(
                ring_find(circle.ring, (uint64_t)circle.ring->points[i].at << 32),
                find_by_looking(circle.ring, (uint64_t)circle.ring->points[i].at << 32));
        assert_int_equal(ring_find(circle.ring, UINT64_MAX),
                         find_by_looking(circle.ring, UINT64_MAX));
        assert_int_equal(ring_find(circle.ring, 0), 0);
        circle_close(&circle);
    }
}

static void test_common_divisor_is_left_out(void **state)
{
    static const unsigned weights[] = {300, 0, 200};
    struct circle circle;

    circle_make(&circle, weights, 3, 150);
    assert_int_equal(points_of(&circle, 0), 450);
    assert_int_equal(points_of(&circle, 2), 300);
    circle_close(&circle);
}

/* Large weights are halved for all until the ring is small enough; the least keep one. */
static void test_large_weights_are_scaled(void **state)
{
    static const unsigned weights[] = {1000000, 999999, 1};
    struct circle circle;
    unsigned first, second;

    circle_make(&circle, weights, 3, 150);
    assert_in_range(circle.ring->count, POINTS_MOST / 2, POINTS_MOST);
    first = points_of(&circle, 0);
    second = points_of(&circle, 1);
    assert_in_range(second, first - 2, first);
    assert_int_equal(points_of(&circle, 2), 1);
    circle_close(&circle);
}

/* Half the ring is the beginning of the whole: what is scaled moves as few keys as may be. */
static void test_scaled_points_stay(void **state)
{
    struct circle whole, half;
    unsigned i = 0;

    circle_make(&whole, NULL, 7, 150);
    circle_make(&half, NULL, 7, 75);
    for (unsigned j = 0; j < half.ring->count; j++) {
        while (i < whole.ring->count &&
               memcmp(&whole.ring->points[i], &half.ring->points[j],
                      sizeof(struct point)) != 0)
            i++;
        assert_true(i < whole.ring->count);
    }
    circle_close(&whole);
    circle_close(&half);
}

static void test_nobody_weighs_anything(void **state)
{
    static const unsigned weights[] = {0, 0};
    struct circle circle;

    circle_make(&circle, weights, 2, 150);
    assert_null(circle.ring);
    circle_close(&circle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points_are_in_order),
        cmocka_unit_test(test_find_is_looking),
        cmocka_unit_test(test_common_divisor_is_left_out),
        cmocka_unit_test(test_large_weights_are_scaled),
        cmocka_unit_test(test_scaled_points_stay),
        cmocka_unit_test(test_nobody_weighs_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
