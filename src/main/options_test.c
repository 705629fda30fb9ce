/* Command lines: what is taken, and what is refused with which words. */
#include "options.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct option_row rows[] = {
    {"--listen", NULL, OPTION_VALUES, "ADDRESS", "where"},
    {"--config", "-c", OPTION_VALUE, "FILE", "what"},
    {"--strict", NULL, OPTION_FLAG, NULL, "how"},
    {.name = NULL},
};
static const struct verb verb = {"try", "", "A verb.", rows, 1, NULL};

static struct given of(const char *const *words)
{
    struct given given = {.verb = &verb, .words = (char **)(uintptr_t)words};

    while (words[given.count])
        given.count++;
    return given;
}

#define GIVEN(...) of((const char *[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define ASSERT_STR(s, text) assert_true(str_eq((s), STR(text)))

static void test_values(void **state)
{
    struct given given = GIVEN("--listen", ":1", "word", "--listen=a=b", "-c", "-");
    int at = 0;
    str value;

    assert_true(options_check(&given));
    assert_true(option_next(&given, "--listen", &at, &value));
    ASSERT_STR(value, ":1");
    assert_true(option_next(&given, "--listen", &at, &value));
    ASSERT_STR(value, "a=b");
    assert_false(option_next(&given, "--listen", &at, &value));
    ASSERT_STR(option_value(&given, "--config"), "-");
    ASSERT_STR(option_word(&given, 0), "word");
    assert_null(option_word(&given, 1).p);
    assert_false(option_is_given(&given, "--strict"));
}

static void test_value_that_looks_like_an_option(void **state)
{
    struct given given = GIVEN("--config", "--strict");

    assert_true(options_check(&given));
    ASSERT_STR(option_value(&given, "--config"), "--strict");
    assert_false(option_is_given(&given, "--strict"));
}

static void test_nothing_given(void **state)
{
    struct given given = GIVEN();

    assert_true(options_check(&given));
    assert_null(option_value(&given, "--config").p);
}

static void test_refused(void **state)
{
    struct given wrong[] = {
        GIVEN("--nosuch"),
        GIVEN("-x"),
        GIVEN("--strict=yes"),
        GIVEN("--config"),
        GIVEN("--config="),
        GIVEN("--config", ""),
        GIVEN("one", "two"),
        GIVEN("--strict", "--strict"),
        GIVEN("-c", "a", "--config=b"),
        GIVEN("--listen", "a", "--listen"),
    };

    for (size_t i = 0; i < array_len(wrong); i++) {
        if (options_check(&wrong[i]))
            fail_msg("case %zu was taken", i);
    }
}

static void test_meant(void **state)
{
    assert_string_equal(name_meant(STR("--lsiten"), option_known, rows), "--listen");
    assert_string_equal(name_meant(STR("--strikt"), option_known, rows), "--strict");
    assert_null(name_meant(STR("--verbose"), option_known, rows));
    assert_null(name_meant(STR("--x"), option_known, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_value_that_looks_like_an_option),
        cmocka_unit_test(test_nothing_given),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_meant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
