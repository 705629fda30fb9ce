/* One check at a time, against a server that the test plays itself in the same thread:
 * connecting, sending, the deadline. What HTTP answers mean is in http_test.c. */
#include "probe.c"

#include "control/probe/test_server.h"

#include <sys/resource.h>

static struct engine engine;

struct trial {
    struct probe probe;
    bool is_finished;
    struct check_outcome outcome;
};

static void trial_finished(struct probe *probe, const struct check_outcome *outcome)
{
    struct trial *trial = container_of(probe, struct trial, probe);

    assert_false(trial->is_finished);
    assert_false(probe->is_running);
    trial->is_finished = true;
    trial->outcome = *outcome;
}

static const struct status_range ok_range = {200, 299};

static struct health_check check_of(bool is_http, uint32_t timeout)
{
    return (struct health_check){
        .is_enabled = true,
        .kind = is_http ? CHECK_BY_HTTP : CHECK_BY_CONNECT,
        .request = {.method = STR("GET"), .path = STR("/healthz")},
        .expect = {.status = &ok_range, .status_count = 1},
        .interval = 5000,
        .timeout = timeout,
        .unhealthy_after = 3,
        .healthy_after = 2,
        .jitter = 10,
    };
}

static void trial_init(struct trial *trial, struct server_live *live,
                       const struct health_check *check, enum proxy_protocol proxy)
{
    struct probe_target target = {live, *check, proxy};

    trial->is_finished = false;
    probe_init(&trial->probe, &engine, probe_question_new(&target), trial_finished);
}

static void trial_run(struct trial *trial)
{
    assert_int_equal(probe_begin(&trial->probe), ERR_OK);
    while (!trial->is_finished)
        loop_turn(&engine.loop);
}

static void test_connect_decides(void **state)
{
    struct health_check check = check_of(false, 2000);
    struct test_server server;
    struct trial trial;

    test_server_open(&server);
    trial_init(&trial, &server.live, &check, PROXY_PROTOCOL_OFF);
    trial_run(&trial);
    assert_int_equal(trial.outcome.result, CHECK_PASSED);
    assert_int_equal(trial.outcome.status, 0);
    test_server_close(&server);
    trial.is_finished = false;
    trial_run(&trial);
    assert_int_equal(trial.outcome.result, CHECK_CONNECT_FAILED);
    assert_int_equal(trial.outcome.error, ERR_REFUSED);
    probe_close(&trial.probe);
}

/* A whole accept queue that nobody empties: the kernel answers no more SYNs. */
static void test_nobody_accepts(void **state)
{
    struct health_check check = check_of(false, 120);
    struct test_server server;
    struct trial trial;
    int fillers[8];

    test_server_open(&server);
    assert_int_equal(listen(server.listening, 0), 0);
    for (unsigned i = 0; i < array_len(fillers); i++) {
        enum err e;

        assert_int_equal(sys_socket(ADDR_IP4, &fillers[i]), ERR_OK);
        e = sys_connect(fillers[i], &server.live.addr);
        assert_int_equal(e, ERR_AGAIN);
    }
    usleep(20000);
    trial_init(&trial, &server.live, &check, PROXY_PROTOCOL_OFF);
    trial_run(&trial);
    assert_int_equal(trial.outcome.result, CHECK_CONNECT_FAILED);
    assert_int_equal(trial.outcome.error, ERR_TIMEOUT);
    assert_true(trial.outcome.duration_ms >= 120);
    for (unsigned i = 0; i < array_len(fillers); i++)
        close(fillers[i]);
    probe_close(&trial.probe);
    test_server_close(&server);
}

static void test_unix_path(void **state)
{
    char directory[] = "/tmp/probe_test.XXXXXX";
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct health_check check = check_of(true, 2000);
    struct server_live live = {0};
    struct trial trial;
    const char *asked;
    int listening, fd;

    assert_non_null(mkdtemp(directory));
    snprintf(name.sun_path, sizeof name.sun_path, "%s/socket", directory);
    listening = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(listening, 8), 0);
    assert_int_equal(addr_from_path(str_of(name.sun_path), &live.addr), ERR_OK);
    trial_init(&trial, &live, &check, PROXY_PROTOCOL_OFF);
    assert_int_equal(probe_begin(&trial.probe), ERR_OK);
    fd = accept(listening, NULL, NULL);
    asked = test_read_head(fd);
    assert_non_null(strstr(asked, "\r\nHost: localhost\r\n"));
    test_say(fd, "HTTP/1.1 204 No Content\r\n\r\n", 27);
    while (!trial.is_finished)
        loop_turn(&engine.loop);
    assert_int_equal(trial.outcome.result, CHECK_PASSED);
    close(fd);
    close(listening);
    unlink(name.sun_path);
    trial.is_finished = false;
    trial_run(&trial);
    assert_int_equal(trial.outcome.result, CHECK_CONNECT_FAILED);
    assert_int_equal(rmdir(directory), 0);
    probe_close(&trial.probe);
}

/* A socket that is connected to itself, as the kernel can make one of a dial. */
static void test_own_echo(void **state)
{
    struct test_server server;
    struct conn conn;
    int fd;

    test_server_open(&server);
    test_server_close(&server);
    assert_int_equal(sys_socket(ADDR_IP4, &fd), ERR_OK);
    assert_int_equal(sys_bind(fd, &server.live.addr), ERR_OK);
    (void)!sys_connect(fd, &server.live.addr);
    usleep(20000);
    assert_int_equal(sys_socket_error(fd), ERR_OK);
    conn_init(&conn, &engine, fd, NULL);
    assert_true(is_own_echo(&conn, &server.live.addr));
    conn_close(&conn);

    test_server_open(&server);
    assert_int_equal(sys_socket(ADDR_IP4, &fd), ERR_OK);
    (void)!sys_connect(fd, &server.live.addr);
    conn_init(&conn, &engine, fd, NULL);
    assert_false(is_own_echo(&conn, &server.live.addr));
    conn_close(&conn);
    test_server_close(&server);
}

static void test_what_is_asked(void **state)
{
    static const struct check_header headers[] = {{STR("X-Who"), STR("weir")},
                                                  {STR("user-agent"), STR("me")}};
    static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    struct health_check check = check_of(true, 2000);
    struct server_live live = {0};
    struct probe_target target = {&live, check, PROXY_PROTOCOL_OFF};
    struct probe_question *question;

    assert_int_equal(addr_parse_ip(STR("192.0.2.7"), &live.addr), ERR_OK);
    live.addr.port = 8080;
    question = probe_question_new(&target);
    assert_true(str_eq(question->request, STR("GET /healthz HTTP/1.1\r\n"
                                              "Host: 192.0.2.7:8080\r\n"
                                              "User-Agent: weir/health\r\n"
                                              "Connection: close\r\n\r\n")));
    probe_question_free(question);
    target.check.request.host = STR("shop.example.com");
    target.proxy_protocol = PROXY_PROTOCOL_V2;
    question = probe_question_new(&target);
    assert_true(
        str_starts(question->request, (str){local, sizeof local - 1})); /* 16 bytes */
    assert_true(str_find(question->request, STR("\r\nHost: shop.example.com\r\n")) > 0);
    probe_question_free(question);
    target.check.kind = CHECK_BY_CONNECT;
    question = probe_question_new(&target);
    assert_true(str_eq(question->request, (str){local, sizeof local - 1}));
    probe_question_free(question);
    target.check = check;
    target.check.port = 81;
    target.check.request.method = STR("POST");
    target.check.request.headers = headers;
    target.check.request.header_count = array_len(headers);
    target.proxy_protocol = PROXY_PROTOCOL_OFF;
    question = probe_question_new(&target);
    assert_true(str_eq(question->request, STR("POST /healthz HTTP/1.1\r\n"
                                              "Host: 192.0.2.7:81\r\n"
                                              "X-Who: weir\r\n"
                                              "user-agent: me\r\n"
                                              "Content-Length: 0\r\n"
                                              "Connection: close\r\n\r\n")));
    assert_int_equal(question->addr.port, 81);
    probe_question_free(question);
}

static void test_proxy_header_before_a_tcp_check(void **state)
{
    struct health_check check = check_of(false, 2000);
    struct test_server server;
    struct trial trial;
    char heard[64];
    int fd;

    test_server_open(&server);
    trial_init(&trial, &server.live, &check, PROXY_PROTOCOL_V2);
    trial_run(&trial);
    assert_int_equal(trial.outcome.result, CHECK_PASSED);
    fd = test_server_accept(&server, 5000);
    assert_int_equal(recv(fd, heard, sizeof heard, MSG_WAITALL), 16);
    assert_memory_equal(heard, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);
    close(fd);
    probe_close(&trial.probe);
    test_server_close(&server);
}

/* What servers say is shown to people, on terminals too. */
static void test_words_are_made_harmless(void **state)
{
    static const struct {
        const char *words, *told;
    } cases[] = {
        {"", ""},
        {" plain  words\r\n", "plain words"},
        {"\x1b[31mred\x7f\x80", "[31mred ?"},
        {"\xc3\xa4\xc2\x85\xc3", "\xc3\xa4??"},
    };
    struct check_outcome outcome;
    char many[400];

    for (unsigned i = 0; i < array_len(cases); i++) {
        outcome_tell(&outcome, str_of(cases[i].words));
        assert_int_equal(outcome.detail_length, strlen(cases[i].told));
        assert_memory_equal(outcome.detail, cases[i].told, outcome.detail_length);
    }
    for (unsigned i = 0; i < sizeof many; i += 2)
        memcpy(many + i, "\xc3\xa4", 2);
    outcome_tell(&outcome, (str){many, sizeof many});
    assert_int_equal(outcome.detail_length, CHECK_DETAIL_MOST);
}

static void test_equal_questions(void **state)
{
    static const struct status_range two[] = {{200, 299}, {401, 401}};
    struct server_live live = {0}, same = {0};
    struct probe_target target = {&live, check_of(true, 2000), PROXY_PROTOCOL_OFF};
    struct probe_question *first, *second;

    assert_int_equal(addr_parse_ip(STR("192.0.2.7"), &live.addr), ERR_OK);
    same.addr = live.addr;
    first = probe_question_new(&target);
#define SAME(change, is_same)                                             \
    do {                                                                  \
        struct probe_target other = target;                               \
        struct health_check *check = &other.check;                        \
        change;                                                           \
        check->expect.body.p = check->expect.body.n ? strdup("abc") : ""; \
        second = probe_question_new(&other);                              \
        if (check->expect.body.n)                                         \
            free((char *)check->expect.body.p);                           \
        assert_int_equal(probe_question_eq(first, second), is_same);      \
        probe_question_free(second);                                      \
    } while (0)
    SAME(check->unhealthy_after = 9, false); /* it says how long there is doubt */
    SAME(check->fast_interval = 9, false);
    SAME(check->max_interval = 9, false);
    SAME(check->port = 9, false);
    SAME(check->request.method = STR("HEAD"), false);
    SAME(check->expect.body_regex = STR("x"), false);
    SAME(check->expect.json.field = STR("x"), false);
    SAME(check->expect.json.reason = STR("x"), false);
    SAME(other.server = &same, true); /* who asks does not matter */
    SAME(check->request.path = STR("/other"), false);
    SAME(check->request.host = STR("other"), false);
    SAME(check->interval = 1, false);
    SAME(check->timeout = 1, false);
    SAME(check->jitter = 0, false);
    SAME(check->kind = CHECK_BY_CONNECT, false);
    SAME(check->expect.status_count = 0, false);
    SAME(check->expect.status = two, true);
    SAME((check->expect.status = two, check->expect.status_count = 2), false);
    SAME(check->expect.status = &two[1], false);
    SAME(check->expect.body.n = 3, false);
    SAME(other.proxy_protocol = PROXY_PROTOCOL_V2, false);
    probe_question_free(first);
    target.check.expect.body = STR("abc");
    first = probe_question_new(&target);
    SAME(check->expect.body.n = 3, true); /* the same words at another place */
    probe_question_free(first);
}

static void test_no_descriptor_left(void **state)
{
    struct health_check check = check_of(false, 2000);
    struct test_server server;
    struct trial trial;
    struct rlimit usual, tight;
    int hoard[256];
    unsigned n = 0;

    test_server_open(&server);
    trial_init(&trial, &server.live, &check, PROXY_PROTOCOL_OFF);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    tight = (struct rlimit){array_len(hoard), usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    while (n < array_len(hoard) && (hoard[n] = dup(0)) >= 0)
        n++;
    assert_int_equal(probe_begin(&trial.probe), ERR_NO_FDS);
    assert_false(trial.is_finished || trial.probe.is_running);
    while (n)
        close(hoard[--n]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    trial_run(&trial);
    assert_int_equal(trial.outcome.result, CHECK_PASSED);
    probe_close(&trial.probe);
    test_server_close(&server);
}

static void nothing(struct timer *timer)
{
}

static void test_abandoned(void **state)
{
    struct health_check check = check_of(true, 60);
    struct test_server server;
    struct trial trial;
    struct timer later;
    int fd;

    test_server_open(&server);
    trial_init(&trial, &server.live, &check, PROXY_PROTOCOL_OFF);
    assert_int_equal(probe_begin(&trial.probe), ERR_OK);
    fd = test_server_accept(&server, 5000);
    probe_abandon(&trial.probe);
    probe_abandon(&trial.probe);
    timer_init(&later, nothing);
    timer_set(&engine.loop.timers, &later, sys_now() + 200000000);
    while (later.due != TIMER_NEVER)
        loop_turn(&engine.loop);
    assert_false(trial.is_finished); /* neither its deadline nor the server was heard */
    assert_string_equal(test_read_head(fd), "");
    close(fd);
    probe_close(&trial.probe);
    test_server_close(&server);
}

static int begin(void **state)
{
    return engine_init(&engine, 0);
}

static int end(void **state)
{
    engine_close(&engine); /* CHECKs that all chunks came back */
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect_decides),
        cmocka_unit_test(test_nobody_accepts),
        cmocka_unit_test(test_unix_path),
        cmocka_unit_test(test_own_echo),
        cmocka_unit_test(test_what_is_asked),
        cmocka_unit_test(test_proxy_header_before_a_tcp_check),
        cmocka_unit_test(test_words_are_made_harmless),
        cmocka_unit_test(test_equal_questions),
        cmocka_unit_test(test_no_descriptor_left),
        cmocka_unit_test(test_abandoned),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
