/* What is written is read back as what was meant, whatever stands on the command line. */
#include "plan.c"

#include "base/rand.h"
#include "lb/balance.h"
#include "control/conf/conf.h"
#include "main/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct snapshot *load(const struct plan *plan, struct complaints *complaints)
{
    struct scroll text = {0};
    struct snapshot *snapshot = NULL;
    enum err e;

    plan_write(plan, &text);
    complaints_init(complaints, false);
    e = conf_load_text(&world_of_process, STR("plan"), scroll_str(&text), complaints,
                       &snapshot);
    assert_true((e == ERR_OK) == (snapshot != NULL));
    scroll_close(&text);
    return snapshot;
}

static void test_all_words(void **state)
{
    const str listens[] = {STR("127.0.0.1:7001"), STR(":7002")};
    const str servers[] = {STR("127.0.0.1:1"), STR("[::1]:2=3"),
                           STR("app.example.com:4")};
    const struct plan plan = {.listens = listens,
                              .listen_count = 2,
                              .servers = servers,
                              .server_count = 3,
                              .balance = STR("random_two"),
                              .health = STR("/healthz"),
                              .check = STR("interval: 7s, timeout: 1s"),
                              .admin_socket = STR("/tmp/x.sock")};
    struct complaints complaints;
    struct snapshot *snapshot = load(&plan, &complaints);
    const struct pool *pool;

    assert_non_null(snapshot);
    assert_int_equal(snapshot->listener_count, 1);
    assert_int_equal(snapshot->listeners[0].address_count, 2);
    assert_int_equal(snapshot->listeners[0].kind, LISTENER_HTTP);
    pool = &snapshot->pools[0];
    assert_int_equal(pool->server_count, 3);
    assert_int_equal(pool->servers[0].weight, 1);
    assert_int_equal(pool->servers[1].weight, 3);
    assert_string_equal(pool->balancer->name, "random_two");
    assert_int_equal(pool->check.kind, CHECK_BY_HTTP);
    assert_int_equal(pool->check.interval, 7000);
    assert_true(str_eq(snapshot->admin.socket, STR("/tmp/x.sock")));
    assert_int_equal(snapshot->admin.address.n, 0);
    conf_release(snapshot);
    complaints_close(&complaints);
}

static void test_tcp(void **state)
{
    const str listens[] = {STR("tcp://:5432"), STR(":80")};
    const str servers[] = {STR("127.0.0.1:1")};
    struct plan plan = {
        .listens = listens, .listen_count = 1, .servers = servers, .server_count = 1};
    struct complaints complaints;
    struct snapshot *snapshot = load(&plan, &complaints);

    assert_non_null(snapshot);
    assert_int_equal(snapshot->listeners[0].kind, LISTENER_TCP);
    assert_int_equal(snapshot->listeners[0].addresses[0].port, 5432);
    assert_true(plan_is_tcp(&plan));
    assert_false(plan_is_mixed(&plan));
    plan.listen_count = 2;
    assert_true(plan_is_mixed(&plan));
    conf_release(snapshot);
    complaints_close(&complaints);
}

static void test_weights(void **state)
{
    static const struct {
        const char *given, *address, *weight;
    } cases[] = {
        {"a:1=3", "a:1", "3"}, {"a:1=", "a:1=", NULL},    {"a=b:1", "a=b:1", NULL},
        {"=3", "", "3"},       {"a:1=2=3", "a:1=2", "3"}, {"", "", NULL},
    };

    for (size_t i = 0; i < array_len(cases); i++) {
        str address = str_of(cases[i].given);
        str weight = cut_weight(&address);

        assert_true(str_eq(address, str_of(cases[i].address)));
        assert_true(cases[i].weight ? str_eq(weight, str_of(cases[i].weight))
                                    : weight.p == NULL);
    }
}

/* Nothing that stands in a word becomes a setting of its own. */
static void test_words_stay_words(void **state)
{
    static const char letters[] = "a1.:=/ \"'\\{}[],#&*!|>%@`\n\t-?\x01\xc3";
    struct rand rand;
    char memory[12];
    const str listens[] = {STR("127.0.0.1:7001")};
    unsigned good = 0;

    rand_seed(&rand, 42);
    for (unsigned i = 0; i < 3000; i++) {
        str servers[] = {{memory, rand_below(&rand, sizeof memory)}};
        struct plan plan = {
            .listens = listens, .listen_count = 1, .servers = servers, .server_count = 1};
        struct complaints complaints;
        struct snapshot *snapshot;

        for (size_t k = 0; k < sizeof memory; k++)
            memory[k] = letters[rand_below(&rand, sizeof letters - 1)];
        snapshot = load(&plan, &complaints);
        if (snapshot) {
            good++;
            assert_int_equal(snapshot->pools[0].server_count, 1);
            assert_int_equal(snapshot->listener_count, 1);
        }
        conf_release(snapshot);
        complaints_close(&complaints);
    }
    assert_true(good < 3000);
}

static void test_described(void **state)
{
    const str listens[] = {STR(":8080")};
    const str servers[] = {STR("127.0.0.1:1"), STR("127.0.0.1:2")};
    const struct plan plan = {
        .listens = listens, .listen_count = 1, .servers = servers, .server_count = 2};
    struct scroll out = {0};

    plan_describe(&plan, &out);
    assert_true(
        str_eq(scroll_str(&out), STR("http://0.0.0.0:8080  →  pool main (2 servers, "
                                     "weighted_round_robin)")));
    scroll_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_words), cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_weights),   cmocka_unit_test(test_words_stay_words),
        cmocka_unit_test(test_described),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
