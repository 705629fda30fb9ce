/* Keys: the same for ever, different for different values, none without a value. */
#include "lb/key.c"

#include "lb/test_request.h"

static struct arena arena;
static struct test_request request;
static struct template_facts facts;

static int setup(void **state)
{
    arena_init(&arena, 0);
    request_init(&request, "GET", "shop.example.com", "/a");
    request.facts.query = STR("sid=9&x=");
    request_set_client(&request, "192.0.2.77");
    request_add(&request, "X-User", "alice");
    request_add(&request, "X-Empty", "");
    request_add(&request, "Cookie", "sid=77; other=1");
    facts = (struct template_facts){.request = &request.facts,
                                    .client = &request.client,
                                    .peer = &request.client,
                                    .listener = STR("web")};
    return 0;
}

static int teardown(void **state)
{
    request_close(&request);
    arena_reset(&arena);
    return 0;
}

static const struct key *key_of(const char *name)
{
    struct template_error error;
    const struct key *key = key_of_fact(&arena, str_of(name), &error);

    if (!key)
        fail_msg("%s: %s", name, error.reason);
    return key;
}

static uint64_t hash_of(const char *name)
{
    uint64_t hash = 0;

    if (!key_hash(key_of(name), &facts, &hash))
        fail_msg("%s has no value", name);
    return hash;
}

static void assert_no_key(const char *name)
{
    uint64_t hash;

    if (key_hash(key_of(name), &facts, &hash))
        fail_msg("%s has a value", name);
}

/* Written down: another build, machine or year must come to the same. */
static void test_is_the_same_for_ever(void **state)
{
    assert_int_equal(hash_of("req.header.x-user"), 0x9e1722a0ce9f8793);
    assert_int_equal(hash_of("client.ip"), 0x8e4e4df988949bbf);
    assert_int_equal(hash_of("client.subnet"), 0x68314519c301f074);
    request_set_client(&request, "2001:db8:1:2345:6::7");
    assert_int_equal(hash_of("client.ip"), 0xe4f1ef3b8841a230);
    assert_int_equal(hash_of("client.subnet"), 0x81c786e5a95a06fd);
}

static void test_follows_the_value(void **state)
{
    uint64_t alice = hash_of("req.header.x-user");

    request.fields[0].value = STR("bob");
    assert_int_not_equal(hash_of("req.header.X-User"), alice);
    request.fields[0].value = STR("alice");
    assert_int_equal(hash_of("req.header.X-User"), alice);
    assert_int_equal(hash_of("req.path"), hash_of("path"));
    assert_int_not_equal(hash_of("req.cookie.sid"), hash_of("req.query.sid"));
    request.facts.query = STR("sid=77");
    assert_int_equal(hash_of("req.cookie.sid"), hash_of("req.query.sid"));
}

static void test_no_value_is_no_key(void **state)
{
    assert_no_key("req.header.x-none");
    assert_no_key("req.header.x-empty");
    assert_no_key("req.cookie.none");
    assert_no_key("req.query.x");
    request.facts.query = STR_NONE;
    assert_no_key("req.query");
    assert_no_key("req.query.sid");
    request.client.family = ADDR_UNIX;
    assert_no_key("client.ip");
    assert_no_key("client.subnet");
    facts.client = NULL;
    assert_no_key("client.ip");
    facts.request = NULL;
    assert_no_key("req.path");
    assert_no_key("req.header.x-user");
    hash_of("listener");
}

static uint64_t hash_client(const struct key *key, const char *ip)
{
    uint64_t hash = 0;

    request_set_client(&request, ip);
    assert_true(key_hash(key, &facts, &hash));
    return hash;
}

static void test_prefixes(void **state)
{
    const struct key *key = key_of_client(&arena, 24, 56);
    uint64_t subnet;

    assert_int_equal(hash_client(key, "192.0.2.1"), hash_client(key, "192.0.2.200"));
    assert_int_not_equal(hash_client(key, "192.0.2.1"), hash_client(key, "192.0.3.1"));
    assert_int_equal(hash_client(key, "2001:db8:1:2300::1"),
                     hash_client(key, "2001:db8:1:23ff:9:9:9:9"));
    assert_int_not_equal(hash_client(key, "2001:db8:1:2300::1"),
                         hash_client(key, "2001:db8:1:2400::1"));
    subnet = hash_client(key, "192.0.2.1");
    assert_int_equal(hash_of("client.subnet"), subnet);
    request.client.port = 4711;
    assert_int_equal(hash_client(key_of("client.ip"), "192.0.2.1"),
                     hash_client(key_of_client(&arena, 32, 128), "192.0.2.1"));
}

static void test_what_needs_a_request(void **state)
{
    static const char *const without[] = {"client.ip", "client.subnet", "client.port",
                                          "peer.ip",   "listener",      "pool"};
    static const char *const with[] = {"req.path", "req.header.x", "req.cookie.x",
                                       "route",    "host",         "request.id"};

    for (size_t i = 0; i < array_len(without); i++)
        assert_false(key_needs_request(key_of(without[i])));
    for (size_t i = 0; i < array_len(with); i++)
        assert_true(key_needs_request(key_of(with[i])));
}

static void assert_refused(const char *name, const char *reason)
{
    struct template_error error = {0};

    assert_null(key_of_fact(&arena, str_of(name), &error));
    assert_string_equal(error.reason, reason);
    assert_true(str_eq(error.piece, str_of(name)));
}

static void test_what_is_refused(void **state)
{
    assert_refused("req.headr.x", "unknown fact");
    assert_refused("req.header.", "unknown fact");
    assert_refused("", "unknown fact");
    assert_refused("{req.path}", "a fact is named without braces here");
    assert_refused("path}{host", "a fact is named without braces here");
    assert_refused("server", "known only when a server has been chosen");
    assert_refused("server.ip", "known only when a server has been chosen");
    assert_refused("res.status", "known only when a server has been chosen");
    assert_refused("res.header.x", "known only when a server has been chosen");
}

/* A value that does not fit is cut off, not lost. */
static void test_long_values(void **state)
{
    static char path[3 * VALUE_MOST];
    uint64_t before, after;

    memset(path, 'a', sizeof path);
    path[0] = '/';
    request.facts.path = (str){path, sizeof path};
    before = hash_of("req.path");
    path[sizeof path - 1] = 'b';
    after = hash_of("req.path");
    assert_int_not_equal(before, after);
    before = hash_of("req.uri");
    path[1] = 'b';
    assert_int_not_equal(hash_of("req.uri"), before);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_is_the_same_for_ever), TEST(test_follows_the_value),
        TEST(test_no_value_is_no_key),   TEST(test_prefixes),
        TEST(test_what_needs_a_request), TEST(test_what_is_refused),
        TEST(test_long_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
