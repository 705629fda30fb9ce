/* Two servers asked for one answer: who wins, who is closed, what is given back. */
#include "proxy/hedge.c"

#include "proxy/test_house.h"

static int late, quick; /* the connections of the first and the second try */
static unsigned first, second;

static int hedged_client(const char *request)
{
    int client;

    house_build(2);
    house->route.hedges = HEDGE_BY_POOL;
    house->pool.hedge =
        (struct hedging){.is_enabled = true, .after = 20, .max_share = 100};
    house_open();
    client = client_new();
    say(client, request);
    late = server_take_any(&first);
    hear(late, "\r\n\r\n");
    return client;
}

static void take_second(void)
{
    quick = server_take_any(&second);
    assert_int_not_equal(first, second);
    hear(quick, "\r\n\r\n");
    assert_int_equal(house->pool_live.retries_in_flight, 1);
    assert_int_equal(house->servers[0].in_flight, 1);
    assert_int_equal(house->servers[1].in_flight, 1);
}

static void must_have_counted(enum hedge_result result)
{
    for (unsigned i = HEDGE_WON; i < HEDGE_RESULTS; i++)
        assert_int_equal(house->pool_shards[0].hedges[i], i == result);
    assert_int_equal(house->pool_shards[0].retries, 0);
    assert_int_equal(house->pool_live.retries_in_flight, 0);
}

static void test_second_wins(void **state)
{
    int client = hedged_client(GET);

    (void)state;
    take_second();
    say(quick, ANSWER(5, "quick"));
    hear(client, "\r\n\r\nquick");
    assert_true(hear_end(late) == ERR_EOF);
    must_have_counted(HEDGE_WON);
    for (unsigned i = 0; i < FAILURE_COUNT; i++)
        assert_int_equal(house->server_shards[first][0].failures[i], 0);
    say(client, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    close(client);
    house_close();
    close(late);
    close(quick);
}

static void test_first_wins(void **state)
{
    int client = hedged_client(GET);

    (void)state;
    take_second();
    say(late, ANSWER(4, "late"));
    hear(client, "\r\n\r\nlate");
    assert_true(hear_end(quick) == ERR_EOF);
    must_have_counted(HEDGE_LOST);
    close(client);
    house_close();
    close(late);
    close(quick);
}

/* Half a head is no head: both are read, and neither mixes into the other. */
static void test_heads_do_not_mix(void **state)
{
    int client = hedged_client(GET);

    (void)state;
    take_second();
    say(late, "HTTP/1.1 200 OK\r\nX-Who: late\r\nX-La");
    turns(5);
    say(quick, "HTTP/1.1 103 Early\r\nX-Who: quick\r\n\r\nHTTP/1.1 404 No\r\nX-Who: qu");
    turns(5);
    say(late, "te: 1\r\nContent-Length: 4\r\n\r\nlate");
    hear(client, "\r\n\r\nlate");
    assert_true(has_heard("X-Who: late"));
    assert_true(has_heard("X-Late: 1"));
    assert_false(has_heard("quick"));
    must_have_counted(HEDGE_LOST);
    close(client);
    house_close();
    close(late);
    close(quick);
}

static void test_first_fails_and_second_answers(void **state)
{
    int client = hedged_client(GET);

    (void)state;
    take_second();
    reset(late);
    turns(5);
    assert_int_equal(house->servers[first].in_flight, 0);
    say(quick, ANSWER(5, "quick"));
    hear(client, "\r\n\r\nquick");
    must_have_counted(HEDGE_WON);
    close(client);
    house_close();
    close(quick);
}

static void test_second_fails_and_first_answers(void **state)
{
    int client = hedged_client(GET);

    (void)state;
    take_second();
    say(quick, "220 no HTTP\r\n\r\n");
    assert_int_equal(hear_end(quick), ERR_EOF);
    assert_int_equal(house->server_shards[second][0].failures[FAILURE_INVALID], 1);
    say(late, ANSWER(4, "late"));
    hear(client, "\r\n\r\nlate");
    must_have_counted(HEDGE_FAILED);
    close(client);
    house_close();
    close(late);
    close(quick);
}

static void test_both_fail(void **state)
{
    int client = hedged_client(GET);

    (void)state;
    take_second();
    house->route.retries.count = 0;
    reset(late);
    turns(5);
    reset(quick);
    hear(client, "\r\n\r\n");
    assert_true(has_heard("HTTP/1.1 502 "));
    must_have_counted(HEDGE_FAILED);
    close(client);
    house_close();
}

static unsigned told_of[HOUSE_SERVERS];

static void note_failure(struct server_shard *own, const struct outcome *outcome)
{
    for (unsigned i = 0; i < HOUSE_SERVERS; i++)
        told_of[i] += own == house->server_shards[i] && outcome->has_failed;
}

static int pick_lowest(const struct tier *tier, const struct ask *ask)
{
    for (unsigned i = 0; i < tier->count; i++)
        if (ask_allows(ask, &tier->servers[i]))
            return (int)i;
    return -1;
}

static const struct balancer lowest = {
    .name = "lowest", .pick = pick_lowest, .learn = note_failure};

/* Chosen in their order, so that who was asked already would be asked again. */
static int lowest_first_client(void)
{
    int client;

    house_build(3);
    house->route.hedges = HEDGE_BY_POOL;
    house->pool.hedge =
        (struct hedging){.is_enabled = true, .after = 20, .max_share = 100};
    house->pool.balancer = &lowest;
    house->pool.is_timed = true;
    memset(told_of, 0, sizeof told_of);
    house_open();
    client = client_new();
    say(client, GET);
    late = server_take_any(&first);
    hear(late, "\r\n\r\n");
    assert_int_equal(first, 0);
    return client;
}

static void test_retry_goes_to_who_was_not_hedged_with(void **state)
{
    for (unsigned is_alone = 0; is_alone < 2; is_alone++) {
        int client = lowest_first_client();
        unsigned third;
        int other;

        (void)state;
        take_second();
        reset(is_alone ? late : quick);
        turns(5);
        reset(is_alone ? quick : late);
        other = server_take_any(&third);
        assert_int_equal(third, 2);
        hear(other, "\r\n\r\n");
        say(other, ANSWER(5, "third"));
        hear(client, "\r\n\r\nthird");
        assert_int_equal(told_of[0], 1);
        assert_int_equal(told_of[1], 1);
        close(client);
        house_close();
        close(other);
    }
}

static void test_refused_beside_the_first(void **state)
{
    int client = lowest_first_client();

    (void)state;
    close(house->listening[1]);
    house->listening[1] = -1;
    for (unsigned i = 0; i < PATIENCE && !house->pool_shards[0].hedges[HEDGE_FAILED]; i++)
        turns(1);
    assert_int_equal(house->pool_shards[0].hedges[HEDGE_FAILED], 1);
    assert_int_equal(house->servers[1].connect_failures, 1);
    assert_int_equal(told_of[1], 1);
    say(late, ANSWER(4, "late"));
    hear(client, "\r\n\r\nlate");
    assert_int_equal(told_of[0], 0);
    close(client);
    house_close();
    close(late);
}

/* The second one's link was kept from the request before, and breaks as it is used. */
static void test_kept_link_breaks_beside_the_first(void **state)
{
    int client = lowest_first_client();

    (void)state;
    house->pool.learns = true;
    take_second();
    say(quick, ANSWER(5, "quick"));
    hear(client, "\r\n\r\nquick");
    close(late);
    turns(2);
    assert_int_equal(house->server_desks[1][0].idle_count, 1);
    say(client, GET);
    late = server_take_one(0);
    hear(late, "\r\n\r\n");
    hear(quick, "\r\n\r\n");
    reset(quick);
    for (unsigned i = 0; i < PATIENCE && !house->pool_shards[0].hedges[HEDGE_FAILED]; i++)
        turns(1);
    assert_int_equal(house->server_shards[1][0].failures[FAILURE_CLOSED], 1);
    assert_int_equal(house->server_shards[1][0].bad, 0);
    assert_int_equal(told_of[1], 0);
    say(late, ANSWER(4, "late"));
    hear(client, "\r\n\r\nlate");
    close(client);
    house_close();
    close(late);
}

/* A head that does not fit into the buffer it has, and no larger one may be taken. */
static void test_own_lack_is_nobodys_failure(void **state)
{
    static char part[CHUNK_SMALL + 1];

    (void)state;
    memset(part, 'x', CHUNK_SMALL);
    for (unsigned is_alone = 0; is_alone < 2; is_alone++) {
        int client = lowest_first_client();

        house->pool.learns = true;
        take_second();
        if (is_alone)
            reset(late);
        turns(5);
        house->worker.engine.memory_most = 1;
        say(quick, "HTTP/1.1 200 OK\r\nX-Long: ");
        say(quick, part);
        (void)hear_end(quick);
        house->worker.engine.memory_most = 0;
        assert_int_equal(house->server_shards[1][0].failures[FAILURE_CLOSED], 0);
        assert_int_equal(house->server_shards[1][0].bad, 0);
        assert_int_equal(told_of[1], 0);
        if (!is_alone)
            say(late, ANSWER(4, "late"));
        hear(client, is_alone ? "503" : "\r\n\r\nlate");
        must_have_counted(HEDGE_FAILED);
        close(client);
        house_close();
        close(quick);
        if (!is_alone)
            close(late);
    }
}

/* What is left is its server, which has not failed; the other try goes on, or a third. */
static void test_its_server_is_left(void **state)
{
    (void)state;
    for (unsigned is_alone = 0; is_alone < 2; is_alone++) {
        int client = lowest_first_client(), other = late;

        house->pool.learns = true;
        take_second();
        if (is_alone)
            reset(late);
        turns(5);
        worker_cut_server(&house->worker, &house->servers[1]);
        assert_int_equal(hear_end(quick), ERR_EOF);
        assert_int_equal(house->server_shards[1][0].failures[FAILURE_CLOSED], 0);
        assert_int_equal(house->server_shards[1][0].bad, 0);
        assert_int_equal(told_of[1], 0);
        if (is_alone) {
            other = server_take_one(2);
            hear(other, "\r\n\r\n");
        }
        say(other, ANSWER(5, "other"));
        hear(client, "\r\n\r\nother");
        close(client);
        house_close();
        close(other);
        close(quick);
    }
}

static void test_client_leaves(void **state)
{
    int client = hedged_client(GET);

    (void)state;
    take_second();
    reset(client);
    assert_int_equal(hear_end(late), ERR_EOF);
    assert_int_equal(hear_end(quick), ERR_EOF);
    must_have_counted(HEDGE_LOST);
    house_close();
    close(late);
    close(quick);
}

static void test_never_hedged(void **state)
{
    static const char *const requests[] = {
        "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
        "PATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
    };

    (void)state;
    for (unsigned i = 0; i < array_len(requests); i++) {
        int client = hedged_client(requests[i]);

        turns(20);
        assert_false(is_waiting(house->listening[1 - first]));
        must_have_counted(HEDGE_NONE);
        say(late, ANSWER(4, "late"));
        hear(client, "\r\n\r\nlate");
        close(client);
        house_close();
        close(late);
    }
}

static void test_not_without_budget(void **state)
{
    int client;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        house_build(2);
        house->route.hedges = HEDGE_BY_POOL;
        house->pool.hedge =
            (struct hedging){.is_enabled = true, .after = 20, .max_share = i ? 99 : 100};
        house->pool.retries.budget_floor = i ? 3 : 0;
        house_open();
        client = client_new();
        say(client, GET);
        late = server_take_any(&first);
        hear(late, "\r\n\r\n");
        turns(20);
        assert_false(is_waiting(house->listening[1 - first]));
        must_have_counted(HEDGE_NONE);
        close(client);
        house_close();
        close(late);
    }
}

/* The route's own word counts, with its own book; a pool of a split that has none. */
static void test_whose_word(void **state)
{
    static const struct {
        enum hedge_by by;
        bool pool_hedges, is_hedged;
    } cases[] = {
        {HEDGE_BY_ROUTE, false, true}, {HEDGE_BY_ROUTE, true, true},
        {HEDGE_NEVER, true, false},    {HEDGE_BY_POOL, false, false},
        {HEDGE_BY_POOL, true, true},
    };

    (void)state;
    for (unsigned i = 0; i < array_len(cases); i++) {
        bool by_route = cases[i].by == HEDGE_BY_ROUTE;
        struct hedging early = {.is_enabled = true, .after = 20, .max_share = 100};
        struct hedging never = {.is_enabled = true, .after = 60000, .max_share = 100};
        int client;

        house_build(2);
        house->route.hedges = cases[i].by;
        house->route.hedge = early;
        house->pool.hedge = by_route ? never : early;
        house->pool.hedge.is_enabled = cases[i].pool_hedges;
        house_open();
        client = client_new();
        say(client, GET);
        late = server_take_any(&first);
        hear(late, "\r\n\r\n");
        if (cases[i].is_hedged) {
            take_second();
        } else {
            turns(20);
            assert_false(is_waiting(house->listening[1 - first]));
        }
        say(late, ANSWER(4, "late"));
        hear(client, "\r\n\r\nlate");
        must_have_counted(cases[i].is_hedged ? HEDGE_LOST : HEDGE_NONE);
        assert_int_equal(house->route_desks[0].hedges.samples,
                         cases[i].is_hedged && by_route);
        assert_int_equal(house->pool_desks[0].hedges.samples,
                         cases[i].is_hedged && !by_route);
        close(client);
        house_close();
        close(late);
        if (cases[i].is_hedged)
            close(quick);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_wins),
        cmocka_unit_test(test_first_wins),
        cmocka_unit_test(test_heads_do_not_mix),
        cmocka_unit_test(test_first_fails_and_second_answers),
        cmocka_unit_test(test_second_fails_and_first_answers),
        cmocka_unit_test(test_both_fail),
        cmocka_unit_test(test_retry_goes_to_who_was_not_hedged_with),
        cmocka_unit_test(test_refused_beside_the_first),
        cmocka_unit_test(test_kept_link_breaks_beside_the_first),
        cmocka_unit_test(test_own_lack_is_nobodys_failure),
        cmocka_unit_test(test_its_server_is_left),
        cmocka_unit_test(test_client_leaves),
        cmocka_unit_test(test_never_hedged),
        cmocka_unit_test(test_not_without_budget),
        cmocka_unit_test(test_whose_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
