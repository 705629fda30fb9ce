/*
 * Choosing by a key: the same key the same server, whoever asks; few keys moved by a
 * change, next to what a modulo would do; shares by weight; nobody above the bound.
 */
#include "lb/consistent.c"

#include "lb/test_crew.h"

enum { KEYS = 20000 };

static const enum hash_table tables[] = {TABLE_RING, TABLE_MAGLEV, TABLE_RENDEZVOUS};

#define each_table(table)                  \
    const enum hash_table *table = tables; \
    table < tables + array_len(tables);    \
    table++

static uint64_t key_at(unsigned i)
{
    return hash_u64(i + 1);
}

static int pick_key(struct crew *crew, uint64_t key)
{
    crew->ask.has_key = true;
    crew->ask.key = key;
    return crew_pick(crew);
}

static struct crew *crew_hashed(enum hash_table table, const unsigned *weights,
                                unsigned count)
{
    struct crew *crew = crew_new(weights, count);

    crew->pool.balance.table = table;
    return crew;
}

static struct crew *crew_begun(enum hash_table table, const unsigned *weights,
                               unsigned count)
{
    struct crew *crew = crew_hashed(table, weights, count);

    crew_start(crew, "consistent_hash", 1);
    return crew;
}

/* Where each key goes, by the port of the server. */
static void map_keys(struct crew *crew, int *servers)
{
    for (unsigned i = 0; i < KEYS; i++) {
        int at = pick_key(crew, key_at(i));

        assert_true(at >= 0);
        servers[i] = crew->members[at].addr.port;
    }
}

static unsigned moved(const int *before, const int *after)
{
    unsigned count = 0;

    for (unsigned i = 0; i < KEYS; i++)
        count += before[i] != after[i];
    return count;
}

/* Another worker, another order in the file: nothing but key and servers counts. */
static void test_the_same_for_all(void **state)
{
    static int one[KEYS], other[KEYS];

    for (each_table(table)) {
        static const unsigned weights[] = {3, 1, 2, 5, 1, 1, 4};
        struct crew *crew = crew_begun(*table, weights, 7);
        struct crew *turned = crew_hashed(*table, NULL, 7);

        for (unsigned i = 0; i < 7; i++) {
            turned->members[i] = crew->members[6 - i];
            turned->members[i].live = &turned->live[i];
        }
        crew_start(turned, "consistent_hash", 99);
        map_keys(crew, one);
        map_keys(crew, other);
        assert_int_equal(moved(one, other), 0);
        map_keys(turned, other);
        assert_int_equal(moved(one, other), 0);
        crew_free(turned);
        crew_free(crew);
    }
}

/* Written down: another version of weir beside this one must choose as it does. */
static void test_the_same_for_ever(void **state)
{
    static const char expected[][17] = {"edfcegefgfffbcdf", "fhfhegfdacaegbgc",
                                        "chffcdfdeaadfeec"};

    for (size_t i = 0; i < array_len(tables); i++) {
        struct crew *crew = crew_begun(tables[i], NULL, 8);
        char seen[17] = "";

        for (unsigned j = 0; j < 16; j++)
            seen[j] = (char)('a' + pick_key(crew, key_at(j)));
        assert_string_equal(seen, expected[i]);
        crew_free(crew);
    }
}

/*
 * One joins n others. Keys may move to it and nowhere else, and about 1 in n + 1 do: by
 * the ring as many as its points took (5 standard deviations of 150 points), by
 * rendezvous what chance says, by maglev 1 in 50 of all besides. A modulo moves
 * n in n + 1.
 */
static void assert_join(enum hash_table table, unsigned n)
{
    static int before[KEYS], after[KEYS];
    struct crew *crew = crew_begun(table, NULL, n);
    struct crew *grown = crew_begun(table, NULL, n + 1);
    unsigned to_others = 0, by_modulo = 0;
    double share;

    map_keys(crew, before);
    map_keys(grown, after);
    for (unsigned i = 0; i < KEYS; i++) {
        to_others += before[i] != after[i] && after[i] != (int)n + 1;
        by_modulo += key_at(i) % n != key_at(i) % (n + 1);
    }
    share = (double)moved(before, after) / KEYS;
    assert_true(by_modulo > KEYS * ((double)n / (n + 1) - 0.02));
    if (table == TABLE_MAGLEV)
        assert_true(share < 1.0 / (n + 1) + 0.02);
    else
        assert_int_equal(to_others, 0);
    if (table == TABLE_RING)
        assert_true(share < 1.0 / (n + 1) * (1 + 5 / 12.2));
    if (table == TABLE_RENDEZVOUS)
        assert_share(moved(before, after), KEYS, 1.0 / (n + 1));
    crew_free(grown);
    crew_free(crew);
}

static void test_few_keys_move_when_one_joins(void **state)
{
    static const unsigned sizes[] = {1, 2, 4, 10, 50};

    for (each_table(table))
        for (size_t i = 0; i < array_len(sizes); i++)
            assert_join(*table, sizes[i]);
}

/* Down, full, drained by hand or tried: its keys go to all the others, no other key moves,
 * and when it is back all is as it was. */
static void test_only_the_keys_of_the_dead_move(void **state)
{
    static int before[KEYS], while_down[KEYS], after[KEYS];

    for (each_table(table)) {
        struct crew *crew = crew_begun(*table, NULL, 8);
        unsigned taken[9] = {0};

        map_keys(crew, before);
        crew_set_health(crew, 2, HEALTH_DOWN);
        map_keys(crew, while_down);
        for (unsigned i = 0; i < KEYS; i++) {
            if (before[i] == 3)
                taken[while_down[i]]++;
            else
                assert_int_equal(while_down[i], before[i]);
        }
        assert_int_equal(taken[3], 0);
        for (unsigned port = 1; port <= 8; port++)
            assert_true(port == 3 || taken[port] > KEYS / 8 / 7 / 4);
        crew_set_health(crew, 2, HEALTH_UP);
        map_keys(crew, after);
        assert_int_equal(moved(before, after), 0);
        crew_free(crew);
    }
}

/* By the ring and by rendezvous it makes no difference whether a server is down or gone. */
static void test_down_is_as_gone(void **state)
{
    static int down[KEYS], gone[KEYS];

    for (each_table(table)) {
        struct crew *crew = crew_begun(*table, NULL, 6);
        struct crew *less = crew_begun(*table, NULL, 5);

        crew_set_health(crew, 5, HEALTH_DOWN);
        map_keys(crew, down);
        map_keys(less, gone);
        assert_true(*table == TABLE_MAGLEV || moved(down, gone) == 0);
        crew_free(less);
        crew_free(crew);
    }
}

static void test_shares_by_weight(void **state)
{
    static const unsigned weights[] = {1, 2, 0, 3, 4};
    static int servers[KEYS];

    for (each_table(table)) {
        struct crew *crew = crew_begun(*table, weights, 5);
        unsigned counts[5] = {0};

        map_keys(crew, servers);
        for (unsigned i = 0; i < KEYS; i++)
            counts[servers[i] - 1]++;
        for (unsigned i = 0; i < 5; i++) {
            double share = weights[i] / 10.0, seen = (double)counts[i] / KEYS;

            if (*table != TABLE_RING) /* a slot more or less is far below chance */
                assert_share(counts[i], KEYS, share);
            else /* 5 standard deviations of so many points */
                assert_in_range(10000 * seen, 10000 * share * (1 - 5 / 12.2),
                                10000 * share * (1 + 5 / 12.2));
        }
        crew_free(crew);
    }
}

static void test_without_a_key_weights_decide(void **state)
{
    static const unsigned weights[] = {5, 3, 0, 2};

    for (each_table(table)) {
        struct crew *crew = crew_begun(*table, weights, 4);
        unsigned counts[4];

        crew_count(crew, 20000, counts);
        for (unsigned i = 0; i < 4; i++)
            assert_share(counts[i], 20000, weights[i] / 10.0);
        crew_free(crew);
    }
}

/* As it warms up it takes more of its keys, and none that it has taken leaves again. */
static void test_warming_up_key_by_key(void **state)
{
    static int cold[KEYS], warm[KEYS], full[KEYS];

    for (each_table(table)) {
        struct crew *crew = crew_begun(*table, NULL, 4);
        unsigned of_full = 0;

        map_keys(crew, full);
        for (unsigned i = 0; i < KEYS; i++)
            cold[i] = 0;
        for (unsigned ramp = RAMP_FULL / 8; ramp <= RAMP_FULL; ramp += RAMP_FULL / 8) {
            of_full = 0;
            atomic_store(&crew->live[1].ramp, ramp);
            map_keys(crew, warm);
            for (unsigned i = 0; i < KEYS; i++) {
                of_full += warm[i] == 2;
                assert_true(cold[i] != 2 || warm[i] == 2);
                assert_true(warm[i] != 2 || full[i] == 2);
                assert_true(full[i] == 2 || warm[i] == full[i]);
                cold[i] = warm[i];
            }
            if (ramp == RAMP_FULL / 2)
                assert_in_range(of_full, KEYS / 4 * 4 / 10, KEYS / 4 * 7 / 10);
        }
        assert_int_equal(moved(warm, full), 0);
        crew_free(crew);
    }
}

/* ---- bounded load ---- */

enum { IN_FLIGHT = 400, RANKS = 1000 };

/* Keys of which the i-th is asked for 1 / i as often as the first (Zipf). */
static uint64_t zipf_key(struct rand *rand)
{
    static double sums[RANKS];
    double at;
    unsigned i = 0;

    if (sums[0] == 0)
        for (unsigned rank = 0; rank < RANKS; rank++)
            sums[rank] = (rank ? sums[rank - 1] : 0) + 1.0 / (rank + 1);
    at = (double)(rand_u64(rand) >> 11) / 9007199254740992.0 * sums[RANKS - 1];
    while (i + 1 < RANKS && sums[i] < at)
        i++;
    return key_at(i);
}

/* A request comes and goes to a server that was below its bound with it. */
static int bounded_request(struct crew *crew, unsigned in_flight, const unsigned *weights,
                           unsigned total)
{
    double fair;
    int at;

    crew->ask.in_flight = in_flight;
    at = pick_key(crew, zipf_key(&crew->rand));
    assert_true(at >= 0);
    atomic_fetch_add(&crew->live[at].in_flight, 1);
    fair = (double)in_flight * (weights ? weights[at] : 1) / total;
    if (crew->live[at].in_flight >= 1.25 * fair + 1)
        fail_msg("%u in flight, fair %.2f", crew->live[at].in_flight, fair);
    return at;
}

/* Requests come by popular keys and end by chance: nobody is ever above 1.25 times its
 * share, rounded up, though one key alone would put more than that on its server. */
static void bounded(enum hash_table table, const unsigned *weights, unsigned count)
{
    static int running[IN_FLIGHT];
    struct crew *crew = crew_hashed(table, weights, count);
    unsigned total = 0, at_home = 0, asked = 0;

    for (unsigned i = 0; i < count; i++)
        total += weights ? weights[i] : 1;
    crew->pool.balance.bound = 1250;
    crew_start(crew, "consistent_hash", 7);
    for (unsigned i = 0; i < IN_FLIGHT; i++)
        running[i] = bounded_request(crew, i + 1, weights, total);
    for (unsigned i = 0; i < 20 * IN_FLIGHT; i++) {
        unsigned ends = (unsigned)rand_below(&crew->rand, IN_FLIGHT);

        atomic_fetch_sub(&crew->live[running[ends]].in_flight, 1);
        running[ends] = bounded_request(crew, IN_FLIGHT, weights, total);
        crew->set->balance.bound = 0;
        at_home += crew_pick(crew) == running[ends];
        crew->set->balance.bound = 1250;
        asked++;
    }
    assert_true(at_home > asked / 2);
    crew_free(crew);
}

static void test_nobody_is_above_the_bound(void **state)
{
    static const unsigned weights[] = {1, 2, 3, 4, 5, 1, 2, 3};

    for (each_table(table)) {
        bounded(*table, NULL, 4);
        bounded(*table, weights, 8);
        bounded(*table, NULL, 40); /* counted a few at a time */
    }
}

/* What one server cannot take is spread over all, not heaped on one neighbour. */
static void test_overflow_is_spread(void **state)
{
    for (each_table(table)) {
        struct crew *crew = crew_hashed(*table, NULL, 10);
        unsigned counts[10] = {0}, keys = 0;

        crew->pool.balance.bound = 1250;
        crew_start(crew, "consistent_hash", 3);
        crew->ask.in_flight = 100;
        for (unsigned i = 0; i < KEYS; i++) {
            int home;

            atomic_store(&crew->live[0].in_flight, 0);
            home = pick_key(crew, key_at(i));
            if (home != 0)
                continue;
            atomic_store(&crew->live[0].in_flight, 50);
            counts[pick_key(crew, key_at(i))]++;
            assert_int_equal(crew_pick(crew), crew_pick(crew));
            keys++;
        }
        assert_int_equal(counts[0], 0);
        for (unsigned i = 1; i < 10; i++)
            assert_in_range(counts[i], keys / 9 / 2, keys / 9 * 2);
        crew_free(crew);
    }
}

/* ---- who may not be chosen ---- */

enum trouble {
    TROUBLE_NONE,
    TROUBLE_DOWN,
    TROUBLE_DRAINING,
    TROUBLE_FULL,
    TROUBLE_TRIED,
    TROUBLE_WEIGHT_0,
    TROUBLE_COLD,
    TROUBLE_BUSY,
    TROUBLE_COUNT,
};

static void make_trouble(struct crew *crew, unsigned i, enum trouble trouble)
{
    crew->members[i].weight = trouble != TROUBLE_WEIGHT_0;
    crew->members[i].is_draining = trouble == TROUBLE_DRAINING;
    crew->members[i].max_in_flight = trouble == TROUBLE_FULL ? 3 : 0;
    if (trouble == TROUBLE_DOWN)
        crew_set_health(crew, i, HEALTH_DOWN);
    if (trouble == TROUBLE_FULL)
        atomic_store(&crew->live[i].in_flight, 3);
    if (trouble == TROUBLE_BUSY)
        atomic_store(&crew->live[i].in_flight, 30);
    if (trouble == TROUBLE_COLD)
        atomic_store(&crew->live[i].ramp, 1);
}

static void assert_chosen_well(enum hash_table table, unsigned combination)
{
    enum { SERVERS = 4 };
    struct crew *crew = crew_hashed(table, NULL, SERVERS);
    bool is_allowed[SERVERS], is_any = false;

    crew->pool.balance.bound = 1250;
    for (unsigned i = 0, rest = combination; i < SERVERS; i++, rest /= TROUBLE_COUNT)
        make_trouble(crew, i, rest % TROUBLE_COUNT);
    crew_start(crew, "consistent_hash", 5);
    for (unsigned i = 0, rest = combination; i < SERVERS; i++, rest /= TROUBLE_COUNT)
        if (rest % TROUBLE_COUNT == TROUBLE_TRIED)
            ask_add_tried(&crew->ask, &crew->live[i]);
    crew->ask.in_flight = 40;
    for (unsigned i = 0; i < SERVERS; i++) {
        const struct server *server = &crew->set->servers[i];

        is_allowed[server->live - crew->live] = ask_allows(&crew->ask, server);
        is_any |= ask_allows(&crew->ask, server);
    }
    for (unsigned i = 0; i < 20; i++) {
        int at = pick_key(crew, key_at(i));

        if (is_any ? at < 0 || !is_allowed[at] : at >= 0)
            fail_msg("%o gives %d", combination, at);
    }
    crew->ask.has_key = false;
    assert_int_equal(crew_pick(crew) >= 0, is_any);
    crew_free(crew);
}

static void test_nobody_who_may_not_is_chosen(void **state)
{
    for (unsigned i = 0;
         i < TROUBLE_COUNT * TROUBLE_COUNT * TROUBLE_COUNT * TROUBLE_COUNT; i++) {
        assert_chosen_well(TABLE_RENDEZVOUS, i);
        if (i % 7 == 0)
            assert_chosen_well(TABLE_RING, i);
        if (i % 401 == 0) /* its table takes its time */
            assert_chosen_well(TABLE_MAGLEV, i);
    }
}

static void test_the_last_of_a_thousand(void **state)
{
    for (each_table(table)) {
        struct crew *crew = crew_hashed(*table, NULL, CREW_MOST);

        crew->pool.balance.bound = 1250;
        crew_start(crew, "consistent_hash", 1);
        for (unsigned i = 0; i < CREW_MOST; i++)
            crew_set_health(crew, i, i == 777 ? HEALTH_UP : HEALTH_DOWN);
        for (unsigned i = 0; i < 20; i++)
            assert_int_equal(pick_key(crew, key_at(i)), 777);
        crew->ask.in_flight = 6; /* above its bound, and yet there is no other */
        atomic_store(&crew->live[777].in_flight, 5);
        assert_int_equal(pick_key(crew, key_at(0)), 777);
        crew_free(crew);
    }
}

static void test_ip_hash_has_no_bound(void **state)
{
    struct crew *crew = crew_hashed(TABLE_RING, NULL, 4);
    int home;

    crew_start(crew, "ip_hash", 1);
    crew->ask.in_flight = 1001;
    home = pick_key(crew, key_at(1));
    atomic_store(&crew->live[home].in_flight, 1000);
    assert_int_equal(pick_key(crew, key_at(1)), home);
    crew_free(crew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_for_all),
        cmocka_unit_test(test_the_same_for_ever),
        cmocka_unit_test(test_few_keys_move_when_one_joins),
        cmocka_unit_test(test_only_the_keys_of_the_dead_move),
        cmocka_unit_test(test_down_is_as_gone),
        cmocka_unit_test(test_shares_by_weight),
        cmocka_unit_test(test_without_a_key_weights_decide),
        cmocka_unit_test(test_warming_up_key_by_key),
        cmocka_unit_test(test_nobody_is_above_the_bound),
        cmocka_unit_test(test_overflow_is_spread),
        cmocka_unit_test(test_nobody_who_may_not_is_chosen),
        cmocka_unit_test(test_the_last_of_a_thousand),
        cmocka_unit_test(test_ip_hash_has_no_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
