/*
 * For property tests of routing: random matches and random requests over a vocabulary so
 * small that they meet often.
 */
#ifndef LB_TEST_ROUTES_H
#define LB_TEST_ROUTES_H

#include "lb/test_request.h"

#include "base/rand.h"

static const char *const test_hosts[] = {
    "a.com",   "b.a.com", "c.b.a.com", "b.com",     "com",
    "x.b.com", "*.a.com", "*.com",     "*.b.a.com", "*.b.com",
};
static const char *const test_paths[] = {
    "/",
    "/*",
    "/a",
    "/a/*",
    "/a/b",
    "/a/b/*",
    "/ab",
    "/ab/*",
    "/a/b/c",
    "/c/*",
    "/a/",
    "/a/b/",
    "/c/c/c/c/c/*",
    "~^/a",
    "~b$",
    "~^/c/.",
    "/long-name-of-sixty-four-bytes-or-more-so-that-lengths-fold/x/y/*",
};
static const char *const test_request_paths[] = {
    "/",      "/a",
    "/a/",    "/a/b",
    "/a/b/",  "/a/b/c",
    "/ab",    "/ab/c",
    "/c",     "/c/c/c/c/c/c",
    "/abc",   "*",
    "/a/b/d", "/c/c/c/c/c",
    "/x",     "/long-name-of-sixty-four-bytes-or-more-so-that-lengths-fold/x/y/z",
};
static const char *const test_methods[] = {"GET", "HEAD", "POST", "PURGE"};
static const char *const test_names[] = {"X-A", "X-B"};
static const char *const test_values[] = {"1", "2", "absent", "present", "~1|2"};
static const char *const test_clients[] = {"10.0.0.1", "10.1.0.1", "192.0.2.1"};
static const char *const test_prefixes[] = {"10.0.0.0/8", "10.0.0.0/16", "192.0.2.1"};

#define TEST_DRAW(rand, words) ((words)[rand_below((rand), array_len(words))])

static inline void test_add_values(struct arena *arena, struct rand *rand,
                                   struct value_matches *values)
{
    unsigned count = (unsigned)rand_below(rand, 3);
    struct value_match *items = ARENA_ARRAY(arena, struct value_match, count);

    for (unsigned i = 0; i < count; i++)
        assert_int_equal(value_match_parse(arena, str_of(TEST_DRAW(rand, test_names)),
                                           str_of(TEST_DRAW(rand, test_values)),
                                           &items[i], NULL),
                         ERR_OK);
    *values = (struct value_matches){items, count};
}

static inline struct prefixes test_add_prefixes(struct arena *arena, struct rand *rand)
{
    unsigned count = 1 + (unsigned)rand_below(rand, 2);
    struct prefix *items = ARENA_ARRAY(arena, struct prefix, count);

    for (unsigned i = 0; i < count; i++)
        assert_int_equal(prefix_parse(str_of(TEST_DRAW(rand, test_prefixes)), &items[i]),
                         ERR_OK);
    return (struct prefixes){items, count};
}

static inline bool test_chance(struct rand *rand, unsigned percent)
{
    return rand_below(rand, 100) < percent;
}

/* busy: percent of the conditions besides host and path. Close it with match_close. */
static inline const struct match *test_match_new(struct arena *arena, struct rand *rand,
                                                 unsigned busy)
{
    struct match *match = ARENA_NEW(arena, struct match);
    struct host_match *hosts = ARENA_ARRAY(arena, struct host_match, 3);
    struct path_match *paths = ARENA_ARRAY(arena, struct path_match, 3);

    if (test_chance(rand, 4))
        return NULL;
    match->host_count = test_chance(rand, 30) ? 0 : 1 + (unsigned)rand_below(rand, 3);
    match->path_count = test_chance(rand, 20) ? 0 : 1 + (unsigned)rand_below(rand, 3);
    match->hosts = hosts;
    match->paths = paths;
    for (unsigned i = 0; i < match->host_count; i++)
        assert_int_equal(
            host_match_parse(arena, str_of(TEST_DRAW(rand, test_hosts)), &hosts[i]),
            ERR_OK);
    for (unsigned i = 0; i < match->path_count; i++)
        assert_int_equal(
            path_match_parse(arena, str_of(TEST_DRAW(rand, test_paths)), &paths[i], NULL),
            ERR_OK);
    for (int i = 0; i < 2 && test_chance(rand, busy); i++)
        assert_int_equal(
            match_add_method(arena, match, str_of(TEST_DRAW(rand, test_methods))),
            ERR_OK);
    if (test_chance(rand, busy))
        test_add_values(arena, rand, &match->headers);
    if (test_chance(rand, busy))
        test_add_values(arena, rand, &match->queries);
    if (test_chance(rand, busy))
        match->client_in = test_add_prefixes(arena, rand);
    if (test_chance(rand, busy))
        match->client_not = test_add_prefixes(arena, rand);
    for (int i = 0; i < 2 && test_chance(rand, busy); i++)
        match_add_listener(arena, match, (unsigned)rand_below(rand, 3));
    return match;
}

/* Everything but the host of a wildcard comes from the vocabulary as it is. */
static inline void test_request_draw(struct test_request *request, struct rand *rand)
{
    static const char *const queries[] = {"X-A=1", "X-B=2&X-A=3", "", "X-A"};
    const char *host = TEST_DRAW(rand, test_hosts);

    request_init(request, TEST_DRAW(rand, test_methods), *host == '*' ? host + 2 : host,
                 TEST_DRAW(rand, test_request_paths));
    request->facts.listener = (unsigned)rand_below(rand, 3);
    request->facts.query = str_of(TEST_DRAW(rand, queries));
    request_set_client(request, TEST_DRAW(rand, test_clients));
    if (test_chance(rand, 50))
        request_add(request, "X-A", TEST_DRAW(rand, test_values));
    if (test_chance(rand, 30))
        request_add(request, "x-b", "2");
}

#endif
