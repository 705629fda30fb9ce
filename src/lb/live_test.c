/* The words: each there is, no two alike, and those that people know stay as they are. */
#include "lb/live.c"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

/* clang-format off */
#define ASSERT_WORDS(text, type, count) \
    for (int i = 0; i < (count); i++) { \
        assert_non_null(text((type)i)); \
        for (int j = 0; j < i; j++) \
            assert_string_not_equal(text((type)i), text((type)j)); \
    }
/* clang-format on */

static void test_every_value_has_its_own_word(void **state)
{
    ASSERT_WORDS(health_text, enum health, HEALTH_COUNT)
    ASSERT_WORDS(server_failure_text, enum server_failure, FAILURE_COUNT)
    ASSERT_WORDS(cause_text, enum cause, CAUSE_COUNT)
    ASSERT_WORDS(reject_reason_text, enum reject_reason, REJECT_COUNT)
}

static void test_words_that_people_know(void **state)
{
    assert_string_equal(health_text(HEALTH_UNRESOLVED), "unresolved");
    assert_string_equal(cause_text(CAUSE_OK), "ok");
    assert_string_equal(cause_text(CAUSE_INTERNAL), "internal");
    assert_string_equal(server_failure_text(FAILURE_INVALID), "invalid");
    assert_string_equal(reject_reason_text(REJECT_IP_FULL), "ip_full");
}

static void test_usable(void **state)
{
    assert_true(health_is_usable(HEALTH_UNKNOWN));
    assert_true(health_is_usable(HEALTH_UP));
    assert_false(health_is_usable(HEALTH_STARTING));
    assert_false(health_is_usable(HEALTH_DOWN));
    assert_false(health_is_usable(HEALTH_UNRESOLVED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_value_has_its_own_word),
        cmocka_unit_test(test_words_that_people_know),
        cmocka_unit_test(test_usable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
