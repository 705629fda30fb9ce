/* Bodies in bulk: whole ones, both ways, however fast the other side is, and what they hold. */
#include "proxy/body.c"

#include "proxy/test_house.h"

static void test_bulk_download(void **state)
{
    enum { SIZE = 8 << 20 };
    uint64_t poured = 0, drunk = 0;
    size_t most = 0;
    int client, server;

    (void)state;
    house_build(1);
    house_open();
    client = client_new();
    say(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    server = server_take_one(0);
    hear(server, "\r\n\r\n");
    say(server, "HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n");
    hear(client, "\r\n\r\n"); /* not held back until the body comes */
    for (unsigned i = 0; drunk < SIZE; i++) {
        poured = pour(server, poured, SIZE);
        turn();
        if (i % 8 == 0 || poured == SIZE) /* a client slower than the server */
            drunk = drink(client, drunk, SIZE);
        if (house->worker.engine.large.in_use > most)
            most = house->worker.engine.large.in_use;
    }
    assert_true(most <= 2);
    turns(2);
    assert_int_equal(house->server_desks[0][0].idle_count, 1); /* the link is kept */
    say(client, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(server, "GET /next");
    close(client);
    close(server);
    house_close();
}

/* A client that does not read holds what the kernel has not taken, and no second buffer. */
static void test_slow_reader_holds_one_buffer(void **state)
{
    enum { SIZE = 64 << 20, STILL = 20 }; /* more than all sockets take */
    uint64_t poured = 0, before = 1;
    const struct link *link;
    int client, server;

    (void)state;
    house_build(1);
    house_open();
    client = client_new();
    say(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    server = server_take_one(0);
    hear(server, "\r\n\r\n");
    say(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4000000\r\n");
    hear(client, "\r\n\r\n");
    for (unsigned still = 0; still < STILL; still = poured == before ? still + 1 : 0) {
        before = poured;
        poured = pour(server, poured, SIZE);
        turn();
    }
    assert_true(poured < SIZE);
    link = list_entry(house->worker.links.next, struct link, of_worker);
    assert_null(link->back.in); /* what waits for the client waits at his side alone */
    close(client);
    close(server);
    house_close();
}

static void test_bulk_upload(void **state)
{
    enum { SIZE = 4 << 20 };
    uint64_t poured = 0, drunk = 0;
    int client, server;

    (void)state;
    house_build(1);
    house_open();
    client = client_new();
    say(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n");
    server = server_take_one(0);
    hear(server, "\r\n\r\n");
    while (drunk < SIZE) {
        poured = pour(client, poured, SIZE);
        turn();
        drunk = drink(server, drunk, SIZE);
    }
    say(client, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"); /* right behind it */
    say(server, ANSWER(2, "ok"));
    hear(client, "\r\n\r\nok");
    hear(server, "GET /next");
    close(client);
    close(server);
    house_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bulk_download),
        cmocka_unit_test(test_slow_reader_holds_one_buffer),
        cmocka_unit_test(test_bulk_upload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
