/* Covering: known pairs, and for random ones that a yes is never wrong. */
#include "lb/match_covers.c"

#include "lb/test_routes.h"

static struct arena arena;

static int teardown(void **state)
{
    arena_reset(&arena);
    return 0;
}

static bool path_pair(const char *wide, const char *narrow)
{
    struct path_match paths[2];
    struct match a = {.paths = &paths[0], .path_count = 1};
    struct match b = {.paths = &paths[1], .path_count = 1};
    bool covers;

    assert_int_equal(path_match_parse(&arena, str_of(wide), &paths[0], NULL), ERR_OK);
    assert_int_equal(path_match_parse(&arena, str_of(narrow), &paths[1], NULL), ERR_OK);
    covers = match_covers(&a, &b);
    assert_true(match_covers(NULL, &b));
    assert_false(match_covers(&a, NULL));
    match_close(&a);
    match_close(&b);
    return covers;
}

static void test_paths_of_known_pairs(void **state)
{
    assert_true(path_pair("/api/*", "/api/*"));
    assert_true(path_pair("/api/*", "/api/v1/*"));
    assert_true(path_pair("/api/*", "/api"));
    assert_true(path_pair("/*", "/api/*"));
    assert_true(path_pair("/*", "/"));
    assert_true(path_pair("/*", "/*"));
    assert_true(path_pair("~^/x", "~^/x"));
    assert_true(path_pair("/x", "/x"));
    assert_false(path_pair("/api", "/api/*"));
    assert_false(path_pair("/api/*", "/*"));
    assert_false(path_pair("/api/*", "/apix"));
    assert_false(path_pair("/*", "~^/x")); /* cannot know */
    assert_false(path_pair("~^/", "/x"));
}

static bool host_pair(const char *wide, const char *narrow)
{
    struct host_match hosts[2];
    struct match a = {.hosts = &hosts[0], .host_count = 1};
    struct match b = {.hosts = &hosts[1], .host_count = 1};

    assert_int_equal(host_match_parse(&arena, str_of(wide), &hosts[0]), ERR_OK);
    assert_int_equal(host_match_parse(&arena, str_of(narrow), &hosts[1]), ERR_OK);
    return match_covers(&a, &b);
}

static void test_hosts_of_known_pairs(void **state)
{
    assert_true(host_pair("a.com", "a.com"));
    assert_true(host_pair("*.a.com", "x.a.com"));
    assert_true(host_pair("*.a.com", "*.b.a.com"));
    assert_true(host_pair("*.a.com", "*.a.com"));
    assert_false(host_pair("*.a.com", "a.com"));
    assert_false(host_pair("*.b.a.com", "*.a.com"));
    assert_false(host_pair("x.a.com", "*.a.com"));
    assert_false(host_pair("*.a.com", "*.ba.com"));
}

static bool value_pair(const char *wide, const char *narrow)
{
    struct value_match values[2];
    struct match a = {.headers = {&values[0], 1}}, b = {.headers = {&values[1], 1}};
    bool covers;

    assert_int_equal(
        value_match_parse(&arena, STR("X-A"), str_of(wide), &values[0], NULL), ERR_OK);
    assert_int_equal(
        value_match_parse(&arena, STR("x-a"), str_of(narrow), &values[1], NULL), ERR_OK);
    covers = match_covers(&a, &b);
    assert_false(match_covers(&a, NULL));
    match_close(&a);
    match_close(&b);
    return covers;
}

static void test_values_of_known_pairs(void **state)
{
    assert_true(value_pair("present", "1"));
    assert_true(value_pair("present", "~1"));
    assert_true(value_pair("1", "1"));
    assert_true(value_pair("~1", "~1"));
    assert_true(value_pair("absent", "absent"));
    assert_false(value_pair("present", "absent"));
    assert_false(value_pair("absent", "present"));
    assert_false(value_pair("1", "present"));
    assert_false(value_pair("1", "2"));
    assert_false(value_pair("1", "~1"));
}

static void test_clients_of_known_pairs(void **state)
{
    struct prefix wide, narrow;
    struct match a = {.client_in = {&wide, 1}}, b = {.client_in = {&narrow, 1}};
    struct match not_a = {.client_not = {&wide, 1}}, not_b = {.client_not = {&narrow, 1}};

    assert_int_equal(prefix_parse(STR("10.0.0.0/8"), &wide), ERR_OK);
    assert_int_equal(prefix_parse(STR("10.0.0.0/16"), &narrow), ERR_OK);
    assert_true(match_covers(&a, &b));
    assert_false(match_covers(&b, &a));
    assert_true(match_covers(&not_b, &not_a)); /* leaving out less takes more */
    assert_false(match_covers(&not_a, &not_b));
    assert_false(match_covers(&not_a, NULL));
    assert_true(match_covers(NULL, &not_a));
}

/* Where `wide` is said to cover `narrow`, no request proves the contrary; and it is said
 * often enough to be worth something. */
static void test_never_a_wrong_yes(void **state)
{
    unsigned covered = 0, seen = 0;
    struct rand rand;

    rand_seed(&rand, 11);
    for (int run = 0; run < 2000; run++) {
        const struct match *wide = test_match_new(&arena, &rand, 12);
        const struct match *narrow = test_match_new(&arena, &rand, 12);

        covered += match_covers(wide, narrow);
        for (int i = 0; i < 200 && match_covers(wide, narrow); i++) {
            struct test_request request;

            test_request_draw(&request, &rand);
            if (match_holds(narrow, &request.facts)) {
                assert_true(match_holds(wide, &request.facts));
                seen++;
            }
            request_close(&request);
        }
        assert_true(match_covers(narrow, narrow));
        match_close(wide);
        match_close(narrow);
        arena_reset(&arena);
    }
    assert_true(covered > 60 && seen > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_paths_of_known_pairs, teardown),
        cmocka_unit_test_teardown(test_hosts_of_known_pairs, teardown),
        cmocka_unit_test_teardown(test_values_of_known_pairs, teardown),
        cmocka_unit_test_teardown(test_clients_of_known_pairs, teardown),
        cmocka_unit_test_teardown(test_never_a_wrong_yes, teardown),
    };

    arena_init(&arena, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
