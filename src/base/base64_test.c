/* The examples of RFC 4648 10, and that reading is the one way back. */
#include "base/base64.c"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_examples(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"},
    };

    (void)state;
    for (size_t i = 0; i < array_len(pairs); i++) {
        char memory[16], back[16];
        struct text text = text_in(memory, sizeof memory);
        size_t n = strlen(pairs[i][0]);

        base64_write(&text, pairs[i][0], n);
        assert_true(str_eq(text_str(&text), str_of(pairs[i][1])));
        assert_true(base64_read(text_str(&text), back, n));
        assert_memory_equal(back, pairs[i][0], n);
    }
}

static void test_strict(void **state)
{
    char back[4];

    (void)state;
    assert_false(base64_read(STR("Zh"), back, 1)); /* bits behind the byte */
    assert_true(base64_read(STR("Zg"), back, 1));
    assert_false(base64_read(STR("Zg=="), back, 1));
    assert_false(base64_read(STR("Zm9v"), back, 2));
    assert_false(base64_read(STR("Zm+v"), back, 3));
    assert_false(base64_read(STR("Zm/v"), back, 3));
    assert_true(base64_read(STR("Zm-_"), back, 3));
}

static void test_there_and_back(void **state)
{
    struct rand rand;

    (void)state;
    rand_seed(&rand, 7);
    for (unsigned round = 0; round < 2000; round++) {
        unsigned char bytes[64], back[64];
        char memory[BASE64_SIZE(64)];
        struct text text = text_in(memory, sizeof memory);
        size_t n = rand_below(&rand, sizeof bytes);

        for (size_t i = 0; i < n; i++)
            bytes[i] = (unsigned char)rand_u64(&rand);
        base64_write(&text, bytes, n);
        assert_false(text.overflow);
        assert_int_equal(text.n, BASE64_SIZE(n));
        assert_true(base64_read(text_str(&text), back, n));
        assert_memory_equal(bytes, back, n);
    }
}

/* What does not fit is left out whole. */
static void test_no_room(void **state)
{
    char memory[] = "......";
    struct text text = text_in(memory, 5);

    (void)state;
    text_char(&text, ':');
    base64_write(&text, "four", 4);
    assert_true(text.overflow);
    assert_string_equal(memory, ":.....");
    assert_int_equal(text.n, 1);
    base64_write(&text, "foo", 3);
    assert_string_equal(memory, ":Zm9v.");
}

/* Of all 256 characters 64 are digits. */
static void test_digits(void **state)
{
    unsigned char back[3];
    unsigned count = 0;

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        char text[] = {'A', (char)c, 'A', 'A'}, again[4];
        struct text written = text_in(again, sizeof again);

        if (!base64_read((str){text, 4}, back, 3))
            continue;
        count++;
        base64_write(&written, back, 3);
        assert_memory_equal(again, text, 4);
    }
    assert_int_equal(count, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),       cmocka_unit_test(test_strict),
        cmocka_unit_test(test_no_room),        cmocka_unit_test(test_digits),
        cmocka_unit_test(test_there_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
