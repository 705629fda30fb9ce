/* Strict parsing, cutting at the port, printing as the way back, order, prefixes. */
#include "base/addr.c"

#include "base/rand.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static struct addr ip(const char *text)
{
    struct addr addr;

    assert_int_equal(addr_parse_ip(str_of(text), &addr), ERR_OK);
    return addr;
}

static void assert_text(str got, const char *want)
{
    assert_int_equal(got.n, strlen(want));
    assert_memory_equal(got.p, want, got.n);
}

static void test_parse_ip(void **state)
{
    static const char *const bad[] = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "1.2.3.256",
        "1.2.3.4 ",
        " 1.2.3.4",
        "0x1.2.3.4",
        "1.2.3.-4",
        "::1::",
        ":::",
        "12345::",
        "[::1]",
        "::1%lo",
        "1.2.3.4:80",
        "g::",
        "1:2:3:4:5:6:7:8:9",
        "::ffff:1.2.3",
        "1234:1234:1234:1234:1234:1234:255.255.255.255.255.255",
    };
    struct addr addr = ip("192.0.2.7");

    assert_int_equal(addr.family, ADDR_IP4);
    assert_memory_equal(addr.ip, "\xc0\x00\x02\x07", 4);
    assert_int_equal(addr.port, 0);
    addr = ip("2001:DB8::1");
    assert_int_equal(addr.family, ADDR_IP6);
    assert_memory_equal(addr.ip, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
    for (size_t i = 0; i < array_len(bad); i++) {
        struct addr before = addr;

        assert_int_equal(addr_parse_ip(str_of(bad[i]), &addr), ERR_INVALID);
        assert_memory_equal(&before, &addr, sizeof addr);
    }
    assert_int_equal(addr_parse_ip(STR("1.2.3.4\0"), &addr), ERR_INVALID);
    /* Only the slice counts, not what lies behind it. */
    assert_int_equal(addr_parse_ip((str){"1.2.3.45", 7}, &addr), ERR_OK);
    assert_int_equal(addr.ip[3], 4);
}

static void test_print_is_the_way_back(void **state)
{
    struct rand rand;
    char memory[ADDR_TEXT_MOST], whole[ADDR_TEXT_MOST];

    rand_seed(&rand, 1);
    for (int i = 0; i < 20000; i++) {
        struct addr addr = {0}, back;
        str host, port;

        addr.family = rand_below(&rand, 2) ? ADDR_IP4 : ADDR_IP6;
        addr.port = (uint16_t)(1 + rand_below(&rand, 65535));
        for (unsigned j = 0; j < ip_size(&addr); j++) /* many zeros: :: in all places */
            addr.ip[j] = rand_below(&rand, 3) ? 0 : (unsigned char)rand_u64(&rand);
        assert_int_equal(
            addr_parse_ip(addr_print_ip(&addr, memory, sizeof memory), &back), ERR_OK);
        back.port = addr.port;
        assert_true(addr_eq(&addr, &back));

        assert_int_equal(
            addr_cut_host_port(addr_print(&addr, whole, sizeof whole), &host, &port),
            ERR_OK);
        assert_int_equal(addr_parse_ip(host, &back), ERR_OK);
        assert_int_equal(addr_parse_port(port, &back.port), ERR_OK);
        assert_true(addr_eq(&addr, &back));
    }
}

static void test_print(void **state)
{
    struct addr addr = ip("2001:db8:0:0:0:0:0:1"), none = {0}, path;
    char memory[ADDR_TEXT_MOST], longest[ADDR_PATH_MOST + 1];

    addr.port = 8080;
    assert_text(addr_print(&addr, memory, sizeof memory), "[2001:db8::1]:8080");
    assert_text(addr_print_ip(&addr, memory, sizeof memory), "2001:db8::1");
    addr = ip("10.0.0.1");
    addr.port = 80;
    assert_text(addr_print(&addr, memory, sizeof memory), "10.0.0.1:80");
    assert_text(addr_print(&addr, memory, 5), "10.0"); /* cut off, never beyond */
    assert_text(addr_print_ip(&addr, memory, 4), "");
    assert_text(addr_print(&none, memory, sizeof memory), "");
    assert_int_equal(addr_from_path(STR("/run/a.sock"), &path), ERR_OK);
    assert_text(addr_print(&path, memory, sizeof memory), "unix:/run/a.sock");
    assert_text(addr_print_ip(&path, memory, 8), "unix:/r");
    memset(longest, 'x', sizeof longest);
    assert_int_equal(addr_from_path((str){longest, ADDR_PATH_MOST}, &path), ERR_OK);
    assert_int_equal(addr_print(&path, memory, sizeof memory).n, 5 + ADDR_PATH_MOST);
    assert_int_equal(addr_from_path((str){longest, sizeof longest}, &path),
                     ERR_TOO_LARGE);
    assert_int_equal(addr_from_path(STR(""), &path), ERR_INVALID);
    assert_int_equal(addr_from_path(STR("/a\0b"), &path), ERR_INVALID);
}

static void test_cut_host_port(void **state)
{
    static const struct {
        const char *text, *host, *port;
    } good[] = {
        {"a:80", "a", "80"},  {"a", "a", ""},
        {":80", "", "80"},    {"[::1]:80", "::1", "80"},
        {"[::1]", "::1", ""}, {"1.2.3.4:x", "1.2.3.4", "x"},
        {"[]", "", ""},
    };
    static const char *const bad[] = {"",     "a:",     "::1",     "a:1:2",
                                      "[::1", "[::1]:", "[::1]80", "[::1]x:1",
                                      ":",    "1::2:80"};
    str host, port;

    for (size_t i = 0; i < array_len(good); i++) {
        assert_int_equal(addr_cut_host_port(str_of(good[i].text), &host, &port), ERR_OK);
        assert_text(host, good[i].host);
        assert_text(port, good[i].port);
    }
    for (size_t i = 0; i < array_len(bad); i++)
        assert_int_equal(addr_cut_host_port(str_of(bad[i]), &host, &port), ERR_INVALID);
}

static void test_parse_port(void **state)
{
    static const char *const bad[] = {
        "", "0", "65536", "-1", "+1", " 1", "1 ", "0x10", "18446744073709551696"};
    uint16_t port = 7;

    for (size_t i = 0; i < array_len(bad); i++)
        assert_int_equal(addr_parse_port(str_of(bad[i]), &port), ERR_INVALID);
    assert_int_equal(port, 7);
    assert_int_equal(addr_parse_port(STR("65535"), &port), ERR_OK);
    assert_int_equal(port, 65535);
    assert_int_equal(addr_parse_port(STR("1"), &port), ERR_OK);
    assert_int_equal(port, 1);
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static struct addr random_addr(struct rand *rand)
{
    struct addr addr = {.family = (unsigned char)(ADDR_IP4 + rand_below(rand, 3))};

    if (addr.family == ADDR_UNIX) {
        assert_int_equal(addr_from_path(str_from(STR("aab"), rand_below(rand, 3)), &addr),
                         0);
        return addr;
    }
    addr.ip[0] = (unsigned char)rand_below(rand, 2);
    addr.ip[ip_size(&addr) - 1] = (unsigned char)(rand_below(rand, 2) * 255);
    addr.scope = addr.family == ADDR_IP6 ? (uint32_t)rand_below(rand, 2) : 0;
    addr.port = (uint16_t)rand_below(rand, 2);
    return addr;
}

static void test_compare_is_an_order(void **state)
{
    struct rand rand;

    rand_seed(&rand, 2);
    for (int i = 0; i < 20000; i++) {
        struct addr a = random_addr(&rand), b = random_addr(&rand),
                    c = random_addr(&rand);

        assert_int_equal(addr_compare(&a, &a), 0);
        assert_int_equal(sign(addr_compare(&a, &b)), -sign(addr_compare(&b, &a)));
        assert_int_equal(addr_eq(&a, &b), memcmp(&a, &b, sizeof a) == 0);
        if (addr_compare(&a, &b) <= 0 && addr_compare(&b, &c) <= 0)
            assert_true(addr_compare(&a, &c) <= 0);
    }
}

/* Unused bytes of an IPv4 address do not count. */
static void test_eq_looks_at_four_bytes_of_ip4(void **state)
{
    struct addr a = ip("10.0.0.1"), b = a;

    b.ip[4] = 1;
    assert_true(addr_eq(&a, &b));
    b.ip[3] = 2;
    assert_false(addr_eq(&a, &b));
}

static void test_prefix_parse(void **state)
{
    static const char *const bad[] = {
        "10.0.0.0/33",  "10.0.0.1/24",    "::/129",    "10.0.0.0/",
        "/8",           "10.0.0.0/-1",    "x/8",       "10/8",
        "10.0.0.0/8/8", "2001:db8::1/32", "1.2.3.4/0", ""};
    struct prefix prefix;

    for (size_t i = 0; i < array_len(bad); i++)
        assert_int_equal(prefix_parse(str_of(bad[i]), &prefix), ERR_INVALID);
    assert_int_equal(prefix_parse(STR("10.0.0.0/8"), &prefix), ERR_OK);
    assert_int_equal(prefix.bits, 8);
    assert_int_equal(prefix_parse(STR("10.0.0.9"), &prefix), ERR_OK);
    assert_int_equal(prefix.bits, 32);
    assert_int_equal(prefix_parse(STR("::1"), &prefix), ERR_OK);
    assert_int_equal(prefix.bits, 128);
    assert_int_equal(prefix_parse(STR("0.0.0.0/0"), &prefix), ERR_OK);
    assert_int_equal(prefix.bits, 0);
}

static bool bit(const struct addr *addr, unsigned at)
{
    return addr->ip[at / 8] >> (7 - at % 8) & 1;
}

static void test_prefix_has(void **state)
{
    struct rand rand;

    rand_seed(&rand, 3);
    for (int i = 0; i < 50000; i++) {
        struct addr addr = {.family = (unsigned char)(ADDR_IP4 + rand_below(&rand, 2))};
        struct prefix prefix;
        bool want = true;

        for (unsigned j = 0; j < ip_size(&addr); j++)
            addr.ip[j] = (unsigned char)rand_u64(&rand);
        prefix =
            (struct prefix){addr, (unsigned)rand_below(&rand, ip_size(&addr) * 8 + 1)};
        clear_host_bits(&prefix.addr, prefix.bits);
        if (rand_below(&rand, 2)) {
            unsigned flip = (unsigned)rand_below(&rand, ip_size(&addr) * 8);

            addr.ip[flip / 8] ^= (unsigned char)(0x80 >> flip % 8);
        }
        for (unsigned j = 0; j < prefix.bits; j++)
            want &= bit(&addr, j) == bit(&prefix.addr, j);
        assert_int_equal(prefix_has(&prefix, &addr), want);
    }
}

static void test_lists_of_prefixes(void **state)
{
    struct prefix items[3], inner[2];
    struct prefixes all = {items, 3}, none = {0}, narrow = {inner, 2};
    struct addr addr;

    assert_int_equal(prefix_parse(STR("10.0.0.0/8"), &items[0]), ERR_OK);
    assert_int_equal(prefix_parse(STR("192.0.2.1"), &items[1]), ERR_OK);
    assert_int_equal(prefix_parse(STR("2001:db8::/32"), &items[2]), ERR_OK);
    assert_int_equal(addr_parse_ip(STR("192.0.2.1"), &addr), ERR_OK);
    assert_true(prefixes_have(&all, &addr));
    assert_false(prefixes_have(&none, &addr));
    assert_int_equal(addr_parse_ip(STR("192.0.2.2"), &addr), ERR_OK);
    assert_false(prefixes_have(&all, &addr));
    inner[0] = items[1];
    assert_int_equal(prefix_parse(STR("10.1.0.0/16"), &inner[1]), ERR_OK);
    assert_true(prefixes_cover(&all, &narrow));
    assert_true(prefixes_cover(&none, &none));
    assert_false(prefixes_cover(&none, &narrow));
    assert_false(prefixes_cover(&narrow, &all));
    assert_true(prefixes_eq(&all, &all));
    assert_false(prefixes_eq(&all, &narrow));
    none = prefixes_copy(&all);
    assert_true(prefixes_eq(&all, &none));
    items[2].bits = 33; /* the copy stands for itself */
    assert_false(prefixes_eq(&all, &none));
    prefixes_free(&none);
    assert_int_equal(none.count, 0);
    all.count = 2;
    assert_false(prefixes_eq(&all, &narrow));
}

static void test_prefix_has_one_family(void **state)
{
    struct prefix prefix;
    struct addr six = ip("::"), four = ip("0.0.0.0");

    assert_int_equal(prefix_parse(STR("0.0.0.0/0"), &prefix), ERR_OK);
    assert_true(prefix_has(&prefix, &four));
    assert_false(prefix_has(&prefix, &six));
}

static void assert_network(const char *ip, unsigned bits, const char *expected)
{
    char memory[ADDR_TEXT_MOST];
    struct addr addr;

    assert_int_equal(addr_parse_ip(str_of(ip), &addr), ERR_OK);
    addr.port = 80;
    addr = addr_network(&addr, bits);
    assert_int_equal(addr.port, 0);
    assert_true(str_eq(addr_print_ip(&addr, memory, sizeof memory), str_of(expected)));
}

static void test_network(void **state)
{
    assert_network("192.0.2.77", 24, "192.0.2.0");
    assert_network("192.0.2.77", 30, "192.0.2.76");
    assert_network("192.0.2.77", 32, "192.0.2.77");
    assert_network("192.0.2.77", 0, "0.0.0.0");
    assert_network("192.0.2.77", 99, "192.0.2.77");
    assert_network("2001:db8:1:2345:6::7", 56, "2001:db8:1:2300::");
    assert_network("2001:db8:1:2345:6::7", 128, "2001:db8:1:2345:6::7");
}

static void test_unmap(void **state)
{
    struct addr addr = ip("::ffff:192.0.2.1"), want = ip("192.0.2.1");
    struct addr six = ip("::fffe:192.0.2.1"), same = six;

    addr.port = want.port = 80;
    addr.scope = 3; /* IPv4 has no zones */
    addr_unmap(&addr);
    assert_memory_equal(&addr, &want, sizeof addr);
    addr_unmap(&addr);
    assert_true(addr_eq(&addr, &want));
    addr_unmap(&six);
    assert_true(addr_eq(&six, &same));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_ip),
        cmocka_unit_test(test_print_is_the_way_back),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_cut_host_port),
        cmocka_unit_test(test_parse_port),
        cmocka_unit_test(test_compare_is_an_order),
        cmocka_unit_test(test_eq_looks_at_four_bytes_of_ip4),
        cmocka_unit_test(test_prefix_parse),
        cmocka_unit_test(test_prefix_has),
        cmocka_unit_test(test_prefix_has_one_family),
        cmocka_unit_test(test_lists_of_prefixes),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_unmap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
