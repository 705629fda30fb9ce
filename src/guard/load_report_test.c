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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_wishes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
