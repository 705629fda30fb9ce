/* What the texts of a match mean, and which are refused. */
#include "lb/match_parse.c"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static struct arena arena;

static int teardown(void **state)
{
    arena_reset(&arena);
    return 0;
}

static void test_hosts(void **state)
{
    static const char *const wrong[] = {
        "",           "*",      "*.",           "*.*.example.com", "a*.example.com",
        "a.com:80",   "a b",    ".example.com", "*..example.com",  "http://a.com",
        "a.com/path", "[::1]:", "[::1]:80",     "*.[::1]",         "::1",
        "a.com:",     "[::1",   "user@a.com",
    };
    struct host_match host;

    for (size_t i = 0; i < array_len(wrong); i++)
        if (!host_match_parse(&arena, str_of(wrong[i]), &host))
            fail_msg("accepted '%s'", wrong[i]);
    assert_int_equal(host_match_parse(&arena, STR("Shop.Example.COM."), &host), ERR_OK);
    assert_true(str_eq(host.name, STR("shop.example.com")) && !host.is_wildcard);
    assert_int_equal(host_match_parse(&arena, STR("*.Example.com"), &host), ERR_OK);
    assert_true(str_eq(host.name, STR(".example.com")) && host.is_wildcard);
    assert_int_equal(host_match_parse(&arena, STR("192.0.2.1"), &host), ERR_OK);
    assert_int_equal(host_match_parse(&arena, STR("[::1]"), &host), ERR_OK);
}

static void test_paths(void **state)
{
    static const struct {
        const char *text;
        enum path_kind kind;
        const char *means;
    } good[] = {
        {"/", PATH_EXACT, "/"},       {"/a", PATH_EXACT, "/a"},
        {"/a/", PATH_EXACT, "/a/"},   {"/*", PATH_PREFIX, ""},
        {"/a/*", PATH_PREFIX, "/a"},  {"/a//b/*", PATH_PREFIX, "/a/b"},
        {"/a//*", PATH_PREFIX, "/a"}, {"/%61/../b", PATH_EXACT, "/b"},
        {"~^/x", PATH_REGEX, "^/x"},
    };
    static const char *const wrong[] = {
        "", "a", "*", "a/*", "/a*", "/*/b", "/**", "/a?b", "/a#b", "/../a", "/%00", "~(",
    };
    struct path_match path;

    for (size_t i = 0; i < array_len(good); i++) {
        struct match match = {.paths = &path, .path_count = 1};

        assert_int_equal(path_match_parse(&arena, str_of(good[i].text), &path, NULL),
                         ERR_OK);
        assert_int_equal(path.kind, good[i].kind);
        if (!str_eq(path.text, str_of(good[i].means)))
            fail_msg("%s: '" STR_FMT "'", good[i].text, STR_ARG(path.text));
        assert_non_null(path.text.p);
        match_close(&match);
    }
    for (size_t i = 0; i < array_len(wrong); i++)
        if (!path_match_parse(&arena, str_of(wrong[i]), &path, NULL))
            fail_msg("accepted '%s'", wrong[i]);
}

static void test_regex_errors_have_words_and_a_place(void **state)
{
    struct pattern_error error;
    struct value_match value;
    struct path_match path;

    assert_int_equal(path_match_parse(&arena, STR("~a(b"), &path, &error), ERR_INVALID);
    assert_true(error.message[0] && error.offset <= 3);
    assert_int_equal(path_match_parse(&arena, STR("a"), &path, &error), ERR_INVALID);
    assert_false(error.message[0]);
    assert_int_equal(value_match_parse(&arena, STR("h"), STR("~["), &value, &error),
                     ERR_INVALID);
    assert_true(error.message[0]);
}

static void test_values(void **state)
{
    struct value_match value;

    assert_int_equal(
        value_match_parse(&arena, STR("Cookie"), STR("absent"), &value, NULL), ERR_OK);
    assert_int_equal(value.kind, VALUE_ABSENT);
    assert_int_equal(value.known, NAME_COOKIE);
    assert_int_equal(value_match_parse(&arena, STR("x"), STR("present"), &value, NULL),
                     ERR_OK);
    assert_int_equal(value.kind, VALUE_PRESENT);
    assert_int_equal(value_match_parse(&arena, STR("x"), STR(""), &value, NULL), ERR_OK);
    assert_int_equal(value.kind, VALUE_EXACT);
    assert_int_equal(value_match_parse(&arena, STR(""), STR("1"), &value, NULL),
                     ERR_INVALID);
}

static void test_methods(void **state)
{
    struct match match = {0};

    assert_int_equal(match_add_method(&arena, &match, STR("GET")), ERR_OK);
    assert_int_equal(match.methods, 1u << HTTP_GET | 1u << HTTP_HEAD);
    assert_int_equal(match_add_method(&arena, &match, STR("PATCH")), ERR_OK);
    assert_int_equal(match_add_method(&arena, &match, STR("PROPFIND")), ERR_OK);
    assert_int_equal(match_add_method(&arena, &match, STR("mkcol")), ERR_OK);
    assert_int_equal(match.other_method_count, 2);
    assert_true(str_eq(match.other_methods[0], STR("PROPFIND")));
    assert_int_equal(match_add_method(&arena, &match, STR("get")), ERR_INVALID);
    assert_int_equal(match_add_method(&arena, &match, STR("")), ERR_INVALID);
    assert_int_equal(match_add_method(&arena, &match, STR("A B")), ERR_INVALID);
    assert_int_equal(match_add_method(&arena, &match, ((str){"A\0", 2})), ERR_INVALID);
}

static void test_many_methods_stay_in_order(void **state)
{
    struct match match = {0};
    char name[] = "M00";

    for (unsigned i = 0; i < 50; i++) {
        name[1] = (char)('0' + i / 10);
        name[2] = (char)('0' + i % 10);
        assert_int_equal(match_add_method(&arena, &match, str_of(name)), ERR_OK);
    }
    assert_int_equal(match.other_method_count, 50);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal((match.other_methods[i].p[1] - '0') * 10 +
                             (match.other_methods[i].p[2] - '0'),
                         i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_hosts, teardown),
        cmocka_unit_test_teardown(test_paths, teardown),
        cmocka_unit_test_teardown(test_regex_errors_have_words_and_a_place, teardown),
        cmocka_unit_test_teardown(test_values, teardown),
        cmocka_unit_test_teardown(test_methods, teardown),
        cmocka_unit_test_teardown(test_many_methods_stay_in_order, teardown),
    };

    arena_init(&arena, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
