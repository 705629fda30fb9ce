/* Each condition on its own, and together. */
#include "lb/match.c"

#include "lb/test_request.h"

static struct arena arena;
static struct test_request request;

static int setup(void **state)
{
    arena_init(&arena, 0);
    request_init(&request, "GET", "example.com", "/");
    return 0;
}

static int teardown(void **state)
{
    request_close(&request);
    arena_reset(&arena);
    return 0;
}

static bool path_holds(const char *pattern, const char *path)
{
    struct path_match item;
    struct match match = {.paths = &item, .path_count = 1};
    bool holds;

    assert_int_equal(path_match_parse(&arena, str_of(pattern), &item, NULL), ERR_OK);
    request.facts.path = str_of(path);
    holds = match_holds(&match, &request.facts);
    match_close(&match);
    return holds;
}

static bool host_holds(const char *pattern, const char *host)
{
    struct host_match item;
    struct match match = {.hosts = &item, .host_count = 1};

    assert_int_equal(host_match_parse(&arena, str_of(pattern), &item), ERR_OK);
    request.facts.host = str_of(host);
    return match_holds(&match, &request.facts);
}

static void test_empty_takes_everything(void **state)
{
    static const struct match empty;

    assert_true(match_holds(NULL, &request.facts));
    assert_true(match_holds(&empty, &request.facts));
    request.facts.path = STR("*");
    request.facts.host = STR("");
    assert_true(match_holds(&empty, &request.facts));
}

static void test_path_exact(void **state)
{
    assert_true(path_holds("/api", "/api"));
    assert_false(path_holds("/api", "/api/"));
    assert_false(path_holds("/api", "/API"));
    assert_false(path_holds("/api", "/ap"));
    assert_true(path_holds("/", "/"));
    assert_false(path_holds("/", "/x"));
}

static void test_path_prefix_ends_with_a_segment(void **state)
{
    assert_true(path_holds("/api/*", "/api"));
    assert_true(path_holds("/api/*", "/api/"));
    assert_true(path_holds("/api/*", "/api/v1/x"));
    assert_false(path_holds("/api/*", "/apix"));
    assert_false(path_holds("/api/*", "/"));
    assert_true(path_holds("/*", "/"));
    assert_true(path_holds("/*", "/x/y"));
    assert_false(path_holds("/*", "*")); /* OPTIONS * has no path */
}

static void test_path_regex(void **state)
{
    assert_true(path_holds("~^/v[0-9]+/", "/v12/x"));
    assert_false(path_holds("~^/v[0-9]+/", "/va/x"));
    assert_true(path_holds("~cat", "/a/concat"));
}

static void test_host(void **state)
{
    assert_true(host_holds("example.com", "example.com"));
    assert_false(host_holds("example.com", "a.example.com"));
    assert_true(host_holds("EXAMPLE.com", "example.com"));
    assert_true(host_holds("*.example.com", "a.example.com"));
    assert_true(host_holds("*.example.com", "a.b.example.com"));
    assert_false(host_holds("*.example.com", "example.com"));
    assert_false(host_holds("*.example.com", "badexample.com"));
    assert_false(host_holds("*.example.com", ".example.com"));
    assert_false(host_holds("example.com", ""));
    assert_true(host_holds("[2001:DB8::1]", "[2001:db8::1]"));
}

static void test_method(void **state)
{
    struct match match = {0};

    assert_int_equal(match_add_method(&arena, &match, STR("GET")), ERR_OK);
    assert_int_equal(match_add_method(&arena, &match, STR("PURGE")), ERR_OK);
    assert_true(match_holds(&match, &request.facts));
    request.head.method = HTTP_HEAD; /* GET brings it */
    assert_true(match_holds(&match, &request.facts));
    request.head.method = HTTP_POST;
    assert_false(match_holds(&match, &request.facts));
    request.head.method = HTTP_METHOD_OTHER;
    request.head.method_text = STR("PURGE");
    assert_true(match_holds(&match, &request.facts));
    request.head.method_text = STR("purge");
    assert_false(match_holds(&match, &request.facts));
}

static void test_head_does_not_bring_get(void **state)
{
    struct match match = {0};

    assert_int_equal(match_add_method(&arena, &match, STR("HEAD")), ERR_OK);
    assert_false(match_holds(&match, &request.facts));
}

static void test_listener(void **state)
{
    struct match match = {0};

    match_add_listener(&arena, &match, 70);
    match_add_listener(&arena, &match, 3);
    for (unsigned i = 0; i < 200; i++) {
        request.facts.listener = i;
        assert_int_equal(match_holds(&match, &request.facts), i == 3 || i == 70);
    }
}

/* One condition on a header, cookie or query parameter against the request as it is. */
static bool value_holds(const char *kind, const char *name, const char *text)
{
    struct value_match item;
    struct value_matches one = {&item, 1};
    struct match match = {0};
    bool holds;

    assert_int_equal(value_match_parse(&arena, str_of(name), str_of(text), &item, NULL),
                     ERR_OK);
    if (*kind == 'h')
        match.headers = one;
    else if (*kind == 'c')
        match.cookies = one;
    else
        match.queries = one;
    holds = match_holds(&match, &request.facts);
    match_close(&match);
    return holds;
}

static void test_header(void **state)
{
    assert_true(value_holds("h", "X-Beta", "absent"));
    assert_false(value_holds("h", "X-Beta", "present"));
    assert_false(value_holds("h", "X-Beta", "~"));
    request_add(&request, "x-beta", "0");
    request_add(&request, "X-BETA", "1");
    request_add(&request, "User-Agent", "Some iPhone");
    assert_true(value_holds("h", "X-Beta", "1")); /* one that fits is enough */
    assert_true(value_holds("h", "X-Beta", "0"));
    assert_false(value_holds("h", "X-Beta", "01"));
    assert_false(value_holds("h", "X-Beta", "absent"));
    assert_true(value_holds("h", "X-Beta", "present"));
    assert_true(value_holds("h", "user-agent", "~(?i)android|iphone"));
    assert_false(value_holds("h", "user-agent", "~android|iphone"));
    assert_false(value_holds("h", "X-Bet", "present"));
}

/* What an untrusted client had no right to send is not there; what belongs to the hop is. */
static void test_dropped_headers(void **state)
{
    request_add(&request, "X-Forwarded-For", "10.0.0.1")->dropped = 1;
    request_add(&request, "Upgrade", "websocket")->dropped = 1;
    request_add(&request, "X-Mine", "1")->dropped = 1;
    assert_true(value_holds("h", "X-Forwarded-For", "absent"));
    assert_true(value_holds("h", "X-Mine", "absent"));
    assert_true(value_holds("h", "Upgrade", "websocket"));
}

static void test_cookie(void **state)
{
    assert_true(value_holds("c", "tier", "absent"));
    request_add(&request, "Cookie", "a=b; tier=premium");
    request_add(&request, "Cookie", "sid=1");
    assert_true(value_holds("c", "tier", "premium"));
    assert_true(value_holds("c", "sid", "1"));
    assert_false(value_holds("c", "tier", "absent"));
    assert_false(value_holds("c", "Tier", "premium")); /* names have case */
    assert_false(value_holds("c", "tier", "prem"));
    assert_true(value_holds("c", "tier", "~^prem"));
}

static void test_query(void **state)
{
    request.facts.query = STR_NONE;
    assert_true(value_holds("q", "debug", "absent"));
    request.facts.query = STR("");
    assert_true(value_holds("q", "debug", "absent"));
    request.facts.query = STR("a=1&debug&b=x%20y+z&a=2&c=%41%5");
    assert_true(value_holds("q", "debug", "present"));
    assert_true(value_holds("q", "debug", ""));
    assert_true(value_holds("q", "a", "1"));
    assert_true(value_holds("q", "a", "2"));
    assert_false(value_holds("q", "a", "12"));
    assert_false(value_holds("q", "a", ""));
    assert_true(value_holds("q", "b", "x y z"));
    assert_true(value_holds("q", "b", "~^x y z$"));
    assert_true(value_holds("q", "c", "A%5")); /* a broken escape is itself */
    assert_true(value_holds("q", "A", "absent"));
}

/* Writing a letter as an escape does not get a parameter past a condition. */
static void test_query_names_are_decoded(void **state)
{
    request.facts.query = STR("%64ebu%67=%31");
    assert_false(value_holds("q", "debug", "absent"));
    assert_true(value_holds("q", "debug", "1"));
}

static void test_long_parameter(void **state)
{
    static char query[20000];

    memset(query, 'a', sizeof query);
    memcpy(query, "q=", 2);
    query[sizeof query - 1] = 'z';
    request.facts.query = (str){query, sizeof query};
    assert_true(value_holds("q", "q", "~^a+$"));
    assert_false(value_holds("q", "q", "~z")); /* behind what a regex sees */
}

static struct prefix prefix_of(const char *text)
{
    struct prefix prefix;

    assert_int_equal(prefix_parse(str_of(text), &prefix), ERR_OK);
    return prefix;
}

static void test_client(void **state)
{
    struct prefix in[] = {prefix_of("10.0.0.0/8"), prefix_of("2001:db8::/32")};
    struct prefix not [] = {prefix_of("10.1.0.0/16")};
    struct match match = {.client_in = {in, 2}, .client_not = {not, 1}};
    static const struct {
        const char *ip;
        bool holds_in, holds_both, holds_not;
    } cases[] = {
        {"10.2.3.4", true, true, true},
        {"10.1.3.4", true, false, false},
        {"192.0.2.1", false, false, true},
        {"2001:db8::5", true, true, true},
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        request_set_client(&request, cases[i].ip);
        match.client_in.count = 2;
        match.client_not.count = 1;
        assert_int_equal(match_holds(&match, &request.facts), cases[i].holds_both);
        match.client_not.count = 0;
        assert_int_equal(match_holds(&match, &request.facts), cases[i].holds_in);
        match.client_in.count = 0;
        match.client_not.count = 1;
        assert_int_equal(match_holds(&match, &request.facts), cases[i].holds_not);
    }
}

static void test_all_kinds_must_hold(void **state)
{
    struct host_match host;
    struct path_match paths[2];
    struct match match = {
        .hosts = &host, .host_count = 1, .paths = paths, .path_count = 2};

    assert_int_equal(host_match_parse(&arena, STR("example.com"), &host), ERR_OK);
    assert_int_equal(path_match_parse(&arena, STR("/a/*"), &paths[0], NULL), ERR_OK);
    assert_int_equal(path_match_parse(&arena, STR("/b"), &paths[1], NULL), ERR_OK);
    assert_int_equal(match_add_method(&arena, &match, STR("GET")), ERR_OK);
    request.facts.path = STR("/b");
    assert_true(match_holds(&match, &request.facts));
    request.facts.path = STR("/c");
    assert_false(match_holds(&match, &request.facts));
    request.facts.path = STR("/a/x");
    assert_true(match_holds(&match, &request.facts));
    request.facts.host = STR("example.org");
    assert_false(match_holds(&match, &request.facts));
    request.facts.host = STR("example.com");
    request.head.method = HTTP_POST;
    assert_false(match_holds(&match, &request.facts));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty_takes_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(test_path_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(test_path_prefix_ends_with_a_segment, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_path_regex, setup, teardown),
        cmocka_unit_test_setup_teardown(test_host, setup, teardown),
        cmocka_unit_test_setup_teardown(test_method, setup, teardown),
        cmocka_unit_test_setup_teardown(test_head_does_not_bring_get, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listener, setup, teardown),
        cmocka_unit_test_setup_teardown(test_header, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dropped_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cookie, setup, teardown),
        cmocka_unit_test_setup_teardown(test_query, setup, teardown),
        cmocka_unit_test_setup_teardown(test_query_names_are_decoded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_parameter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_kinds_must_hold, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
