/* Shares by health, near before far, panic; and that the draw follows the shares. */
#include "lb/tier.c"

#include "lb/test_crew.h"

/* So many servers in each of the tiers 1, 2, ...; round robin among them. */
static struct crew *tiered_new(const unsigned *counts, unsigned tiers)
{
    unsigned total = 0, at = 0;
    struct crew *crew;

    for (unsigned i = 0; i < tiers; i++)
        total += counts[i];
    crew = crew_new(NULL, total);
    crew->pool.tiers.overprovision = 1400;
    crew->pool.locality.spill_at = 80;
    for (unsigned i = 0; i < tiers; i++)
        for (unsigned j = 0; j < counts[i]; j++)
            crew->members[at++].tier = i + 1;
    return crew;
}

static void down(struct crew *crew, unsigned from, unsigned count)
{
    for (unsigned i = from; i < from + count; i++)
        crew_set_health(crew, i, HEALTH_DOWN);
}

static double share_of(struct crew *crew, unsigned tier)
{
    return (double)atomic_load(&crew->set->tiers.items[tier].state->share) / SHARE_FULL;
}

static void assert_near(double is, double should)
{
    if (is < should - 0.001 || is > should + 0.001)
        fail_msg("%f, expected %f", is, should);
}

static void test_spills_gradually(void **state)
{
    static const unsigned counts[] = {10, 10, 10};
    static const struct {
        unsigned down[3];
        double shares[3];
    } cases[] = {
        {{0, 0, 0}, {1, 0, 0}},       {{2, 0, 0}, {1, 0, 0}}, /* 80 % x 1.4 > 1 */
        {{3, 0, 0}, {0.98, 0.02, 0}}, {{5, 0, 0}, {0.7, 0.3, 0}},
        {{10, 0, 0}, {0, 1, 0}},      {{5, 9, 0}, {0.7, 0.14, 0.16}},
        {{10, 10, 9}, {0, 0, 1}}, /* all that is left takes all */
        {{9, 9, 10}, {0.5, 0.5, 0}},  {{10, 10, 10}, {1, 0, 0}},
    };

    for (unsigned i = 0; i < array_len(cases); i++) {
        struct crew *crew = tiered_new(counts, 3);
        struct tiers_standing standing;

        crew_start(crew, "round_robin", i);
        for (unsigned tier = 0; tier < 3; tier++)
            down(crew, tier * 10, cases[i].down[tier]);
        standing = tiers_weigh(&crew->set->tiers);
        for (unsigned tier = 0; tier < 3; tier++)
            assert_near(share_of(crew, tier), cases[i].shares[tier]);
        assert_int_equal(standing.is_spilling,
                         cases[i].shares[1] > 0 || cases[i].shares[2] > 0);
        assert_int_equal(standing.panic, TIER_CALM);
        crew_free(crew);
    }
}

static void test_requests_follow_the_shares(void **state)
{
    static const unsigned counts[] = {4, 2};
    struct crew *crew = tiered_new(counts, 2);
    unsigned taken[6];

    crew_start(crew, "weighted_round_robin", 3);
    down(crew, 0, 2);
    tiers_weigh(&crew->set->tiers);
    crew_count(crew, 20000, taken);
    assert_int_equal(taken[0] + taken[1], 0);
    assert_share(taken[2] + taken[3], 20000, 0.7);
    assert_share(taken[4] + taken[5], 20000, 0.3);
    crew_free(crew);
}

/* The health that the shares were made from may be old: nobody is refused for that. */
/* A key stays in its tier; when more spills, keys only leave the first one. */
static void test_keys_keep_their_tier(void **state)
{
    enum { KEYS = 2000 };
    static const unsigned counts[] = {10, 10};
    struct crew *crew = tiered_new(counts, 2);
    unsigned first[KEYS], in_first = 0;

    crew_start(crew, "consistent_hash", 1);
    crew->ask.has_key = true;
    down(crew, 0, 4);
    tiers_weigh(&crew->set->tiers);
    for (unsigned i = 0; i < KEYS; i++) {
        crew->ask.key = hash_u64(i);
        first[i] = tiers_draw(&crew->set->tiers, &crew->ask);
        assert_int_equal(tiers_draw(&crew->set->tiers, &crew->ask), first[i]);
        in_first += first[i] == 0;
    }
    assert_share(in_first, KEYS, 0.84);
    down(crew, 4, 2);
    tiers_weigh(&crew->set->tiers);
    for (unsigned i = 0; i < KEYS; i++) {
        crew->ask.key = hash_u64(i);
        assert_true(tiers_draw(&crew->set->tiers, &crew->ask) >= first[i]);
    }
    crew_free(crew);
}

static void test_stale_shares_find_somebody(void **state)
{
    static const unsigned counts[] = {2, 2};
    struct crew *crew = tiered_new(counts, 2);
    unsigned taken[4];

    crew_start(crew, "random", 4);
    down(crew, 0, 2); /* not weighed yet */
    crew_count(crew, 100, taken);
    assert_int_equal(taken[2] + taken[3], 100);
    crew_free(crew);
}

static void test_near_ones_first(void **state)
{
    static const struct {
        unsigned down;
        double near, far;
    } cases[] = {{0, 1, 0}, {2, 1, 0}, {5, 0.625, 0.375}, {10, 0, 1}};
    static const unsigned counts[] = {20};

    for (unsigned i = 0; i < array_len(cases); i++) {
        struct crew *crew = tiered_new(counts, 1);

        for (unsigned far = 10; far < 20; far++)
            crew->members[far].is_remote = true;
        crew_start(crew, "random", i);
        assert_int_equal(crew->set->tiers.count, 2);
        down(crew, 0, cases[i].down);
        tiers_weigh(&crew->set->tiers);
        assert_near(share_of(crew, 0), cases[i].near);
        assert_near(share_of(crew, 1), cases[i].far);
        crew_free(crew);
    }
}

static void test_near_ones_keep_all_when_far_ones_are_ill(void **state)
{
    static const unsigned counts[] = {4};
    struct crew *crew = tiered_new(counts, 1);

    crew->members[2].is_remote = crew->members[3].is_remote = true;
    crew_start(crew, "random", 1);
    down(crew, 1, 3);
    tiers_weigh(&crew->set->tiers);
    assert_near(share_of(crew, 0), 1);
    crew_free(crew);
}

static struct crew *panicky(enum in_panic in_panic, bool has_backup, unsigned ill)
{
    static const unsigned counts[] = {10};
    struct crew *crew = tiered_new(counts, 1);

    crew->pool.tiers.panic_below = 50;
    crew->pool.tiers.in_panic = in_panic;
    crew->members[9].is_backup = has_backup;
    crew_start(crew, "round_robin", 5);
    down(crew, 0, ill);
    return crew;
}

static void test_panic_ignores_health(void **state)
{
    struct crew *crew = panicky(PANIC_OPEN, false, 6);
    unsigned taken[10];

    assert_int_equal(tiers_weigh(&crew->set->tiers).panic, TIER_OPEN);
    crew_count(crew, 1000, taken);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(taken[i], 100);
    crew_set_health(crew, 0, HEALTH_UP); /* 50 % */
    assert_int_equal(tiers_weigh(&crew->set->tiers).panic, TIER_CALM);
    crew_count(crew, 1000, taken);
    assert_int_equal(taken[1], 0);
    crew_free(crew);
}

static void test_panic_refuses(void **state)
{
    struct crew *crew = panicky(PANIC_FAIL, false, 6);

    assert_int_equal(tiers_weigh(&crew->set->tiers).panic, TIER_REFUSES);
    assert_int_equal(crew_pick(crew), -1);
    crew_free(crew);
}

/* Somebody else can take it all: no reason to panic. */
static void test_no_panic_with_a_well_backup(void **state)
{
    struct crew *crew = panicky(PANIC_OPEN, true, 9);

    assert_int_equal(tiers_weigh(&crew->set->tiers).panic, TIER_CALM);
    assert_int_equal(crew_pick(crew), 9);
    crew_free(crew);
}

/* Whatever is ill: shares add up to the whole, and tiers without a well server have one
 * only when nobody is well. */
static void test_shares_add_up(void **state)
{
    struct rand rand;

    rand_seed(&rand, 11);
    for (unsigned round = 0; round < 500; round++) {
        unsigned counts[3], total = 0;
        struct crew *crew;
        bool is_any_well = false;

        for (unsigned i = 0; i < 3; i++)
            total += counts[i] = 1 + (unsigned)rand_below(&rand, 6);
        crew = tiered_new(counts, 3);
        for (unsigned i = 0; i < total; i++)
            crew->members[i].is_remote = rand_below(&rand, 2);
        crew_start(crew, "random", round);
        for (unsigned i = 0; i < total; i++)
            if (rand_below(&rand, 2))
                down(crew, i, 1);
            else
                is_any_well = true;
        tiers_weigh(&crew->set->tiers);
        total = 0;
        for (unsigned i = 0; i < crew->set->tiers.count; i++) {
            const struct tier *tier = &crew->set->tiers.items[i];
            unsigned share = atomic_load(&tier->state->share);

            total += share;
            if (share && is_any_well)
                assert_true(tier_worth(tier).usable > 0);
        }
        assert_in_range(total, SHARE_FULL - 8, SHARE_FULL);
        crew_free(crew);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spills_gradually),
        cmocka_unit_test(test_requests_follow_the_shares),
        cmocka_unit_test(test_keys_keep_their_tier),
        cmocka_unit_test(test_stale_shares_find_somebody),
        cmocka_unit_test(test_near_ones_first),
        cmocka_unit_test(test_near_ones_keep_all_when_far_ones_are_ill),
        cmocka_unit_test(test_panic_ignores_health),
        cmocka_unit_test(test_panic_refuses),
        cmocka_unit_test(test_no_panic_with_a_well_backup),
        cmocka_unit_test(test_shares_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
