/* Caps hold, reasons are right, and what is given back is what was taken. */
#include "guard/conn_limit.c"

#include "base/rand.h"

#include <stdarg.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

static const uint64_t seed[2] = {1, 2};

struct stage {
    struct conn_limit limit;
    struct listener_live live[2];
    struct listener listeners[2];
};

static struct stage *stage_new(unsigned process, unsigned listener, unsigned per_ip)
{
    struct stage *stage = aligned_alloc(CACHE_LINE, sizeof *stage);

    assert_non_null(stage);
    memset(stage, 0, sizeof *stage);
    conn_limit_init(&stage->limit, process, seed);
    for (int i = 0; i < 2; i++)
        stage->listeners[i] = (struct listener){
            .max_connections = listener,
            .max_connections_per_ip = per_ip,
            .live = &stage->live[i],
        };
    return stage;
}

static void stage_free(struct stage *stage)
{
    assert_int_equal(stage->limit.open, 0);
    assert_int_equal(stage->live[0].connections, 0);
    assert_int_equal(stage->live[1].connections, 0);
    conn_limit_close(&stage->limit);
    free(stage);
}

static struct addr ip(const char *text)
{
    struct addr addr;

    assert_int_equal(addr_parse_ip(str_of(text), &addr), ERR_OK);
    return addr;
}

static bool take(struct stage *stage, unsigned listener, const char *client,
                 struct conn_permit *permit, enum reject_reason *why)
{
    struct addr addr = ip(client);

    *why = REJECT_COUNT;
    return conn_limit_take(&stage->limit, &stage->listeners[listener], &addr, permit,
                           why);
}

static void test_process(void **state)
{
    struct stage *stage = stage_new(2, 0, 0);
    struct conn_permit permits[3];
    enum reject_reason why;

    assert_true(take(stage, 0, "10.0.0.1", &permits[0], &why));
    assert_true(take(stage, 1, "10.0.0.1", &permits[1], &why));
    assert_false(take(stage, 0, "10.0.0.1", &permits[2], &why));
    assert_int_equal(why, REJECT_PROCESS_FULL);
    conn_limit_give(&stage->limit, &permits[2]); /* holds nothing */
    assert_int_equal(stage->limit.open, 2);
    conn_limit_give(&stage->limit, &permits[0]);
    conn_limit_give(&stage->limit, &permits[0]); /* twice is once */
    assert_int_equal(stage->limit.open, 1);
    assert_true(take(stage, 0, "10.0.0.1", &permits[0], &why));
    conn_limit_give(&stage->limit, &permits[0]);
    conn_limit_give(&stage->limit, &permits[1]);
    stage_free(stage);
}

static void test_listener(void **state)
{
    struct stage *stage = stage_new(10, 1, 0);
    struct conn_permit permits[3];
    enum reject_reason why;

    assert_true(take(stage, 0, "10.0.0.1", &permits[0], &why));
    assert_false(take(stage, 0, "10.0.0.2", &permits[1], &why));
    assert_int_equal(why, REJECT_LISTENER_FULL);
    assert_int_equal(stage->limit.open, 1);
    assert_true(take(stage, 1, "10.0.0.2", &permits[2], &why));
    conn_limit_give(&stage->limit, &permits[0]);
    conn_limit_give(&stage->limit, &permits[2]);
    stage_free(stage);
}

static void test_address(void **state)
{
    struct stage *stage = stage_new(100, 50, 2);
    struct conn_permit permits[8];
    enum reject_reason why;

    assert_true(take(stage, 0, "10.0.0.1", &permits[0], &why));
    assert_true(take(stage, 0, "10.0.0.1", &permits[1], &why));
    assert_false(take(stage, 0, "10.0.0.1", &permits[2], &why));
    assert_int_equal(why, REJECT_IP_FULL);
    assert_int_equal(stage->limit.open, 2); /* nothing stays of a refusal */
    assert_int_equal(stage->live[0].connections, 2);
    assert_true(take(stage, 0, "10.0.0.2", &permits[3], &why));
    assert_true(take(stage, 0, "::1", &permits[4], &why));
    assert_true(take(stage, 1, "10.0.0.1", &permits[5], &why)); /* its own count */
    conn_limit_give(&stage->limit, &permits[0]);
    assert_true(take(stage, 0, "10.0.0.1", &permits[0], &why));
    conn_limit_give(&stage->limit, &permits[0]);
    conn_limit_give(&stage->limit, &permits[1]);
    for (int i = 3; i < 6; i++)
        conn_limit_give(&stage->limit, &permits[i]);
    stage_free(stage);
}

/* A cap that a reload takes away or lowers does not change what is given back. */
static void test_reload_in_between(void **state)
{
    struct stage *stage = stage_new(0, 0, 1);
    struct conn_permit with, without;
    enum reject_reason why;

    assert_true(take(stage, 0, "10.0.0.1", &with, &why));
    stage->listeners[0].max_connections_per_ip = 0;
    assert_true(take(stage, 0, "10.0.0.1", &without, &why));
    stage->listeners[0].max_connections_per_ip = 1;
    conn_limit_give(&stage->limit, &without); /* must not free the first one's place */
    assert_false(take(stage, 0, "10.0.0.1", &without, &why));
    conn_limit_give(&stage->limit, &with);
    assert_true(take(stage, 0, "10.0.0.1", &with, &why));
    conn_limit_give(&stage->limit, &with);
    stage_free(stage);
}

static void test_unix_clients_have_no_address(void **state)
{
    struct stage *stage = stage_new(0, 0, 1);
    struct addr client = {.family = ADDR_UNIX};
    struct conn_permit permits[3];
    enum reject_reason why;

    for (int i = 0; i < 3; i++)
        assert_true(conn_limit_take(&stage->limit, &stage->listeners[0], &client,
                                    &permits[i], &why));
    for (int i = 0; i < 3; i++)
        conn_limit_give(&stage->limit, &permits[i]);
    stage_free(stage);
}

/* Random takes and gives against a plain count. */
static void test_random_against_a_plain_count(void **state)
{
    enum { PERMITS = 400, CLIENTS = 40, PER_IP = 5 };
    struct stage *stage = stage_new(PERMITS, 0, PER_IP);
    static struct conn_permit permits[PERMITS];
    int owner[PERMITS], held[2][CLIENTS] = {0};
    unsigned count = 0;
    struct rand rand;

    rand_seed(&rand, 3);
    for (int run = 0; run < 50000; run++) {
        unsigned client = (unsigned)rand_below(&rand, CLIENTS);
        unsigned listener = (unsigned)rand_below(&rand, 2);
        struct addr addr = {.family = client % 2 ? ADDR_IP4 : ADDR_IP6};
        enum reject_reason why;

        addr.ip[3] = (unsigned char)client;
        if (count && rand_below(&rand, 2)) {
            unsigned at = (unsigned)rand_below(&rand, count);

            conn_limit_give(&stage->limit, &permits[at]);
            held[owner[at] / CLIENTS][owner[at] % CLIENTS]--;
            permits[at] = permits[--count];
            owner[at] = owner[count];
            continue;
        }
        if (conn_limit_take(&stage->limit, &stage->listeners[listener], &addr,
                            &permits[count], &why)) {
            assert_true(held[listener][client]++ < PER_IP);
            owner[count++] = (int)(listener * CLIENTS + client);
        } else {
            assert_int_equal(why, REJECT_IP_FULL);
            assert_int_equal(held[listener][client], PER_IP);
        }
        assert_int_equal(stage->limit.open, count);
    }
    while (count)
        conn_limit_give(&stage->limit, &permits[--count]);
    stage_free(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_process),
        cmocka_unit_test(test_listener),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_reload_in_between),
        cmocka_unit_test(test_unix_clients_have_no_address),
        cmocka_unit_test(test_random_against_a_plain_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
