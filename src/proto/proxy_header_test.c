/*
 * What is written is read again as the same addresses, byte by byte too; exact bytes for
 * one of each; and headers that are broken in each way.
 */
#include "proxy_header.c"

#include "proto/test_help.h"

static struct addr ip(const char *text, uint16_t port)
{
    struct addr addr;

    assert_int_equal(addr_parse_ip(str_of(text), &addr), ERR_OK);
    addr.port = port;
    return addr;
}

/* Every proper prefix asks for more, the whole is understood, what follows left alone. */
static struct proxy_header read_all(str bytes)
{
    struct proxy_header header = {0};

    for (size_t n = 0; n < bytes.n; n++) {
        str part = exact(str_upto(bytes, n));

        assert_int_equal(proxy_header_read(part, &header), ERR_AGAIN);
        exact_free(part);
    }
    assert_int_equal(proxy_header_read(bytes, &header), ERR_OK);
    assert_int_equal(header.bytes, bytes.n);
    return header;
}

static void check_round_trip(struct addr from, struct addr to)
{
    char memory[PROXY_HEADER_MOST];
    struct text out = text_in(memory, sizeof memory);
    struct proxy_header header;

    proxy_header_write(&out, &from, &to);
    assert_false(out.overflow);
    header = read_all(text_str(&out));
    assert_false(header.is_local);
    addr_unmap(&header.from);
    addr_unmap(&header.to);
    assert_true(addr_eq(&header.from, &from));
    assert_true(addr_eq(&header.to, &to));
}

static void test_round_trip(void **state)
{
    struct addr a, b;

    (void)state;
    check_round_trip(ip("192.0.2.1", 56324), ip("198.51.100.7", 443));
    check_round_trip(ip("2001:db8::1", 1), ip("2001:db8::2", 65535));
    check_round_trip(ip("192.0.2.1", 5), ip("2001:db8::2", 6));
    assert_int_equal(addr_from_path(STR("/run/a.sock"), &a), ERR_OK);
    assert_int_equal(addr_from_path(STR("/run/b"), &b), ERR_OK);
    check_round_trip(a, b);
}

static void test_bytes(void **state)
{
    static const char want[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2"
                               "\xdc\4\1\xbb";
    struct addr from = ip("192.0.2.1", 56324), to = ip("192.0.2.2", 443);
    char memory[PROXY_HEADER_MOST];
    struct text out = text_in(memory, sizeof memory);
    struct proxy_header header;

    (void)state;
    proxy_header_write(&out, &from, &to);
    assert_int_equal(out.n, sizeof want - 1);
    assert_memory_equal(out.p, want, out.n);
    out.n = 0;
    proxy_header_write_local(&out);
    assert_int_equal(out.n, 16);
    header = read_all(text_str(&out));
    assert_true(header.is_local);
    out.n = 0;
    from.family = ADDR_NONE;
    proxy_header_write(&out, &from, &to);
    assert_true(read_all(text_str(&out)).is_local);
}

#define S(literal)                   \
    {                                \
        literal, sizeof(literal) - 1 \
    }
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define A4 "\1\2\3\4\5\6\7\10\0\1\0\2"

static const struct {
    str bytes;
    enum err e;
} rows[] = {
    {S("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"), ERR_OK},
    {S("PROXY TCP6 2001:db8::1 ::1 1 2\r\n"), ERR_OK},
    {S("PROXY UNKNOWN\r\n"), ERR_OK},
    {S("PROXY UNKNOWN whatever stands here\r\n"), ERR_OK},
    {S("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\n"), ERR_INVALID},
    {S("PROXY TCP4 192.0.2.1  192.0.2.2 56324 443\r\n"), ERR_INVALID},
    {S("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443 \r\n"), ERR_INVALID},
    {S("PROXY TCP4 192.0.2.1 192.0.2.2 56324 0443x\r\n"), ERR_INVALID},
    {S("PROXY TCP4 192.0.2.1 192.0.2.2 56324\r\n"), ERR_INVALID},
    {S("PROXY TCP4 192.0.2.1 192.0.2.2 56324 65536\r\n"), ERR_INVALID},
    {S("PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n"), ERR_INVALID},
    {S("PROXY TCP4 ::1 ::2 1 2\r\n"), ERR_INVALID},
    {S("PROXY TCP6 1.2.3.4 ::2 1 2\r\n"), ERR_INVALID},
    {S("PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"), ERR_INVALID},
    {S("PROXY \r\n"), ERR_INVALID},
    {S("PROXY\r\n"), ERR_INVALID},
    {S("PROXX"), ERR_INVALID},
    {S("GET / HTTP/1.1\r\n"), ERR_INVALID},
    {S("\r\n\r\nx"), ERR_INVALID},
    {S(SIGNATURE "\x20\0\0\0"), ERR_OK},
    {S(SIGNATURE "\x20\0\0\3abc"), ERR_OK},
    {S(SIGNATURE "\x21\x11\0\x0c" A4), ERR_OK},
    {S(SIGNATURE "\x21\x11\0\x10" A4 "\4\0\1x"), ERR_OK},
    {S(SIGNATURE "\x21\x11\0\x0c" A4), ERR_OK},
    {S(SIGNATURE "\x21\0\0\0"), ERR_OK},
    {S(SIGNATURE "\x21\x11\0\x0b" A4), ERR_INVALID},
    {S(SIGNATURE "\x21\x11\0\x0d" A4 "\4"), ERR_INVALID},
    {S(SIGNATURE "\x21\x11\0\x10" A4 "\4\0\2x"), ERR_INVALID},
    {S(SIGNATURE "\x21\x12\0\x0c" A4), ERR_INVALID},
    {S(SIGNATURE "\x21\x21\0\x0c" A4), ERR_INVALID},
    {S(SIGNATURE "\x11"), ERR_INVALID},
    {S(SIGNATURE "\x22"), ERR_INVALID},
    {S(SIGNATURE "\x21\x11\xff\xff"), ERR_INVALID},
};

static void test_table(void **state)
{
    (void)state;
    for (unsigned i = 0; i < array_len(rows); i++) {
        str bytes = exact(rows[i].bytes);
        struct proxy_header header;
        enum err e = proxy_header_read(bytes, &header);

        if (e != rows[i].e)
            print_error("row %u\n", i);
        assert_int_equal(e, rows[i].e);
        exact_free(bytes);
        if (e == ERR_OK)
            read_all(rows[i].bytes);
    }
}

static void test_v1_length(void **state)
{
    char line[200];
    struct proxy_header header;

    (void)state;
    memset(line, 'x', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    assert_int_equal(proxy_header_read((str){line, 106}, &header), ERR_AGAIN);
    assert_int_equal(proxy_header_read((str){line, 107}, &header), ERR_INVALID);
    memcpy(line + 105, "\r\n", 2);
    assert_int_equal(proxy_header_read((str){line, 200}, &header), ERR_OK);
    assert_int_equal(header.bytes, 107);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_v1_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
