/* The verbs against a daemon that is played: what is asked, printed, and the exit status. */
#include "cli/cli.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

/* What the played daemon says, and what it was asked. */
struct played {
    enum err error;
    unsigned status;
    const char *body;
    const char *method;
    char target[256];
    char sent[200];   /* the last body that was not empty */
    const char *then; /* the answers after the first one; NULL: the same */
    unsigned slept;
};

static enum err answer(void *owner, const struct question *question, unsigned *status,
                       str *body)
{
    struct played *played = owner;

    assert_true(question->seconds > 0);
    played->method = question->method;
    snprintf(played->target, sizeof played->target, STR_FMT, STR_ARG(question->target));
    if (question->body.n)
        snprintf(played->sent, sizeof played->sent, STR_FMT, STR_ARG(question->body));
    *status = played->status;
    *body = str_of(played->body);
    if (played->then)
        played->body = played->then;
    return played->error;
}

static void fake_sleep(void *owner, unsigned milliseconds)
{
    struct played *played = owner;

    played->slept += milliseconds;
    if (played->slept >= 1000) /* the last request has ended */
        played->then = played->body =
            "{\"pools\":[{\"name\":\"app\",\"servers\":[{\"name\":\"a/b\",\"ordered\":true,"
            "\"connections\":0}]}]}";
}

static struct played daemon_says;
static char *said, *complained;
static size_t said_n, complained_n;

static struct cli begin(enum err error, unsigned status, const char *body)
{
    daemon_says = (struct played){.error = error, .status = status, .body = body};
    return (struct cli){
        .ask = answer,
        .sleep = fake_sleep,
        .owner = &daemon_says,
        .socket = "/run/x.sock",
        .out = open_memstream(&said, &said_n),
        .error = open_memstream(&complained, &complained_n),
    };
}

/* Compares both streams to the letter. */
static void end(struct cli *cli, const char *out, const char *error)
{
    fclose(cli->out);
    fclose(cli->error);
    assert_string_equal(said, out);
    assert_string_equal(complained, error);
    free(said);
    free(complained);
}

static const char everything[] =
    "{\"version\":\"1.0.0\",\"uptime\":1051200,\"draining\":false,"
    "\"config\":{\"number\":42,\"ok\":true},\"workers\":2,\"listeners\":["
    "{\"name\":\"web\",\"connections\":1204,\"requests\":9,\"rate\":812.4,"
    "\"error_share\":0.0002,\"p50\":0.009,\"p95\":1.2},"
    "{\"name\":\"mail\",\"connections\":318}],\"pools\":["
    "{\"name\":\"app\",\"balance\":\"least_connections\",\"up\":3,\"all\":4,\"rate\":4.25,"
    "\"p95\":0.0004,\"is_checked\":true,\"servers\":["
    "{\"name\":\"app1\",\"address\":\"10.0.0.11:8080\",\"state\":\"up\",\"reason\":\"x\","
    "\"weight\":1,\"backup\":false,\"connections\":41,\"rate\":212,\"p95\":0.036,"
    "\"fails\":0,\"last_check\":{\"passed\":true,\"result\":\"200 in 2ms\",\"ago\":1.5,"
    "\"good_ago\":1.5}},"
    "{\"name\":\"app4\",\"address\":\"[2001:db8::4]:8080\",\"state\":\"down\",\"reason\":"
    "\"2 of 3 checks: no answer\\u001b[31m\",\"weight\":1,\"backup\":true,"
    "\"connections\":0,\"fails\":3,\"last_check\":{\"passed\":false,\"result\":"
    "\"timeout in 2000ms\",\"ago\":4,\"good_ago\":400}},"
    "{\"name\":\"app5\",\"address\":\"10.0.0.15:8080\",\"state\":\"unknown\",\"reason\":"
    "\"not checked yet\",\"weight\":1,\"backup\":false,\"connections\":0,\"fails\":0}]},"
    "{\"name\":\"imap\",\"balance\":\"random\",\"up\":0,\"all\":1,\"reason\":"
    "\"connection refused\",\"since\":125,\"is_checked\":false,\"servers\":["
    "{\"name\":\"i\",\"address\":\"10.0.9.1:993\",\"state\":\"up\",\"weight\":1}]}]}";

static void test_status(void **state)
{
    struct cli cli = begin(ERR_OK, 200, everything);

    assert_int_equal(cli_status(&cli, STR_NONE, false), CLI_GOOD);
    assert_string_equal(daemon_says.method, "GET");
    assert_string_equal(daemon_says.target, "/v1/status");
    end(&cli,
        "weir 1.0.0  up 12d 4h  config #42 ok  workers 2\n"
        "listener  req/s  conns  errors  p50   p95   pool  up/all  balance            req/s   p95  state\n"
        "web         812   1204   0.02%  9ms  1.2s   app      3/4  least_connections    4.2  <1ms  ok\n"
        "mail          –    318       –    –     –   imap     0/1  random                 –     –  DOWN: connection refused (2m)\n",
        "");
}

static void test_status_of_a_pool(void **state)
{
    struct cli cli = begin(ERR_OK, 200, everything);

    assert_int_equal(cli_status(&cli, STR("app"), false), CLI_GOOD);
    end(&cli,
        "server  address             state          weight  conns  req/s   p95  fails  last check                 why\n"
        "app1    10.0.0.11:8080      up                  1     41    212  36ms      0  200 in 2ms  1s ago\n"
        "app4    [2001:db8::4]:8080  down (backup)       1      0      –     –      3  timeout in 2000ms  4s ago  2 of 3 checks: no answer?[31m; last good 6m ago\n"
        "app5    10.0.0.15:8080      unknown             1      0      –     –      0  not yet                    not checked yet\n",
        "");
    cli = begin(ERR_OK, 200, everything);
    assert_int_equal(cli_status(&cli, STR("imap"), false), CLI_GOOD);
    end(&cli,
        "server  address       state  weight  conns  req/s  p95  fails  last check  why\n"
        "i       10.0.9.1:993  up          1      –      –    –      –  off\n",
        "");
}

static void test_status_of_no_pool(void **state)
{
    struct cli cli = begin(ERR_OK, 200, everything);

    assert_int_equal(cli_status(&cli, STR("ap"), false), CLI_WRONG);
    end(&cli, "", "weir: there is no pool 'ap'; there are: app, imap\n");
}

static void test_status_as_json(void **state)
{
    struct cli cli =
        begin(ERR_OK, 200, "{\"b\":1,\"a\":[],\"pools\":[{\"name\":\"p\"}]}");

    assert_int_equal(cli_status(&cli, STR_NONE, true), CLI_GOOD);
    end(&cli,
        "{\n  \"b\": 1,\n  \"a\": [],\n  \"pools\": [\n    {\n      \"name\": \"p\"\n"
        "    }\n  ]\n}\n",
        "");
    cli = begin(ERR_OK, 200, "{\"b\":1,\"a\":[],\"pools\":[{\"name\":\"p\"}]}");
    assert_int_equal(cli_status(&cli, STR("p"), true), CLI_GOOD);
    end(&cli, "{\n  \"name\": \"p\"\n}\n", "");
}

static void test_a_daemon_that_drains(void **state)
{
    struct cli cli = begin(ERR_OK, 200,
                           "{\"version\":\"1\",\"uptime\":3725,\"draining\":true,"
                           "\"config\":{\"number\":2,\"ok\":false},\"workers\":1}");

    assert_int_equal(cli_status(&cli, STR_NONE, false), CLI_GOOD);
    end(&cli,
        "weir 1  up 1h 2m  config #2 in use, a newer one was refused  workers 1  draining\n"
        "listener  req/s  conns  errors  p50  p95   pool  up/all  balance  req/s  p95  state\n",
        "");
}

static void test_nobody_answers(void **state)
{
    struct cli cli = begin(ERR_NOT_FOUND, 0, "");

    assert_int_equal(cli_status(&cli, STR_NONE, false), CLI_UNREACHABLE);
    end(&cli, "",
        "weir: cannot ask at /run/x.sock: not found\n"
        "  is weir running? Another socket is named by --socket PATH\n");
    cli = begin(ERR_DENIED, 0, "");
    assert_int_equal(cli_reload(&cli), CLI_UNREACHABLE);
    end(&cli, "",
        "weir: cannot ask at /run/x.sock: permission denied\n"
        "  ask as root, or as the user that weir runs as\n");
}

static void test_odd_answers(void **state)
{
    struct cli cli = begin(ERR_OK, 403, "{\"detail\":\"only root may\"}");

    assert_int_equal(cli_status(&cli, STR_NONE, false), CLI_WRONG);
    end(&cli, "", "weir: not allowed: only root may\n");
    cli = begin(ERR_OK, 503, "");
    assert_int_equal(cli_reload(&cli), CLI_WRONG);
    end(&cli, "", "weir: the daemon answered 503\n");
    cli = begin(ERR_OK, 200, "[1");
    assert_int_equal(cli_status(&cli, STR_NONE, false), CLI_WRONG);
    end(&cli, "", "weir: the daemon at /run/x.sock does not speak as expected\n");
}

static void test_reload(void **state)
{
    struct cli cli = begin(ERR_OK, 200, "{\"ok\":true,\"number\":43}\n");

    assert_int_equal(cli_reload(&cli), CLI_GOOD);
    assert_string_equal(daemon_says.method, "POST");
    assert_string_equal(daemon_says.target, "/v1/reload");
    end(&cli, "configuration #43 is in use\n", "");
    cli = begin(ERR_OK, 200, "{\"ok\":true}\n");
    assert_int_equal(cli_reload(&cli), CLI_GOOD);
    end(&cli, "the configuration is in use\n", "");
}

static void test_reload_refused(void **state)
{
    struct cli cli =
        begin(ERR_OK, 422, "{\"ok\":false,\"text\":\"as weir check says it\\n\"}");

    assert_int_equal(cli_reload(&cli), CLI_WRONG);
    end(&cli, "",
        "as weir check says it\nrefused: the configuration in use has not changed\n");
    cli = begin(ERR_OK, 422, "{\"ok\":false,\"text\":\"error[C033]: in use\"}");
    assert_int_equal(cli_reload(&cli), CLI_WRONG);
    end(&cli, "",
        "error[C033]: in use\nrefused: the configuration in use has not changed\n");
    cli = begin(ERR_OK, 422, "");
    assert_int_equal(cli_reload(&cli), CLI_WRONG);
    end(&cli, "", "refused: the configuration in use has not changed\n");
}

static void test_orders(void **state)
{
    const struct server_wish weight = {.server = STR("app/10.0.0.1:80"),
                                       .weight = STR("7"),
                                       .reason = STR("more \"room\"")};
    const struct server_wish nameless = {.server = STR("app"), .state = STR("up")};
    struct cli cli =
        begin(ERR_OK, 200, "{\"draining\":false,\"weight\":7,\"connections\":2}");

    assert_int_equal(cli_order(&cli, &weight), CLI_GOOD);
    assert_string_equal(daemon_says.method, "PATCH");
    assert_string_equal(daemon_says.target, "/v1/pools/app/servers/10.0.0.1%3A80");
    assert_string_equal(daemon_says.sent,
                        "{\"weight\":7,\"reason\":\"more \\\"room\\\"\"}");
    end(&cli, "app/10.0.0.1:80: in use, weight 7\n", "");
    cli = begin(ERR_OK, 404, "{\"detail\":\"pool 'app' has no server 'x'\"}");
    assert_int_equal(cli_order(&cli, &weight), CLI_WRONG);
    end(&cli, "", "weir: the daemon answered 404: pool 'app' has no server 'x'\n");
    cli = begin(ERR_OK, 200, "{}");
    assert_int_equal(cli_order(&cli, &nameless), CLI_USAGE);
    end(&cli, "", "weir: 'app' is not POOL/SERVER\n");
}

static void test_drain_and_wait(void **state)
{
    const struct server_wish wish = {
        .server = STR("app/a/b"), .state = STR("drain"), .waits = true};
    struct cli cli =
        begin(ERR_OK, 200, "{\"draining\":true,\"weight\":1,\"connections\":2}");

    daemon_says.then = "{\"pools\":[{\"name\":\"app\",\"servers\":[{\"name\":\"a/b\","
                       "\"ordered\":true,\"connections\":2}]}]}";
    assert_int_equal(cli_order(&cli, &wish), CLI_GOOD);
    assert_string_equal(daemon_says.sent, "{\"state\":\"drain\"}");
    end(&cli,
        "app/a/b: 2 … 0.  drained in 1 s. Safe to stop. Undo: weir enable app/a/b\n", "");
    cli = begin(ERR_OK, 200, "{\"draining\":true,\"weight\":1,\"connections\":2}");
    daemon_says.then = "{\"pools\":[{\"name\":\"app\",\"servers\":[]}]}";
    assert_int_equal(cli_order(&cli, &wish), CLI_WRONG);
    end(&cli, "app/a/b: ", "weir: somebody has ended the drain\n");
}

static void test_status_with_breakers(void **state)
{
    static const char body[] =
        "{\"version\":\"1\",\"uptime\":1,\"config\":{\"number\":1,\"ok\":true},\"workers\":1,"
        "\"listeners\":[],\"routes\":[{\"name\":\"shop\",\"breaker\":{\"state\":\"closed\"}},"
        "{\"name\":\"api\",\"breaker\":{\"state\":\"half_open\",\"reason\":\"1 request at a "
        "time tries\",\"since\":2}}],\"pools\":[{\"name\":\"app\",\"balance\":\"random\","
        "\"up\":2,\"all\":2,\"state\":\"down\",\"reason\":\"the circuit breakers of all "
        "servers are open\",\"servers\":[{\"name\":\"a\",\"address\":\"1.1.1.1:1\",\"state\":"
        "\"up\",\"weight\":1,\"connections\":0,\"fails\":0,\"breaker\":{\"state\":\"open\","
        "\"reason\":\"5 failures in 10s, the last: HTTP 503\",\"since\":41,\"tries_in\":"
        "18.2}},{\"name\":\"b\",\"address\":\"1.1.1.1:2\",\"state\":\"up\",\"weight\":1,"
        "\"connections\":0,\"fails\":0,\"breaker\":{\"state\":\"closed\",\"reason\":\"held "
        "closed by hand\",\"since\":3,\"by_hand\":true}}]}]}";
    struct cli cli = begin(ERR_OK, 200, body);

    assert_int_equal(cli_status(&cli, STR_NONE, false), CLI_GOOD);
    end(&cli,
        "weir 1  up 1s  config #1 ok  workers 1\n"
        "listener  req/s  conns  errors  p50  p95   pool  up/all  balance  req/s  p95  state\n"
        "                                           app      2/2  random       –    –  DOWN: the circuit breakers of all servers are open\n"
        "route  breaker    why\n"
        "shop   closed\n"
        "api    half open  2s: 1 request at a time tries\n",
        "");
    cli = begin(ERR_OK, 200, body);
    assert_int_equal(cli_status(&cli, STR("app"), false), CLI_GOOD);
    end(&cli,
        "server  address    state                weight  conns  req/s  p95  fails  last check  why\n"
        "a       1.1.1.1:1  up (breaker open)         1      0      –    –      0  off         breaker open 41s: 5 failures in 10s, the last: HTTP 503; is tried again in 19s\n"
        "b       1.1.1.1:2  up (breaker closed)       1      0      –    –      0  off         breaker closed 3s: held closed by hand\n",
        "");
}

static void test_breaker(void **state)
{
    struct cli cli = begin(ERR_OK, 200, "{\"ok\":true}");

    assert_int_equal(cli_breaker(&cli, STR("app/10.0.0.1:80"), STR("open")), CLI_GOOD);
    assert_string_equal(daemon_says.method, "POST");
    assert_string_equal(daemon_says.target,
                        "/v1/pools/app/servers/10.0.0.1%3A80/breaker");
    assert_string_equal(daemon_says.sent, "{\"action\":\"open\"}");
    end(&cli,
        "the breaker of app/10.0.0.1:80 is held open until it is reset, or weir "
        "restarted\n",
        "");
    cli = begin(ERR_OK, 200, "{\"ok\":true}");
    assert_int_equal(cli_breaker(&cli, STR("app/unix:/run/a b"), STR("reset")), CLI_GOOD);
    assert_string_equal(daemon_says.target,
                        "/v1/pools/app/servers/unix%3A%2Frun%2Fa%20b/breaker");
    end(&cli, "the breaker of app/unix:/run/a b is closed and left to itself\n", "");
    cli = begin(ERR_OK, 200, "{\"ok\":true}");
    assert_int_equal(cli_breaker(&cli, STR("route:shop"), STR("close")), CLI_GOOD);
    assert_string_equal(daemon_says.target, "/v1/routes/shop/breaker");
    end(&cli,
        "the breaker of route:shop is held closed until it is reset, or weir restarted\n",
        "");
}

static void test_breaker_refused(void **state)
{
    struct cli cli = begin(ERR_OK, 404, "{\"detail\":\"there is no pool 'ap'\"}");

    assert_int_equal(cli_breaker(&cli, STR("ap/x"), STR("open")), CLI_WRONG);
    end(&cli, "", "weir: the daemon answered 404: there is no pool 'ap'\n");
    cli = begin(ERR_OK, 200, "");
    assert_int_equal(cli_breaker(&cli, STR("app"), STR("open")), CLI_USAGE);
    assert_int_equal(cli_breaker(&cli, STR("app/x"), STR("shut")), CLI_USAGE);
    assert_string_equal(daemon_says.target, "");
    end(&cli, "",
        "weir: whose breaker? Write POOL/SERVER or route:NAME\n"
        "weir: a breaker can be told open, close or reset\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_with_breakers),
        cmocka_unit_test(test_breaker),
        cmocka_unit_test(test_breaker_refused),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_status_of_a_pool),
        cmocka_unit_test(test_status_of_no_pool),
        cmocka_unit_test(test_status_as_json),
        cmocka_unit_test(test_a_daemon_that_drains),
        cmocka_unit_test(test_nobody_answers),
        cmocka_unit_test(test_odd_answers),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_drain_and_wait),
        cmocka_unit_test(test_reload_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
