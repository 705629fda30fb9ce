/* Which addresses are refused, under all the names that an address has. */
#include "dns_policy.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct prefix allowed[8], denied[8];

static struct prefixes list_of(const char *words, struct prefix *items)
{
    str rest = str_of(words), piece;
    unsigned count = 0;

    while (rest.n && str_next(&rest, ' ', &piece))
        assert_int_equal(prefix_parse(piece, &items[count++]), ERR_OK);
    return (struct prefixes){items, count};
}

static struct resolver_settings settings_of(const char *allow, const char *deny)
{
    return (struct resolver_settings){.allow = list_of(allow, allowed),
                                      .deny = list_of(deny, denied)};
}

static void expect_each(const struct resolver_settings *settings, const char *words,
                        const char *by)
{
    str rest = str_of(words), piece;

    while (rest.n && str_next(&rest, ' ', &piece)) {
        struct addr addr;
        const char *said;

        assert_int_equal(addr_parse_ip(piece, &addr), ERR_OK);
        said = dns_policy_refuses(settings, &addr);
        if (!str_eq(str_of(said ? said : "-"), str_of(by ? by : "-")))
            fail_msg(STR_FMT ": %s", STR_ARG(piece), said ? said : "fine");
    }
}

#define DENIED "in resolvers.deny"
#define NOT_ALLOWED "not in resolvers.allow"

static void test_without_lists(void **state)
{
    struct resolver_settings settings = {0};

    expect_each(&settings, "127.0.0.1 169.254.169.254 ::1 :: ::ffff:1.2.3.4", NULL);
}

static void test_deny(void **state)
{
    struct resolver_settings settings =
        settings_of("", "169.254.0.0/16 0.0.0.0/8 ::/128 fe80::/10");

    expect_each(&settings, "169.254.169.254 0.0.0.0 0.1.2.3 :: fe80::1 febf::1", DENIED);
    expect_each(&settings, "169.253.1.1 127.0.0.1 10.0.0.1 1.0.0.0 ::1 ::2 fec0::1",
                NULL);
}

/* The same address in the clothes of IPv6. */
static void test_deny_of_ip4_within_ip6(void **state)
{
    struct resolver_settings settings = settings_of("", "169.254.0.0/16 0.0.0.0/8");

    expect_each(&settings,
                "::ffff:169.254.169.254 64:ff9b::169.254.169.254 64:ff9b::a9fe:1 "
                "2002:a9fe:a9fe:: 2002:a9fe:a9fe:1::1 ::169.254.169.254 ::ffff:0.0.0.0 "
                "64:ff9b::",
                DENIED);
    expect_each(&settings,
                "::ffff:10.0.0.1 64:ff9b::10.0.0.1 2002:a00:1:: ::10.0.0.1 ::1 :: "
                "64:ff9b:1::a9fe:a9fe 2003:a9fe:a9fe:: 2001:db8::a9fe:a9fe",
                NULL);
    settings = settings_of("", "::ffff:0:0/96 64:ff9b::/96");
    expect_each(&settings, "::ffff:10.0.0.1 64:ff9b::8.8.8.8", DENIED);
    expect_each(&settings, "10.0.0.1 8.8.8.8", NULL);
}

static void test_allow(void **state)
{
    struct resolver_settings settings = settings_of("10.0.0.0/8 2001:db8::/32", "");

    expect_each(&settings, "10.0.0.1 2001:db8::1 ::ffff:10.0.0.1", NULL);
    expect_each(&settings,
                "11.0.0.1 127.0.0.1 ::1 ::ffff:11.0.0.1 64:ff9b::10.0.0.1 2002:a00:1:: "
                "::10.0.0.1",
                NOT_ALLOWED);
    settings = settings_of("64:ff9b::/96", "127.0.0.0/8");
    expect_each(&settings, "64:ff9b::10.0.0.1", NULL);
    expect_each(&settings, "64:ff9b::127.0.0.1", DENIED);
}

static void test_deny_wins(void **state)
{
    struct resolver_settings settings = settings_of("10.0.0.0/8", "10.1.0.0/16");

    expect_each(&settings, "10.0.0.1 10.2.0.0", NULL);
    expect_each(&settings, "10.1.0.1 ::ffff:10.1.0.1", DENIED);
    expect_each(&settings, "192.0.2.1", NOT_ALLOWED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_lists),
        cmocka_unit_test(test_deny),
        cmocka_unit_test(test_deny_of_ip4_within_ip6),
        cmocka_unit_test(test_allow),
        cmocka_unit_test(test_deny_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
