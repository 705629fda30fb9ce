/* The index against a walk through all routes, which is what it stands for. */
#include "lb/router.c"

#include "lb/test_routes.h"

#include <stdio.h>

enum { ROUTES_MOST = 40 };

static struct arena arena;

static int teardown(void **state)
{
    arena_reset(&arena);
    return 0;
}

static const struct route *find_plainly(const struct route *routes, unsigned count,
                                        const struct request_facts *facts)
{
    for (unsigned i = 0; i < count; i++)
        if (match_holds(routes[i].match, facts))
            return &routes[i];
    return NULL;
}

static void test_random_tables_against_a_plain_walk(void **state)
{
    unsigned found = 0, missed = 0;
    struct rand rand;

    rand_seed(&rand, 21);
    for (int run = 0; run < 700; run++) {
        struct route routes[ROUTES_MOST] = {0};
        unsigned count = (unsigned)rand_below(&rand, ROUTES_MOST + 1);
        struct router *routers[3];

        for (unsigned i = 0; i < count; i++)
            routes[i].match = test_match_new(&arena, &rand, run % 2 ? 40 : 5);
        for (unsigned i = 0; i < 3; i++)
            routers[i] = router_new(&arena, routes, count, i);
        for (int i = 0; i < 60; i++) {
            struct test_request request;
            const struct route *expected;

            test_request_draw(&request, &rand);
            expected = find_plainly(routes, count, &request.facts);
            assert_ptr_equal(router_find(routers[request.facts.listener], &request.facts),
                             expected);
            found += expected != NULL;
            missed += expected == NULL;
            request_close(&request);
        }
        for (unsigned i = 0; i < count; i++)
            match_close(routes[i].match);
        arena_reset(&arena);
    }
    assert_true(found > 10000 && missed > 3000);
}

/* What no route takes goes to the last one, from the same tables. */
static void test_routers_that_end_otherwise(void **state)
{
    struct rand rand;

    rand_seed(&rand, 23);
    for (int run = 0; run < 100; run++) {
        struct route routes[ROUTES_MOST + 2] = {0};
        unsigned count = (unsigned)rand_below(&rand, ROUTES_MOST + 1);
        uint32_t numbers[ROUTES_MOST];
        struct router *plain, *one, *two;

        for (unsigned i = 0; i < count; i++) {
            routes[i].match = test_match_new(&arena, &rand, 5);
            numbers[i] = i;
        }
        plain = router_of(&arena, routes, numbers, count);
        one = router_ending_in(&arena, plain, count);
        two = router_ending_in(&arena, plain, count + 1);
        for (int i = 0; i < 60; i++) {
            struct test_request request;
            const struct route *found;

            test_request_draw(&request, &rand);
            found = router_find(plain, &request.facts);
            assert_ptr_equal(router_find(one, &request.facts),
                             found ? found : &routes[count]);
            assert_ptr_equal(router_find(two, &request.facts),
                             found ? found : &routes[count + 1]);
            request_close(&request);
        }
        for (unsigned i = 0; i < count; i++)
            match_close(routes[i].match);
        arena_reset(&arena);
    }
}

/* W101 likewise: the first of all earlier routes that covers it. */
static void test_shadows_against_a_plain_walk(void **state)
{
    unsigned shadowed = 0;
    struct rand rand;

    rand_seed(&rand, 22);
    for (int run = 0; run < 500; run++) {
        struct route routes[ROUTES_MOST] = {0};
        unsigned count = (unsigned)rand_below(&rand, ROUTES_MOST + 1);
        struct router *router;

        for (unsigned i = 0; i < count; i++)
            routes[i].match = test_match_new(&arena, &rand, 5);
        router = router_new(&arena, routes, count, ROUTER_ANY_LISTENER);
        for (unsigned i = 0; i < count; i++) {
            unsigned j = 0;

            while (j < i && !match_covers(routes[j].match, routes[i].match))
                j++;
            assert_int_equal(router_shadowed_by(router, i), j == i ? -1 : (int)j);
            shadowed += j < i;
        }
        for (unsigned i = 0; i < count; i++)
            match_close(routes[i].match);
        arena_reset(&arena);
    }
    assert_true(shadowed > 1000);
}

static const struct match *match_of(const char *host, const char *path)
{
    struct match *match = ARENA_NEW(&arena, struct match);

    if (host) {
        struct host_match *item = ARENA_NEW(&arena, struct host_match);

        assert_int_equal(host_match_parse(&arena, str_of(host), item), ERR_OK);
        match->hosts = item;
        match->host_count = 1;
    }
    if (path) {
        struct path_match *item = ARENA_NEW(&arena, struct path_match);

        assert_int_equal(path_match_parse(&arena, str_of(path), item, NULL), ERR_OK);
        match->paths = item;
        match->path_count = 1;
    }
    return match;
}

static void assert_route(const struct router *router, const char *host, const char *path,
                         int expected)
{
    struct test_request request;
    const struct route *found;

    request_init(&request, "GET", host, path);
    found = router_find(router, &request.facts);
    assert_int_equal(found ? (int)(found - router->routes) : -1, expected);
    request_close(&request);
}

/* The order of the file decides, not how exact a match is. */
static void test_first_match_wins(void **state)
{
    struct route routes[] = {
        {.match = match_of("a.com", "/x/*")},   {.match = match_of("*.com", "/x/y")},
        {.match = match_of("a.com", "/x/y")},   {.match = match_of("b.com", NULL)},
        {.match = match_of("b.com", "/exact")}, {.match = match_of(NULL, "/z")},
    };
    struct router *router = router_new(&arena, routes, array_len(routes), 0);

    assert_route(router, "a.com", "/x/y", 0);
    assert_route(router, "q.com", "/x/y", 1);
    assert_route(router, "b.com", "/exact", 3);
    assert_route(router, "c.org", "/z", 5);
    assert_route(router, "", "/z", 5);
    assert_route(router, "c.org", "/zz", -1);
}

/* Keys whose hashes meet are told apart by all that they are made of. */
static void test_keys_with_the_same_hash(void **state)
{
    struct slot slots[8] = {0};
    struct router router = {.slots = slots, .mask = 7};
    static const struct {
        const char *text;
        uint32_t bucket;
        enum key_kind kind;
    } keys[] = {{"/a", 0, KEY_PATH},
                {"/a", 0, KEY_PREFIX},
                {"/a", 1, KEY_PATH},
                {"/b", 0, KEY_PATH},
                {"/a", 0, KEY_HOST}};

    for (size_t i = 0; i < array_len(keys); i++) {
        str text = str_of(keys[i].text);
        struct slot *slot = slot_find(&router, 6, text, keys[i].bucket, keys[i].kind);

        assert_null(slot->text.p);
        *slot = (struct slot){
            .text = text, .bucket = keys[i].bucket, .kind = keys[i].kind, .value = i + 1};
    }
    for (size_t i = 0; i < array_len(keys); i++)
        assert_int_equal(
            slot_find(&router, 6, str_of(keys[i].text), keys[i].bucket, keys[i].kind)
                ->value,
            i + 1);
}

static void test_no_routes(void **state)
{
    struct router *router = router_new(&arena, NULL, 0, 0);

    assert_route(router, "a.com", "/", -1);
}

/* A thousand of each kind: all found, each by its own name. */
static void test_a_thousand(void **state)
{
    static struct route routes[3000];
    struct router *router;
    char text[64];

    for (int i = 0; i < 3000; i++) {
        snprintf(text, sizeof text,
                 i < 1000   ? "/p%d/*"
                 : i < 2000 ? "h%d.com"
                            : "*.w%d.com",
                 i);
        routes[i].match =
            i < 1000 ? match_of("one.com", text) : match_of(text, i % 2 ? "/a" : NULL);
    }
    router = router_new(&arena, routes, 3000, 0);
    for (int i = 0; i < 3000; i++) {
        char path[64], host[64];

        snprintf(path, sizeof path, i < 1000 ? "/p%d/sub" : "/a", i);
        snprintf(host, sizeof host,
                 i < 1000   ? "one.com"
                 : i < 2000 ? "h%d.com"
                            : "deep.under.w%d.com",
                 i);
        assert_route(router, host, path, i);
        assert_int_equal(router_shadowed_by(router, (unsigned)i), -1);
    }
    assert_route(router, "one.com", "/p1000/x", -1);
}

/* Paths of nothing but slashes and hosts of nothing but dots end soon, and safely. */
static void test_hostile_requests(void **state)
{
    struct route routes[] = {{.match = match_of("*.a.com", "/a/*")},
                             {.match = match_of(NULL, "/*")}};
    struct router *router = router_new(&arena, routes, 2, 0);
    static char slashes[65536], dots[65536];

    memset(slashes, '/', sizeof slashes - 1);
    memset(dots, '.', sizeof dots - 1);
    assert_route(router, dots, slashes, 1);
    memset(dots, 'a', sizeof dots - 1);
    assert_route(router, dots, slashes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_random_tables_against_a_plain_walk, teardown),
        cmocka_unit_test_teardown(test_routers_that_end_otherwise, teardown),
        cmocka_unit_test_teardown(test_shadows_against_a_plain_walk, teardown),
        cmocka_unit_test_teardown(test_first_match_wins, teardown),
        cmocka_unit_test_teardown(test_keys_with_the_same_hash, teardown),
        cmocka_unit_test_teardown(test_no_routes, teardown),
        cmocka_unit_test_teardown(test_a_thousand, teardown),
        cmocka_unit_test_teardown(test_hostile_requests, teardown),
    };

    arena_init(&arena, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
