/* What the admin server answers: its pages, reload, and what its settings change. */
#include "control/admin_stage_test.h"

/* ---- what there is ---- */

static void test_pages_at_the_address(void **state)
{
    int fd = dial_tcp();
    struct answer answer = ask(fd, GET("/healthz"));

    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "ok\n");
    assert_int_equal(strlen(value_of(&answer, "Date")), 29);
    answer = ask(fd, GET("/metrics?x=1"));
    assert_int_equal(answer.status, 200);
    assert_string_equal(value_of(&answer, "Content-Type"), "text/plain; version=0.0.4");
    assert_string_equal(answer.body, "# metrics\n");
    assert_string_equal(ask(fd, GET("/readyz")).body, "ready\n");
    stage.is_ready = false;
    answer = ask(fd, GET("/readyz"));
    assert_int_equal(answer.status, 503);
    assert_string_equal(answer.body, "not ready: no listener is open\n");
    close(fd);
}

static void test_head(void **state)
{
    int fd = dial_tcp();
    struct answer answer;

    stage.metrics_size = 5000;
    say(fd, "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    answer = hear_of(fd, true);
    assert_int_equal(answer.status, 200);
    assert_string_equal(value_of(&answer, "Content-Length"), "5010");
    assert_int_equal(ask_once(fd, GET("/healthz")).status, 200); /* still in step */
}

static void test_private_pages(void **state)
{
    static const char *const asked[] = {
        GET("/v1/status"), GET("/v1/reload"),
        "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\n\r\n"};
    struct answer answer;

    for (size_t i = 0; i < array_len(asked); i++) {
        answer = ask_once(dial_tcp(), asked[i]);
        assert_int_equal(answer.status, 403);
        assert_string_equal(value_of(&answer, "Content-Type"),
                            "application/problem+json");
        assert_non_null(strstr(answer.body, "at the unix socket only"));
    }
    assert_int_equal(stage.reloads, 0);
    answer = ask_once(dial_unix(), GET("/v1/status"));
    assert_int_equal(answer.status, 200);
    assert_string_equal(value_of(&answer, "Content-Type"), "application/json");
    assert_string_equal(answer.body, "{\"version\":\"x\"}");
    assert_int_equal(ask_once(dial_unix(), GET("/metrics")).status, 200);
}

static void test_problems(void **state)
{
    int fd = dial_unix();
    struct answer answer = ask(fd, GET("/nothing"));

    assert_int_equal(answer.status, 404);
    assert_string_equal(value_of(&answer, "Content-Type"), "application/problem+json");
    assert_string_equal(answer.body,
                        "{\"type\":\"about:blank\",\"title\":\"Not Found\","
                        "\"status\":404,\"detail\":\"there is nothing here\"}\n");
    answer = ask(fd, GET("/v1/reload"));
    assert_int_equal(answer.status, 405);
    assert_string_equal(value_of(&answer, "Allow"), "POST");
    answer = ask(fd, POST("/metrics"));
    assert_int_equal(answer.status, 405);
    assert_string_equal(value_of(&answer, "Allow"), "GET, HEAD");
    answer = ask(fd, "DELETE /v1/status HTTP/1.1\r\nHost: w\r\n\r\n");
    assert_int_equal(answer.status, 405);
    answer = ask(fd, "TRACE /metrics HTTP/1.1\r\nHost: w\r\n\r\n");
    assert_int_equal(answer.status, 405);
    assert_true(strlen(value_of(&answer, "Allow")) > 0);
    expect_end(fd);
}

static void test_metrics_elsewhere(void **state)
{
    int fd = dial_tcp();

    stage.metrics.path = STR("/numbers");
    on_thread(apply);
    assert_int_equal(ask(fd, GET("/numbers")).status, 200);
    assert_int_equal(ask(fd, GET("/metrics")).status, 404);
    stage.metrics.is_enabled = false;
    on_thread(apply);
    assert_int_equal(ask_once(fd, GET("/numbers")).status, 404);
}

static void test_host(void **state)
{
    static const struct {
        const char *host;
        unsigned status;
    } cases[] = {
        {"localhost", 200},
        {"LocalHost:9900", 200},
        {"localhost.", 200},
        {"127.0.0.1", 200},
        {"127.9.9.9:80", 200},
        {"[::1]:9900", 200},
        {"[::ffff:127.0.0.1]", 200},
        {"evil.example", 421},
        {"localhost.evil", 421},
        {"10.1.2.3", 421},
        {"[2001:db8::1]:80", 421},
        {"127.0.0.1.nip.io", 421},
        {"127.1", 421},
        {"xlocalhost", 421},
        {"", 400},
        {"a b", 400},
        {"user@localhost", 400},
    };
    char request[256];

    for (size_t i = 0; i < array_len(cases); i++) {
        unsigned status;

        snprintf(request, sizeof request, "GET /metrics HTTP/1.1\r\nHost: %s\r\n\r\n",
                 cases[i].host);
        status = ask_once(dial_tcp(), request).status;
        if (status != cases[i].status)
            fail_msg("Host '%s' is answered %u", cases[i].host, status);
        status = ask_once(dial_unix(), request).status;
        assert_int_equal(status, cases[i].status == 400 ? 400 : 200);
    }
    assert_int_equal(ask_once(dial_tcp(), "GET /metrics HTTP/1.1\r\n\r\n").status, 400);
    assert_int_equal(ask_once(dial_tcp(), "GET /metrics HTTP/1.0\r\n\r\n").status, 200);
    assert_int_equal(ask_once(dial_tcp(), "GET http://evil.example/metrics HTTP/1.1\r\n"
                                          "Host: evil.example\r\n\r\n")
                         .status,
                     421);
}

static void test_everywhere_takes_any_address_but_no_name(void **state)
{
    char text[32];

    snprintf(text, sizeof text, ":%u", stage.port);
    stage.settings.address = str_of(text);
    on_thread(apply);
    assert_int_equal(stage.why.n, 0);
    assert_int_equal(
        ask_once(dial_tcp(), "GET /metrics HTTP/1.1\r\nHost: 10.1.2.3\r\n\r\n").status,
        200);
    assert_int_equal(
        ask_once(dial_tcp(), "GET /metrics HTTP/1.1\r\nHost: a.example\r\n\r\n").status,
        421);
}

/* ---- reload ---- */

static void test_reload_answered_at_once(void **state)
{
    int fd = dial_unix();
    struct answer answer = ask(fd, POST("/v1/reload"));

    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "{\"ok\":true}");
    assert_string_equal(value_of(&answer, "Content-Type"), "application/json");
    assert_int_equal(ask_once(fd, POST("/v1/reload")).status, 200);
    assert_int_equal(stage.reloads, 2);
}

static void answer_it(void)
{
    admin_answer(stage.asked, 422, STR("{\"errors\":1}"));
    stage.asked = NULL;
}

static void test_reload_answered_later(void **state)
{
    int fd = dial_unix(), other = dial_unix();
    struct answer answer;

    stage.answers_at_once = false;
    say(fd, POST("/v1/reload") GET("/healthz")); /* the second one has to wait */
    wait_for_reload();
    assert_int_equal(ask_once(other, GET("/healthz")).status, 200);
    on_thread(many_minutes_later); /* a reload takes as long as it takes */
    on_thread(answer_it);
    answer = hear(fd);
    assert_int_equal(answer.status, 422);
    assert_string_equal(answer.body, "{\"errors\":1}");
    assert_string_equal(hear(fd).body, "ok\n");
    close(fd);
}

static void test_client_that_half_closes_gets_its_answer(void **state)
{
    int fd = dial_unix();

    stage.answers_at_once = false;
    say(fd, POST("/v1/reload"));
    shutdown(fd, SHUT_WR);
    wait_for_reload();
    on_thread(answer_it);
    assert_int_equal(hear(fd).status, 422);
    expect_end(fd);
}

static void test_client_that_leaves(void **state)
{
    int fd = dial_unix();

    stage.answers_at_once = false;
    say(fd, POST("/v1/reload"));
    wait_for_reload();
    close(fd);
    on_thread(answer_it);
    wait_for_clients(0);
    fd = dial_unix();
    say(fd, POST("/v1/reload") GET("/healthz"));
    wait_for_reload();
    say(fd, GET("/healthz"));
    close(fd);
    /* end() answers when the server is freed already */
}

static void test_reload_that_moves_the_socket(void **state)
{
    char moved[100];
    int fd = dial_unix(), idle = dial_unix();

    assert_int_equal(ask(idle, GET("/healthz")).status, 200);
    snprintf(moved, sizeof moved, "%s/moved.sock", stage.directory);
    stage.settings.socket = str_of(moved);
    stage.moves_while_reloading = true;
    assert_int_equal(ask(fd, POST("/v1/reload")).status, 200);
    expect_end(fd);
    expect_end(idle);
    assert_int_equal(dial_path(stage.path), -1);
    fd = dial_path(moved);
    assert_true(fd >= 0);
    assert_int_equal(ask_once(fd, GET("/v1/status")).status, 200);
}

static void be_somebody_else(void)
{
    stage.admin->uid = geteuid() + 1;
    stage.admin->gid = getegid() + 1;
}

/* What a user without rights hears: as root by being one, else by a daemon of others. */
static unsigned status_for_stranger(const char *request)
{
    int status;
    pid_t child;

    if (geteuid() != 0) {
        on_thread(be_somebody_else);
        return ask_once(dial_unix(), request).status;
    }
    assert_int_equal(chmod(stage.path, 0666),
                     0); /* so that only the look at it is left */
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char head[64] = "";
        int fd;

        if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
            _exit(1);
        fd = dial_path(stage.path);
        if (fd < 0 || send(fd, request, strlen(request), 0) < 0 ||
            recv(fd, head, sizeof head - 1, 0) < 12)
            _exit(2);
        _exit(atoi(head + 9) / 100 * 10 + atoi(head + 9) % 10);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return (unsigned)WEXITSTATUS(status) / 10 * 100 + (unsigned)WEXITSTATUS(status) % 10;
}

static void test_stranger(void **state)
{
    assert_int_equal(status_for_stranger(POST("/v1/reload")), 403);
    assert_int_equal(status_for_stranger(GET("/v1/status")), 403);
    assert_int_equal(status_for_stranger(GET("/healthz")), 200);
    assert_int_equal(stage.reloads, 0);
}

/* ---- settings ---- */

static void test_what_is_unchanged_stays(void **state)
{
    int fd = dial_tcp();
    int before = stage.admin->gates[GATE_ADDRESS].watch.fd;

    assert_int_equal(ask(fd, GET("/healthz")).status, 200);
    on_thread(apply);
    assert_int_equal(stage.admin->gates[GATE_ADDRESS].watch.fd, before);
    assert_int_equal(ask_once(fd, GET("/healthz")).status, 200);
}

static void test_off(void **state)
{
    int idle = dial_unix(), busy = dial_unix();
    struct answer answer;

    assert_int_equal(ask(idle, GET("/healthz")).status, 200);
    say(busy, "GET /healthz ");
    wait_for_clients(2);
    on_thread(look); /* so that it has been read */
    stage.settings.socket = STR("");
    on_thread(apply);
    expect_end(idle);
    answer = ask(busy, "HTTP/1.1\r\nHost: w\r\n\r\n"); /* may end, but no more */
    assert_int_equal(answer.status, 200);
    assert_string_equal(value_of(&answer, "Connection"), "close");
    expect_end(busy);
    assert_int_equal(dial_path(stage.path), -1);
    assert_int_not_equal(access(stage.path, F_OK), 0);
    assert_int_equal(ask_once(dial_tcp(), GET("/healthz")).status, 200);
    stage.settings.socket = str_of(stage.path);
    on_thread(apply);
    assert_int_equal(ask_once(dial_unix(), GET("/healthz")).status, 200);
}

static void expect_why(const char *words)
{
    str why = scroll_str(&stage.why);

    if (str_find(why, str_of(words)) < 0)
        fail_msg("'" STR_FMT "' does not say '%s'", STR_ARG(why), words);
}

static void test_what_cannot_be_opened(void **state)
{
    struct addr taken = {.family = ADDR_IP4, .ip = {127, 0, 0, 1}};
    char address[64], lost[128];
    int squatter;

    assert_int_equal(sys_socket(ADDR_IP4, &squatter), ERR_OK);
    assert_int_equal(sys_bind(squatter, &taken), ERR_OK);
    assert_int_equal(sys_listen(squatter, 1), ERR_OK);
    assert_int_equal(sys_local_addr(squatter, &taken), ERR_OK);
    snprintf(address, sizeof address, "127.0.0.1:%u", taken.port);
    snprintf(lost, sizeof lost, "%s/none/s", stage.directory);
    stage.settings = (struct admin_settings){str_of(lost), str_of(address)};
    on_thread(apply);
    expect_why(address);
    expect_why("address already in use");
    expect_why("its directory does not exist");
    expect_why("still listening at 127.0.0.1");
    assert_int_equal(ask_once(dial_tcp(), GET("/healthz")).status, 200);
    assert_int_equal(ask_once(dial_unix(), GET("/healthz")).status, 200);
    close(squatter);
    stage.settings.socket = str_of(stage.path);
    on_thread(apply); /* tries again */
    assert_int_equal(stage.why.n, 0);
    stage.port = taken.port;
    assert_int_equal(ask_once(dial_tcp(), GET("/healthz")).status, 200);
}

static void test_mode_of_the_socket(void **state)
{
    struct stat file;

    assert_int_equal(stat(stage.path, &file), 0);
    assert_int_equal(file.st_mode & 07777, 0660);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(test_pages_at_the_address),
        STAGED(test_head),
        STAGED(test_private_pages),
        STAGED(test_problems),
        STAGED(test_metrics_elsewhere),
        STAGED(test_host),
        STAGED(test_everywhere_takes_any_address_but_no_name),
        STAGED(test_reload_answered_at_once),
        STAGED(test_reload_answered_later),
        STAGED(test_client_that_half_closes_gets_its_answer),
        STAGED(test_client_that_leaves),
        STAGED(test_reload_that_moves_the_socket),
        STAGED(test_stranger),
        STAGED(test_what_is_unchanged_stays),
        STAGED(test_off),
        STAGED(test_what_cannot_be_opened),
        STAGED(test_mode_of_the_socket),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
