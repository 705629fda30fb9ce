/* The policy alone: a back end of the test's own says what it is told to. */
#include "resolver.c"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* ---- the back end's twin ---- */

struct sys_dns_question {
    struct list node;
    char host[256];
    enum addr_family family;
    sys_dns_fn *done;
    void *owner;
};

static struct list asked_of_it;
static enum err open_error;

enum err sys_dns_new(struct sys_dns **dns, struct loop *loop, const struct addr *servers,
                     unsigned server_count, uint32_t timeout_ms)
{
    *dns = NULL;
    list_init(&asked_of_it);
    return open_error;
}

static unsigned open_questions(void)
{
    unsigned n = 0;

    list_each(node, &asked_of_it)
        n++;
    return n;
}

void sys_dns_cancel(struct sys_dns_question *question)
{
    list_remove(&question->node);
    free(question);
}

void sys_dns_free(struct sys_dns *dns)
{
    struct list *node;

    while ((node = list_take(&asked_of_it)))
        free(list_entry(node, struct sys_dns_question, node));
}

struct sys_dns_question *sys_dns_ask(struct sys_dns *dns, str host,
                                     enum addr_family family, sys_dns_fn *done,
                                     void *owner)
{
    struct sys_dns_question *question = calloc(1, sizeof *question);

    snprintf(question->host, sizeof question->host, STR_FMT, STR_ARG(host));
    question->family = family;
    question->done = done;
    question->owner = owner;
    list_add(&asked_of_it, &question->node);
    return question;
}

/* Answers the oldest open question of that family. */
static void say(enum addr_family family, enum err e, const struct addr *addrs,
                unsigned count, uint32_t ttl)
{
    list_each(node, &asked_of_it) {
        struct sys_dns_question *question =
            list_entry(node, struct sys_dns_question, node);

        if (question->family != family)
            continue;
        list_remove(&question->node);
        question->done(question->owner, e, addrs, count, ttl);
        free(question);
        return;
    }
    fail_msg("nobody asked");
}

static struct addr ip(const char *text)
{
    struct addr addr;

    assert_int_equal(addr_parse_ip(str_of(text), &addr), ERR_OK);
    return addr;
}

/* "a b c" as addresses. */
static void say_found(enum addr_family family, const char *list, uint32_t ttl)
{
    struct addr addrs[200];
    str rest = str_of(list), piece;
    unsigned n = 0;

    while (str_next(&rest, ' ', &piece))
        assert_int_equal(addr_parse_ip(piece, &addrs[n++]), ERR_OK);
    say(family, ERR_OK, addrs, n, ttl);
}

/* ---- the asker ---- */

static struct engine engine;
static struct resolver *resolver;

struct heard {
    unsigned times;
    struct lookup_answer answer;
    char text[4096];
};

static void hear(void *owner, const struct lookup_answer *answer)
{
    struct heard *heard = owner;
    struct text text = text_in(heard->text, sizeof heard->text - 1);

    heard->times++;
    heard->answer = *answer;
    for (unsigned i = 0; i < answer->count; i++) {
        char memory[ADDR_TEXT_MOST];

        assert_int_equal(answer->addrs[i].port, 0);
        text_add(&text, i ? STR(" ") : STR(""));
        text_add(&text, addr_print_ip(&answer->addrs[i], memory, sizeof memory));
    }
    heard->text[text.n] = '\0';
}

static int begin(void **state)
{
    if (engine_init(&engine, 0))
        return 1;
    return resolver_new(&resolver, &engine, NULL, 0, 1000, 2000, 300000);
}

static int end(void **state)
{
    resolver_free(resolver);
    engine_close(&engine);
    return 0;
}

static void test_both_families(void **state)
{
    struct heard heard = {0};

    resolver_ask(resolver, STR("app.test"), 0, hear, &heard);
    assert_int_equal(open_questions(), 2);
    assert_string_equal(list_entry(asked_of_it.next, struct sys_dns_question, node)->host,
                        "app.test");
    say_found(ADDR_IP6, "2001:db8::2 2001:db8::1 2001:db8::2", 60);
    assert_int_equal(heard.times, 0);
    say_found(ADDR_IP4, "192.0.2.9 192.0.2.1 192.0.2.9 10.0.0.1", 30);
    assert_int_equal(heard.times, 1);
    assert_string_equal(heard.text,
                        "10.0.0.1 192.0.2.1 192.0.2.9 2001:db8::1 2001:db8::2");
    assert_int_equal(heard.answer.error, ERR_OK);
    assert_int_equal(heard.answer.untold, ADDR_NONE);
    assert_int_equal(heard.answer.wait_ms, 30000); /* the smaller of the two */
}

static void test_ttl_bounds(void **state)
{
    static const struct {
        uint32_t ttl, wait_ms;
    } bounds[] = {{0, 2000},     {1, 2000},       {2, 2000},           {3, 3000},
                  {300, 300000}, {86400, 300000}, {UINT32_MAX, 300000}};

    for (unsigned i = 0; i < array_len(bounds); i++) {
        struct heard heard = {0};

        resolver_ask(resolver, STR("a"), 0, hear, &heard);
        say_found(ADDR_IP4, "192.0.2.1", bounds[i].ttl);
        say(ADDR_IP6, ERR_NOT_FOUND, NULL, 0, 0); /* its 0 says nothing */
        assert_int_equal(heard.answer.wait_ms, bounds[i].wait_ms);
    }
}

static void test_no_bounds_is_no_storm(void **state)
{
    struct heard heard = {0};

    resolver->min_ttl_ms = 0;
    resolver_ask(resolver, STR("a"), 0, hear, &heard);
    say_found(ADDR_IP4, "192.0.2.1", 0);
    say(ADDR_IP6, ERR_NOT_FOUND, NULL, 0, 0);
    assert_int_equal(heard.answer.wait_ms, WAIT_LEAST_MS);
}

static void test_one_family_only(void **state)
{
    struct heard heard = {0};

    resolver_ask(resolver, STR("a"), 3, hear, &heard);
    say(ADDR_IP4, ERR_NOT_FOUND, NULL, 0, 0);
    say_found(ADDR_IP6, "::1", 20);
    assert_string_equal(heard.text, "::1");
    assert_int_equal(heard.answer.error, ERR_OK);
    assert_int_equal(heard.answer.untold, ADDR_NONE);
    assert_int_equal(heard.answer.wait_ms, 20000);
}

static void test_known_to_have_none(void **state)
{
    struct heard heard = {0};

    resolver_ask(resolver, STR("a"), 0, hear, &heard);
    say(ADDR_IP4, ERR_NOT_FOUND, NULL, 0, 0);
    say(ADDR_IP6, ERR_NOT_FOUND, NULL, 0, 0);
    assert_int_equal(heard.times, 1);
    assert_int_equal(heard.answer.error, ERR_OK);
    assert_int_equal(heard.answer.count, 0);
    assert_int_equal(heard.answer.wait_ms, NEGATIVE_MS);
}

/* "There are none" of one family proves nothing while the other is silent. */
static void test_nobody_could_tell(void **state)
{
    static const enum err errors[] = {ERR_TIMEOUT, ERR_IO, ERR_NO_MEMORY, ERR_INVALID};

    for (unsigned i = 0; i < array_len(errors); i++)
        for (unsigned family = ADDR_IP4; family <= ADDR_IP6; family++) {
            struct heard heard = {0};

            resolver_ask(resolver, STR("a"), 0, hear, &heard);
            say(family, errors[i], NULL, 0, 0);
            say(family == ADDR_IP4 ? ADDR_IP6 : ADDR_IP4, ERR_NOT_FOUND, NULL, 0, 0);
            assert_int_equal(heard.answer.error, errors[i]);
            assert_int_equal(heard.answer.count, 0);
            assert_int_equal(heard.answer.untold, ADDR_NONE);
        }
}

static void test_half_an_answer(void **state)
{
    struct heard heard = {0};

    resolver_ask(resolver, STR("a"), 0, hear, &heard);
    say(ADDR_IP6, ERR_TIMEOUT, NULL, 0, 0);
    say_found(ADDR_IP4, "192.0.2.1", 250);
    assert_int_equal(heard.answer.error, ERR_OK);
    assert_int_equal(heard.answer.untold, ADDR_IP6);
    assert_string_equal(heard.text, "192.0.2.1");
    assert_true(heard.answer.wait_ms <= 2000); /* soon, not when the TTL ends */
    resolver_ask(resolver, STR("a"), 9, hear, &heard);
    say_found(ADDR_IP4, "192.0.2.1", 10);
    say(ADDR_IP6, ERR_IO, NULL, 0, 0);
    assert_int_equal(heard.answer.wait_ms, 10000); /* the TTL comes before the retry */
}

static void test_back_off(void **state)
{
    static const uint32_t waits[] = {2000, 2000, 4000, 8000, 16000, 32000, 32000};

    for (unsigned failures = 0; failures < array_len(waits); failures++) {
        struct heard heard = {0};

        resolver_ask(resolver, STR("a"), failures, hear, &heard);
        say(ADDR_IP4, ERR_TIMEOUT, NULL, 0, 0);
        say(ADDR_IP6, ERR_TIMEOUT, NULL, 0, 0);
        assert_in_range(heard.answer.wait_ms, waits[failures],
                        waits[failures] + waits[failures] / 4);
    }
    resolver->max_ttl_ms = 5000; /* a bound on this too */
    for (unsigned failures = 4; failures < 2000000000; failures *= 7) {
        struct heard heard = {0};

        resolver_ask(resolver, STR("a"), failures, hear, &heard);
        say(ADDR_IP4, ERR_TIMEOUT, NULL, 0, 0);
        say(ADDR_IP6, ERR_TIMEOUT, NULL, 0, 0);
        assert_int_equal(heard.answer.wait_ms, 5000);
    }
}

static void test_many_addresses(void **state)
{
    struct addr addrs[200];
    struct heard heard = {0};

    for (unsigned i = 0; i < 200; i++) { /* in an order of their own, each twice */
        addrs[i] = ip("10.0.0.0");
        addrs[i].ip[3] = (unsigned char)(i * 37 % 100);
    }
    resolver_ask(resolver, STR("a"), 0, hear, &heard);
    say(ADDR_IP4, ERR_OK, addrs, 200, 60);
    say_found(ADDR_IP6, "::1", 60);
    assert_int_equal(heard.answer.count, 101); /* who may be used is not its question */
    assert_true(str_starts(str_of(heard.text), STR("10.0.0.0 10.0.0.1 10.0.0.2 ")));
    assert_true(str_ends(str_of(heard.text), STR(" 10.0.0.98 10.0.0.99 ::1")));
}

static void test_cancelled(void **state)
{
    struct heard heard = {0};
    struct lookup *fresh, *half_way;

    fresh = resolver_ask(resolver, STR("a"), 0, hear, &heard);
    lookup_cancel(fresh);
    half_way = resolver_ask(resolver, STR("b"), 0, hear, &heard);
    say_found(ADDR_IP4, "192.0.2.1", 60);
    lookup_cancel(half_way);
    assert_int_equal(open_questions(), 0);
    assert_int_equal(heard.times, 0);
    resolver_ask(resolver, STR("c"), 0, hear, &heard); /* left to resolver_free */
    say_found(ADDR_IP4, "192.0.2.1", 60);
}

static void test_line(void **state)
{
    enum { MANY = LOOKUPS_AT_ONCE + 50 };
    static struct heard heard[MANY];
    struct lookup *lookups[MANY];

    for (unsigned i = 0; i < MANY; i++) {
        char host[16];

        snprintf(host, sizeof host, "h%u", i);
        lookups[i] = resolver_ask(resolver, str_of(host), 0, hear, &heard[i]);
    }
    assert_int_equal(open_questions(), 2 * LOOKUPS_AT_ONCE);
    lookup_cancel(lookups[MANY - 1]); /* waits */
    lookup_cancel(lookups[7]);        /* is asked: the next one comes forward */
    assert_int_equal(open_questions(), 2 * LOOKUPS_AT_ONCE);
    while (open_questions()) {
        say_found(ADDR_IP4, "192.0.2.1", 60);
        say(ADDR_IP6, ERR_NOT_FOUND, NULL, 0, 0);
        assert_true(open_questions() <= 2 * LOOKUPS_AT_ONCE);
    }
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(heard[i].times, i != 7 && i != MANY - 1);
    assert_int_equal(resolver->asked_count, 0);
}

static void test_no_back_end(void **state)
{
    struct resolver *other;

    open_error = ERR_NO_FDS;
    assert_int_equal(resolver_new(&other, &engine, NULL, 0, 1000, 1000, 5000),
                     ERR_NO_FDS);
    open_error = ERR_OK;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_both_families),
        TEST(test_ttl_bounds),
        TEST(test_no_bounds_is_no_storm),
        TEST(test_one_family_only),
        TEST(test_known_to_have_none),
        TEST(test_nobody_could_tell),
        TEST(test_half_an_answer),
        TEST(test_back_off),
        TEST(test_many_addresses),
        TEST(test_cancelled),
        TEST(test_line),
        TEST(test_no_back_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
