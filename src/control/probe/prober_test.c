/* The timetable, with its own thread and real servers played by the test: first checks at
 * once, the interval, one outstanding at most, changed questions, farewells, the line. The
 * servers are static, for the prober looks at them until the teardown. */
#include "prober.c"

#include "control/probe/test_server.h"

#include <sys/resource.h>

static struct mailbox home;
static struct prober *prober;
static struct probe_report *reports[20000];
static unsigned report_count, report_at;

static void take_report(struct mail *mail)
{
    struct probe_report *report = container_of(mail, struct probe_report, mail);

    assert_ptr_equal(report->owner, &home);
    assert_true(report_count < array_len(reports));
    reports[report_count++] = report;
}

/* The next report; NULL: none came within so many ms. */
static const struct probe_report *next_report(int ms)
{
    if (report_at == report_count && test_is_readable(home.event, ms))
        mailbox_open(&home);
    return report_at < report_count ? reports[report_at++] : NULL;
}

static int begin(void **state)
{
    report_count = report_at = 0;
    assert_int_equal(mailbox_init(&home), ERR_OK);
    assert_int_equal(prober_new(&prober, &home, take_report, &home), ERR_OK);
    return 0;
}

static int end(void **state)
{
    prober_stop(prober);
    mailbox_open(&home);
    mailbox_close(&home);
    while (report_count)
        free(reports[--report_count]);
    return 0;
}

static const struct status_range ok_range = {200, 299};

static struct probe_target target_of(struct test_server *server, bool is_http)
{
    return (struct probe_target){
        .server = &server->live,
        .check = {.is_enabled = true,
                  .kind = is_http ? CHECK_BY_HTTP : CHECK_BY_CONNECT,
                  .request = {.method = STR("GET"), .path = STR("/healthz")},
                  .expect = {.status = &ok_range, .status_count = 1},
                  .interval = 40,
                  .timeout = 2000,
                  .jitter = 10},
    };
}

static void expect(struct test_server *server, enum check_result result)
{
    const struct probe_report *report = next_report(5000);

    assert_non_null(report);
    assert_ptr_equal(report->server, &server->live);
    assert_false(report->is_farewell);
    assert_int_equal(report->outcome.result, result);
}

static void expect_farewell(struct test_server *server)
{
    const struct probe_report *report;

    do
        assert_non_null(report = next_report(5000));
    while (!report->is_farewell);
    assert_ptr_equal(report->server, &server->live);
    assert_null(next_report(150));
}

static void answer(int fd, const char *status)
{
    char words[128];

    assert_non_null(strstr(test_read_head(fd), "GET /healthz HTTP/1.1\r\n"));
    test_say(
        fd, words,
        (size_t)sprintf(words, "HTTP/1.1 %s X\r\nContent-Length: 0\r\n\r\n", status));
    close(fd);
}

static void test_again_and_again(void **state)
{
    static struct test_server server;
    struct probe_target target;
    uint64_t began = sys_now();

    test_server_open(&server);
    target = target_of(&server, true);
    assert_int_equal(prober_start(prober), ERR_OK);
    prober_watch(prober, &target);
    answer(test_server_accept(&server, 5000), "200");
    expect(&server, CHECK_PASSED);
    for (unsigned i = 0; i < 4; i++) {
        answer(test_server_accept(&server, 5000), i % 2 ? "200" : "500");
        expect(&server, i % 2 ? CHECK_PASSED : CHECK_BAD_STATUS);
    }
    assert_true(sys_now() - began >=
                4 * 36 * NS_PER_MS); /* not sooner than jitter says */
    prober_forget(prober, &server.live);
    expect_farewell(&server);
    test_server_close(&server);
}

static void test_first_check_at_once(void **state)
{
    static struct test_server server;
    struct probe_target target;

    test_server_open(&server);
    target = target_of(&server, false);
    target.check.interval = 3600 * 1000;
    assert_int_equal(prober_start(prober), ERR_OK);
    prober_watch(prober, &target);
    expect(&server, CHECK_PASSED);
    assert_null(next_report(150)); /* and the next much later */
    test_server_close(&server);
}

/* The server holds its answer back for several intervals. */
static void test_one_outstanding(void **state)
{
    static struct test_server server;
    struct probe_target target;
    int fd;

    test_server_open(&server);
    target = target_of(&server, true);
    assert_int_equal(prober_start(prober), ERR_OK);
    prober_watch(prober, &target);
    fd = test_server_accept(&server, 5000);
    assert_true(fd >= 0);
    assert_int_equal(test_server_accept(&server, 200), -1);
    answer(fd, "200");
    expect(&server, CHECK_PASSED);
    answer(test_server_accept(&server, 5000), "200"); /* then at once */
    expect(&server, CHECK_PASSED);
    test_server_close(&server);
}

static void test_equal_and_changed_questions(void **state)
{
    static struct test_server server;
    struct probe_target target;
    int old, new;

    test_server_open(&server);
    target = target_of(&server, true);
    target.check.interval = 3600 * 1000;
    assert_int_equal(prober_start(prober), ERR_OK);
    prober_watch(prober, &target);
    old = test_server_accept(&server, 5000);
    prober_watch(prober, &target);
    assert_int_equal(test_server_accept(&server, 150), -1);
    target.check.request.host = STR("other");
    prober_watch(prober, &target);
    new = test_server_accept(&server, 5000);
    assert_non_null(strstr(test_read_head(new), "\r\nHost: other\r\n"));
    answer(old, "500"); /* nobody listens there any more */
    assert_null(next_report(100));
    test_say(new, "HTTP/1.1 204 X\r\n\r\n", 18);
    expect(&server, CHECK_PASSED);
    close(new);
    test_server_close(&server);
}

/* Three servers of one address and one check are asked once; each hears of it. */
static void test_shared(void **state)
{
    static struct test_server server;
    static struct server_live others[2];
    struct probe_target target;
    int fd;

    test_server_open(&server);
    target = target_of(&server, true);
    target.check.interval = 3600 * 1000;
    prober_watch(prober, &target);
    for (unsigned i = 0; i < 2; i++) {
        others[i].addr = server.live.addr;
        target.server = &others[i];
        prober_watch(prober, &target);
    }
    assert_int_equal(prober_start(prober), ERR_OK);
    fd = test_server_accept(&server, 5000);
    assert_int_equal(test_server_accept(&server, 100), -1);
    answer(fd, "200");
    for (unsigned i = 0; i < 3; i++) {
        const struct probe_report *report = next_report(5000);

        assert_non_null(report);
        assert_int_equal(report->outcome.result, CHECK_PASSED);
        assert_ptr_equal(report->server, i ? &others[i - 1] : &server.live);
    }
    target.check.request.host = STR("other"); /* the last one parts */
    prober_watch(prober, &target);
    answer(test_server_accept(&server, 5000), "500");
    assert_ptr_equal(next_report(5000)->server, &others[1]);
    prober_forget(prober, &server.live);
    expect_farewell(&server);
    target.check.request.host = STR_NONE; /* and comes back: it hears at once */
    prober_watch(prober, &target);
    answer(test_server_accept(&server, 5000), "200");
    assert_ptr_equal(next_report(5000)->server, &others[0]);
    assert_ptr_equal(next_report(5000)->server, &others[1]);
    assert_null(next_report(50));
    test_server_close(&server);
}

/* A server and its agent are asked side by side, and forgotten with one farewell. */
static void test_agent(void **state)
{
    static struct test_server server, agent;
    const struct probe_report *report;
    struct probe_target target;
    char asked[16] = "";
    int fd;

    test_server_open(&server);
    test_server_open(&agent);
    target = target_of(&server, false);
    target.check.interval = 3600 * 1000;
    target.check.agent = (struct agent_check){.port = agent.live.addr.port,
                                              .interval = 3600 * 1000,
                                              .timeout = 2000,
                                              .send = STR("load?\n")};
    assert_int_equal(prober_start(prober), ERR_OK);
    prober_watch(prober, &target);
    expect(&server, CHECK_PASSED);
    fd = test_server_accept(&agent, 5000);
    assert_int_equal(recv(fd, asked, 6, MSG_WAITALL), 6);
    assert_string_equal(asked, "load?\n");
    test_say(fd, "up 50%\n", 7);
    assert_non_null(report = next_report(5000));
    assert_true(report->is_agent && report->outcome.result == CHECK_PASSED);
    assert_ptr_equal(report->server, &server.live);
    assert_memory_equal(report->outcome.detail, "up 50%", 6);
    close(fd);
    target.check.agent.port = 0; /* given up, and then taken back */
    prober_watch(prober, &target);
    target.check.agent.port = agent.live.addr.port;
    prober_watch(prober, &target);
    fd = test_server_accept(&agent, 5000);
    prober_forget(prober, &server.live);
    expect_farewell(&server);
    close(fd);
    test_server_close(&server);
    test_server_close(&agent);
}

/* After a first failure the next check comes soon. */
static void test_fast_interval(void **state)
{
    static struct test_server server;
    struct probe_target target;

    test_server_open(&server);
    target = target_of(&server, true);
    target.check.interval = 300;
    target.check.fast_interval = 10;
    target.check.unhealthy_after = 3;
    assert_int_equal(prober_start(prober), ERR_OK);
    prober_watch(prober, &target);
    answer(test_server_accept(&server, 5000), "200");
    expect(&server, CHECK_PASSED);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t began = sys_now();

        answer(test_server_accept(&server, 5000), "500");
        expect(&server, CHECK_BAD_STATUS);
        if (i == 0)
            assert_true(sys_now() - began >= 200 * NS_PER_MS);
    }
    assert_int_equal(test_server_accept(&server, 150), -1); /* it is decided */
    test_server_close(&server);
}

/* Never more than so many beginnings at one instant. */
static void test_a_tick_is_bounded(void **state)
{
    enum { MANY = 3 * STARTS_A_TICK };
    static struct server_live lives[MANY];
    static struct test_server server;

    test_server_open(&server);
    for (unsigned i = 0; i < MANY; i++) {
        struct probe_target target = target_of(&server, true);

        lives[i].addr = server.live.addr;
        target.server = &lives[i];
        target.check.interval = 3600 * 1000 + i; /* a question of its own each */
        prober_watch(prober, &target);
    }
    prober->at_once = MANY;
    mailbox_open(&prober->engine.loop.mailbox);
    serve_line(&prober->serve_line);
    serve_line(&prober->serve_line);
    assert_int_equal(prober->running, STARTS_A_TICK);
    tick_came(&prober->tick);
    serve_line(&prober->serve_line);
    assert_int_equal(prober->running, 2 * STARTS_A_TICK);
    test_server_close(&server);
}

static void test_forgotten_while_asked(void **state)
{
    static struct test_server server, stranger;
    struct probe_target target;
    int fd;

    test_server_open(&server);
    test_server_open(&stranger);
    target = target_of(&server, true);
    assert_int_equal(prober_start(prober), ERR_OK);
    prober_watch(prober, &target);
    fd = test_server_accept(&server, 5000);
    assert_non_null(strstr(test_read_head(fd), "GET "));
    prober_forget(prober, &server.live);
    expect_farewell(&server);
    assert_string_equal(test_read_head(fd), ""); /* the connection is closed */
    close(fd);
    prober_forget(prober, &stranger.live);
    expect_farewell(&stranger);
    prober_watch(prober, &target); /* and back again */
    answer(test_server_accept(&server, 5000), "200");
    expect(&server, CHECK_PASSED);
    test_server_close(&server);
    test_server_close(&stranger);
}

static void test_stopped_with_all_in_motion(void **state)
{
    static struct test_server server[3];

    for (unsigned i = 0; i < 3; i++) {
        struct probe_target target;

        test_server_open(&server[i]);
        target = target_of(&server[i], i > 0);
        prober_watch(prober, &target); /* some before the start */
        if (i == 1)
            assert_int_equal(prober_start(prober), ERR_OK);
    }
    assert_true(test_server_accept(&server[1], 5000) >= 0);
    /* prober_stop follows in end() */
    for (unsigned i = 0; i < 3; i++)
        test_server_close(&server[i]);
}

static void test_never_started(void **state)
{
    static struct test_server server;
    struct probe_target target;

    test_server_open(&server);
    target = target_of(&server, true);
    prober_watch(prober, &target);
    prober_forget(prober, &server.live);
    test_server_close(&server);
}

/* More silent servers than may be asked at once: the others get their turn. */
static void test_line(void **state)
{
    enum { SILENT = 6 };
    static struct test_server silent[SILENT], lively;
    struct probe_target target;
    unsigned heard = 0, passed = 0;

    prober->at_once = 2;
    for (unsigned i = 0; i < SILENT; i++) {
        test_server_open(&silent[i]);
        target = target_of(&silent[i], true);
        target.check.timeout = 200;
        target.check.interval = 3600 * 1000;
        prober_watch(prober, &target);
    }
    test_server_open(&lively);
    target = target_of(&lively, false);
    target.check.interval = 3600 * 1000;
    prober_watch(prober, &target);
    prober_forget(prober, &silent[5].live); /* while it stands in line */
    assert_int_equal(prober_start(prober), ERR_OK);
    assert_true(test_is_readable(silent[1].listening, 5000));
    usleep(50000);
    for (unsigned i = 0; i < SILENT; i++)
        assert_int_equal(test_is_readable(silent[i].listening, 0), i < 2);
    while (heard < SILENT + 1) {
        const struct probe_report *report = next_report(5000);

        assert_non_null(report);
        heard++;
        if (report->server == &lively.live)
            passed += report->outcome.result == CHECK_PASSED;
        else if (!report->is_farewell)
            assert_int_equal(report->outcome.result, CHECK_NO_ANSWER);
    }
    assert_int_equal(passed, 1);
    assert_null(next_report(100));
    for (unsigned i = 0; i < SILENT; i++)
        test_server_close(&silent[i]);
    test_server_close(&lively);
}

/* That we have no descriptor left says nothing about the server. */
static void test_no_descriptor_left(void **state)
{
    struct rlimit usual, none;
    static struct test_server server;
    struct probe_target target;

    test_server_open(&server);
    target = target_of(&server, false);
    target.check.interval = 3600 * 1000;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    none = (struct rlimit){3, usual.rlim_max};
    assert_int_equal(prober_start(prober), ERR_OK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    prober_watch(prober, &target);
    assert_null(next_report(200));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    expect(&server, CHECK_PASSED);
    assert_null(next_report(50));
    test_server_close(&server);
}

/* Ten thousand servers, one listener behind them all: each is checked once a round. */
static void test_many(void **state)
{
    enum { MANY = 10000 };
    struct server_live *lives = calloc(MANY, sizeof *lives);
    static struct test_server server;
    unsigned char *seen = calloc(MANY, 1);

    test_server_open(&server);
    for (unsigned i = 0; i < MANY; i++) {
        struct probe_target target = target_of(&server, false);

        lives[i].addr = server.live.addr;
        target.server = &lives[i];
        target.check.interval = 3600 * 1000 + i; /* a question of its own each */
        prober_watch(prober, &target);
    }
    assert_int_equal(prober_start(prober), ERR_OK);
    for (unsigned i = 0; i < MANY; i++) {
        const struct probe_report *report;
        int fd;

        while (!(report = next_report(1)))
            while ((fd = test_server_accept(&server, 0)) >= 0)
                close(fd);
        assert_int_equal(report->outcome.result, CHECK_PASSED);
        assert_int_equal(seen[report->server - lives]++, 0);
    }
    assert_null(next_report(50));
    prober_stop(prober);
    assert_int_equal(prober_new(&prober, &home, take_report, &home), ERR_OK);
    test_server_close(&server);
    free(lives);
    free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_again_and_again, begin, end),
        cmocka_unit_test_setup_teardown(test_first_check_at_once, begin, end),
        cmocka_unit_test_setup_teardown(test_one_outstanding, begin, end),
        cmocka_unit_test_setup_teardown(test_equal_and_changed_questions, begin, end),
        cmocka_unit_test_setup_teardown(test_shared, begin, end),
        cmocka_unit_test_setup_teardown(test_agent, begin, end),
        cmocka_unit_test_setup_teardown(test_fast_interval, begin, end),
        cmocka_unit_test_setup_teardown(test_a_tick_is_bounded, begin, end),
        cmocka_unit_test_setup_teardown(test_forgotten_while_asked, begin, end),
        cmocka_unit_test_setup_teardown(test_stopped_with_all_in_motion, begin, end),
        cmocka_unit_test_setup_teardown(test_never_started, begin, end),
        cmocka_unit_test_setup_teardown(test_line, begin, end),
        cmocka_unit_test_setup_teardown(test_no_descriptor_left, begin, end),
        cmocka_unit_test_setup_teardown(test_many, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
