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
        text.n = 0;
        end = pen_seconds(pen, n);
        text_seconds(&text, n);
        assert_int_equal(end - pen, text.n);
        assert_memory_equal(pen, memory, text.n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_odd_bytes_are_found),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
