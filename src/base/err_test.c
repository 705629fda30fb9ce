/* Every error has words of its own, and errno folds where the house expects it. */
#include "base/err.c"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

static void test_every_error_has_its_own_words(void **state)
{
    for (int i = 0; i < ERR_COUNT; i++) {
        assert_non_null(err_text((enum err)i));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(err_text((enum err)i), err_text((enum err)j));
    }
    assert_string_equal(err_text(ERR_COUNT), "unknown error");
    assert_string_equal(err_text((enum err) - 1), "unknown error");
}

static void test_errno_folds(void **state)
{
    static const struct {
        int number;
        enum err want;
    } cases[] = {
        {0, ERR_OK},
        {EAGAIN, ERR_AGAIN},
        {EINPROGRESS, ERR_AGAIN},
        {ECONNRESET, ERR_RESET},
        {EPIPE, ERR_RESET},
        {ECONNREFUSED, ERR_REFUSED},
        {EHOSTUNREACH, ERR_UNREACHABLE},
        {ENETUNREACH, ERR_UNREACHABLE},
        {ETIMEDOUT, ERR_TIMEOUT},
        {ENOMEM, ERR_NO_MEMORY},
        {EMFILE, ERR_NO_FDS},
        {ENFILE, ERR_NO_FDS},
        {EADDRINUSE, ERR_IN_USE},
        {EACCES, ERR_DENIED},
        {EPERM, ERR_DENIED},
        {ENOENT, ERR_NOT_FOUND},
        {ECANCELED, ERR_CANCELLED},
        {ENOSYS, ERR_UNSUPPORTED},
        {ENOSPC, ERR_NO_SPACE},
        {EDQUOT, ERR_NO_SPACE},
        {EDOM, ERR_IO},
        {-1, ERR_IO},
    };

    for (size_t i = 0; i < array_len(cases); i++)
        assert_int_equal(err_from_errno(cases[i].number), cases[i].want);
    for (int number = 1; number < 200; number++)
        assert_int_not_equal(err_from_errno(number), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_error_has_its_own_words),
        cmocka_unit_test(test_errno_folds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
