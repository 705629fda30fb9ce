/* Rise and fall, first moments, and the words. */
#include "guard/health.c"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct status_range expected[] = {{200, 299}, {401, 401}};

static const struct health_check http = {
    .is_enabled = true,
    .kind = CHECK_BY_HTTP,
    .request = {.method = {"GET", 3}, .path = {"/healthz", 8}},
    .expect = {.status = expected, .status_count = 1, .body = {"fine", 4}},
    .interval = 5000,
    .timeout = 2000,
    .unhealthy_after = 3,
    .healthy_after = 2,
    .jitter = 20,
};

static const struct check_outcome passed = {.result = CHECK_PASSED, .duration_ms = 3};
static const struct check_outcome refused = {.result = CHECK_CONNECT_FAILED,
                                             .error = ERR_REFUSED};
static const struct check_outcome silent = {.result = CHECK_NO_ANSWER};

static void assert_reason(const struct health_state *state, const char *words)
{
    if (!str_eq(health_reason(state), str_of(words)))
        fail_msg("'" STR_FMT "', expected '%s'", STR_ARG(health_reason(state)), words);
}

/* A state that has just come up. */
static struct health_state state_up(void)
{
    struct health_state state;

    health_begin(&state, HEALTH_UNKNOWN, &http);
    assert_true(health_record(&state, &http, &passed));
    assert_int_equal(state.health, HEALTH_UP);
    return state;
}

static void test_first_check_decides_alone(void **state_unused)
{
    static const enum health firsts[] = {HEALTH_UNKNOWN, HEALTH_STARTING,
                                         HEALTH_UNRESOLVED};

    for (size_t i = 0; i < array_len(firsts); i++) {
        struct health_state state;

        health_begin(&state, firsts[i], &http);
        assert_int_equal(state.health, firsts[i]);
        assert_true(health_record(&state, &http, &passed));
        assert_int_equal(state.health, HEALTH_UP);
        assert_reason(&state, "connected in 3ms");
        health_begin(&state, firsts[i], &http);
        assert_true(health_record(&state, &http, &refused));
        assert_int_equal(state.health, HEALTH_DOWN);
        assert_reason(&state, "connection refused");
    }
}

static void test_three_down_two_up(void **state_unused)
{
    struct health_state state = state_up();

    assert_false(health_record(&state, &http, &silent));
    assert_reason(&state, "1 of 3 checks: no answer to GET /healthz within 2s");
    assert_false(health_record(&state, &http, &silent));
    assert_reason(&state, "2 of 3 checks: no answer to GET /healthz within 2s");
    assert_int_equal(state.health, HEALTH_UP);
    assert_true(health_record(&state, &http, &silent));
    assert_int_equal(state.health, HEALTH_DOWN);
    assert_reason(&state, "3 of 3 checks: no answer to GET /healthz within 2s");
    assert_false(health_record(&state, &http, &refused));
    assert_reason(&state, "connection refused");
    assert_false(health_record(&state, &http, &passed));
    assert_int_equal(state.health, HEALTH_DOWN);
    assert_reason(&state, "1 of 2 checks passed");
    assert_true(health_record(&state, &http, &passed));
    assert_int_equal(state.health, HEALTH_UP);
    assert_false(health_record(&state, &http, &passed));
}

static void test_only_a_row_counts(void **state_unused)
{
    struct health_state state = state_up();

    for (int i = 0; i < 10; i++) {
        assert_false(health_record(&state, &http, &refused));
        assert_false(health_record(&state, &http, &refused));
        assert_false(health_record(&state, &http, &passed));
        assert_int_equal(state.health, HEALTH_UP);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(health_record(&state, &http, &refused), i == 2);
    for (int i = 0; i < 10; i++) {
        assert_false(health_record(&state, &http, &passed));
        assert_false(health_record(&state, &http, &refused));
        assert_int_equal(state.health, HEALTH_DOWN);
    }
}

static void test_words_of_each_failure(void **state_unused)
{
    static const struct {
        struct check_outcome outcome;
        const char *words;
    } cases[] = {
        {{CHECK_CONNECT_FAILED, ERR_TIMEOUT}, "no connection within 2s"},
        {{CHECK_CONNECT_FAILED, ERR_UNREACHABLE}, NULL},
        {{CHECK_CLOSED}, "closed before the answer to GET /healthz was whole"},
        {{CHECK_INVALID}, "answer to GET /healthz is not HTTP"},
        {{CHECK_BAD_STATUS, ERR_OK, 500}, "HTTP 500, expected 200-299, 401"},
        {{CHECK_BAD_BODY, ERR_OK, 200}, "the answer does not contain \"fine\""},
        {{CHECK_NO_MATCH, ERR_OK, 200}, "the body has no match of /^ok$/"},
        {{CHECK_BAD_STATUS, ERR_OK, 503, 0, 8, "db: down"},
         "HTTP 503, expected 200-299, 401 (db: down)"},
        {{CHECK_BAD_JSON, ERR_OK, 200, 0, 14, "status is 'no'"}, "json: status is 'no'"},
    };
    struct health_check check = http;

    check.expect.status_count = 2;
    check.expect.body_regex = STR("^ok$");
    for (size_t i = 0; i < array_len(cases); i++) {
        struct health_state state;

        health_begin(&state, HEALTH_UNKNOWN, &check);
        assert_true(health_record(&state, &check, &cases[i].outcome));
        if (cases[i].words)
            assert_reason(&state, cases[i].words);
        else
            assert_true(str_starts(health_reason(&state), STR("cannot connect: ")));
    }
    check.timeout = 1500;
    for (enum check_kind kind = CHECK_BY_CONNECT; kind < CHECK_BY_PROGRAM; kind++) {
        static const char *const words[] = {
            "TCP: full",   "HTTP: full",  "full",      "PostgreSQL: full",
            "MySQL: full", "Redis: full", "SMTP: full"};
        struct check_outcome no = {CHECK_BAD_ANSWER, .detail_length = 4,
                                   .detail = "full"};
        struct health_state state;

        check.kind = kind;
        health_begin(&state, HEALTH_UNKNOWN, &check);
        assert_true(health_record(&state, &check, &no));
        assert_reason(&state, words[kind]);
    }
    check.kind = CHECK_BY_REDIS;
    {
        struct check_outcome invalid = {CHECK_INVALID};
        struct check_outcome well = {CHECK_PASSED, .duration_ms = 2, .detail_length = 6,
                                     .detail = "NOAUTH"};
        struct health_state state;

        health_begin(&state, HEALTH_UNKNOWN, &check);
        assert_true(health_record(&state, &check, &invalid));
        assert_reason(&state, "answer to PING is not Redis");
        health_begin(&state, HEALTH_UNKNOWN, &check);
        assert_true(health_record(&state, &check, &well));
        assert_reason(&state, "answered in 2ms (NOAUTH)");
    }
    check.kind = CHECK_BY_CONNECT;
    {
        struct health_state state;

        health_begin(&state, HEALTH_UNKNOWN, &check);
        assert_true(health_record(&state, &check, &silent));
        assert_reason(&state, "no answer to the connect within 1500ms");
    }
}

/* Whatever the configuration says, the words fit. */
static void test_long_texts_are_cut(void **state_unused)
{
    static char text[5000];
    struct health_check check = http;
    struct health_state state;
    struct check_outcome bad_body = {CHECK_BAD_BODY, ERR_OK, 200};

    memset(text, 'x', sizeof text);
    check.request.path = check.expect.body = (str){text, sizeof text};
    health_begin(&state, HEALTH_UNKNOWN, &check);
    assert_true(health_record(&state, &check, &silent));
    assert_true(str_ends(health_reason(&state), STR("xxx... within 2s")));
    assert_false(health_record(&state, &check, &bad_body));
    assert_true(str_ends(health_reason(&state), STR("xxx...\"")));
}

/* What a server says is cut between characters, and its bracket is always closed. */
static void test_long_remarks_are_cut(void **state_unused)
{
    struct check_outcome outcome = {.status = 200, .detail_length = CHECK_DETAIL_MOST};
    struct health_state state;

    for (size_t i = 0; i < CHECK_DETAIL_MOST; i += 2)
        memcpy(outcome.detail + i, "\xc3\xa4", 2);
    for (size_t before = 0; before < HEALTH_REASON_MOST; before++) {
        struct text text = text_in(state.reason, HEALTH_REASON_MOST);

        for (size_t i = 0; i < before; i++)
            text_char(&text, 'x');
        add_remark(&text, &outcome);
        assert_false(text.overflow);
        if (text.n > before) {
            assert_int_equal(state.reason[text.n - 1], ')');
            assert_int_equal((text.n - before - 3) % 2, 0);
        }
    }
}

static void test_connect_failures_in_a_row(void **state_unused)
{
    struct health_state state = state_up();

    assert_false(health_record_connects(&state, &http, 2, ERR_REFUSED));
    assert_int_equal(state.health, HEALTH_UP);
    assert_true(health_record_connects(&state, &http, 3, ERR_REFUSED));
    assert_int_equal(state.health, HEALTH_DOWN);
    assert_reason(&state, "3 requests in a row: connection refused");
    assert_false(health_record_connects(&state, &http, 4, ERR_REFUSED));
    assert_false(health_record(&state, &http, &passed));
    assert_true(health_record(&state, &http, &passed)); /* and checks bring it back */
    health_begin(&state, HEALTH_UNKNOWN, &http);
    assert_true(health_record_connects(&state, &http, 3, ERR_TIMEOUT));
    assert_reason(&state, "3 requests in a row: no connection in time");
    health_begin(&state, HEALTH_STARTING, &http);
    assert_false(health_record_connects(&state, &http, 3, ERR_REFUSED));
    assert_int_equal(state.health, HEALTH_STARTING);
}

static void test_without_checks_it_is_up(void **state_unused)
{
    struct health_check off = http;
    struct health_state state;

    off.is_enabled = false;
    health_begin(&state, HEALTH_STARTING, &off);
    assert_int_equal(state.health, HEALTH_UP);
    assert_reason(&state, "not checked");
    assert_false(health_record_connects(&state, &off, 100, ERR_REFUSED));
    assert_int_equal(state.health, HEALTH_UP);
    health_begin(&state, HEALTH_UNRESOLVED, &off); /* nobody to send to, checked or not */
    assert_int_equal(state.health, HEALTH_UNRESOLVED);
}

static void test_reload_of_the_check(void **state_unused)
{
    struct health_state state;
    struct health_check off = http;

    off.is_enabled = false;
    health_begin(&state, HEALTH_UNKNOWN, &http);
    assert_true(health_record(&state, &http, &refused));
    assert_false(health_check_changed(&state, &http)); /* still checked: still down */
    assert_int_equal(state.health, HEALTH_DOWN);
    assert_true(health_check_changed(&state, &off));
    assert_int_equal(state.health, HEALTH_UP);
    assert_false(health_check_changed(&state, &http));
    assert_int_equal(state.health, HEALTH_UP);
    assert_true(health_record_unresolved(&state));
    assert_int_equal(state.health, HEALTH_UNRESOLVED);
    assert_reason(&state, "its name has no address");
    assert_false(health_check_changed(&state, &off));
    assert_int_equal(state.health, HEALTH_UNRESOLVED);
}

/* The server itself says no: checks are counted beneath it, and count again after it. */
static void test_barred(void **state_unused)
{
    struct health_state state = state_up();

    assert_true(health_bar(&state, STR("agent: down")));
    assert_int_equal(state.health, HEALTH_DOWN);
    assert_reason(&state, "agent: down");
    assert_false(health_bar(&state, STR("agent: down")));
    assert_true(health_bar(&state, STR("agent: stopped")));
    assert_false(health_record(&state, &http, &passed));
    assert_int_equal(state.health, HEALTH_DOWN);
    assert_reason(&state, "agent: stopped");
    assert_true(health_bar(&state, STR_NONE));
    assert_int_equal(state.health, HEALTH_UP);
    assert_reason(&state, "connected in 3ms");
    assert_false(health_bar(&state, STR_NONE));

    assert_true(health_bar(&state, STR("agent: down")));
    for (int i = 0; i < 3; i++)
        assert_false(health_record(&state, &http, &refused)); /* it is down already */
    assert_reason(&state, "3 of 3 checks: connection refused");
    assert_false(health_bar(&state, STR_NONE));
    assert_int_equal(state.health, HEALTH_DOWN);
}

static void test_expected_statuses(void **state_unused)
{
    struct health_check check = http;

    check.expect.status_count = 2;
    assert_true(health_expects_status(&check, 200));
    assert_true(health_expects_status(&check, 299));
    assert_true(health_expects_status(&check, 401));
    assert_false(health_expects_status(&check, 199));
    assert_false(health_expects_status(&check, 300));
    assert_false(health_expects_status(&check, 402));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_check_decides_alone),
        cmocka_unit_test(test_three_down_two_up),
        cmocka_unit_test(test_only_a_row_counts),
        cmocka_unit_test(test_words_of_each_failure),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_long_remarks_are_cut),
        cmocka_unit_test(test_connect_failures_in_a_row),
        cmocka_unit_test(test_without_checks_it_is_up),
        cmocka_unit_test(test_reload_of_the_check),
        cmocka_unit_test(test_barred),
        cmocka_unit_test(test_expected_statuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
