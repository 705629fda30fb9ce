/* What applications say of themselves, in the shapes that are in use, and nonsense. */
#include "json_state.c"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static const str good[] = {STR("ok"), STR("up"), STR("pass"), STR("healthy"),
                           STR("true")};

static struct check_json wanted_at(const char *field)
{
    return (struct check_json){
        .field = str_of(field), .equals = good, .equal_count = array_len(good)};
}

static void expect_of(const struct check_json *wanted, const char *body, bool is_well,
                      const char *told)
{
    struct check_outcome outcome = {0};

    if (json_state_judge(&outcome, wanted, str_of(body), false) != is_well)
        fail_msg("%s: is %swell", body, is_well ? "not " : "");
    if (!str_eq((str){outcome.detail, outcome.detail_length}, str_of(told)))
        fail_msg("%s: '%.*s', expected '%s'", body, (int)outcome.detail_length,
                 outcome.detail, told);
}

static void test_the_field(void **state)
{
    struct check_json status = wanted_at("status"), deep = wanted_at("data.0.state");

    expect_of(&status, "{\"status\":\"ok\"}", true, "");
    expect_of(&status, "{\"status\":\"UP\"}", true, "");
    expect_of(&status, "{\"status\":true}", true, "");
    expect_of(&status, "{\"status\":\"okay\"}", false, "status is 'okay'");
    expect_of(&status, "{\"status\":null}", false, "status is 'null'");
    expect_of(&status, "{\"status\":7}", false, "status is '7'");
    expect_of(&status, "{\"status\":1.5}", false, "status is '1.5'");
    expect_of(&status, "{\"status\":{}}", false, "status is no single value");
    expect_of(&status, "{\"stat\":\"ok\"}", false, "there is no field 'status'");
    expect_of(&status, "[]", false, "there is no field 'status'");
    expect_of(&status, "\"ok\"", false, "there is no field 'status'");
    expect_of(&status, "", false, "the body is empty");
    expect_of(&deep, "{\"data\":[{\"state\":\"ok\"}]}", true, "");
    expect_of(&deep, "{\"data\":[]}", false, "there is no field 'data.0.state'");
    expect_of(&deep, "{\"data\":{\"0\":{\"state\":\"up\"}}}", true, "");
}

static void test_what_it_needs(void **state)
{
    struct check_json status = wanted_at("status"), own = status;

    expect_of(&status,
              "{\"status\":\"degraded\",\"checks\":{\"db\":\"down: timeout\",\"cache\":"
              "\"ok\"}}",
              false, "status is 'degraded' (db: down: timeout)");
    expect_of(&status,
              "{\"status\":\"ok\",\"checks\":{\"db\":\"slow\",\"mq\":\"ok (3)\"}}", true,
              "db: slow");
    expect_of(
        &status,
        "{\"status\":\"DOWN\",\"components\":{\"db\":{\"status\":\"DOWN\",\"details\":"
        "{\"error\":\"no route\"}},\"disk\":{\"status\":\"UP\"}}}",
        false, "status is 'DOWN' (db: DOWN: no route)");
    expect_of(&status,
              "{\"status\":\"fail\",\"checks\":{\"redis:time\":[{\"status\":\"pass\"},"
              "{\"status\":\"fail\",\"output\":\"refused\"}]}}",
              false, "status is 'fail' (redis:time: fail: refused)");
    expect_of(
        &status,
        "{\"status\":\"no\",\"services\":[{\"name\":\"a\",\"healthy\":false},{\"name\":"
        "\"b\",\"healthy\":true}],\"entries\":{\"x\":false,\"y\":{\"z\":1},\"w\":[1]}}",
        false, "status is 'no' (x: false, a: false)");
    own.dependencies = STR("needs.all");
    own.reason = STR("detail");
    expect_of(&own,
              "{\"status\":\"no\",\"checks\":{\"a\":\"down\"},\"needs\":{\"all\":{\"b\":"
              "\"down\"}},\"detail\":\"half\\nof it\"}",
              false, "status is 'no' (half of it, b: down)");
    expect_of(&own, "{\"status\":\"ok\",\"detail\":\"fine\"}", true, "");
}

/* With a bad HTTP status the verdict is clear; what is told goes beside it. */
static void test_aside(void **state)
{
    struct check_json status = wanted_at("status");
    struct check_outcome outcome = {0};

    assert_false(json_state_judge(&outcome, &status,
                                  STR("{\"status\":\"no\",\"checks\":{\"db\":\"down\"}}"),
                                  true));
    assert_true(str_eq((str){outcome.detail, outcome.detail_length}, STR("db: down")));
    outcome.detail_length = 0;
    assert_false(json_state_judge(&outcome, &status, STR("<html>"), true));
    assert_int_equal(outcome.detail_length, 0);
}

static void test_no_json(void **state)
{
    struct check_json status = wanted_at("status");
    static const char *const bodies[] = {"ok", "{\"status\":\"ok\"",
                                         "{\"status\":\"ok\"} x", "{\"a\":\"\xff\"}",
                                         "{\"status\": .5}"};

    for (size_t i = 0; i < array_len(bodies); i++) {
        struct check_outcome outcome = {0};

        assert_false(json_state_judge(&outcome, &status, str_of(bodies[i]), false));
        assert_true(str_starts((str){outcome.detail, outcome.detail_length},
                               STR("the body is not JSON: ")));
    }
}

/* As deep and as wide as 64 KiB can be: no fall, and words of bounded length. */
static void test_large_bodies(void **state)
{
    struct check_json status = wanted_at("status");
    static char body[65536];
    struct check_outcome outcome = {0};
    size_t n = 0;

    memset(body, '[', sizeof body);
    assert_false(json_state_judge(&outcome, &status, (str){body, sizeof body}, false));
    n = (size_t)sprintf(body, "{\"status\":\"no\",\"checks\":{");
    for (int i = 0; n < sizeof body - 100; i++)
        n += (size_t)sprintf(body + n, "%s\"d%d\":\"down %020d\"", i ? "," : "", i, i);
    n += (size_t)sprintf(body + n, "}}");
    assert_false(json_state_judge(&outcome, &status, (str){body, n}, false));
    assert_true(outcome.detail_length > CHECK_DETAIL_MOST / 2);
    assert_true(str_starts((str){outcome.detail, outcome.detail_length},
                           STR("status is 'no' (d0: down 0")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_field),    cmocka_unit_test(test_what_it_needs),
        cmocka_unit_test(test_aside),        cmocka_unit_test(test_no_json),
        cmocka_unit_test(test_large_bodies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
