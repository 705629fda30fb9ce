/* Slices against slow and obvious versions of the same. */
#include "base/str.c"

#include "base/rand.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

/* Up to `most` bytes out of few letters, so that matches happen. */
static str random_str(struct rand *rand, char *memory, size_t most, const char *letters)
{
    str s = {memory, rand_below(rand, most + 1)};
    size_t count = strlen(letters);

    for (size_t i = 0; i < s.n; i++)
        memory[i] = letters[rand_below(rand, count)];
    return s;
}

static long slow_find(str s, str needle)
{
    for (size_t at = 0; at + needle.n <= s.n; at++) {
        size_t i = 0;

        while (i < needle.n && s.p[at + i] == needle.p[i])
            i++;
        if (i == needle.n)
            return (long)at;
    }
    return -1;
}

static void test_find(void **state)
{
    char a[12], b[4];
    struct rand rand;

    rand_seed(&rand, 1);
    for (int i = 0; i < 50000; i++) {
        str s = random_str(&rand, a, sizeof a, "ab"), n = random_str(&rand, b, 4, "ab");
        long found = slow_find(s, n);

        assert_int_equal(str_find(s, n), found);
        assert_int_equal(str_find_char(s, 'b'), slow_find(s, STR("b")));
        assert_int_equal(str_starts(s, n), found == 0);
        assert_int_equal(str_ends(s, n),
                         n.n <= s.n && slow_find(str_from(s, s.n - n.n), n) == 0);
    }
    assert_int_equal(str_find(STR_NONE, STR("a")), -1);
    assert_int_equal(str_find(STR_NONE, STR_NONE), 0);
    assert_int_equal(str_find_char(STR("a\0b"), '\0'), 1);
    assert_int_equal(str_find_char(STR_NONE, 'a'), -1);
}

static void test_eq(void **state)
{
    assert_true(str_eq(STR("a\0b"), (str){"a\0bc", 3}));
    assert_false(str_eq(STR("a\0b"), STR("a\0c")));
    assert_true(str_eq(STR_NONE, STR("")));
    assert_false(str_eq(STR("a"), STR("A")));
    for (int c = 0; c < 256; c++)
        for (int d = 0; d < 256; d++) {
            char x = (char)c, y = (char)d;
            bool is_pair = (c ^ d) == 0x20 && (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

            assert_int_equal(str_eq_nocase((str){&x, 1}, (str){&y, 1}),
                             c == d || is_pair);
        }
    assert_true(str_eq_nocase(STR("Content-Length"), STR("cONTENT-lENGTH")));
    assert_false(str_eq_nocase(STR("ab"), STR("abc")));
}

static void test_compare(void **state)
{
    char a[4], b[4];
    struct rand rand;

    rand_seed(&rand, 2);
    for (int i = 0; i < 20000; i++) {
        str x = random_str(&rand, a, sizeof a, "a\xff"),
            y = random_str(&rand, b, 4, "a\xff");
        int order = str_compare(x, y);
        size_t at = 0;
        bool is_less;

        while (at < x.n && at < y.n && x.p[at] == y.p[at])
            at++;
        is_less =
            at == x.n || (at < y.n && (unsigned char)x.p[at] < (unsigned char)y.p[at]);
        if (order == 0)
            assert_true(str_eq(x, y));
        else
            assert_int_equal(order < 0, is_less);
        assert_int_equal(str_compare(y, x) < 0, order > 0);
    }
}

static void test_cut(void **state)
{
    str s = STR("hello");

    assert_true(str_eq(str_from(s, 0), s));
    assert_true(str_eq(str_from(s, 3), STR("lo")));
    assert_int_equal(str_from(s, 5).n, 0);
    assert_ptr_equal(str_from(s, 99).p, s.p + 5);
    assert_true(str_eq(str_upto(s, 2), STR("he")));
    assert_true(str_eq(str_upto(s, 99), s));
    assert_true(str_eq(str_slice(s.p + 1, s.p + 3), STR("el")));
    assert_true(str_eq(str_of("hello"), s));
    assert_true(str_eq(str_trim(STR(" \t a b\t ")), STR("a b")));
    assert_int_equal(str_trim(STR(" \t ")).n, 0);
    assert_true(str_eq(str_trim(STR("\na\r")), STR("\na\r")));
    assert_int_equal(str_trim(STR_NONE).n, 0);
}

/* Joining the pieces gives the text back, and none holds a separator. */
static void test_next(void **state)
{
    char memory[10], joined[32];
    struct rand rand;

    rand_seed(&rand, 3);
    for (int i = 0; i < 20000; i++) {
        str s = random_str(&rand, memory, sizeof memory, "ab,"), rest = s, piece;
        struct text text = text_in(joined, sizeof joined);
        size_t pieces = 0, commas = 0;

        for (size_t j = 0; j < s.n; j++)
            commas += s.p[j] == ',';
        while (str_next(&rest, ',', &piece)) {
            if (pieces++)
                text_char(&text, ',');
            assert_int_equal(str_find_char(piece, ','), -1);
            text_add(&text, piece);
        }
        assert_int_equal(pieces, commas + 1);
        assert_true(str_eq(text_str(&text), s));
        assert_false(str_next(&rest, ',', &piece));
    }
}

static void test_to_u64(void **state)
{
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1a",
                                      "0x1",
                                      "18446744073709551616",
                                      "1e3",
                                      "1.0",
                                      "99999999999999999999",
                                      "000000000000000000001"};
    uint64_t value = 7;
    struct rand rand;

    for (size_t i = 0; i < array_len(bad); i++)
        assert_false(str_to_u64(str_of(bad[i]), &value));
    assert_false(str_to_u64(STR("1\0"), &value));
    assert_int_equal(value, 7);
    assert_true(str_to_u64(STR("18446744073709551615"), &value));
    assert_int_equal(value, UINT64_MAX);
    assert_true(str_to_u64(STR("007"), &value));
    assert_int_equal(value, 7);
    rand_seed(&rand, 4);
    for (int i = 0; i < 20000; i++) {
        uint64_t x = rand_u64(&rand) >> rand_below(&rand, 64);
        char z[24];

        snprintf(z, sizeof z, "%" PRIu64, x);
        assert_true(str_to_u64(str_of(z), &value));
        assert_int_equal(value, x);
    }
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* The definition, word for word, over the first i and j bytes. */
static unsigned slow_distance(str a, size_t i, str b, size_t j)
{
    unsigned d;

    if (i == 0 || j == 0)
        return (unsigned)(i + j);
    d = smaller(slow_distance(a, i - 1, b, j) + 1, slow_distance(a, i, b, j - 1) + 1);
    d = smaller(d, slow_distance(a, i - 1, b, j - 1) + (a.p[i - 1] != b.p[j - 1]));
    if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
        d = smaller(d, slow_distance(a, i - 2, b, j - 2) + 1);
    return d;
}

static void test_distance(void **state)
{
    char a[6], b[6], longer[64];
    struct rand rand;

    rand_seed(&rand, 5);
    for (int i = 0; i < 3000; i++) {
        str x = random_str(&rand, a, sizeof a, "abc"), y = random_str(&rand, b, 6, "abc");

        assert_int_equal(str_distance(x, y), slow_distance(x, x.n, y, y.n));
    }
    assert_int_equal(str_distance(STR("listners"), STR("listeners")), 1);
    assert_int_equal(str_distance(STR("wieght"), STR("weight")), 1);
    assert_int_equal(str_distance(STR("ca"), STR("abc")), 3); /* not 2: aligned */
    memset(longer, 'a', sizeof longer);
    assert_int_equal(str_distance((str){longer, 63}, (str){longer, 63}), 0);
    assert_int_equal(str_distance((str){longer, 63}, STR("")), 63);
    assert_int_equal(str_distance((str){longer, 64}, (str){longer, 64}), 64);
}

static void test_own(void **state)
{
    char text[] = "abc";
    str owned = str_own((str){text, 2}), empty = str_own(STR_NONE);

    text[0] = 'x';
    assert_true(str_eq(owned, STR("ab")) && owned.p[2] == '\0');
    assert_true(empty.n == 0 && *empty.p == '\0');
    str_disown(owned);
    str_disown(empty);
    str_disown(STR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),    cmocka_unit_test(test_find),
        cmocka_unit_test(test_eq),     cmocka_unit_test(test_compare),
        cmocka_unit_test(test_cut),    cmocka_unit_test(test_next),
        cmocka_unit_test(test_to_u64), cmocka_unit_test(test_distance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
