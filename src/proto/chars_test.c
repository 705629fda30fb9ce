/* Each class against the words of its standard; each scanner against a plain loop. */
#include "chars.c"

#include "proto/test_help.h"

static bool is_among(int c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

static bool is_alnum(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static void test_classes(void **state)
{
    (void)state;
    for (int i = 0; i < 256; i++) {
        char c = (char)i;
        bool unreserved = is_alnum(i) || is_among(i, "-._~");

        assert_int_equal(char_is(c, CHAR_TOKEN),
                         is_alnum(i) || is_among(i, "!#$%&'*+-.^_`|~"));
        assert_int_equal(char_is(c, CHAR_TARGET), i > 0x20 && i < 0x7f && i != '#');
        assert_int_equal(char_is(c, CHAR_PATH),
                         unreserved || is_among(i, "!$&'()*+,;=:@/"));
        assert_int_equal(char_is(c, CHAR_HOST), is_alnum(i) || is_among(i, "-._"));
        assert_int_equal(char_is(c, CHAR_HEX), is_among(i, "0123456789abcdefABCDEF"));
        assert_int_equal(char_is(c, CHAR_UNRESERVED), unreserved);
    }
    assert_int_equal(char_hex('7'), 7);
    assert_int_equal(char_hex('a'), 10);
    assert_int_equal(char_hex('F'), 15);
}

static bool may_be_value(unsigned char c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

/* Every byte at every place of texts around the width of a vector. */
static void test_scanners(void **state)
{
    (void)state;
    for (size_t n = 0; n < 40; n++) {
        for (unsigned c = 0; c < 256; c++) {
            size_t at = n ? (c * 7 + n) % n : 0;
            char *memory = malloc(n + 1);
            size_t skip = (c + n) % (at + 1);
            const char *end, *stop;
            bool is_target;

            assert_non_null(memory);
            memset(memory, 'a', n);
            if (n)
                memory[at] = (char)c;
            memory = realloc(memory, n ? n : 1);
            end = memory + n;
            stop = memory + at;
            assert_ptr_equal(scan_token(memory + skip, end, memory),
                             n && !char_is((char)c, CHAR_TOKEN) ? stop : end);
            is_target = char_is((char)c, CHAR_TARGET);
            assert_ptr_equal(scan_target(memory + skip, end, memory),
                             n && !is_target ? stop : end);
            assert_ptr_equal(scan_path(memory + skip, end, memory),
                             n && (!is_target || c == '?') ? stop : end);
            assert_ptr_equal(scan_value(memory + skip, end, memory),
                             n && !may_be_value((unsigned char)c) ? stop : end);
            assert_int_equal(chars_are_target((str){memory, n}),
                             n == 0 || char_is((char)c, CHAR_TARGET));
            free(memory);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_scanners),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
