/* Kept links that break: what is tried again, where, and what counts against the server. */
#include "proxy/attempt.c"

#include "proxy/test_house.h"

#define POST "POST / HTTP/1.1\r\nHost: a\r\n\r\n"

static void must_have_counted(uint64_t broken, uint64_t bad)
{
    assert_int_equal(house->server_shards[0][0].failures[FAILURE_CLOSED], broken);
    assert_int_equal(house->server_shards[0][0].bad, bad);
}

/* A client with one link that lies idle at the only server. */
static int client_with_kept(int *server)
{
    int client;

    house_build(1);
    house->pool.learns = true;
    house->route.retries.count = 1;
    house_open();
    client = exchange_once(GET, ANSWER(2, "hi"), server);
    hear(client, "\r\n\r\nhi");
    turns(2);
    assert_int_equal(house->server_desks[0][0].idle_count, 1);
    return client;
}

static void break_kept(int client, const char *request, int server)
{
    say(client, request);
    hear(server, "\r\n\r\n");
    reset(server);
}

static void test_tried_again_it_counts_against_nobody(void **state)
{
    int server, client = client_with_kept(&server);

    (void)state;
    break_kept(client, GET, server);
    server = server_take_one(0);
    hear(server, "\r\n\r\n");
    must_have_counted(1, 0);
    say(server, ANSWER(5, "again"));
    hear(client, "\r\n\r\nagain");
    must_have_counted(1, 0);
    close(client);
    house_close();
    close(server);
}

static void test_on_a_new_link_it_counts(void **state)
{
    int server, client = client_with_kept(&server);

    (void)state;
    break_kept(client, GET, server);
    server = server_take_one(0);
    hear(server, "\r\n\r\n");
    reset(server);
    hear(client, "502");
    must_have_counted(2, 1);
    close(client);
    house_close();
}

static void test_where_the_client_bears_it_it_counts(void **state)
{
    int server, client = client_with_kept(&server);

    (void)state;
    break_kept(client, POST, server);
    hear(client, "502");
    must_have_counted(1, 1);
    close(client);
    house_close();
}

static void test_half_an_answer_counts(void **state)
{
    int server, client = client_with_kept(&server);

    (void)state;
    say(client, GET);
    hear(server, "\r\n\r\n");
    say(server, "HTTP/1.1 200 O");
    turns(2);
    reset(server);
    hear(client, "502");
    must_have_counted(1, 1);
    close(client);
    house_close();
}

/* It had the request for longer than any race takes. */
static void test_after_work_it_counts_although_tried_again(void **state)
{
    int server, client = client_with_kept(&server);
    struct link *link;

    (void)state;
    say(client, GET);
    hear(server, "\r\n\r\n");
    link = list_entry(house->worker.links.next, struct link, of_worker);
    link->exchange->attempt.sent -= (uint64_t)RACE_MS * 1000000;
    reset(server);
    server = server_take_one(0);
    hear(server, "\r\n\r\n");
    must_have_counted(1, 1);
    say(server, ANSWER(5, "again"));
    hear(client, "\r\n\r\nagain");
    must_have_counted(1, 1);
    close(client);
    house_close();
    close(server);
}

/* Another kept one may be as dead as the first: what tries a server again dials. */
static void test_second_try_is_on_a_new_link(void **state)
{
    int client, other, servers[2], third;

    (void)state;
    house_build(1);
    house->pool.learns = true;
    house->route.retries.count = 1;
    house_open();
    client = client_new();
    other = client_new();
    say(client, GET);
    servers[0] = server_take_one(0);
    hear(servers[0], "\r\n\r\n");
    say(other, GET);
    servers[1] = server_take_one(0);
    hear(servers[1], "\r\n\r\n");
    say(servers[1], ANSWER(2, "hi"));
    hear(other, "\r\n\r\nhi");
    say(servers[0], ANSWER(2, "hi"));
    hear(client, "\r\n\r\nhi");
    turns(2);
    assert_int_equal(house->server_desks[0][0].idle_count, 2);
    break_kept(client, GET, servers[0]); /* the last one in is the first one out */
    third = server_take_one(0);
    hear(third, "\r\n\r\n");
    say(third, ANSWER(5, "again"));
    hear(client, "\r\n\r\nagain");
    must_have_counted(1, 0);
    close(client);
    close(other);
    house_close();
    close(servers[1]);
    close(third);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tried_again_it_counts_against_nobody),
        cmocka_unit_test(test_on_a_new_link_it_counts),
        cmocka_unit_test(test_where_the_client_bears_it_it_counts),
        cmocka_unit_test(test_half_an_answer_counts),
        cmocka_unit_test(test_after_work_it_counts_although_tried_again),
        cmocka_unit_test(test_second_try_is_on_a_new_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
