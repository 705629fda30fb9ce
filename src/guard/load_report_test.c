/* The words of agents, alone and together, and what they come to. */
#include "guard/load_report.c"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static void test_words(void **state)
{
    static const struct {
        const char *line;
        struct load_report report;
    } cases[] = {
        {"up", {.says_up = true}},
        {"Down", {.says_down = true}},
        {"fail", {.says_down = true}},
        {"FAILED\r\n", {.says_down = true}},
        {"stopped # for now ", {.says_down = true, .reason = STR("for now")}},
        {"ready", {.says_ready = true}},
        {"drain", {.says_drain = true}},
        {"maint,", {.says_drain = true}},
        {"75%", {.has_share = true, .share = RAMP_FULL * 3 / 4}},
        {"0%", {.has_share = true}},
        {"1%", {.has_share = true, .share = RAMP_FULL / 100}},
        {"400%", {.has_share = true, .share = RAMP_FULL}},
        {"maxconn:50", {.has_cap = true, .max_connections = 50}},
        {"MaxConn:99999999999", {.has_cap = true, .max_connections = UINT32_MAX}},
        {"maxconn:0", {.has_cap = true}},
        {" up\tready,50%, maxconn:3 what\n",
         {.says_up = true,
          .says_ready = true,
          .has_share = true,
          .share = RAMP_FULL / 2,
          .has_cap = true,
          .max_connections = 3}},
        {"up down", {.says_down = true}},
        {"drain ready#", {.says_ready = true}},
    };
    static const char *const nothing[] = {
        "",         "#up",        "hello", "%",    "-5%", "5.5%",
        "maxconn:", "maxconn:-1", "upp",   "\r\n", ",",   "99999999999999999999999%"};

    for (unsigned i = 0; i < array_len(cases); i++) {
        const struct load_report *want = &cases[i].report;
        struct load_report got;

        assert_int_equal(load_report_parse(str_of(cases[i].line), &got), ERR_OK);
        if (got.says_up != want->says_up || got.says_down != want->says_down ||
            got.says_ready != want->says_ready || got.says_drain != want->says_drain ||
            got.has_share != want->has_share || got.has_cap != want->has_cap ||
            got.share != want->share || got.max_connections != want->max_connections ||
            !str_eq(got.reason, want->reason))
            fail_msg("'%s'", cases[i].line);
    }
    for (unsigned i = 0; i < array_len(nothing); i++) {
        struct load_report got;

        if (load_report_parse(str_of(nothing[i]), &got) != ERR_INVALID)
            fail_msg("'%s'", nothing[i]);
    }
}

static bool take(struct load_wish *wish, const char *line)
{
    struct load_report report;

    assert_int_equal(load_report_parse(str_of(line), &report), ERR_OK);
    return load_wish_take(wish, &report);
}

/* What a line does not speak of stays as it was. */
static void test_wishes(void **state)
{
    struct load_wish wish = LOAD_WISH_NONE;

    assert_true(load_wish_is_none(&wish));
    assert_false(take(&wish, "up 100%"));
    assert_true(load_wish_is_none(&wish));
    assert_true(take(&wish, "50%"));
    assert_false(take(&wish, "50% up"));
    assert_true(take(&wish, "drain"));
    assert_true(load_wish_drains(&wish));
    assert_false(take(&wish, "up 50%"));
    assert_true(load_wish_drains(&wish)); /* until it is ready */
    assert_true(take(&wish, "down maxconn:9"));
    assert_true(take(&wish, "ready"));
    assert_true(wish.is_down && !load_wish_drains(&wish));
    assert_true(take(&wish, "up maxconn:0"));
    assert_int_equal(wish.share, RAMP_FULL / 2);
    assert_true(take(&wish, "0%"));
    assert_true(load_wish_drains(&wish));
    assert_true(take(&wish, "100%"));
    assert_true(load_wish_is_none(&wish));
}

/* Two ways of speaking: of each word the more careful counts. */
static void test_joined(void **state)
{
    struct load_wish one = LOAD_WISH_NONE, other = LOAD_WISH_NONE, both;

    both = load_wish_join(&one, &other);
    assert_true(load_wish_is_none(&both));
    take(&one, "50% maxconn:9");
    take(&other, "75% drain");
    both = load_wish_join(&one, &other);
    assert_int_equal(both.share, RAMP_FULL / 2);
    assert_int_equal(both.max_connections, 9);
    assert_true(both.wants_drain && !both.is_down);
    take(&one, "maxconn:0 down");
    take(&other, "25% ready maxconn:3");
    for (unsigned i = 0; i < 2; i++) {
        both = i ? load_wish_join(&one, &other) : load_wish_join(&other, &one);
        assert_int_equal(both.share, RAMP_FULL / 4);
        assert_int_equal(both.max_connections, 3);
        assert_true(both.is_down && !both.wants_drain);
    }
    take(&one, "maxconn:2");
    both = load_wish_join(&one, &other);
    assert_int_equal(both.max_connections, 2);
}

static void test_void_after_three_minutes(void **state)
{
    const uint64_t second = 1000000000, then = 5 * second;

    assert_false(load_report_is_void(then, then));
    assert_false(load_report_is_void(then, 184 * second + second - 1));
    assert_true(load_report_is_void(then, 185 * second));
    assert_false(load_report_is_void(then, then - 1)); /* another thread's clock */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_joined),
        cmocka_unit_test(test_void_after_three_minutes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
