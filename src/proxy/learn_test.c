/* What a learning balancer is told of HTTP exchanges and of TCP connections. */
#include "proxy/learn.c"

#include "proxy/test_house.h"

static struct outcome told[16];
static unsigned told_count;

static void take_note(struct server_shard *own, const struct outcome *outcome)
{
    assert_ptr_equal(own, house->server_shards[0]);
    assert_true(told_count < 16);
    told[told_count++] = *outcome;
}

static int pick_first(const struct tier *tier, const struct ask *ask)
{
    return ask_allows(ask, &tier->servers[0]) ? 0 : -1;
}

static const struct balancer attentive = {
    .name = "attentive", .pick = pick_first, .learn = take_note};

static void open_attentive(bool is_tcp)
{
    house_build(1);
    house->pool.balancer = &attentive;
    house->pool.is_timed = true;
    house->route.retries.count = 0;
    if (is_tcp)
        house->listener.kind = LISTENER_TCP;
    told_count = 0;
    house_open();
}

static const uint64_t ms = 1000000;

static void test_time_to_first_byte(void **state)
{
    int client, server;

    open_attentive(false);
    client = client_new();
    say(client, GET);
    server = server_take_one(0);
    hear(server, "\r\n\r\n");
    usleep(30000);
    say(server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
    hear(client, "hel");
    assert_int_equal(told_count, 1);
    assert_int_equal(told[0].in_flight, 1);
    assert_false(told[0].has_failed || told[0].is_unfinished);
    assert_in_range(told[0].latency, 29 * ms, 900 * ms);
    assert_true(told[0].now > told[0].latency);
    say(server, "lo");
    hear(client, "lo");
    assert_int_equal(told_count, 1);
    close(client);
    turns(3);
    close(server);
    house_close();
}

/* 500, 502, 503 and 504 are failures; 404 and 501 are answers. */
static void test_statuses(void **state)
{
    static const struct {
        const char *answer;
        bool has_failed;
    } cases[] = {
        {"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", true},
        {"HTTP/1.1 501 No\r\nContent-Length: 0\r\n\r\n", false},
        {"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", true},
        {"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", false},
    };
    int client, server;

    open_attentive(false);
    client = client_new();
    say(client, GET);
    server = server_take_one(0);
    for (unsigned i = 0; i < array_len(cases); i++) {
        if (i)
            say(client, GET);
        hear(server, "\r\n\r\n");
        say(server, cases[i].answer);
        hear(client, "\r\n\r\n");
        assert_int_equal(told_count, i + 1);
        assert_int_equal(told[i].has_failed, cases[i].has_failed);
    }
    close(client);
    turns(3);
    close(server);
    house_close();
}

/* The time of an upload is the client's. */
static void test_upload_is_not_waited_for(void **state)
{
    int client, server;

    open_attentive(false);
    client = client_new();
    say(client, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    server = server_take_one(0);
    hear(server, "ab");
    usleep(100000);
    say(client, "cd");
    hear(server, "cd");
    say(server, ANSWER(2, "ok"));
    hear(client, "ok");
    assert_int_equal(told_count, 1);
    assert_in_range(told[0].latency, 0, 90 * ms);
    say(client, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    hear(server, "ab");
    say(server, ANSWER(2, "ok")); /* before it was whole */
    hear(client, "ok");
    assert_int_equal(told_count, 2);
    assert_true(told[1].is_unfinished);
    assert_int_equal(told[1].latency, 0);
    close(client);
    turns(3);
    close(server);
    house_close();
}

static void test_failures(void **state)
{
    int client, server;

    open_attentive(false);
    client = exchange_once(GET, "", &server);
    close(server); /* without an answer */
    hear(client, "502");
    assert_int_equal(told_count, 1);
    assert_true(told[0].has_failed);
    close(client);
    client =
        exchange_once(GET, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", &server);
    hear(client, "half");
    close(server); /* in the middle of one */
    hear_end(client);
    assert_int_equal(told_count, 3);
    assert_false(told[1].has_failed);
    assert_true(told[2].has_failed);
    close(client);
    close(house->listening[0]);
    house->listening[0] = -1;
    client = client_new();
    say(client, GET);
    hear(client, "502"); /* refused */
    assert_int_equal(told_count, 4);
    assert_true(told[3].has_failed);
    close(client);
    turns(3);
    house_close();
}

/* A client that does not wait any longer says how slow the server is. */
static void test_departure(void **state)
{
    int client, server;

    open_attentive(false);
    client = exchange_once(GET, "", &server);
    usleep(20000);
    turns(1);
    reset(client);
    for (int i = 0; i < PATIENCE && !told_count; i++)
        turn();
    assert_int_equal(told_count, 1);
    assert_true(told[0].is_unfinished);
    assert_false(told[0].has_failed);
    assert_in_range(told[0].latency, 19 * ms, 2000 * ms);
    turns(3);
    close(server);
    house_close();
}

static void test_tcp(void **state)
{
    int client, server;

    open_attentive(true);
    client = client_new();
    server = server_take_one(0);
    say(server, "hello");
    hear(client, "hello");
    assert_int_equal(told_count, 1);
    assert_false(told[0].has_failed);
    assert_int_equal(told[0].in_flight, 1);
    close(server);
    hear_end(client);
    close(client);
    turns(3);
    assert_int_equal(told_count, 1);
    client = client_new(); /* taken, and turned away without a word */
    server = server_take_one(0);
    close(server);
    hear_end(client);
    close(client);
    for (int i = 0; i < PATIENCE && told_count < 3; i++)
        turn();
    assert_int_equal(told_count, 3);
    assert_true(told[2].has_failed);
    close(house->listening[0]);
    house->listening[0] = -1;
    client = client_new();
    hear_end(client);
    assert_int_equal(told_count, 4);
    assert_true(told[3].has_failed);
    close(client);
    turns(3);
    house_close();
}

/* Who is left at the end of its drain has turned nobody away. */
static void test_tcp_that_is_cut(void **state)
{
    int client, server;

    (void)state;
    open_attentive(true);
    client = client_new();
    server = server_take_one(0);
    turns(2);
    assert_int_equal(told_count, 1);
    worker_cut_server(&house->worker, &house->servers[0]);
    (void)hear_end(client);
    assert_int_equal(told_count, 1);
    close(client);
    close(server);
    turns(3);
    house_close();
}

/* With adaptive concurrency the server's counts, whatever the balancer learns or not. */
static void test_counts_for_the_limit(void **state)
{
    static const struct balancer dull = {.name = "dull", .pick = pick_first};
    const struct capacity_counts *counts;
    int client, server;

    open_attentive(false);
    house->pool.balancer = &dull;
    house->pool.adaptive = (struct adaptive_concurrency){true, 1, 100};
    atomic_store(&house->servers[0].limit, 1);
    counts = &house->server_shards[0]->capacity;
    client = client_new();
    say(client, GET);
    server = server_take_one(0);
    hear(server, "\r\n\r\n");
    usleep(30000);
    say(server, ANSWER(2, "ok"));
    hear(client, "ok");
    assert_int_equal(counts->answers, 1);
    assert_int_equal(counts->in_flight, 1);
    assert_int_equal(counts->crowded, 1);
    assert_in_range(counts->octaves, 24 * 1024, 30 * 1024); /* 17 ms to 1 s */
    say(client, GET);
    hear(server, "\r\n\r\n");
    say(server, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    hear(client, "\r\n\r\n");
    assert_int_equal(counts->failed, 1);
    say(client, GET);
    hear(server, "\r\n\r\n");
    usleep(10000);
    turns(1);
    reset(client);
    for (int i = 0; i < PATIENCE && !counts->left; i++)
        turn();
    assert_int_equal(counts->left, 1);
    assert_int_equal(counts->in_flight, 3);
    assert_int_equal(told_count, 0);
    close(server);
    turns(3);
    house_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_to_first_byte),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_upload_is_not_waited_for),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_departure),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_tcp_that_is_cut),
        cmocka_unit_test(test_counts_for_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
