/* Who waits for a place while another thread's clock is ahead, between real sockets. */
#include "proxy/waiting.c"

#include "proxy/test_house.h"

#include "guard/breaker.h"

enum { OPEN_MS = 40, STALL_MS = 80 };

static const struct breaker breaker = {
    .failures = 1, .window = 1000, .open = 1000, .half_open = 1, .close_after = 1};
static int busy, called[3];

static void moved(struct steward_desk *desk, const struct circuit_news *news)
{
    (void)desk;
    (void)news;
}

/* Server 1 has no place; the breaker of server 0 is open. A third one has one place. */
static void open_house(unsigned servers)
{
    struct circuit_view view = {.state = CIRCUIT_OPEN, .round = 1};

    house_build(servers);
    house->steward.circuit_moved = moved;
    house->pool.queue = (struct queueing){true, 100, 60000, 0};
    house->pool.breaker = &breaker;
    house->pool.learns = true;
    house->route.timeouts.response = 60000;
    house_open();
    waiting_desks_new(&house->pool_live, &house->worker, 1);
    atomic_store(&house->servers[0].circuit.word, circuit_pack(&view));
    circuit_set_wait(&house->servers[0].circuit, 1, UINT32_MAX);
    for (unsigned i = 1; i < servers; i++)
        ((struct server *)(uintptr_t)house->pool_desks[0].set->servers)[i].max_in_flight =
            1;
    atomic_store(&house->servers[2].health, HEALTH_DOWN);
    busy = client_new();
    say(busy, GET);
    called[1] = server_take_one(1);
    hear(called[1], "\r\n\r\n");
    atomic_store(&house->servers[2].health, HEALTH_UP);
}

static void may_be_tried_soon(void)
{
    atomic_store(&house->servers[0].circuit.until, 0);
    circuit_set_wait(&house->servers[0].circuit, 1, sys_now() / 1000000 + OPEN_MS);
}

static void server_is_tried(int client)
{
    called[0] = server_take_one(0);
    hear(called[0], "\r\n\r\n");
    say(called[0], ANSWER(2, "ok"));
    hear(client, "ok");
    say(called[1], ANSWER(4, "late"));
    hear(busy, "late");
    close(client);
    close(busy);
    close(called[0]);
    close(called[1]);
}

static void close_house(void)
{
    waiting_desks_stop(&house->pool_live);
    waiting_desks_free(&house->pool_live);
    house_close();
}

/* The word is opened in a turn that began before the moment that it is about. */
static void test_a_word_younger_than_the_turn(void **state)
{
    int client;

    (void)state;
    open_house(2);
    client = client_new();
    say(client, GET);
    turns(3);
    assert_int_equal(house->pool_live.waiting, 1);
    may_be_tried_soon();
    turn();
    usleep(STALL_MS * 1000);
    waiting_tell_all(&house->pool_live);
    mailbox_open(&house->worker.engine.loop.mailbox);
    server_is_tried(client);
    close_house();
}

static void stall(struct watch *watch, unsigned ready)
{
    char c;

    (void)ready;
    assert_int_equal(read(watch->fd, &c, 1), 1);
    usleep(STALL_MS * 1000);
}

/* The word was for all who waited when it was given; who comes in such a turn hears none. */
static void test_who_begins_to_wait_in_an_old_turn(void **state)
{
    struct loop *loop;
    struct watch watch;
    int client, ends[2];

    (void)state;
    open_house(2);
    loop = &house->worker.engine.loop;
    assert_int_equal(pipe(ends), 0);
    watch_init(&watch, ends[0], stall);
    assert_int_equal(loop_watch(loop, &watch), ERR_OK);
    client = client_new();
    turns(3);
    may_be_tried_soon();
    assert_int_equal(write(ends[1], "x", 1), 1);
    say(client, GET);
    server_is_tried(client);
    loop_unwatch(loop, &watch);
    close(ends[0]);
    close(ends[1]);
    close_house();
}

static void stall_and_tell(struct watch *watch, unsigned ready)
{
    stall(watch, ready);
    waiting_tell_all(&house->pool_live);
}

/* The word comes while it stands in the queue; it steps aside later in that turn. */
static void test_who_steps_aside_in_an_old_turn(void **state)
{
    struct watch watch;
    int client, next, first, ends[2];

    (void)state;
    open_house(3);
    house->route.retries.on_errors = RETRY_429;
    assert_int_equal(pipe(ends), 0);
    watch_init(&watch, ends[0], stall_and_tell);
    assert_int_equal(loop_watch(&house->worker.engine.loop, &watch), ERR_OK);
    client = client_new();
    say(client, GET);
    called[2] = server_take_one(2);
    hear(called[2], "\r\n\r\n");
    next = client_new();
    say(next, GET);
    turns(3);
    assert_int_equal(house->pool_live.waiting, 1);
    say(called[2], "HTTP/1.1 429 Later\r\nContent-Length: 0\r\n\r\n");
    first = called[2]; /* the next one has its place, and its client waits for another */
    called[2] = server_take_one(2);
    hear(called[2], "\r\n\r\n");
    assert_int_equal(house->pool_live.waiting, 1);
    may_be_tried_soon();
    say(called[2], ANSWER(4, "next"));
    usleep(500);
    assert_int_equal(write(ends[1], "x", 1), 1);
    hear(next, "next");
    server_is_tried(client);
    loop_unwatch(&house->worker.engine.loop, &watch);
    close(ends[0]);
    close(ends[1]);
    close(next);
    close(first);
    close(called[2]);
    close_house();
}

/* ---- those aside ---- */

#define BAD "GET /bad HTTP/1.1\r\nHost: a\r\n\r\n"
#define LATER "HTTP/1.1 429 Later\r\nContent-Length: 0\r\n\r\n"

/* Server 0 has room for all, server 1 is busy: whom 0 has failed wants 1. */
static void open_lopsided(unsigned size)
{
    house_build(2);
    house->pool.queue = (struct queueing){true, size, 60000, 0};
    house->pool.retries = (struct retries){.budget_share = 100, .budget_floor = 100};
    house->route.retries.on_errors = RETRY_429;
    house->route.retries.count = 1;
    house->route.timeouts.response = 60000;
    house_open();
    waiting_desks_new(&house->pool_live, &house->worker, 1);
    ((struct server *)(uintptr_t)house->pool_desks[0].set->servers)[1].max_in_flight = 1;
    atomic_store(&house->servers[0].health, HEALTH_DOWN);
    busy = client_new();
    say(busy, GET);
    called[1] = server_take_one(1);
    hear(called[1], "\r\n\r\n");
    atomic_store(&house->servers[0].health, HEALTH_UP);
}

/* A request that server 0 fails. */
static int fail_one(void)
{
    int client = client_new();

    say(client, BAD);
    called[0] = server_take_one(0);
    hear(called[0], "\r\n\r\n");
    say(called[0], LATER);
    turns(3);
    close(called[0]);
    return client;
}

static void server_0_answers(int client, const char *request)
{
    called[0] = server_take_one(0);
    hear(called[0], request);
    say(called[0], ANSWER(5, "quick"));
    hear(client, "quick");
    close(called[0]);
    close(client);
}

static void server_1_answers_who_stands_aside(int client)
{
    say(called[1], ANSWER(4, "busy"));
    hear(busy, "busy");
    hear(called[1], "/bad");
    say(called[1], ANSWER(5, "other"));
    hear(client, "other");
    close(client);
    close(busy);
    close(called[1]);
    turns(3);
    assert_int_equal(house->pool_live.waiting, 0);
    assert_int_equal(house->pool_live.aside, 0);
}

static void test_those_aside_leave_the_queue_to_others(void **state)
{
    int client, next;

    (void)state;
    open_lopsided(1);
    client = fail_one();
    assert_int_equal(house->pool_live.waiting, 1);
    next = client_new();
    say(next, GET);
    server_0_answers(next, "GET / ");
    assert_int_equal(house->pool_live.waiting, 1);
    server_1_answers_who_stands_aside(client);
    close_house();
}

/* One more finds no room there: it has the server again that has failed it. */
static void test_only_so_many_stand_aside(void **state)
{
    int client, next;

    (void)state;
    open_lopsided(1);
    client = fail_one();
    next = fail_one();
    server_0_answers(next, "/bad");
    assert_int_equal(house->pool_live.aside, 1);
    server_1_answers_who_stands_aside(client);
    close_house();
}

static void stays_where_it_is(struct wait *wait)
{
    wait->state = WAIT_QUEUED;
}

/* Who stood there before had tried both: what is nothing to him is something to the next. */
static void test_who_has_tried_less_hears_of_more(void **state)
{
    struct wait before = {.call = stays_where_it_is, .waiter.rank = RANK_NORMAL};
    struct waiting_desk *desk;
    struct aside_kind kind;
    int client;

    (void)state;
    open_lopsided(100);
    desk = house->pool_live.queues;
    kind = (struct aside_kind){.pool = &house->pool,
                               .rank = RANK_NORMAL,
                               .tried_count = 2,
                               .tried = {&house->servers[0], &house->servers[1]}};
    aside_join(&desk->aside, &before.waiter, &kind);
    publish_aside(desk);
    assert_true(is_unwanted(desk, &house->servers[1]));
    client = fail_one();
    assert_true(is_unwanted(desk, &house->servers[0]));
    server_1_answers_who_stands_aside(client);
    aside_leave(&desk->aside, &before.waiter);
    publish_aside(desk);
    close_house();
}

/* All groups are in use, one of them by those who have tried what it has. */
static void test_there_is_room_in_its_own_group(void **state)
{
    static struct server_live others[ASIDE_GROUPS];
    struct wait waits[ASIDE_GROUPS] = {0};
    int client;

    (void)state;
    open_lopsided(100);
    for (unsigned i = 0; i < ASIDE_GROUPS; i++) {
        struct aside_kind kind = {
            .pool = &house->pool,
            .rank = RANK_NORMAL,
            .tried_count = 1,
            .tried = {i ? &others[i] : &house->servers[0]},
        };

        waits[i].call = stays_where_it_is;
        waits[i].waiter.rank = RANK_NORMAL;
        aside_join(&house->pool_live.queues->aside, &waits[i].waiter, &kind);
    }
    client = fail_one();
    assert_int_equal(house->pool_live.aside, 1);
    for (unsigned i = 0; i < ASIDE_GROUPS; i++)
        aside_leave(&house->pool_live.queues->aside, &waits[i].waiter);
    server_1_answers_who_stands_aside(client);
    close_house();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_word_younger_than_the_turn),
        cmocka_unit_test(test_who_begins_to_wait_in_an_old_turn),
        cmocka_unit_test(test_who_steps_aside_in_an_old_turn),
        cmocka_unit_test(test_those_aside_leave_the_queue_to_others),
        cmocka_unit_test(test_only_so_many_stand_aside),
        cmocka_unit_test(test_who_has_tried_less_hears_of_more),
        cmocka_unit_test(test_there_is_room_in_its_own_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
