/* Orders as JSON: what is taken, and that nothing else is. */
#include "control/admin_patch.c"

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void test_what_is_asked_for(void **state)
{
    struct patch_text text;
    struct server_patch patch;

    assert_true(patch_read_server(STR("{\"state\":\"drain\",\"reason\":\"a\\nb\"}"),
                                  &patch, &text));
    assert_int_equal(patch.state, PATCH_DRAIN);
    assert_false(patch.has_weight);
    assert_true(str_eq(patch.reason, STR("a b")));
    assert_true(
        patch_read_server(STR(" {\"weight\": 0, \"state\": \"up\"}\n"), &patch, &text));
    assert_int_equal(patch.state, PATCH_UP);
    assert_true(patch.has_weight);
    assert_int_equal(patch.weight, 0);
    assert_int_equal(patch.reason.n, 0);
}

static void test_what_is_refused(void **state)
{
    static const struct {
        const char *json, *why;
    } cases[] = {
        {"", "the body must be a JSON object"},
        {"[]", "the body must be a JSON object"},
        {"{\"state\":\"up\"} x", "the body must be a JSON object"},
        {"{\"state\":\"up\",\"state\":\"up\"}", "the body must be a JSON object"},
        {"{}", "nothing is asked for: give 'state' or 'weight'"},
        {"{\"reason\":\"x\"}", "nothing is asked for: give 'state' or 'weight'"},
        {"{\"state\":\"down\"}", "'state' must be \"drain\" or \"up\""},
        {"{\"state\":1}", "'state' must be \"drain\" or \"up\""},
        {"{\"weight\":-1}", "'weight' must be a whole number from 0 to 1000000"},
        {"{\"weight\":1.0}", "'weight' must be a whole number from 0 to 1000000"},
        {"{\"weight\":1000001}", "'weight' must be a whole number from 0 to 1000000"},
        {"{\"wieght\":1}", "unknown key 'wieght'; there are: state, weight, reason"},
        {"{\"weight\":1,\"reason\":2}", "'reason' must be a text of at most 200 bytes"},
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        struct patch_text text;
        struct server_patch patch;

        assert_false(patch_read_server(str_of(cases[i].json), &patch, &text));
        assert_string_equal(text.why, cases[i].why);
    }
}

static void test_longest_reason(void **state)
{
    char json[300];
    struct patch_text text;
    struct server_patch patch;

    snprintf(json, sizeof json, "{\"weight\":1,\"reason\":\"%0200d\"}", 0);
    assert_true(patch_read_server(str_of(json), &patch, &text));
    assert_int_equal(patch.reason.n, 200);
    snprintf(json, sizeof json, "{\"weight\":1,\"reason\":\"%0201d\"}", 0);
    assert_false(patch_read_server(str_of(json), &patch, &text));
}

static void test_breakers(void **state)
{
    static const char *const wrong[] = {"",
                                        "[]",
                                        "{}",
                                        "\"open\"",
                                        "{\"action\":\"shut\"}",
                                        "{\"action\":1}",
                                        "{\"action\":\"open\",\"action\":\"close\"}",
                                        "{\"action\":\"open\",\"x\":1}"};
    struct breaker_order order = {0};
    struct patch_text text;

    assert_true(patch_read_breaker(STR("{\"action\": \"reset\"}"), &order, &text));
    assert_true(str_eq(order.action, STR("reset")));
    for (size_t i = 0; i < array_len(wrong); i++)
        assert_false(patch_read_breaker(str_of(wrong[i]), &order, &text));
}

static void test_maintenance(void **state)
{
    struct patch_text text;
    struct maintenance_patch patch;

    assert_true(patch_read_maintenance(STR("{\"enabled\":true}"), &patch, &text));
    assert_true(patch.is_enabled);
    assert_int_equal(patch.page.n, 0);
    assert_int_equal(patch.except.count, 0);
    assert_true(patch_read_maintenance(
        STR("{\"page\":\"down\",\"enabled\":false,\"except\":[\"10.0.0.0/8\",\"::1\"],"
            "\"reason\":\"x\"}"),
        &patch, &text));
    assert_false(patch.is_enabled);
    assert_true(str_eq(patch.page, STR("down")));
    assert_int_equal(patch.except.count, 2);
    assert_int_equal(patch.except.items[0].bits, 8);
    assert_true(str_eq(patch.reason, STR("x")));
}

static void test_maintenance_refused(void **state)
{
    static const struct {
        const char *json, *why;
    } cases[] = {
        {"{}", "nothing is asked for: give 'enabled', true or false"},
        {"{\"page\":\"x\"}", "nothing is asked for: give 'enabled', true or false"},
        {"{\"enabled\":1}", "'enabled' must be true or false"},
        {"{\"enabled\":\"true\"}", "'enabled' must be true or false"},
        {"{\"enabled\":true,\"page\":\"\"}", "'page' must be the name of a page"},
        {"{\"enabled\":true,\"except\":\"10.0.0.0/8\"}",
         "'except' must be a list of at most 64 networks"},
        {"{\"enabled\":true,\"except\":[\"10.0.0.1/8\"]}",
         "'10.0.0.1/8' is not an address or a network (10.0.0.0/8)"},
        {"{\"enabled\":true,\"except\":[7]}",
         "'?' is not an address or a network (10.0.0.0/8)"},
        {"{\"enabled\":true,\"state\":\"up\"}",
         "unknown key 'state'; there are: enabled, page, except, reason"},
    };
    struct patch_text text;
    struct maintenance_patch patch;

    for (size_t i = 0; i < array_len(cases); i++) {
        assert_false(patch_read_maintenance(str_of(cases[i].json), &patch, &text));
        assert_string_equal(text.why, cases[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_breakers),
        cmocka_unit_test(test_what_is_asked_for),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_longest_reason),
        cmocka_unit_test(test_maintenance),
        cmocka_unit_test(test_maintenance_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
