/* How sessions end: removed listeners, drains, clients that go, tunnels. */
#include "proxy/session.c"

#include "proxy/test_house.h"

/* A half request whose listener is removed: nothing of the old snapshot is looked at. */
static void test_listener_removed(void **state)
{
    int half, idle, busy, server;

    (void)state;
    house_build(1);
    house->listener.timeouts.request_header = 100;
    house_open();
    half = client_new();
    say(half, "GET / HT");
    idle = client_new();
    busy = client_new();
    say(busy, GET);
    server = server_take_one(0);
    hear(server, "\r\n\r\n");
    worker_adopt(&house->worker, &house->empty);
    assert_int_equal(house->left, 0);
    say(server, ANSWER(2, "hi"));
    assert_int_equal(hear_end(busy), ERR_EOF);
    assert_true(has_heard("\r\n\r\nhi"));
    assert_true(has_heard("Connection: close"));
    assert_int_equal(house->left, 1); /* told once, when the last one went */
    assert_int_equal(hear_end(idle), ERR_EOF);
    assert_int_equal(hear_end(half), ERR_EOF);
    close(half);
    close(idle);
    close(busy);
    close(server);
    house_close();
}

static void test_drain(void **state)
{
    int queued[100], idle, server;

    (void)state;
    house_build(1);
    house_open();
    idle = exchange_once(GET, ANSWER(2, "hi"), &server);
    hear(idle, "\r\n\r\nhi");
    turns(1);
    for (unsigned i = 0; i < array_len(queued); i++) {
        queued[i] = client_new();
        say(queued[i], i ? "GET / HT" : GET);
    }
    say(idle,
        "GET /late HTTP/1.1\r\nHost: a\r\n\r\n"); /* on its way when the drain began */
    usleep(2000);
    worker_drain(&house->worker);
    assert_int_equal(house->worker.session_count, 1 + array_len(queued));
    hear(server, "\r\n\r\n");
    say(server, ANSWER(2, "ok"));
    for (unsigned i = 0; i < array_len(queued); i++)
        close(queued[i]);
    close(server_take_one(0));
    hear_end(idle);
    assert_int_equal(house->farewells, 0);
    close(idle);
    for (int i = 0; i < PATIENCE && !house->farewells; i++)
        turn();
    turns(3);
    assert_int_equal(house->farewells, 1);
    close(server);
    house_close();
}

static void test_drain_of_nobody(void **state)
{
    int idle;

    (void)state;
    house_build(1);
    house_open();
    worker_drain(&house->worker);
    assert_int_equal(house->farewells, 1);
    house_close();

    house_build(1);
    house_open();
    idle = client_new(); /* gone before the drain, and heard of in it */
    turn();
    close(idle);
    usleep(2000);
    worker_drain(&house->worker);
    turns(3);
    assert_int_equal(house->farewells, 1);
    house_close();
}

/* A request that is refused has no facts, whoever had its memory before. */
static void test_new_one_has_no_facts(void **state)
{
    struct session *session;
    struct exchange *x, *again;
    int client;

    (void)state;
    house_build(1);
    house_open();
    client = client_new();
    turn();
    session = container_of(house->worker.sessions.next, struct session, guest.node);
    x = exchange_new(session);
    x->facts.head = &x->request;
    exchange_free(x);
    again = exchange_new(session);
    assert_ptr_equal(again, x);
    assert_null(again->facts.head);
    exchange_free(again);
    close(client);
    house_close();
}

static void test_client_goes(void **state)
{
    int client, server;

    (void)state;
    house_build(1);
    house_open();
    client = client_new();
    say(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    server = server_take_one(0);
    hear(server, "abc");
    reset(client);
    hear_end(server);
    turns(2);
    assert_int_equal(house->worker.session_count, 0);
    assert_int_equal(house->servers[0].in_flight, 0);
    close(server);
    house_close();
}

static void test_websocket(void **state)
{
    int client, server;

    (void)state;
    house_build(1);
    house_open();
    client = client_new();
    say(client, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nearly");
    server = server_take_one(0);
    hear(server, "\r\n\r\n");
    say(server, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                "Upgrade: websocket\r\n"
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nfirst");
    hear(client, "\r\n\r\nfirst");
    hear(server, "early");
    say(client, "question");
    hear(server, "question");
    say(server, "answer");
    hear(client, "answer");
    assert_int_equal(house->pins[0].count, 0);
    assert_int_equal(house->worker.engine.large.in_use, 0); /* idle: no buffers */
    shutdown(client, SHUT_WR);
    assert_int_equal(hear_end(server), ERR_EOF);
    say(server, "last");
    close(server);
    assert_int_equal(hear_end(client), ERR_EOF);
    assert_string_equal(house->heard, "last");
    close(client);
    house_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listener_removed),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_of_nobody),
        cmocka_unit_test(test_new_one_has_no_facts),
        cmocka_unit_test(test_client_goes),
        cmocka_unit_test(test_websocket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
