/* TCP from accept to the end: half-closes, bulk, idle time, servers that refuse. */
#include "proxy/relay.c"

#include "proxy/test_house.h"

static void tcp_house(unsigned servers)
{
    house_build(servers);
    house->listener.kind = LISTENER_TCP;
}

static void test_half_close_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        int client, server, first, second;

        tcp_house(1);
        house_open();
        client = client_new();
        server = server_take_one(0);
        first = i ? server : client;
        second = i ? client : server;
        say(first, "question");
        shutdown(first, SHUT_WR);
        assert_int_equal(hear_end(second), ERR_EOF);
        assert_string_equal(house->heard, "question");
        say(second, "a late answer");
        hear(first, "a late answer");
        assert_int_equal(house->worker.session_count, 1);
        close(second);
        assert_int_equal(hear_end(first), ERR_EOF);
        turns(2);
        assert_int_equal(house->worker.session_count, 0);
        close(first);
        house_close();
    }
}

/* Many pieces each way at once, with a client that takes its time. */
static void test_bulk_both_ways(void **state)
{
    enum { SIZE = 6 << 20 };
    uint64_t up = 0, up_end = 0, down = 0, down_end = 0;
    int client, server;

    (void)state;
    tcp_house(1);
    house_open();
    client = client_new();
    server = server_take_one(0);
    for (unsigned i = 0; up_end < SIZE || down_end < SIZE; i++) {
        up = pour(client, up, SIZE);
        down = pour(server, down, SIZE);
        turn();
        up_end = drink(server, up_end, SIZE);
        if (i % 4 == 0 || down == SIZE)
            down_end = drink(client, down_end, SIZE);
        assert_true(house->worker.engine.large.in_use <= 2);
    }
    shutdown(client, SHUT_WR);
    assert_int_equal(hear_end(server), ERR_EOF);
    assert_int_equal(house->heard_n, 0);
    close(server);
    assert_int_equal(hear_end(client), ERR_EOF);
    assert_int_equal(house->heard_n, 0);
    close(client);
    house_close();
}

static void test_idle_ends_it(void **state)
{
    int client, server;

    (void)state;
    tcp_house(1);
    house->listener.timeouts.tunnel = 60;
    house_open();
    client = client_new();
    server = server_take_one(0);
    for (int i = 0; i < 10; i++) { /* longer than that in all, but never silent */
        say(i % 2 ? client : server, "x");
        turns(1);
        usleep(15000);
    }
    turn();
    assert_int_equal(house->worker.session_count, 1);
    hear_end(server);
    assert_int_equal(house->worker.session_count, 0);
    close(client);
    close(server);
    house_close();
}

/* The other side may be gone: then a short silence is enough. */
static void test_a_half_is_not_waited_for_long(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        int client, server, first, second;

        tcp_house(1);
        house->listener.timeouts.tunnel = 60000;
        house->listener.timeouts.half_closed = 60;
        house_open();
        client = client_new();
        server = server_take_one(0);
        first = i ? server : client;
        second = i ? client : server;
        usleep(80000); /* both are there: nothing is over yet */
        turns(1);
        shutdown(first, SHUT_WR);
        assert_int_equal(hear_end(second), ERR_EOF);
        for (int k = 0; k < 6; k++) { /* longer than that in all, but never silent */
            say(second, "x");
            turns(1);
            usleep(15000);
        }
        hear(first, "xxxxxx");
        assert_int_equal(house->worker.session_count, 1);
        /* Who has not heard all of the answer can see that; who has, need not care. */
        assert_int_equal(hear_end(first), i ? ERR_EOF : ERR_RESET);
        assert_int_equal(house->worker.session_count, 0);
        close(client);
        close(server);
        house_close();
    }
}

/* Megabytes lie in the kernel, and a client that is slow still takes of them. */
static void test_a_half_that_still_takes_is_waited_for(void **state)
{
    enum { PIECE = 64 << 10 };
    uint64_t down = 0, before, end = 0;
    int client, server;

    (void)state;
    tcp_house(1);
    house->listener.timeouts.half_closed = 200;
    house_open();
    client = client_new();
    server = server_take_one(0);
    shutdown(client, SHUT_WR);
    assert_int_equal(hear_end(server), ERR_EOF);
    do {
        before = down;
        down = pour(server, down, UINT64_MAX);
        turns(2);
    } while (down > before);
    for (int i = 0; i < 20; i++) {
        end = drink(client, end, PIECE);
        usleep(50000);
        turns(1);
    }
    assert_int_equal(end, 20 * PIECE);
    assert_int_equal(house->worker.session_count, 1);
    for (int i = 0; i < 20 && house->worker.session_count; i++) {
        usleep(220000); /* what was on its way has come; then nothing moves */
        turns(1);
    }
    assert_int_equal(house->worker.session_count, 0);
    close(client);
    close(server);
    house_close();
}

static void test_reset_is_passed_on(void **state)
{
    int client, server;

    (void)state;
    tcp_house(1);
    house_open();
    client = client_new();
    server = server_take_one(0);
    say(client, "x");
    hear(server, "x");
    reset(server);
    assert_int_equal(hear_end(client), ERR_RESET);
    close(client);
    house_close();
}

static void test_another_server_takes_it(void **state)
{
    int client, server;

    (void)state;
    tcp_house(2);
    house_open();
    close(house->listening[0]);
    house->listening[0] = -1;
    for (int i = 0; i < 2; i++) {
        client = client_new();
        server = server_take_one(1);
        say(client, "hello");
        hear(server, "hello");
        close(client);
        close(server);
        turns(3);
    }
    assert_int_equal(house->pool_shards[0].requests, 2); /* not the tries */
    close(house->listening[1]);
    house->listening[1] = -1;
    client = client_new();
    assert_int_equal(hear_end(client), ERR_EOF);
    close(client);
    house_close();
}

/* A server whose queue is full: connecting hangs. Meanwhile the listener is removed. */
static void test_listener_removed_while_connecting(void **state)
{
    int client, fillers[4];

    (void)state;
    tcp_house(1);
    house->listener.timeouts.connect = 100;
    house_open();
    assert_int_equal(listen(house->listening[0], 0), 0);
    for (unsigned i = 0; i < array_len(fillers); i++) {
        assert_int_equal(sys_socket(ADDR_IP4, &fillers[i]), ERR_OK);
        assert_int_not_equal(sys_connect(fillers[i], &house->servers[0].addr), ERR_OK);
    }
    usleep(2000);
    client = client_new();
    turns(2);
    assert_int_equal(house->pins[0].count, 1);
    worker_adopt(&house->worker, &house->empty);
    assert_int_equal(house->left, 0);
    hear_end(client);
    assert_int_equal(house->left, 1);
    assert_int_equal(house->server_shards[0][0].failures[FAILURE_CONNECT_TIMEOUT], 1);
    for (unsigned i = 0; i < array_len(fillers); i++)
        close(fillers[i]);
    close(client);
    house_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_close_both_ways),
        cmocka_unit_test(test_bulk_both_ways),
        cmocka_unit_test(test_idle_ends_it),
        cmocka_unit_test(test_a_half_is_not_waited_for_long),
        cmocka_unit_test(test_a_half_that_still_takes_is_waited_for),
        cmocka_unit_test(test_reset_is_passed_on),
        cmocka_unit_test(test_another_server_takes_it),
        cmocka_unit_test(test_listener_removed_while_connecting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
