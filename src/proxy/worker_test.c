/* A server that must be left now: what ends there, what goes on, and that nobody else's does. */
#include "proxy/worker.c"

#include "proxy/test_house.h"

static void open_with(enum listener_kind kind)
{
    house_build(2);
    house->listener.kind = kind;
    house_open();
}

static void must_lie_idle(unsigned server, unsigned count)
{
    assert_int_equal(house->server_desks[server][0].idle_count, count);
}

/* One for each server; the one that was chosen first, whose turn it is then again. */
static unsigned two_come(const char *saying, const char *heard, int clients[2],
                         int servers[2])
{
    unsigned first = 0, at;

    for (unsigned i = 0; i < 2; i++) {
        int client = client_new(), server;

        say(client, saying);
        server = server_take_any(&at);
        hear(server, heard);
        first = i ? first : at;
        clients[at] = client;
        servers[at] = server;
    }
    assert_int_not_equal(at, first);
    return first;
}

/* One idle link at each server. */
static unsigned two_idle_links(int clients[2], int servers[2])
{
    unsigned first = two_come(GET, "\r\n\r\n", clients, servers);

    for (unsigned i = 0; i < 2; i++) {
        say(servers[i], ANSWER(2, "ok"));
        hear(clients[i], "ok");
    }
    turns(2);
    must_lie_idle(0, 1);
    must_lie_idle(1, 1);
    return first;
}

static void test_idle_links_end(void **state)
{
    int clients[2], servers[2];

    (void)state;
    open_with(LISTENER_HTTP);
    two_idle_links(clients, servers);
    worker_cut_server(&house->worker, &house->servers[0]);
    must_lie_idle(0, 0);
    must_lie_idle(1, 1);
    assert_int_equal(hear_end(servers[0]), ERR_EOF);
    assert_int_equal(house->servers[0].holds, 0);
    assert_false(list_is_empty(&house->server_desks[1][0].links));
    for (unsigned i = 0; i < 2; i++) {
        close(clients[i]);
        close(servers[i]);
    }
    house_close();
}

/* The request goes on at the other server, over the link that lies idle there. */
static void test_requests_go_on_elsewhere(void **state)
{
    int clients[2], servers[2];
    unsigned first;

    (void)state;
    open_with(LISTENER_HTTP);
    first = two_idle_links(clients, servers);
    say(clients[0], GET);
    hear(servers[first], "\r\n\r\n");
    worker_cut_server(&house->worker, &house->servers[first]);
    assert_true(list_is_empty(&house->server_desks[first][0].links));
    hear(servers[1 - first], "\r\n\r\n");
    say(servers[1 - first], ANSWER(5, "other"));
    hear(clients[0], "other");
    for (unsigned i = 0; i < 2; i++) {
        close(clients[i]);
        close(servers[i]);
    }
    house_close();
}

/* It was ours to leave: who is let in again later is not a server that has failed. */
static void test_who_is_left_has_not_failed(void **state)
{
    static const char *const requests[] = {
        GET, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        unsigned first, second;
        int client, servers[2];

        open_with(LISTENER_HTTP);
        house->pool.learns = true;
        client = client_new();
        say(client, requests[i]);
        servers[0] = server_take_any(&first);
        hear(servers[0], "\r\n\r\n");
        worker_cut_server(&house->worker, &house->servers[first]);
        if (!i) {
            servers[1] = server_take_any(&second);
            hear(servers[1], "\r\n\r\n");
            say(servers[1], ANSWER(5, "other"));
            close(servers[1]);
        }
        hear(client, i ? "502" : "other");
        assert_int_equal(house->server_shards[first][0].bad, 0);
        assert_int_equal(house->server_shards[first][0].failures[FAILURE_CLOSED], 0);
        close(client);
        close(servers[0]);
        turns(2);
        house_close();
    }
}

/* A link that breaks by itself is not there any more when its server is left. */
static void test_links_that_have_ended(void **state)
{
    int clients[2], servers[2];

    (void)state;
    open_with(LISTENER_HTTP);
    two_idle_links(clients, servers);
    close(servers[0]);
    turns(2);
    must_lie_idle(0, 0);
    assert_true(list_is_empty(&house->server_desks[0][0].links));
    worker_cut_server(&house->worker, &house->servers[0]);
    must_lie_idle(1, 1);
    close(clients[0]);
    close(clients[1]);
    close(servers[1]);
    house_close();
}

static void test_tcp_ends(void **state)
{
    int clients[2], servers[2];

    (void)state;
    open_with(LISTENER_TCP);
    two_come("hello", "hello", clients, servers);
    worker_cut_server(&house->worker, &house->servers[0]);
    (void)hear_end(clients[0]);
    assert_true(list_is_empty(&house->server_desks[0][0].tcp));
    say(servers[1], "still here");
    hear(clients[1], "still here");
    worker_cut_server(&house->worker, &house->servers[1]);
    (void)hear_end(clients[1]);
    for (unsigned i = 0; i < 2; i++) {
        close(clients[i]);
        close(servers[i]);
    }
    turns(3);
    house_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_links_end),
        cmocka_unit_test(test_requests_go_on_elsewhere),
        cmocka_unit_test(test_who_is_left_has_not_failed),
        cmocka_unit_test(test_links_that_have_ended),
        cmocka_unit_test(test_tcp_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
