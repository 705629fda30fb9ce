/* The alias table holds exactly the weights, and rejection keeps the shares. */
#include "lb/draw.c"

#include "lb/test_crew.h"

/* How much of count * total each member has over all slots: exactly count * weight. */
static void test_the_table_is_exact(void **state)
{
    struct rand rand;

    rand_seed(&rand, 1);
    for (int run = 0; run < 300; run++) {
        unsigned count = 1 + (unsigned)rand_below(&rand, 40);
        uint64_t mass[40] = {0};
        struct server servers[40];
        struct tier tier = {.servers = servers, .count = count};
        const struct draw *draw;
        struct arena arena;

        for (unsigned i = 0; i < count; i++)
            servers[i] = (struct server){
                .weight = (unsigned)rand_below(&rand, run % 3 ? 4 : 4000000000u),
            };
        servers[0].weight = 7;
        arena_init(&arena, 0);
        draw = draw_new(&arena, &tier, true);
        for (unsigned i = 0; i < count; i++) {
            struct draw_slot all = {draw->total, i};
            struct draw_slot slot = draw->slots ? draw->slots[i] : all;

            assert_true(slot.cut <= draw->total && slot.other < count);
            mass[i] += slot.cut;
            mass[slot.other] += draw->total - slot.cut;
        }
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(mass[i], (uint64_t)servers[i].weight * count);
        arena_reset(&arena);
    }
}

static void test_equal_weights_need_no_table(void **state)
{
    struct server servers[3] = {{.weight = 5}, {.weight = 5}, {.weight = 5}};
    struct tier tier = {.servers = servers, .count = 3};
    struct arena arena;

    arena_init(&arena, 0);
    assert_null(draw_new(&arena, &tier, true)->slots);
    servers[1].weight = 4;
    assert_non_null(draw_new(&arena, &tier, true)->slots);
    assert_null(draw_new(&arena, &tier, false)->slots);
    servers[1].weight = 0;
    assert_non_null(draw_new(&arena, &tier, false)->slots);
    arena_reset(&arena);
}

static void test_drawing_and_scanning_agree(void **state)
{
    static const unsigned weights[] = {4, 3, 2, 1, 0, 9};
    struct crew *crew = crew_new(weights, 6);
    unsigned drawn[6] = {0}, scanned[6] = {0};
    const struct tier *tier;
    const struct draw *draw;
    struct arena arena;

    crew_start(crew, "random", 2);
    crew_set_health(crew, 5, HEALTH_DOWN);
    tier = &crew->set->tiers.items[0];
    arena_init(&arena, 0);
    draw = draw_new(&arena, tier, true);
    for (int i = 0; i < 20000; i++) {
        int at = draw_try(draw, tier, &crew->ask, -1);

        if (at >= 0)
            drawn[at]++;
        else
            i--;
        scanned[draw_scan(tier, &crew->ask, true)]++;
    }
    for (int i = 0; i < 4; i++) {
        assert_share(drawn[i], 20000, weights[i] / 10.0);
        assert_share(scanned[i], 20000, weights[i] / 10.0);
    }
    assert_int_equal(drawn[4] + drawn[5] + scanned[4] + scanned[5], 0);
    arena_reset(&arena);
    crew_free(crew);
}

static void test_nobody(void **state)
{
    static const unsigned weights[] = {0, 0};
    struct crew *crew = crew_new(weights, 2);
    const struct tier *tier;
    const struct draw *draw;
    struct arena arena;

    crew_start(crew, "random", 3);
    tier = &crew->set->tiers.items[0];
    arena_init(&arena, 0);
    draw = draw_new(&arena, tier, true);
    assert_int_equal(draw_try(draw, tier, &crew->ask, -1), -1);
    assert_int_equal(draw_scan(tier, &crew->ask, true), -1);
    arena_reset(&arena);
    crew_free(crew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_is_exact),
        cmocka_unit_test(test_equal_weights_need_no_table),
        cmocka_unit_test(test_drawing_and_scanning_agree),
        cmocka_unit_test(test_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
