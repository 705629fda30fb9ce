/* Numbers against snprintf; and nothing is ever written beyond the room. */
#include "base/text.c"

#include "base/rand.h"

#include <inttypes.h>
#include <setjmp.h>
#include <cmocka.h>

static void assert_text(const struct text *text, const char *want)
{
    assert_false(text->overflow);
    assert_int_equal(text->n, strlen(want));
    assert_memory_equal(text->p, want, text->n);
}

static void test_numbers(void **state)
{
    char memory[64], want[64];
    struct rand rand;

    rand_seed(&rand, 1);
    for (int i = 0; i < 50000; i++) {
        uint64_t x = i == 0 ? 0 : i == 1 ? UINT64_MAX : rand_u64(&rand);
        unsigned width = (unsigned)rand_below(&rand, 18);
        struct text text = text_in(memory, sizeof memory);

        if (i > 1)
            x >>= rand_below(&rand, 64);
        text_u64(&text, x);
        snprintf(want, sizeof want, "%" PRIu64, x);
        assert_text(&text, want);

        text = text_in(memory, sizeof memory);
        text_hex(&text, x, width);
        snprintf(want, sizeof want, "%0*" PRIx64, width > 16 ? 16 : (int)width, x);
        assert_text(&text, want);

        text = text_in(memory, sizeof memory);
        text_seconds(&text, x);
        snprintf(want, sizeof want, "%" PRIu64 ".%06" PRIu64, x / 1000000000,
                 x % 1000000000 / 1000);
        assert_text(&text, want);
    }
}

/* The same random calls into room enough and into too little: the same text, or the flag. */
static void test_never_beyond_the_room(void **state)
{
    struct rand rand;

    rand_seed(&rand, 2);
    for (int i = 0; i < 20000; i++) {
        char large[512], small[64];
        size_t room = rand_below(&rand, 40);
        struct text a = text_in(large, sizeof large), b = text_in(small, room);

        memset(small, '#', sizeof small);
        for (int step = 0; step < 8 && !b.overflow; step++) {
            uint64_t x = rand_u64(&rand) >> rand_below(&rand, 64);
            struct text *each[] = {&a, &b};
            unsigned what = (unsigned)rand_below(&rand, 6);

            for (int k = 0; k < 2; k++) {
                if (what == 0)
                    text_add(each[k], (str){"abcdefghijkl", x % 13});
                else if (what == 1)
                    text_char(each[k], '-');
                else if (what == 2)
                    text_u64(each[k], x);
                else if (what == 3)
                    text_hex(each[k], x, 4);
                else if (what == 4)
                    text_seconds(each[k], x);
                else
                    text_format(each[k], "%d,%s", (int)(x % 100), "z");
            }
        }
        assert_false(a.overflow);
        assert_true(b.n <= room);
        if (!b.overflow) {
            assert_int_equal(b.n, a.n);
            assert_memory_equal(small, large, b.n);
        }
        for (size_t j = room; j < sizeof small; j++)
            assert_int_equal(small[j], '#');
    }
}

static void test_exact_fit(void **state)
{
    char memory[5] = "....";
    struct text text = text_in(memory, 4);

    text_add(&text, STR("ab"));
    text_add(&text, STR_NONE);
    text_add(&text, STR("cd"));
    assert_text(&text, "abcd");
    assert_int_equal(memory[4], '\0');
    text_char(&text, 'e');
    assert_true(text.overflow);
    assert_true(str_eq(text_str(&text), STR("abcd")));
    text = text_in(memory, 0);
    text_add(&text, STR_NONE);
    assert_false(text.overflow);
    text_format(&text, "x");
    assert_true(text.overflow);
    text = text_in(memory, 4);
    text_format(&text, "abc");
    assert_text(&text, "abc");
}

static void test_duration(void **state)
{
    char memory[64];
    struct text text = text_in(memory, sizeof memory);

    text_duration(&text, 0);
    text_duration(&text, 1500);
    text_duration(&text, 90000);
    text_duration(&text, 300000);
    text_duration(&text, 7200000);
    assert_int_equal(text.n, strlen("0ms1500ms90s5m2h"));
    assert_memory_equal(text.p, "0ms1500ms90s5m2h", text.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_never_beyond_the_room),
        cmocka_unit_test(test_exact_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
