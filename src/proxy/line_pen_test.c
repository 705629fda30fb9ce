/* The unchecked pen writes what the checked appenders would, and reads nothing beyond. */
#include "proxy/line_pen.c"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

typedef char *pen_fn(char *p, str s);

static void json_wanted(struct text *text, str s)
{
    json_quote(text, s);
}

static void escaped_wanted(struct text *text, str s)
{
    log_add_quoted(text, s);
    text->p++;
    text->n -= 2;
}

static void check_pen(pen_fn *pen, void (*wanted)(struct text *, str), str s)
{
    /* of exact size, so that the sanitizer sees each byte too many */
    char *from = malloc(s.n ? s.n : 1), *to = malloc(s.n * PEN_ESCAPED + 2);
    char memory[2048];
    struct text text = text_in(memory, sizeof memory);
    char *end;

    memcpy(from, s.p, s.n);
    end = pen(to, (str){from, s.n});
    wanted(&text, s);
    assert_int_equal(end - to, text.n);
    assert_memory_equal(to, text.p, text.n);
    free(from);
    free(to);
}

/* Every length, with the odd byte at every place, for every byte there is. */
static void test_odd_bytes_are_found(void **state)
{
    char raw[70];

    for (size_t n = 0; n <= sizeof raw; n++) {
        memset(raw, 'a', sizeof raw);
        check_pen(pen_json, json_wanted, (str){raw, n});
        for (size_t at = 0; at < n; at++) {
            for (int c = 0; c < 256; c += n < 20 ? 1 : 13) {
                raw[at] = (char)c;
                check_pen(pen_json, json_wanted, (str){raw, n});
            }
            for (const char *c = "\"\\\x1f\x20\x7f\x80"; *c; c++) {
                raw[at] = *c;
                check_pen(pen_json, json_wanted, (str){raw, n});
            }
            raw[at] = 'a';
        }
    }
}

static void test_any_bytes(void **state)
{
    struct rand rand;

    rand_seed(&rand, 5);
    for (int i = 0; i < 20000; i++) {
        char raw[200];
        uint64_t mask = rand_u64(&rand);
        str s = {raw, rand_below(&rand, sizeof raw)};

        for (size_t k = 0; k < s.n; k++)
            raw[k] = (char)(rand_u64(&rand) & mask);
        check_pen(pen_json, json_wanted, s);
        check_pen(pen_quoted, log_add_quoted, s);
        check_pen(pen_escaped, escaped_wanted, s);
    }
}

static void test_numbers(void **state)
{
    struct rand rand;

    rand_seed(&rand, 6);
    for (int i = 0; i < 20000; i++) {
        uint64_t n = i < 12000 ? (uint64_t)i : rand_u64(&rand) >> rand_below(&rand, 64);
        char memory[64], pen[64];
        struct text text = text_in(memory, sizeof memory);
        char *end = pen_u64(pen, n);

        text_u64(&text, n);
        assert_int_equal(end - pen, text.n);
        assert_memory_equal(pen, memory, text.n);
        if (n < 65536) {
            assert_ptr_equal(pen_port(pen, (unsigned)n), pen + text.n);
            assert_memory_equal(pen, memory, text.n);
        }
        text.n = 0;
        end = pen_seconds(pen, n);
        text_seconds(&text, n);
        assert_int_equal(end - pen, text.n);
        assert_memory_equal(pen, memory, text.n);
    }
}

/* Each microsecond there is, with its first and last nanosecond. */
static void test_each_microsecond(void **state)
{
    for (unsigned us = 0; us < 1000000; us++) {
        char memory[8], pen[8];

        for (unsigned i = 6, rest = us; i-- > 0; rest /= 10)
            memory[i] = (char)('0' + rest % 10);
        assert_ptr_equal(pen_micros(pen, us * 1000), pen + 6);
        assert_memory_equal(pen, memory, 6);
        pen_micros(pen, us * 1000 + 999);
        assert_memory_equal(pen, memory, 6);
    }
}

/* Literals and ready texts of every length: whole, and no more rubbish than is allowed. */
static void test_pieces(void **state)
{
    static const char digits[] = "0123456789012345678901234567890123456789"
                                 "0123456789012345678901234567890123456789";

#define CHECK_TEXT(literal)                                                  \
    do {                                                                     \
        char pen[sizeof(literal) - 1 + PEN_SLACK];                           \
                                                                             \
        assert_ptr_equal(pen_text(pen, literal), pen + sizeof(literal) - 1); \
        assert_memory_equal(pen, literal, sizeof(literal) - 1);              \
    } while (0)

    CHECK_TEXT("0");
    CHECK_TEXT("0123");
    CHECK_TEXT("01234");
    CHECK_TEXT("01234567");
    CHECK_TEXT("012345678");
    CHECK_TEXT("0123456789abcdef");
    CHECK_TEXT("0123456789abcdefg");
    CHECK_TEXT("0123456789abcdef01234567");
    for (size_t n = 0; n < sizeof digits; n++) {
        /* of exact size, so that the sanitizer sees each byte too many */
        size_t room = n ? (n + PEN_READY - 1) / PEN_READY * PEN_READY : PEN_READY;
        char *from = calloc(1, room), *to = malloc(n + PEN_SLACK);

        memcpy(from, digits, n);
        assert_ptr_equal(pen_ready(to, (str){from, n}), to + n);
        assert_memory_equal(to, digits, n);
        free(from);
        free(to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_odd_bytes_are_found),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_each_microsecond),
        cmocka_unit_test(test_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
