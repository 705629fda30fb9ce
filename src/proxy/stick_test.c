/*
 * A cookie that a worker has opened lately and kept counts no longer than one that it
 * opens: its times are looked at with each request, and so is the ring of keys.
 */
#include "proxy/stick.c"

#include "proxy/test_house.h"

#include "net/seal.h"

enum { IDLE = 80000, ABSOLUTE = 400000 };

static struct sticky sticky;
static struct seal_ring *ring;

static void build(void)
{
    ring = calloc(1, sizeof *ring);
    assert_non_null(ring);
    seal_ring_add_secret(ring, STR("one"));
    sticky = (struct sticky){.by = STICKY_COOKIE,
                             .idle = IDLE,
                             .absolute = ABSOLUTE,
                             .name = STR("S"),
                             .path = STR("/"),
                             .pool_id = 7,
                             .ring = ring};
    house_build(1);
    house->pool.sticky = &sticky;
    house->servers[0].id = 5;
    house_open();
}

static void end(int client, int server)
{
    close(client);
    close(server);
    house_close();
    free(ring);
}

/* As if so many seconds had gone by on the wall. */
static void wait_on_the_wall(unsigned seconds)
{
    house->worker.wall_offset += (uint64_t)seconds * 1000000000;
}

struct counts {
    uint64_t hits, misses;
};

static struct counts counts(void)
{
    return (struct counts){counter_read(&house->pool_shards[0].sticky_hits),
                           counter_read(&house->pool_shards[0].sticky_misses)};
}

static void assert_counts(uint64_t hits, uint64_t misses)
{
    assert_int_equal(counts().hits, hits);
    assert_int_equal(counts().misses, misses);
}

/* One request with that cookie ("": none). Is another one set? Then it is written there. */
static bool ask(int client, int server, char cookie[COOKIE_TEXT + 1])
{
    char request[256];
    const char *set;

    snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: a\r\n%s%s%s\r\n",
             *cookie ? "Cookie: a=b; S=" : "", cookie, *cookie ? "\r\n" : "");
    say(client, request);
    hear(server, "\r\n\r\n");
    say(server, ANSWER(2, "hi"));
    set = strstr(hear(client, "\r\n\r\nhi"), "Set-Cookie: S=");
    if (set)
        snprintf(cookie, COOKIE_TEXT + 1, "%s", set + strlen("Set-Cookie: S="));
    return set != NULL;
}

/* A client that got its cookie, which was then opened and kept. */
static int begin(int *server, char cookie[COOKIE_TEXT + 1])
{
    int client = exchange_once(GET, ANSWER(2, "hi"), server);

    hear(client, "\r\n\r\nhi");
    *cookie = '\0';
    assert_true(ask(client, *server, cookie));
    assert_false(ask(client, *server, cookie));
    assert_false(ask(client, *server, cookie));
    assert_counts(2, 2);
    return client;
}

static void test_renewed(void **state)
{
    char cookie[COOKIE_TEXT + 1], first[COOKIE_TEXT + 1];
    int client, server;

    (void)state;
    build();
    client = begin(&server, cookie);
    memcpy(first, cookie, sizeof first);
    wait_on_the_wall(IDLE / 1000 / 8 - 2);
    assert_false(ask(client, server, cookie));
    wait_on_the_wall(3); /* an eighth of the idle time is over */
    assert_true(ask(client, server, cookie));
    assert_string_not_equal(first, cookie);
    assert_false(ask(client, server, cookie));
    assert_counts(5, 2);
    end(client, server);
}

static void test_idle(void **state)
{
    char cookie[COOKIE_TEXT + 1];
    int client, server;

    (void)state;
    build();
    client = begin(&server, cookie);
    wait_on_the_wall(IDLE / 1000 * 9 / 8 + 1);
    assert_true(ask(client, server, cookie)); /* a new one, for it was as if not sent */
    assert_counts(2, 3);
    end(client, server);
}

static void test_absolute(void **state)
{
    char cookie[COOKIE_TEXT + 1];
    int client, server;

    (void)state;
    build();
    client = begin(&server, cookie);
    for (unsigned i = 0; i < 6; i++) { /* it goes on coming */
        wait_on_the_wall(60);
        assert_true(ask(client, server, cookie));
        assert_false(ask(client, server, cookie));
    }
    assert_counts(14, 2);
    wait_on_the_wall(50);
    assert_true(ask(client, server, cookie));
    assert_counts(14, 3);
    end(client, server);
}

/* A newer key seals it anew, a ring without its key forgets it. */
static void test_keys(void **state)
{
    struct seal_ring *other = calloc(1, sizeof *other);
    char cookie[COOKIE_TEXT + 1];
    int client, server;

    (void)state;
    assert_non_null(other);
    build();
    client = begin(&server, cookie);
    seal_ring_add_secret(ring, STR("two"));
    assert_true(ask(client, server, cookie));
    assert_false(ask(client, server, cookie));
    assert_counts(4, 2);
    seal_ring_add_secret(other, STR("three"));
    sticky.ring = other;
    assert_true(ask(client, server, cookie));
    assert_counts(4, 3);
    end(client, server);
    free(other);
}

/* Two pools with one ring: what one of them has opened is not the other's. */
static void test_pools(void **state)
{
    char cookie[COOKIE_TEXT + 1];
    int client, server;

    (void)state;
    build();
    client = begin(&server, cookie);
    sticky.pool_id = 8;
    assert_true(ask(client, server, cookie));
    assert_counts(2, 3);
    end(client, server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_renewed),  cmocka_unit_test(test_idle),
        cmocka_unit_test(test_absolute), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_pools),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
