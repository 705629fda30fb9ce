/*
 * The admin server with bodies, the hostile and the slow: strict with the ones, patient
 * with the others, and nobody's trouble is another's.
 */
#include "control/admin_stage_test.h"

/* ---- bodies ---- */

static void test_bodies(void **state)
{
    int fd = dial_unix();

    assert_int_equal(
        ask(fd, "POST /v1/reload HTTP/1.1\r\nHost: w\r\nContent-Length: 5\r\n\r\n"
                "hello")
            .status,
        200);
    assert_int_equal(ask(fd, "POST /v1/reload HTTP/1.1\r\nHost: w\r\n"
                             "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
                         .status,
                     200);
    assert_int_equal(
        ask(fd, "GET /healthz HTTP/1.1\r\nHost: w\r\nContent-Length: 3\r\n\r\nGET")
            .status,
        200); /* a body on GET is no next request */
    assert_int_equal(ask(fd, GET("/healthz")).status, 200);
    assert_int_equal(
        ask(fd, "POST /nothing HTTP/1.1\r\nHost: w\r\nContent-Length: 4\r\n\r\n1234")
            .status,
        404);
    assert_int_equal(ask(fd, GET("/healthz")).status, 200);
    say(fd, "POST /v1/reload HTTP/1.1\r\nHost: w\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET("/healthz"));
    assert_int_equal(hear(fd).status, 200);
    assert_string_equal(hear(fd).body, "ok\n");
    assert_int_equal(stage.reloads, 3);
    close(fd);
}

static void test_expect(void **state)
{
    int fd = dial_unix();
    struct answer answer;

    answer = ask(fd, "POST /v1/reload HTTP/1.1\r\nHost: w\r\nExpect: 100-continue\r\n"
                     "Content-Length: 2\r\n\r\n");
    assert_int_equal(answer.status, 100);
    assert_int_equal(ask(fd, "{}").status, 200);
    answer = ask(fd, "POST /nothing HTTP/1.1\r\nHost: w\r\nExpect: 100-continue\r\n"
                     "Content-Length: 2\r\n\r\n");
    assert_int_equal(answer.status, 404);
    expect_end(fd);
}

static void test_large_bodies(void **state)
{
    static char junk[256 * 1024];
    int fd = dial_unix();

    memset(junk, 'x', sizeof junk);
    say(fd, "POST /v1/reload HTTP/1.1\r\nHost: w\r\nContent-Length: 65536\r\n\r\n");
    say_bytes(fd, junk, 65536);
    assert_int_equal(hear(fd).status, 200);
    say(fd, "POST /v1/reload HTTP/1.1\r\nHost: w\r\nContent-Length: 262144\r\n\r\n");
    say_bytes(fd, junk, sizeof junk); /* the answer is heard all the same */
    assert_int_equal(hear(fd).status, 413);
    expect_end(fd);
    fd = dial_unix();
    say(fd, "POST /v1/reload HTTP/1.1\r\nHost: w\r\n"
            "Transfer-Encoding: chunked\r\n\r\n40000\r\n");
    say_bytes(fd, junk, sizeof junk);
    assert_int_equal(hear(fd).status, 413);
    expect_end(fd);
    fd = dial_unix();
    assert_int_equal(ask(fd, "POST /v1/reload HTTP/1.1\r\nHost: w\r\n"
                             "Transfer-Encoding: chunked\r\n\r\nxyz\r\n")
                         .status,
                     400);
    expect_end(fd);
    assert_int_equal(stage.reloads, 1);
}

/* ---- the hostile and the slow ---- */

static void test_byte_by_byte(void **state)
{
    static const char request[] = GET("/healthz");
    int fd = dial_tcp();

    for (size_t i = 0; i < sizeof request - 1; i++) {
        say_bytes(fd, request + i, 1);
        if (i % 8 == 0)
            on_thread(look); /* so that it comes in pieces */
    }
    assert_string_equal(hear(fd).body, "ok\n");
    close(fd);
}

static void test_pipelining(void **state)
{
    enum { COUNT = 500 };
    static char requests[COUNT * 64];
    int fd = dial_tcp();

    for (int i = 0; i < COUNT; i++)
        strcat(requests, i % 2 ? GET("/healthz") : GET("/readyz"));
    say(fd, requests);
    for (int i = 0; i < COUNT; i++)
        assert_string_equal(hear(fd).body, i % 2 ? "ok\n" : "ready\n");
    say(fd, GET("/healthz") "GET /readyz HTTP/1.1\r\nHost: localhost\r\n"
                            "Connection: close\r\n\r\n" GET("/healthz"));
    assert_string_equal(hear(fd).body, "ok\n");
    assert_string_equal(hear(fd).body, "ready\n");
    assert_int_equal(take(fd, requests, sizeof requests),
                     0); /* "close" is the last word */
    close(fd);
}

static void test_old_clients(void **state)
{
    int fd = dial_tcp();
    struct answer answer;
    char byte;

    answer = ask(fd, "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_string_equal(value_of(&answer, "Connection"), "keep-alive");
    answer = ask(fd, "GET /healthz HTTP/1.0\r\n\r\n");
    assert_string_equal(value_of(&answer, "Connection"), "close");
    assert_int_equal(take(fd, &byte, 1), 0); /* hears the end before we are through */
    on_thread(look);
    assert_int_equal(clients_now, 1);
    expect_end(fd);
}

static void test_giant_heads(void **state)
{
    static char junk[700 * 1024];
    int fd = dial_tcp();

    memset(junk, 'a', sizeof junk);
    say(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-A: ");
    say_bytes(fd, junk, sizeof junk);
    assert_int_equal(hear(fd).status, 431);
    expect_end(fd);
    fd = dial_tcp();
    say(fd, "GET /");
    say_bytes(fd, junk, sizeof junk);
    assert_int_equal(hear(fd).status, 414);
    expect_end(fd);
    fd = dial_tcp();
    say(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n");
    for (int i = 0; i < 100; i++)
        say(fd, "a: b\r\n");
    assert_int_equal(ask(fd, "\r\n").status, 431);
    expect_end(fd);
}

static void test_garbage(void **state)
{
    static const char *const bytes[] = {
        "GET / HTTP/1.1\r\nX : y\r\n\r\n",
        "\x16\x03\x01\x01hello\r\n\r\n",
        "GET /metrics HTTP/9.9\r\nHost: a\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
        "Transfer-Encoding: chunked\r\n\r\n",
        "GET  /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    };

    for (size_t i = 0; i < array_len(bytes); i++) {
        int fd = dial_tcp();

        assert_true(ask(fd, bytes[i]).status >= 400);
        expect_end(fd);
    }
    assert_int_equal(ask_once(dial_tcp(), GET("/healthz")).status, 200);
    wait_for_clients(0);
}

/* Seeded rubbish near to what is right; whatever it answers, it goes on serving. */
static void test_random_bytes(void **state)
{
    static const char *const seeds[] = {
        GET("/metrics"), POST("/v1/reload"),
        "POST /v1/reload HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n0\r\n\r\n",
        "GET /readyz HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab"};
    struct rand rand;

    rand_seed(&rand, 20261123);
    for (int i = 0; i < 400; i++) {
        const char *seed = seeds[rand_below(&rand, array_len(seeds))];
        char bytes[256], answer[4096];
        size_t n = strlen(seed), cuts = 1 + rand_below(&rand, 3);
        int fd = i % 2 ? dial_tcp() : dial_unix();

        memcpy(bytes, seed, n);
        for (size_t k = rand_below(&rand, 4); k > 0; k--)
            bytes[rand_below(&rand, (uint32_t)n)] = (char)rand_below(&rand, 256);
        for (size_t k = 0; k < cuts; k++)
            say_bytes(fd, bytes + n * k / cuts, n * (k + 1) / cuts - n * k / cuts);
        shutdown(fd, SHUT_WR);
        while (i % 3 && take(fd, answer, sizeof answer))
            ;
        close(fd);
    }
    assert_int_equal(ask_once(dial_unix(), GET("/healthz")).status, 200);
    wait_for_clients(0);
}

static void test_large_answer_to_a_slow_reader(void **state)
{
    int fd = dial_tcp();
    char piece[3000];
    size_t n = 0, got;

    stage.metrics_size = 8 * 1024 * 1024;
    say(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    for (int i = 0; (got = take(fd, piece, sizeof piece)); i++) {
        n += got;
        if (i % 500 == 0) /* others are served meanwhile */
            assert_int_equal(ask_once(dial_tcp(), GET("/healthz")).status, 200);
    }
    assert_true(n > stage.metrics_size && n < stage.metrics_size + 1024);
    close(fd);
    on_thread(look);
    assert_int_equal(waiting_now, 0);
}

static void wait_for_waiting(size_t bytes)
{
    for (int i = 0; i < 5000; i++) {
        on_thread(look);
        if (waiting_now >= bytes)
            return;
        usleep(1000);
    }
    fail_msg("%zu bytes wait, not %zu", waiting_now, bytes);
}

static void test_readers_that_never_read(void **state)
{
    int fd[2];

    stage.metrics_size = 40 * 1024 * 1024;
    for (int i = 0; i < 2; i++) {
        fd[i] = dial_tcp();
        say(fd[i], GET("/metrics"));
        wait_for_waiting(stage.metrics_size * (size_t)(i + 1));
    }
    assert_int_equal(ask_once(dial_tcp(), GET("/metrics")).status, 503);
    assert_int_equal(ask_once(dial_tcp(), GET("/healthz")).status, 200);
    on_thread(eleven_seconds_later); /* so many bytes may take longer */
    on_thread(look);
    assert_int_equal(waiting_now, 2 * (stage.metrics_size + 10));
    close(fd[0]);
    close(fd[1]);
    wait_for_clients(0);
    on_thread(look);
    assert_int_equal(waiting_now, 0);
}

static void test_reader_that_never_reads_is_cut(void **state)
{
    int fd = dial_tcp();

    stage.metrics_size = 20 * 1024 * 1024;
    say(fd, GET("/metrics"));
    wait_for_waiting(stage.metrics_size);
    on_thread(many_minutes_later);
    on_thread(look);
    assert_int_equal(clients_now, 0);
    assert_int_equal(waiting_now, 0);
    close(fd);
}

static void test_deadlines(void **state)
{
    int half = dial_tcp(), body = dial_unix(), idle = dial_tcp();
    char byte;

    say(half, "GET /healthz HT");
    assert_int_equal(ask(idle, GET("/healthz")).status, 200);
    say(body, "POST /v1/reload HTTP/1.1\r\nHost: w\r\nContent-Length: 5\r\n\r\nhel");
    wait_for_clients(3);
    on_thread(eleven_seconds_later);
    assert_int_equal(hear(half).status, 408);
    assert_int_equal(hear(body).status, 408);
    expect_end(half);
    expect_end(body);
    wait_for_clients(1); /* keep-alive lasts longer */
    assert_int_equal(ask(idle, GET("/healthz")).status, 200);
    on_thread(many_minutes_later);
    assert_int_equal(take(idle, &byte, 1), 0);
    close(idle);
    assert_int_equal(stage.reloads, 0);
}

static void test_deadline_of_a_later_request(void **state)
{
    int fd = dial_tcp();

    assert_int_equal(ask(fd, GET("/healthz")).status, 200);
    say(fd, "G"); /* from here on it has as long as any, not as long as an idle one */
    on_thread(look);
    on_thread(look);
    on_thread(eleven_seconds_later);
    assert_int_equal(hear(fd).status, 408);
    expect_end(fd);
}

static void test_many_clients(void **state)
{
    int busy[ADMIN_CLIENTS], idle, late;
    char byte;

    idle = dial_tcp();
    assert_int_equal(ask(idle, GET("/healthz")).status, 200);
    for (int i = 0; i < ADMIN_CLIENTS - 1; i++) {
        busy[i] = dial_tcp();
        say(busy[i], "GET /");
    }
    wait_for_clients(ADMIN_CLIENTS);
    busy[ADMIN_CLIENTS - 1] = dial_tcp(); /* the idle one makes room */
    say(busy[ADMIN_CLIENTS - 1], "GET /");
    assert_int_equal(take(idle, &byte, 1), 0);
    close(idle);
    wait_for_clients(ADMIN_CLIENTS);
    on_thread(look);
    late = dial_tcp(); /* and nobody for this one */
    assert_int_equal(take(late, &byte, 1), 0);
    close(late);
    assert_int_equal(ask_once(dial_unix(), POST("/v1/reload")).status,
                     200); /* another gate */
    for (int i = 0; i < ADMIN_CLIENTS; i++)
        close(busy[i]);
    wait_for_clients(0);
    assert_int_equal(ask_once(dial_tcp(), GET("/healthz")).status, 200);
}

static void test_out_of_descriptors(void **state)
{
    struct rlimit usual, tight;
    int next = dup(0), fd;

    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    tight = (struct rlimit){(rlim_t)next + 1, usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    fd = dial_tcp(); /* takes the last one, so the server gets none */
    say(fd, GET("/healthz"));
    on_thread(look);
    on_thread(look);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_int_equal(clients_now, 0);
    on_thread(two_seconds_later); /* no new edge comes; it tries by itself */
    assert_string_equal(hear(fd).body, "ok\n");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(test_bodies),
        STAGED(test_expect),
        STAGED(test_large_bodies),
        STAGED(test_byte_by_byte),
        STAGED(test_pipelining),
        STAGED(test_old_clients),
        STAGED(test_giant_heads),
        STAGED(test_garbage),
        STAGED(test_random_bytes),
        STAGED(test_large_answer_to_a_slow_reader),
        STAGED(test_readers_that_never_read),
        STAGED(test_reader_that_never_reads_is_cut),
        STAGED(test_deadlines),
        STAGED(test_deadline_of_a_later_request),
        STAGED(test_many_clients),
        STAGED(test_out_of_descriptors),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
