/* Which names are asked for, when again, and what the owner is told: over a resolver of
 * the test's own that answers when it is told to. */
#include "dns.c"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* ---- the resolver's twin ---- */

struct resolver {
    struct list lookups;
    unsigned server_count;
};

struct lookup {
    struct list node;
    char host[64];
    unsigned failures;
    lookup_fn *done;
    void *owner;
};

static struct resolver *resolver; /* the one that lives */
static enum err open_error;

enum err resolver_new(struct resolver **out, struct engine *engine,
                      const struct addr *servers, unsigned server_count,
                      uint32_t timeout_ms, uint32_t min_ttl_ms, uint32_t max_ttl_ms)
{
    if (open_error)
        return open_error;
    assert_null(resolver);
    *out = resolver = calloc(1, sizeof *resolver);
    list_init(&resolver->lookups);
    resolver->server_count = server_count;
    return ERR_OK;
}

void resolver_free(struct resolver *old)
{
    struct list *node;

    assert_ptr_equal(old, resolver);
    while ((node = list_take(&old->lookups)))
        free(list_entry(node, struct lookup, node));
    free(old);
    resolver = NULL;
}

struct lookup *resolver_ask(struct resolver *at, str host, unsigned failures,
                            lookup_fn *done, void *owner)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);

    assert_ptr_equal(at, resolver);
    snprintf(lookup->host, sizeof lookup->host, STR_FMT, STR_ARG(host));
    lookup->failures = failures;
    lookup->done = done;
    lookup->owner = owner;
    list_add(&at->lookups, &lookup->node);
    return lookup;
}

void lookup_cancel(struct lookup *lookup)
{
    list_remove(&lookup->node);
    free(lookup);
}

static unsigned pending(void)
{
    unsigned n = 0;

    if (resolver)
        list_each(node, &resolver->lookups)
            n++;
    return n;
}

/* The oldest lookup of that host. */
static struct lookup *lookup_of(const char *host)
{
    list_each(node, &resolver->lookups) {
        struct lookup *lookup = list_entry(node, struct lookup, node);

        if (strcmp(lookup->host, host) == 0)
            return lookup;
    }
    fail_msg("nobody asks for %s", host);
    return NULL;
}

static void say(const char *host, struct lookup_answer answer, const char *list)
{
    struct lookup *lookup = lookup_of(host);
    struct addr addrs[200];
    str rest = str_of(list), piece;

    answer.count = 0;
    while (*list && str_next(&rest, ' ', &piece))
        assert_int_equal(addr_parse_ip(piece, &addrs[answer.count++]), ERR_OK);
    answer.addrs = addrs;
    list_remove(&lookup->node);
    lookup->done(lookup->owner, &answer);
    free(lookup);
}

#define FOUND(ms) ((struct lookup_answer){.wait_ms = (ms)})
#define UNTOLD(e) ((struct lookup_answer){.error = (e), .wait_ms = 1000})

/* ---- the owner ---- */

static struct engine engine;
static struct dns_watch *watch;
static char told[8192];

/* "pool host: a b|why", and where something is refused "|refused", is cut "|cut"; "="
 * before it: these are the addresses as before. */
static void hear(void *owner, const struct dns_news *news)
{
    struct text text = text_in(told, sizeof told - 1);

    assert_ptr_equal(owner, &engine);
    assert_int_equal(told[0], '\0'); /* the last word was looked at */
    if (!news->is_changed)
        text_char(&text, '=');
    text_format(&text, STR_FMT " " STR_FMT ":", STR_ARG(news->pool), STR_ARG(news->host));
    for (unsigned i = 0; i < news->count; i++) {
        char memory[ADDR_TEXT_MOST];

        text_char(&text, ' ');
        text_add(&text, addr_print_ip(&news->addrs[i], memory, sizeof memory));
    }
    assert_int_equal(news->count == 0, news->why.n > 0);
    text_char(&text, '|');
    text_add(&text, news->why);
    if (news->refused.n)
        text_char(&text, '|');
    text_add(&text, news->refused);
    if (news->cut.n)
        text_char(&text, '|');
    text_add(&text, news->cut);
    assert_false(text.overflow);
    told[text.n] = '\0';
}

#define EXPECT(words)                     \
    do {                                  \
        assert_string_equal(told, words); \
        told[0] = '\0';                   \
    } while (0)

/* Time passes for the watch's timers, not for the test. */
static void after(uint64_t ms)
{
    engine.loop.now += ms * NS_PER_MS;
    timer_wheel_run(&engine.loop.timers, engine.loop.now);
}

static int begin(void **state)
{
    told[0] = '\0';
    open_error = ERR_OK;
    if (engine_init(&engine, 0))
        return 1;
    return dns_watch_new(&watch, &engine, hear, &engine);
}

static int end(void **state)
{
    dns_watch_free(watch);
    assert_null(resolver);
    engine_close(&engine);
    return 0;
}

/* ---- configurations ---- */

#define NAMED(words)       \
    {                      \
        .host = STR(words) \
    }
#define COUNTED(list) .servers = list, .server_count = array_len(list)

static const struct server_entry one_server[] = {NAMED("a.test")};
static const struct server_entry mixed_servers[] = {
    NAMED("a.test"),
    {.host = STR("192.0.2.1"), .addr = {.family = ADDR_IP4}},
    {.host = STR("/run/x"), .addr = {.family = ADDR_UNIX}},
    NAMED("b.test"),
    {.host = STR("a.test"), .port = 81}, /* the same name on another port */
};
static struct pool one_pool[] = {{.name = STR("p"), COUNTED(one_server)}};
static struct pool two_pools[] = {{.name = STR("p"), COUNTED(mixed_servers)},
                                  {.name = STR("q"), COUNTED(one_server)}};
static const struct snapshot nothing = {0};
static const struct snapshot one = {.pools = one_pool, .pool_count = 1};
static const struct snapshot two = {.pools = two_pools, .pool_count = 2};

static void test_only_names_are_asked_for(void **state)
{
    dns_watch_apply(watch, &nothing);
    assert_null(resolver); /* and without any there is no resolver */
    dns_watch_apply(watch, &two);
    assert_int_equal(pending(), 3); /* p a, p b, q a */
    say("a.test", FOUND(5000), "192.0.2.1");
    EXPECT("p a.test: 192.0.2.1|");
    say("a.test", FOUND(5000), "192.0.2.2");
    EXPECT("q a.test: 192.0.2.2|");
    say("b.test", FOUND(5000), "192.0.2.3 ::1");
    EXPECT("p b.test: 192.0.2.3 ::1|");
}

static void test_asked_again_when_the_ttl_ends(void **state)
{
    dns_watch_apply(watch, &one);
    say("a.test", FOUND(30000), "192.0.2.1");
    EXPECT("p a.test: 192.0.2.1|");
    after(29990);
    assert_int_equal(pending(), 0);
    after(15);
    assert_int_equal(pending(), 1);
    say("a.test", FOUND(30000), "192.0.2.1");
    EXPECT(""); /* the same */
    after(30005);
    say("a.test", FOUND(1000), "192.0.2.1 192.0.2.2");
    EXPECT("p a.test: 192.0.2.1 192.0.2.2|");
    after(1005);
    say("a.test", FOUND(1000), "192.0.2.2");
    EXPECT("p a.test: 192.0.2.2|");
}

static void test_last_good_answer_is_kept(void **state)
{
    static const enum err errors[] = {ERR_TIMEOUT, ERR_IO, ERR_INVALID, ERR_NO_MEMORY};

    dns_watch_apply(watch, &one);
    say("a.test", FOUND(1000), "192.0.2.1");
    EXPECT("p a.test: 192.0.2.1|");
    for (unsigned i = 0; i < 20; i++) {
        after(1005);
        assert_int_equal(lookup_of("a.test")->failures, i);
        say("a.test", UNTOLD(errors[i % array_len(errors)]), "");
        EXPECT("");
    }
    after(1005);
    say("a.test", FOUND(1000), "192.0.2.1");
    EXPECT("");
    after(1005);
    assert_int_equal(lookup_of("a.test")->failures, 0);
    say("a.test", FOUND(1000), ""); /* an emptied zone changes nothing */
    EXPECT("");
    after(1005);
    say("a.test", FOUND(1000), "");
    EXPECT("");
    after(1005);
    say("a.test", FOUND(1000), "192.0.2.9");
    EXPECT("p a.test: 192.0.2.9|");
}

static void test_none_yet(void **state)
{
    static const struct {
        enum err e;
        const char *words;
    } reasons[] = {
        {ERR_TIMEOUT, "p a.test:|no answer from the DNS servers"},
        {ERR_IO, "p a.test:|the DNS servers fail, refuse or cannot be reached"},
        {ERR_INVALID, "p a.test:|the DNS servers' answer makes no sense"},
        {ERR_NO_MEMORY, "p a.test:|out of memory"},
    };

    for (unsigned i = 0; i < array_len(reasons); i++) {
        dns_watch_apply(watch, &one);
        say("a.test", UNTOLD(reasons[i].e), "");
        EXPECT(reasons[i].words);
        after(1005);
        say("a.test", UNTOLD(ERR_TIMEOUT), ""); /* said once */
        EXPECT("");
        dns_watch_apply(watch, &nothing);
    }
}

/* Half an answer changes only that half. */
static void test_one_family_untold(void **state)
{
    struct lookup_answer no6 = {.untold = ADDR_IP6, .wait_ms = 1000};
    struct lookup_answer no4 = {.untold = ADDR_IP4, .wait_ms = 1000};

    dns_watch_apply(watch, &one);
    say("a.test", no6, "192.0.2.1");
    EXPECT("p a.test: 192.0.2.1|");
    after(1005);
    assert_int_equal(lookup_of("a.test")->failures, 1);
    say("a.test", FOUND(1000), "192.0.2.1 192.0.2.2 ::1 ::2");
    EXPECT("p a.test: 192.0.2.1 192.0.2.2 ::1 ::2|");
    after(1005);
    say("a.test", no6, "192.0.2.1 192.0.2.2");
    EXPECT("");
    after(1005);
    say("a.test", no6, "192.0.2.3");
    EXPECT("p a.test: 192.0.2.3 ::1 ::2|");
    after(1005);
    say("a.test", no4, "::2");
    EXPECT("p a.test: 192.0.2.3 ::2|");
    after(1005);
    say("a.test", FOUND(1000), "192.0.2.3");
    EXPECT("p a.test: 192.0.2.3|");
}

static void test_a_full_set_stays_within_bounds(void **state)
{
    struct lookup_answer no6 = {.untold = ADDR_IP6, .wait_ms = 1000};
    char four[2048] = "", six[2048] = "";

    for (unsigned i = 0; i < DNS_ADDRS_MOST; i++) {
        sprintf(six + strlen(six), "%s2001:db8::%x", i ? " " : "", i + 1);
        sprintf(four + strlen(four), "%s192.0.2.%u", i ? " " : "", i);
    }
    dns_watch_apply(watch, &one);
    say("a.test", FOUND(1000), six);
    told[0] = '\0';
    after(1005);
    say("a.test", no6, four);
    assert_non_null(strstr(told, " 192.0.2.0 "));
    assert_non_null(strstr(told, " 192.0.2.63|")); /* no room for the rest */
    assert_non_null(strstr(told, "||only the first 64 of 128 addresses are used"));
    told[0] = '\0';
}

/* "10.0.0.0 10.0.0.1 ...", so many. */
static char *tens_of(char *memory, unsigned count)
{
    memory[0] = '\0';
    for (unsigned i = 0; i < count; i++)
        sprintf(memory + strlen(memory), "%s10.0.0.%u", i ? " " : "", i);
    return memory;
}

static void test_too_many_addresses_are_told(void **state)
{
    char list[2048];

    dns_watch_apply(watch, &one);
    say("a.test", FOUND(1000), tens_of(list, 65));
    assert_non_null(
        strstr(told, " 10.0.0.63||only the first 64 of 65 addresses are used"));
    told[0] = '\0';
    after(1005);
    say("a.test", FOUND(1000), list);
    EXPECT(""); /* said once */
    after(1005);
    say("a.test", UNTOLD(ERR_IO), "");
    EXPECT("");
    after(1005);
    say("a.test", FOUND(1000), tens_of(list, 64));
    assert_int_equal(told[0], '='); /* the same ones, and that is all there are */
    assert_non_null(strstr(told, " 10.0.0.63|"));
    assert_null(strstr(told, "||"));
    told[0] = '\0';
}

static void test_reload(void **state)
{
    dns_watch_apply(watch, &one);
    say("a.test", FOUND(30000), "192.0.2.1");
    EXPECT("p a.test: 192.0.2.1|");
    dns_watch_apply(watch, &two); /* what is known goes on as it is */
    assert_int_equal(pending(), 2);
    say("a.test", FOUND(30000), "192.0.2.1");
    EXPECT("q a.test: 192.0.2.1|");
    dns_watch_apply(watch, &one); /* p b, still asked for, and q a are gone */
    assert_int_equal(pending(), 0);
    after(30005);
    assert_int_equal(pending(), 1);
    dns_watch_apply(watch, &nothing);
    assert_int_equal(pending(), 0);
    after(100000);
    assert_int_equal(pending(), 0);
    dns_watch_apply(watch, &one); /* back again: it begins anew */
    say("a.test", FOUND(30000), "192.0.2.1");
    EXPECT("p a.test: 192.0.2.1|");
}

static void test_other_resolvers(void **state)
{
    struct addr servers[2] = {{.family = ADDR_IP4}, {.family = ADDR_IP6}};
    struct snapshot now = two;

    dns_watch_apply(watch, &two);
    say("b.test", FOUND(30000), "192.0.2.1");
    EXPECT("p b.test: 192.0.2.1|");
    now.resolvers.servers = servers;
    now.resolvers.server_count = 2;
    dns_watch_apply(watch, &now); /* one known, two asked for: all are asked anew */
    after(5);
    assert_int_equal(pending(), 3);
    assert_int_equal(resolver->server_count, 2);
    say("b.test", UNTOLD(ERR_TIMEOUT), ""); /* what was known stays */
    EXPECT("");
    dns_watch_apply(watch, &now);
    after(5);
    assert_int_equal(pending(), 2); /* nothing has changed */
    servers[1].port = 5353;         /* the watch has a copy of its own */
    dns_watch_apply(watch, &now);
    after(5);
    assert_int_equal(pending(), 3);
    now.resolvers.max_ttl = 7;
    dns_watch_apply(watch, &now);
    after(5);
    assert_int_equal(pending(), 3);
}

static void test_no_resolver_to_be_had(void **state)
{
    open_error = ERR_NO_FDS;
    dns_watch_apply(watch, &one);
    after(3000);
    assert_null(resolver);
    open_error = ERR_OK;
    after(1005);
    say("a.test", FOUND(30000), "192.0.2.1");
    EXPECT("p a.test: 192.0.2.1|");
}

/* ---- addresses that may not be used ---- */

static const struct prefix link_local = {.addr = {.family = ADDR_IP4, .ip = {169, 254}},
                                         .bits = 16};
static const struct prefix tens = {.addr = {.family = ADDR_IP4, .ip = {10}}, .bits = 8};

static struct snapshot denying(const struct prefix *deny)
{
    struct snapshot snapshot = one;

    snapshot.resolvers.min_ttl = 1000;
    if (deny)
        snapshot.resolvers.deny = (struct prefixes){deny, 1};
    return snapshot;
}

static void test_refused_are_dropped(void **state)
{
    struct snapshot now = denying(&link_local);

    dns_watch_apply(watch, &now);
    say("a.test", FOUND(1000), "169.254.0.1 169.254.169.254 192.0.2.1");
    EXPECT("p a.test: 192.0.2.1||169.254.0.1 and 1 more are refused: in resolvers.deny; "
           "the others are used");
    after(1005);
    say("a.test", FOUND(1000), "169.254.0.1 169.254.169.254 192.0.2.1");
    EXPECT(""); /* said once */
    after(1005);
    say("a.test", FOUND(1000), "169.254.0.9 192.0.2.1");
    EXPECT("=p a.test: 192.0.2.1||169.254.0.9 is refused: in resolvers.deny; the others "
           "are used");
    after(1005);
    say("a.test", FOUND(1000), "192.0.2.1");
    EXPECT("=p a.test: 192.0.2.1|");
}

/* Who writes the zone can not fill the set with what nobody may use. */
static void test_refused_take_no_place(void **state)
{
    struct snapshot now = denying(&tens);
    char list[2048];

    dns_watch_apply(watch, &now);
    strcat(tens_of(list, 100), " 192.0.2.1 192.0.2.2");
    say("a.test", FOUND(1000), list);
    EXPECT("p a.test: 192.0.2.1 192.0.2.2||10.0.0.0 and 99 more are refused: in "
           "resolvers.deny; the others are used");
}

static void test_last_good_answer_outlasts_refused_ones(void **state)
{
    struct snapshot now = denying(&link_local);

    dns_watch_apply(watch, &now);
    say("a.test", FOUND(1000), "192.0.2.1 2001:db8::1");
    EXPECT("p a.test: 192.0.2.1 2001:db8::1|");
    after(1005);
    say("a.test", FOUND(300000), "169.254.169.254");
    EXPECT("=p a.test: 192.0.2.1 2001:db8::1||169.254.169.254 is refused: in "
           "resolvers.deny; the last good addresses stay");
    after(4000);
    assert_int_equal(pending(), 0);
    after(1005); /* its TTL is not believed */
    say("a.test", UNTOLD(ERR_IO), "");
    EXPECT("");
    after(1005);
    say("a.test", (struct lookup_answer){.untold = ADDR_IP6, .wait_ms = 1000},
        "169.254.169.254");
    EXPECT(""); /* nor does it take the other family away */
    after(1005);
    say("a.test", FOUND(1000), "192.0.2.2");
    EXPECT("p a.test: 192.0.2.2|");
}

static void test_nothing_but_refused(void **state)
{
    struct snapshot now = denying(&link_local);

    now.resolvers.min_ttl = 20000;
    dns_watch_apply(watch, &now);
    say("a.test", FOUND(60000), "169.254.169.254");
    EXPECT(
        "p a.test:|169.254.169.254 is refused: in resolvers.deny; no other address is "
        "known|169.254.169.254 is refused: in resolvers.deny; no other address is known");
    after(19900);
    assert_int_equal(pending(), 0); /* min_ttl holds all the same */
    after(200);
    say("a.test", FOUND(60000), "192.0.2.1");
    EXPECT("p a.test: 192.0.2.1|");
}

/* What is known is no better than what is answered. */
static void test_new_policy_holds_for_what_is_known(void **state)
{
    struct snapshot now = denying(NULL);

    dns_watch_apply(watch, &now);
    say("a.test", FOUND(60000), "10.0.0.1 169.254.0.1 192.0.2.1");
    EXPECT("p a.test: 10.0.0.1 169.254.0.1 192.0.2.1|");
    now = denying(&link_local);
    dns_watch_apply(watch, &now);
    EXPECT("p a.test: 10.0.0.1 192.0.2.1||169.254.0.1 is refused: in resolvers.deny; the "
           "others are used");
    dns_watch_apply(watch, &now); /* the same policy: nothing new */
    EXPECT("");
    after(5); /* and it is asked anew */
    say("a.test", FOUND(60000), "10.0.0.1");
    EXPECT("p a.test: 10.0.0.1|");
    now = denying(&tens);
    dns_watch_apply(watch, &now);
    EXPECT("p a.test:|10.0.0.1 is refused: in resolvers.deny; no other address is "
           "known|10.0.0.1 is refused: in resolvers.deny; no other address is known");
    now = denying(NULL);
    dns_watch_apply(watch, &now);
    after(5);
    say("a.test", FOUND(60000), "10.0.0.1");
    EXPECT("p a.test: 10.0.0.1|");
    now.resolvers.allow = (struct prefixes){&link_local, 1};
    dns_watch_apply(watch, &now);
    EXPECT(
        "p a.test:|10.0.0.1 is refused: not in resolvers.allow; no other address is "
        "known|10.0.0.1 is refused: not in resolvers.allow; no other address is known");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_only_names_are_asked_for),
        TEST(test_asked_again_when_the_ttl_ends),
        TEST(test_last_good_answer_is_kept),
        TEST(test_none_yet),
        TEST(test_one_family_untold),
        TEST(test_a_full_set_stays_within_bounds),
        TEST(test_reload),
        TEST(test_other_resolvers),
        TEST(test_no_resolver_to_be_had),
        TEST(test_too_many_addresses_are_told),
        TEST(test_refused_are_dropped),
        TEST(test_refused_take_no_place),
        TEST(test_last_good_answer_outlasts_refused_ones),
        TEST(test_nothing_but_refused),
        TEST(test_new_policy_holds_for_what_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
