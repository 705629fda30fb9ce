/* Values: what is taken, what is not, and what was perhaps meant. */
#include "value.c"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void takes_numbers_with_their_units(void **state)
{
    uint64_t n;

    assert_int_equal(value_duration(STR("250ms"), &n), VALUE_FINE);
    assert_int_equal(n, 250);
    assert_int_equal(value_duration(STR("24h"), &n), VALUE_FINE);
    assert_int_equal(n, 86400000);
    assert_int_equal(value_size(STR("64KiB"), &n), VALUE_FINE);
    assert_int_equal(n, 65536);
    assert_int_equal(value_rate(STR("500B/s"), &n), VALUE_FINE);
    assert_int_equal(n, 500);
    assert_int_equal(value_percent(STR("20%"), &n), VALUE_FINE);
    assert_int_equal(n, 20);
}

static void refuses_everything_else(void **state)
{
    static const char *const durations[] = {"",    "5",  "s",   "5 s", "-1s", "1.5h",
                                            "+1s", "1S", "1hm", "1m ", "0x1s"};
    static const char *const sizes[] = {"64", "64k", "1MB", "1 MiB", "KiB", "1mib"};
    uint64_t n = 7;

    for (size_t i = 0; i < array_len(durations); i++)
        assert_int_equal(value_duration(str_of(durations[i]), &n), VALUE_WRONG);
    for (size_t i = 0; i < array_len(sizes); i++)
        assert_int_equal(value_size(str_of(sizes[i]), &n), VALUE_WRONG);
    assert_int_equal(value_rate(STR("500B"), &n), VALUE_WRONG);
    assert_int_equal(value_rate(STR("500B/m"), &n), VALUE_WRONG);
    assert_int_equal(value_percent(STR("20"), &n), VALUE_WRONG);
    assert_int_equal(n, 7);
}

static void tells_kinds_of_wrong_numbers_apart(void **state)
{
    uint64_t n;

    assert_int_equal(value_count(STR("-5"), &n), VALUE_NEGATIVE);
    assert_int_equal(value_count(STR("1.5"), &n), VALUE_FRACTION);
    assert_int_equal(value_count(STR("99999999999999999999"), &n), VALUE_TOO_LARGE);
    assert_int_equal(value_count(STR("three"), &n), VALUE_WRONG);
    assert_int_equal(value_count(STR("-"), &n), VALUE_WRONG);
    assert_int_equal(value_duration(STR("9999999999999999999h"), &n), VALUE_TOO_LARGE);
    assert_int_equal(value_size(STR("99999999999999GiB"), &n), VALUE_TOO_LARGE);
}

static void reads_factors_in_thousandths(void **state)
{
    static const struct {
        const char *text, *printed;
        uint64_t thousandths;
    } right[] = {{"1", "1", 1000},
                 {"1.4", "1.4", 1400},
                 {"0.05", "0.05", 50},
                 {"2.500", "2.5", 2500},
                 {"10.125", "10.125", 10125}};
    static const char *const wrong[] = {"",    ".5",   "1.", "1.2345",
                                        "1,4", "1.4x", "-",  "+1"};
    char text[VALUE_TEXT_MOST];
    uint64_t n;

    for (size_t i = 0; i < array_len(right); i++) {
        assert_int_equal(value_factor(str_of(right[i].text), &n), VALUE_FINE);
        assert_int_equal(n, right[i].thousandths);
        value_print_factor(n, text);
        assert_string_equal(text, right[i].printed);
    }
    for (size_t i = 0; i < array_len(wrong); i++)
        assert_int_equal(value_factor(str_of(wrong[i]), &n), VALUE_WRONG);
    assert_int_equal(value_factor(STR("-1.5"), &n), VALUE_NEGATIVE);
    assert_int_equal(value_factor(STR("99999999999"), &n), VALUE_TOO_LARGE);
}

static void guesses(const char *wrong, const char *right, bool is_size)
{
    char text[VALUE_TEXT_MOST];
    bool has = is_size ? value_guess_size(str_of(wrong), text)
                       : value_guess_duration(str_of(wrong), text);

    assert_int_equal(has, right != NULL);
    if (right)
        assert_string_equal(text, right);
}

static void guesses_what_was_meant(void **state)
{
    guesses("5sec", "5s", false);
    guesses("5 min", "5m", false);
    guesses("1.5h", "90m", false);
    guesses("1h30m", "90m", false);
    guesses("60", "60s", false);
    guesses("soon", NULL, false);
    guesses("", NULL, false);
    guesses("1.2345s", NULL, false);
    guesses("10MB", "10MiB", true);
    guesses("64k", "64KiB", true);
    guesses("1.5GiB", "1536MiB", true);
    guesses("KiB", NULL, true);
}

/* Whatever is printed is read back as the same number. */
static void printing_and_reading_agree(void **state)
{
    struct rand rand;

    rand_seed(&rand, 20261123);
    for (int i = 0; i < 2000; i++) {
        uint64_t number = rand_u64(&rand) >> rand_below(&rand, 64), back;
        char text[VALUE_TEXT_MOST];

        value_print_duration(number, text);
        assert_int_equal(value_duration(str_of(text), &back), VALUE_FINE);
        assert_true(back == number);
        value_print_size(number, text);
        assert_int_equal(value_size(str_of(text), &back), VALUE_FINE);
        assert_true(back == number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_numbers_with_their_units),
        cmocka_unit_test(refuses_everything_else),
        cmocka_unit_test(tells_kinds_of_wrong_numbers_apart),
        cmocka_unit_test(reads_factors_in_thousandths),
        cmocka_unit_test(guesses_what_was_meant),
        cmocka_unit_test(printing_and_reading_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
