/* Tiers, caps, and what happens when all are down. */
#include "lb/pool.c"

#include "lb/test_crew.h"

static void test_set_copies_its_members(void **state)
{
    char name[] = "alpha";
    struct crew *crew = crew_new(NULL, 3);
    const struct server *server;

    crew->members[0].is_backup = true;
    crew->members[1].name = str_of(name);
    crew->members[1].max_in_flight = 9;
    crew_start(crew, "round_robin", 1);
    memset(name, 'x', 5);
    memset(crew->members, 0, sizeof crew->members);
    assert_int_equal(crew->set->count, 3);
    server = &crew->set->servers[0]; /* primaries first */
    assert_true(str_eq(server->name, STR("alpha")));
    assert_true(str_eq(server->addr_text, STR("0.0.0.0:2")));
    assert_int_equal(server->max_in_flight, 9);
    assert_int_equal(crew->set->tiers.items[0].count, 2);
    assert_int_equal(crew->set->tiers.items[1].count, 1);
    assert_ptr_equal(crew->set->tiers.items[1].servers[0].live, &crew->live[0]);
    crew_free(crew);
}

static void test_backups_only_in_need(void **state)
{
    for (const struct balancer *const *row = balancers; *row; row++) {
        struct crew *crew = crew_new(NULL, 5);
        unsigned counts[5];

        crew->members[0].is_backup = crew->members[3].is_backup = true;
        crew_start(crew, (*row)->name, 2);
        crew_count(crew, 300, counts);
        assert_int_equal(counts[0] + counts[3], 0);
        crew_set_health(crew, 1, HEALTH_DOWN);
        crew_set_health(crew, 2, HEALTH_DOWN);
        crew_count(crew, 300, counts);
        assert_int_equal(counts[4], 300); /* one primary is enough */
        crew_set_health(crew, 4, HEALTH_DOWN);
        crew_count(crew, 300, counts);
        assert_int_equal(counts[0] + counts[3], 300);
        assert_in_range(counts[0], 100, 200);
        crew_set_health(crew, 0, HEALTH_DOWN);
        crew_set_health(crew, 3, HEALTH_DOWN);
        assert_int_equal(crew_pick(crew), -1);
        crew_set_health(crew, 2, HEALTH_UP);
        assert_int_equal(crew_pick(crew), 2);
        crew_free(crew);
    }
}

static void test_open_when_all_are_down(void **state)
{
    for (const struct balancer *const *row = balancers; *row; row++) {
        struct crew *crew = crew_new(NULL, 3);
        unsigned counts[3];

        crew->members[2].is_backup = true;
        crew_start(crew, (*row)->name, 3);
        crew->set->when_all_down = ALL_DOWN_OPEN;
        for (unsigned i = 0; i < 3; i++)
            crew_set_health(crew, i, HEALTH_DOWN);
        crew_count(crew, 300, counts);
        assert_int_equal(counts[2], 0); /* primaries first, even so */
        assert_in_range(counts[0], 100, 200);
        crew_set_health(crew, 1, HEALTH_UP);
        crew_count(crew, 30, counts);
        assert_int_equal(counts[1], 30);
        crew_free(crew);
    }
}

/* "Open" is for a pool that is down, not for one that is full or was tried. */
static void test_open_does_not_mean_overfull(void **state)
{
    struct crew *crew = crew_new(NULL, 2);

    crew->members[0].max_in_flight = 1;
    crew_start(crew, "round_robin", 4);
    crew->set->when_all_down = ALL_DOWN_OPEN;
    crew_set_health(crew, 1, HEALTH_DOWN);
    atomic_store(&crew->live[0].in_flight, 1);
    assert_int_equal(crew_pick(crew), -1);
    atomic_store(&crew->live[0].in_flight, 0);
    ask_add_tried(&crew->ask, &crew->live[0]);
    assert_int_equal(crew_pick(crew), -1);
    crew_free(crew);
}

static void test_take_counts_up_to_the_cap(void **state)
{
    struct crew *crew = crew_new(NULL, 2);

    crew->members[0].max_in_flight = 2;
    crew->members[1].max_in_flight = 3;
    crew_start(crew, "least_connections", 5);
    for (int i = 0; i < 5; i++)
        assert_non_null(pool_take(crew->set, &crew->ask));
    assert_null(pool_take(crew->set, &crew->ask));
    assert_int_equal(crew->live[0].in_flight, 2);
    assert_int_equal(crew->live[1].in_flight, 3);
    assert_false(server_take(&crew->set->servers[0], PRIORITY_NORMAL));
    server_give(&crew->live[0]);
    assert_ptr_equal(pool_take(crew->set, &crew->ask)->live, &crew->live[0]);
    crew_free(crew);
}

/* What it is thought to bear, for one priority after the other. */
static void test_a_limit_holds_beside_the_cap(void **state)
{
    static const struct {
        enum priority priority;
        unsigned cap, limit, takes;
    } cases[] = {
        {PRIORITY_NORMAL, 10, 0, 10},
        {PRIORITY_NORMAL, 10, 4, 4},
        {PRIORITY_NORMAL, 3, 4, 3},
        {PRIORITY_NORMAL, 0, 4, 20}, /* no cap: not looked at */
        {PRIORITY_LOW, 10, 4, 3},
        {PRIORITY_LOW, 10, 1, 1},
        {PRIORITY_LOW, 10, 0, 10},
        {PRIORITY_CRITICAL, 10, 4, 5},
        {PRIORITY_CRITICAL, 10, 1, 2},
        {PRIORITY_CRITICAL, 4, 4, 4},
        {PRIORITY_CRITICAL, 10, 0, 10},
    };

    for (unsigned i = 0; i < array_len(cases); i++) {
        struct crew *crew = crew_new(NULL, 1);
        unsigned taken = 0;

        crew->members[0].max_in_flight = cases[i].cap;
        crew_start(crew, "least_connections", i);
        atomic_store(&crew->live[0].limit, cases[i].limit);
        crew->ask.priority = cases[i].priority;
        while (taken < 20 && pool_take(crew->set, &crew->ask))
            taken++;
        assert_int_equal(taken, cases[i].takes);
        assert_int_equal(pool_look_for_room(crew->set, &crew->ask),
                         taken == 20 ? POOL_HAS_ROOM : POOL_IS_FULL);
        server_give(&crew->live[0]);
        assert_int_equal(pool_look_for_room(crew->set, &crew->ask), POOL_HAS_ROOM);
        crew_free(crew);
    }
}

static void test_a_limit_that_falls_cuts_nothing_and_lets_nobody_in(void **state)
{
    struct crew *crew = crew_new(NULL, 1);

    crew->members[0].max_in_flight = 10;
    crew_start(crew, "least_connections", 1);
    atomic_store(&crew->live[0].limit, 8);
    for (unsigned i = 0; i < 8; i++)
        assert_non_null(pool_take(crew->set, &crew->ask));
    atomic_store(&crew->live[0].limit, 4);
    for (unsigned i = 0; i < 5; i++) {
        assert_null(pool_take(crew->set, &crew->ask));
        server_give(&crew->live[0]);
    }
    assert_non_null(pool_take(crew->set, &crew->ask));
    assert_null(pool_take(crew->set, &crew->ask));
    crew_free(crew);
}

static void test_draining_servers_get_nothing_new(void **state)
{
    for (const struct balancer *const *row = balancers; *row; row++) {
        struct crew *crew = crew_new(NULL, 100);
        static unsigned counts[100];

        crew->members[7].is_draining = true;
        crew_start(crew, (*row)->name, 6);
        crew_count(crew, 2000, counts);
        assert_int_equal(counts[7], 0);
        crew_free(crew);
    }
}

static void test_empty_set(void **state)
{
    for (const struct balancer *const *row = balancers; *row; row++) {
        struct crew *crew = crew_new(NULL, 0);

        crew_start(crew, (*row)->name, 7);
        assert_int_equal(crew_pick(crew), -1);
        crew->set->when_all_down = ALL_DOWN_OPEN;
        assert_int_equal(crew_pick(crew), -1);
        crew_free(crew);
    }
    endpoint_set_free(NULL);
}

/* Whatever the state of the servers: who is picked may be picked, and if anybody may,
 * somebody is. */
static void test_all_balancers_on_random_states(void **state)
{
    struct rand rand;
    unsigned rows = 0;

    while (balancers[rows])
        rows++;
    rand_seed(&rand, 8);
    for (unsigned run = 0; run < 100 * rows; run++) {
        unsigned count = 1 + (unsigned)rand_below(&rand, 90);
        struct crew *crew = crew_new(NULL, count);
        bool is_backup_turn = true, may_any = false;

        for (unsigned i = 0; i < count; i++) {
            crew->members[i].weight = (unsigned)rand_below(&rand, 4);
            crew->members[i].is_backup = rand_below(&rand, 5) == 0;
            crew->members[i].max_in_flight = (unsigned)rand_below(&rand, 3);
        }
        crew_start(crew, balancers[run % rows]->name, rand_u64(&rand));
        for (unsigned i = 0; i < count; i++) {
            atomic_store(&crew->live[i].in_flight, rand_below(&rand, 3));
            if (rand_below(&rand, 10) < run % 11)
                crew_set_health(crew, i, HEALTH_DOWN);
        }
        for (unsigned i = 0; i < count; i++)
            if (ask_allows(&crew->ask, &crew->set->servers[i])) {
                may_any = true;
                is_backup_turn &= crew->set->servers[i].is_backup;
            }
        for (int i = 0; i < 5; i++) {
            const struct server *server = pool_pick(crew->set, &crew->ask);

            assert_int_equal(server != NULL, may_any);
            if (!server)
                continue;
            assert_true(ask_allows(&crew->ask, server));
            assert_int_equal(is_backup_turn, server->is_backup);
        }
        crew_free(crew);
    }
}

/* A server that warms up has the share that its part of the weight would give it. */
static void test_ramp_is_a_part_of_the_weight(void **state)
{
    static const unsigned weights[] = {4, 2, 2};
    static const char *const by_weight[] = {"weighted_round_robin", "random", NULL};

    for (const char *const *name = by_weight; *name; name++) {
        struct crew *crew = crew_new(weights, 3);
        unsigned counts[3];

        atomic_store(&crew->live[0].ramp, RAMP_FULL / 4);
        crew_start(crew, *name, 5);
        crew_count(crew, 20000, counts);
        for (unsigned i = 0; i < 3; i++)
            assert_share(counts[i], 20000, (i ? 2 : 1) / 5.0);
        crew_free(crew);
    }
}

/* Where all of them warm up, nobody is refused. */
static void test_all_ramps_are_low(void **state)
{
    for (const struct balancer *const *row = balancers; *row; row++) {
        struct crew *crew = crew_new(NULL, 3);
        unsigned counts[3];

        for (unsigned i = 0; i < 3; i++)
            atomic_store(&crew->live[i].ramp, 1);
        crew_start(crew, (*row)->name, 6);
        crew_count(crew, 300, counts);
        crew_free(crew);
    }
}

/* ---- clients who were here before ---- */

/* A crew of four for a pool that is sticky; the ids are 100, 101, ... */
static struct crew *sticky_crew(const char *balancer)
{
    static struct sticky sticky;
    struct crew *crew = crew_new(NULL, 4);

    for (unsigned i = 0; i < 4; i++)
        crew->live[i].id = 100 + i;
    crew->pool.sticky = &sticky;
    crew->members[3].is_draining = true;
    crew->members[2].weight = 0;
    crew->members[1].max_in_flight = 1;
    crew_start(crew, balancer, 7);
    return crew;
}

static void test_find_by_id(void **state)
{
    struct crew *crew = sticky_crew("random"), *plain = crew_new(NULL, 4);

    for (unsigned i = 0; i < 4; i++)
        assert_ptr_equal(endpoint_set_find(crew->set, 100 + i)->live, &crew->live[i]);
    assert_null(endpoint_set_find(crew->set, 99));
    assert_null(endpoint_set_find(crew->set, 104));
    crew_start(plain, "random", 1);
    assert_null(endpoint_set_find(plain->set, 0)); /* the pool is not sticky */
    crew_free(crew);
    crew_free(plain);
}

/* A wish is granted to whom nothing new would go, but not by who is down or full. */
static void test_wishes(void **state)
{
    for (const struct balancer *const *row = balancers; *row; row++) {
        struct crew *crew = sticky_crew((*row)->name);

        for (unsigned i = 0; i < 4; i++) {
            crew->ask.wish = endpoint_set_find(crew->set, 100 + i);
            assert_int_equal(crew_pick(crew), (int)i);
            crew_set_health(crew, i, HEALTH_DOWN);
            assert_int_not_equal(crew_pick(crew), (int)i);
            crew->ask.is_wish_all = true;
            assert_int_equal(crew_pick(crew), -1);
            crew->ask.is_wish_all = false;
            crew_set_health(crew, i, HEALTH_UP);
        }
        crew->ask.wish = endpoint_set_find(crew->set, 101);
        assert_true(server_take(crew->ask.wish, PRIORITY_NORMAL));
        assert_int_equal(crew_pick(crew), 0); /* the only other one for new ones */
        server_give(&crew->live[1]);
        ask_add_tried(&crew->ask, &crew->live[1]);
        assert_int_equal(crew_pick(crew), 0);
        crew_free(crew);
    }
}

/* The only server of the first tier drains: its own clients do not spill over to the
 * second one before the drain is over. */
static void test_wishes_and_drains(void **state)
{
    for (const struct balancer *const *row = balancers; *row; row++) {
        for (unsigned is_over = 0; is_over < 2; is_over++) {
            struct crew *crew = crew_new(NULL, 3);

            crew->pool.sticky = &(struct sticky){.by = STICKY_COOKIE};
            crew->pool.tiers = (struct tiering){1400, 50, PANIC_OPEN};
            crew->members[1].tier = crew->members[2].tier = 2;
            crew->members[0].tier = 1;
            crew->members[0].is_draining = true;
            crew->members[0].is_drained = is_over;
            for (unsigned i = 0; i < 3; i++)
                crew->live[i].id = 100 + i;
            crew_start(crew, (*row)->name, 1);
            (void)tiers_weigh(&crew->set->tiers);
            assert_int_not_equal(crew_pick(crew), 0);
            crew->ask.wish = endpoint_set_find(crew->set, 100);
            assert_non_null(crew->ask.wish);
            assert_int_equal(crew_pick(crew) == 0, !is_over);
            crew_set_health(crew, 1, HEALTH_DOWN);
            crew_set_health(crew, 2, HEALTH_DOWN);
            (void)tiers_weigh(&crew->set->tiers);
            assert_int_equal(crew_pick(crew) == 0, !is_over);
            crew_free(crew);
        }
    }
}

/* By the key alone, whatever the balancer is: the same key, the same server; of one that
 * goes only its own keys move. */
static void test_by_rendezvous(void **state)
{
    enum { KEYS = 300 };
    int before[KEYS];

    for (const struct balancer *const *row = balancers; *row; row++) {
        struct crew *crew = sticky_crew((*row)->name);
        unsigned counts[4] = {0};

        crew->ask.has_key = crew->ask.is_by_rendezvous = true;
        for (unsigned i = 0; i < KEYS; i++) {
            crew->ask.key = i * UINT64_C(0x9e3779b97f4a7c15);
            before[i] = crew_pick(crew);
            assert_int_equal(crew_pick(crew), before[i]);
            counts[before[i]]++;
        }
        assert_int_equal(counts[2] + counts[3], 0); /* nothing new */
        assert_in_range(counts[0], KEYS / 3, KEYS * 2 / 3);
        crew_set_health(crew, 0, HEALTH_DOWN);
        for (unsigned i = 0; i < KEYS; i++) {
            crew->ask.key = i * UINT64_C(0x9e3779b97f4a7c15);
            assert_int_equal(crew_pick(crew), 1);
        }
        crew_free(crew);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_copies_its_members),
        cmocka_unit_test(test_backups_only_in_need),
        cmocka_unit_test(test_open_when_all_are_down),
        cmocka_unit_test(test_open_does_not_mean_overfull),
        cmocka_unit_test(test_take_counts_up_to_the_cap),
        cmocka_unit_test(test_a_limit_holds_beside_the_cap),
        cmocka_unit_test(test_a_limit_that_falls_cuts_nothing_and_lets_nobody_in),
        cmocka_unit_test(test_draining_servers_get_nothing_new),
        cmocka_unit_test(test_empty_set),
        cmocka_unit_test(test_all_balancers_on_random_states),
        cmocka_unit_test(test_ramp_is_a_part_of_the_weight),
        cmocka_unit_test(test_all_ramps_are_low),
        cmocka_unit_test(test_find_by_id),
        cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_wishes_and_drains),
        cmocka_unit_test(test_by_rendezvous),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
