/* Whole exchanges between real sockets: order, framing, retries, deadlines, ends. */
#include "proxy/exchange.c"

#include "proxy/test_house.h"

static void test_pipelined_in_order(void **state)
{
    int client, server;

    (void)state;
    house_build(1);
    house_open();
    client = client_new();
    say(client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    server = server_take_one(0);
    hear(server, "\r\n\r\n");
    assert_true(has_heard("GET /1 "));
    assert_false(has_heard("GET /2 ")); /* before the first is answered */
    say(server, ANSWER(3, "one"));
    hear(server, "\r\n\r\n"); /* on the same link */
    assert_true(has_heard("GET /2 "));
    say(server, ANSWER(3, "two"));
    hear(client, "two");
    assert_true(strstr(house->heard, "one") < strstr(house->heard, "two"));
    assert_false(has_heard("Connection: close"));
    close(client);
    close(server);
    house_close();
}

static void test_first_of_pipeline_is_bad(void **state)
{
    int client;

    (void)state;
    house_build(1);
    house_open();
    client = client_new();
    say(client, "GET /1 HTTP/1.1\r\nHo st: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(client, "\r\n\r\n");
    assert_true(has_heard("HTTP/1.1 400 "));
    assert_true(has_heard("Connection: close"));
    assert_int_equal(hear_end(client), ERR_EOF); /* no RST took the answer along */
    assert_false(is_waiting(house->listening[0]));
    close(client);
    house_close();
}

static void test_keep_alive(void **state)
{
    static const struct {
        const char *request, *status, *connection;
        bool stays;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200", NULL, true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 200",
         "Connection: close\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200", "Connection: close\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 200",
         "Connection: keep-alive\r\n", true},
    };

    (void)state;
    for (unsigned i = 0; i < array_len(cases); i++) {
        int client, server;

        house_build(1);
        house_open();
        client = client_new();
        say(client, cases[i].request);
        server = server_take_one(0);
        hear(server, "\r\n\r\n");
        say(server, ANSWER(2, "hi"));
        hear(client, "\r\n\r\nhi");
        assert_true(has_heard(cases[i].status));
        if (cases[i].connection)
            assert_true(has_heard(cases[i].connection));
        else
            assert_false(has_heard("Connection:"));
        if (!cases[i].stays)
            assert_int_equal(hear_end(client), ERR_EOF);
        turns(2);
        assert_int_equal(house->worker.session_count, cases[i].stays);
        close(client);
        close(server);
        house_close();
    }
}

/* A link is used again only when nothing is unclear about it. */
static void test_reuse_of_links(void **state)
{
    static const struct {
        const char *answer;
        bool is_kept;
    } cases[] = {
        {ANSWER(2, "hi"), true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
         true},
        {"HTTP/1.1 204 No Content\r\n\r\n", true},
        {ANSWER(2, "hi!"), false},
        {"HTTP/1.1 204 No Content\r\n\r\nhi", false},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", false},
    };

    (void)state;
    for (unsigned i = 0; i < array_len(cases); i++) {
        int client, server;

        house_build(1);
        house_open();
        client =
            exchange_once("GET / HTTP/1.1\r\nHost: a\r\n\r\n", cases[i].answer, &server);
        hear(client, "\r\n\r\n");
        turns(2);
        assert_int_equal(house->server_desks[0][0].idle_count, cases[i].is_kept);
        if (!cases[i].is_kept)
            assert_true(hear_end(server) == ERR_EOF || errno == ECONNRESET);
        close(client);
        close(server);
        house_close();
    }
}

static void test_head_has_no_body(void **state)
{
    int client, server;

    (void)state;
    house_build(1);
    house_open();
    client = exchange_once("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", &server);
    hear(client, "\r\n\r\n");
    assert_true(has_heard("Content-Length: 99\r\n"));
    say(client, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(server, "GET /next");
    close(client);
    close(server);
    house_close();
}

static void test_chunked_both_ways_with_trailers(void **state)
{
    int client, server;

    (void)state;
    house_build(1);
    house_open();
    client = client_new();
    say(client,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab");
    server = server_take_one(0);
    hear(server, "ab");
    say(client, "c\r\n0\r\nDigest: 7\r\nX-Other: 8\r\nHost: evil\r\n\r\n");
    hear(server, "0\r\nDigest: 7\r\n\r\n");
    assert_false(has_heard("evil"));
    say(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n"
                "1;ext=1\r\nd\r\n0\r\nDigest: yes\r\nContent-Length: 5\r\n\r\n");
    hear(client, "Digest: yes\r\n\r\n");
    assert_true(has_heard("1\r\nd\r\n0\r\n"));
    assert_false(has_heard("ext"));
    assert_false(has_heard("Content-Length"));
    close(client);
    close(server);
    house_close();
}

static void test_unframed_becomes_chunked(void **state)
{
    int client, server;

    (void)state;
    house_build(1);
    house_open();
    client = exchange_once("GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                           "HTTP/1.1 200 OK\r\n\r\nall", &server);
    hear(client, "3\r\nall\r\n");
    close(server);
    hear(client, "0\r\n\r\n");
    turns(2);
    assert_int_equal(house->worker.session_count, 1); /* and the client stays */
    close(client);
    house_close();
}

/* Cut short without a length: the client must not take it for whole. */
static void test_unframed_and_reset(void **state)
{
    int client, server;

    (void)state;
    house_build(1);
    house_open();
    client = exchange_once("GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                           "HTTP/1.1 200 OK\r\n\r\nall", &server);
    hear(client, "3\r\nall\r\n");
    reset(server);
    hear_end(client);
    assert_false(has_heard("0\r\n\r\n"));
    close(client);
    house_close();
}

static void test_early_response(void **state)
{
    int client, server;

    (void)state;
    house_build(1);
    house_open();
    client = client_new();
    say(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbegin");
    server = server_take_one(0);
    hear(server, "begin");
    say(server, ANSWER(2, "no"));
    hear(client, "\r\n\r\nno");
    assert_true(has_heard("Connection: close\r\n"));
    assert_int_equal(hear_end(server), ERR_EOF);
    say(client, "more of it"); /* the answer is not lost by what is still sent */
    assert_int_equal(hear_end(client), ERR_EOF);
    close(client);
    close(server);
    house_close();
}

/* ---- retries ---- */

static void fails_once(const char *request, const char *expected)
{
    unsigned first, second;
    int client = client_new(), server;

    say(client, request);
    server = server_take_any(&first);
    hear(server, "\r\n\r\n");
    reset(server);
    if (expected) {
        server = server_take_any(&second);
        assert_int_not_equal(first, second);
        hear(server, expected);
        say(server, ANSWER(2, "hi"));
        hear(client, "\r\n\r\nhi");
        close(server);
    } else {
        hear(client, "Weir-Cause: server_closed");
        assert_true(has_heard("HTTP/1.1 502 "));
    }
    close(client);
}

static void test_only_idempotent_is_retried(void **state)
{
    (void)state;
    house_build(2);
    house_open();
    fails_once("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n");
    fails_once("POST / HTTP/1.1\r\nHost: a\r\n\r\n", NULL);
    fails_once("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
               "\r\n\r\nbody");
    fails_once("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
               "\r\n\r\n0\r\n\r\n");
    house_close();
}

static void test_refused_costs_nothing(void **state)
{
    int client, server;
    unsigned at;

    (void)state;
    house_build(2);
    house->pool.retries.budget_floor = house->pool.retries.budget_share = 0;
    house_open();
    close(house->listening[0]);
    house->listening[0] = -1;
    for (unsigned i = 0; i < 4; i++) {
        client = client_new();
        say(client, "POST / HTTP/1.1\r\nHost: a\r\n\r\n");
        server = server_take_any(&at);
        assert_int_equal(at, 1);
        hear(server, "\r\n\r\n");
        say(server,
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi");
        hear(client, "\r\n\r\nhi");
        close(client);
        close(server);
    }
    assert_true(house->server_shards[0][0].failures[FAILURE_CONNECT_REFUSED] >= 1);
    house_close();
}

/* The budget is empty: the server's own answer goes to the client, from a link that is
 * still there. */
static void test_status_not_retried_any_more(void **state)
{
    int client, server;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        house_build(1);
        house->route.retries.on_errors |= RETRY_503;
        house->pool.retries.budget_floor = 0;
        house->pool.retries.budget_share = 0;
        house_open();
        client =
            exchange_once(i ? "POST / HTTP/1.1\r\nHost: a\r\n\r\n"
                            : "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                          "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", &server);
        hear(client, "\r\n\r\nbusy");
        assert_true(has_heard("HTTP/1.1 503 Busy"));
        close(client);
        close(server);
        house_close();
    }
}

static void test_status_retried(void **state)
{
    unsigned first, second;
    int client, server;

    (void)state;
    house_build(2);
    house->route.retries.on_errors |= RETRY_503;
    house_open();
    client = client_new();
    say(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    server = server_take_any(&first);
    hear(server, "\r\n\r\n");
    say(server, "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy");
    close(server);
    server = server_take_any(&second);
    assert_int_not_equal(first, second);
    hear(server, "\r\n\r\n");
    assert_int_equal(house->pool_live.retries_in_flight, 1);
    say(server, ANSWER(2, "hi"));
    hear(client, "\r\n\r\nhi");
    assert_false(has_heard("busy"));
    assert_int_equal(house->pool_live.retries_in_flight, 0);
    close(client);
    close(server);
    house_close();
}

/* The server that asks for a pause gets it, or its answer goes on to the client. */
static void test_retry_after(void **state)
{
    unsigned index;
    int client, server;
    uint64_t began;

    (void)state;
    house_build(2);
    house->route.timeouts.response = 1500;
    house->route.retries.on_errors |= RETRY_503;
    house_open();
    client = client_new();
    say(client, GET);
    server = server_take_any(&index);
    hear(server, "\r\n\r\n");
    say(server, "HTTP/1.1 503 No\r\nRetry-After: 2\r\nContent-Length: 4\r\n\r\nbusy");
    hear(client, "\r\n\r\nbusy"); /* longer than a client is kept waiting */
    assert_true(has_heard("Retry-After: 2\r\n"));
    say(client, GET);
    server = server_take_any(&index);
    hear(server, "\r\n\r\n");
    began = sys_now();
    say(server, "HTTP/1.1 503 No\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nbusy");
    close(server);
    server = server_take_any(&index);
    assert_true(sys_now() - began >= (uint64_t)999 * 1000000);
    hear(server, "\r\n\r\n");
    say(server, ANSWER(2, "hi"));
    hear(client, "\r\n\r\nhi");
    close(client);
    house_close();
    close(server);
}

/* Nothing is sent for somebody who has gone, and the budget comes back. */
static void test_client_leaves_while_a_retry_waits(void **state)
{
    unsigned index;
    int client, server;

    (void)state;
    house_build(2);
    house->route.timeouts.response = 60000;
    house->route.retries.backoff = 60000;
    house_open();
    client = client_new();
    say(client, GET);
    server = server_take_any(&index);
    hear(server, "\r\n\r\n");
    close(server);
    for (int i = 0; i < PATIENCE && !house->pool_live.retries_in_flight; i++)
        turn();
    assert_int_equal(house->pool_live.retries_in_flight, 1);
    assert_int_equal(house->pool_live.in_flight, 1);
    reset(client);
    for (int i = 0; i < PATIENCE && house->pool_live.retries_in_flight; i++)
        turn();
    assert_int_equal(house->pool_live.retries_in_flight, 0);
    assert_int_equal(house->pool_live.in_flight, 0);
    assert_false(is_waiting(house->listening[1 - index]));
    house_close();
}

/* A body of which a part went through a pipe cannot be sent again from its start. */
static void test_spliced_body_is_not_retried(void **state)
{
    enum { SIZE = 300000 };
    uint64_t poured = 0, drunk = 0;
    unsigned first;
    int client, server;

    (void)state;
    house_build(2);
    house_open();
    client = client_new();
    say(client, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    server = server_take_any(&first);
    hear(server, "\r\n\r\n");
    while (drunk < SIZE) {
        poured = pour(client, poured, SIZE);
        turn();
        drunk = drink(server, drunk, SIZE);
    }
    reset(server);
    hear(client, "Weir-Cause: server_closed");
    assert_true(has_heard("HTTP/1.1 502 "));
    assert_false(is_waiting(house->listening[!first]));
    close(client);
    house_close();
}

/* ---- pages and deadlines ---- */

static void answers_page(const char *request, const char *status, const char *cause)
{
    int client = client_new();

    say(client, request);
    hear(client, "request id");
    if (!has_heard(status) || !has_heard(cause))
        fail_msg("%s, %s expected, but: %s", status, cause, house->heard);
    close(client);
}

static void test_pages(void **state)
{
    (void)state;
    house_build(1);
    house->route.sizes.body = 10;
    house_open();
    answers_page("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n",
                 "HTTP/1.1 413 ", "Weir-Cause: too_large");
    answers_page("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "b\r\n01234567890\r\n0\r\n\r\n",
                 "HTTP/1.1 413 ", "Weir-Cause: too_large");
    close(house->listening[0]);
    house->listening[0] = -1;
    answers_page(GET, "HTTP/1.1 502 ", "Weir-Cause: connect_refused");
    atomic_store(&house->servers[0].health, HEALTH_DOWN);
    answers_page(GET, "HTTP/1.1 503 ", "Weir-Cause: no_server");
    assert_int_equal(house->failures, 1); /* three in a row are told once */
    house_close();
}

static void test_deadlines(void **state)
{
    int client, server;

    (void)state;
    house_build(1);
    house->listener.timeouts.request_header = 50;
    house->route.timeouts.request_body = 50;
    house->route.timeouts.response = 50;
    house->route.timeouts.response_body = 50;
    house_open();
    answers_page("GET / HT", "HTTP/1.1 408 ", "Weir-Cause: client_timeout");
    answers_page("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc",
                 "HTTP/1.1 408 ", "Weir-Cause: client_timeout");
    close(server_take_one(0));
    answers_page(GET, "HTTP/1.1 504 ", "Weir-Cause: server_timeout");
    close(server_take_one(0));
    client = exchange_once(GET, ANSWER(5, "abc"), &server);
    hear_end(client); /* silent in the middle of a body */
    assert_true(has_heard("\r\n\r\nabc"));
    close(client);
    close(server);
    house_close();
}

static void test_expect_continue(void **state)
{
    int client, server;

    (void)state;
    house_build(1);
    house_open();
    client = client_new();
    say(client, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                "Content-Length: 4\r\n\r\n");
    server = server_take_one(0);
    hear(server, "\r\n\r\n");
    say(server, "HTTP/1.1 100 Continue\r\n\r\n");
    hear(client, "HTTP/1.1 100 Continue\r\n\r\n");
    say(client, "body");
    hear(server, "body");
    say(server, ANSWER(2, "ok"));
    hear(client, "\r\n\r\nok");
    assert_false(has_heard("Connection: close"));
    close(client);
    close(server);
    house_close();
}

/* The client does not wait for the 100: its upload may take longer than a response. */
static void test_expect_and_slow_upload(void **state)
{
    int client, server;

    (void)state;
    house_build(1);
    house->route.timeouts.response = 60;
    house_open();
    client = client_new();
    say(client, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                "Content-Length: 40\r\n\r\n");
    server = server_take_one(0);
    hear(server, "\r\n\r\n");
    for (int i = 0; i < 40; i++) {
        say(client, "x");
        turn();
        usleep(3000);
    }
    hear(server, "x");
    turns(2);
    say(server, ANSWER(2, "ok"));
    hear(client, "\r\n\r\nok");
    close(client);
    close(server);
    house_close();
}

static void test_interims_are_counted(void **state)
{
    int client, server;

    (void)state;
    house_build(1);
    house_open();
    client = client_new();
    say(client, GET);
    server = server_take_one(0);
    hear(server, "\r\n\r\n");
    for (int i = 0; i <= INTERIM_MOST; i++)
        say(server, "HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n");
    hear(client, "Weir-Cause: server_invalid");
    assert_true(has_heard("HTTP/1.1 103 Early\r\n"));
    close(client);
    close(server);
    house_close();
}

/* The next link that is taken up again takes little at once, and so does its server. */
static void narrow_idle_link(void)
{
    struct server_desk *desk = &house->server_desks[0][0];
    struct link *link = list_entry(desk->idle.next, struct link, node);
    int least = 1; /* the kernel makes the least of it that there is */

    assert_int_equal(desk->idle_count, 1);
    assert_int_equal(
        setsockopt(link->back.conn.watch.fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least),
        0);
}

/* A head without a body that the server's socket does not take at once. */
static void test_head_is_taken_in_parts(void **state)
{
    static char head[20000];
    int client, server, least = 1;

    (void)state;
    house_build(1);
    house_open();
    assert_int_equal(
        setsockopt(house->listening[0], SOL_SOCKET, SO_RCVBUF, &least, sizeof least), 0);
    client = exchange_once(GET, ANSWER(2, "hi"), &server);
    hear(client, "\r\n\r\nhi");
    narrow_idle_link();
    memset(head, 'x', sizeof head - 1);
    say(client, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    say(client, head);
    say(client, "\r\n\r\n");
    turns(20);
    hear(server, "\r\n\r\n");
    say(server, ANSWER(2, "ho"));
    hear(client, "\r\n\r\nho");
    close(client);
    close(server);
    house_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipelined_in_order),
        cmocka_unit_test(test_first_of_pipeline_is_bad),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_reuse_of_links),
        cmocka_unit_test(test_head_has_no_body),
        cmocka_unit_test(test_chunked_both_ways_with_trailers),
        cmocka_unit_test(test_unframed_becomes_chunked),
        cmocka_unit_test(test_unframed_and_reset),
        cmocka_unit_test(test_early_response),
        cmocka_unit_test(test_only_idempotent_is_retried),
        cmocka_unit_test(test_refused_costs_nothing),
        cmocka_unit_test(test_status_not_retried_any_more),
        cmocka_unit_test(test_status_retried),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_client_leaves_while_a_retry_waits),
        cmocka_unit_test(test_spliced_body_is_not_retried),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_expect_and_slow_upload),
        cmocka_unit_test(test_interims_are_counted),
        cmocka_unit_test(test_head_is_taken_in_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
