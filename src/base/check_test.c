/* A CHECK that holds costs nothing; one that does not ends the process and says where. */
#include "base/check.c"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void test_true_goes_on(void **state)
{
    struct {
        unsigned magic;
    } object = {7};
    int evaluated = 0;

    CHECK(++evaluated);
    CHECK_MAGIC(&object, 7);
    assert_int_equal(evaluated, 1);
}

static void test_false_aborts_and_says_where(void **state)
{
    char said[4096] = "";
    size_t n = 0;
    ssize_t got;
    int fds[2], status;
    pid_t child;

    assert_int_equal(pipe(fds), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(fds[1], 2);
        CHECK(1 + 1 == 3);
        _exit(0);
    }
    close(fds[1]);
    while (n < sizeof said - 1 && (got = read(fds[0], said + n, sizeof said - 1 - n)) > 0)
        n += (size_t)got;
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(said, "check_test.c:"));
    assert_non_null(strstr(said, "1 + 1 == 3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_true_goes_on),
        cmocka_unit_test(test_false_aborts_and_says_where),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
