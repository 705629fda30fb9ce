/* Programs that we run: what they find, what they say, how they end. */
#include "io/sys_child.c"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

static const char *const env[] = {"WEIR_POOL=app", "PATH=/usr/bin:/bin", NULL};

static struct sys_child started(const char *script)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    struct sys_child child;

    assert_int_equal(sys_child_start(argv, env, &child), ERR_OK);
    return child;
}

static unsigned wait_end(struct sys_child *child)
{
    struct pollfd ask = {.fd = child->exit_fd, .events = POLLIN};
    unsigned status = 1000;

    assert_int_equal(poll(&ask, 1, 10000), 1);
    assert_true(sys_child_ended(child, &status));
    return status;
}

/* All that it says, then its end. */
static unsigned heard(const char *script, char out[4096])
{
    struct sys_child child = started(script);
    struct pollfd ask = {.fd = child.output, .events = POLLIN};
    size_t n = 0, got;
    unsigned status;

    for (;;) {
        enum err e;

        assert_int_equal(poll(&ask, 1, 10000), 1);
        e = sys_child_read(&child, out + n, 4095 - n, &got);
        if (e)
            break;
        n += got;
    }
    out[n] = '\0';
    status = wait_end(&child);
    sys_child_close(&child);
    return status;
}

static void test_how_it_ends(void **state)
{
    char out[4096];

    assert_int_equal(heard("echo fine; exit 0", out), 0);
    assert_string_equal(out, "fine\n");
    assert_int_equal(heard("echo bad >&2; exit 3", out), 3);
    assert_string_equal(out, "bad\n");
    assert_int_equal(heard("kill -9 $$", out), 256 + 9);
}

/* Not our descriptors, not our variables, not our signals, not our folder. */
static void test_nothing_is_handed_on(void **state)
{
    int leak = dup(0); /* without close-on-exec */
    char out[4096];
    sigset_t blocked;

    sigfillset(&blocked);
    assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, NULL), 0);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(heard("cd /proc/self/fd && echo *", out), 0);
    assert_true(strcmp(out, "0 1 2\n") == 0 || strcmp(out, "0 1 2 3\n") == 0);
    assert_int_equal(heard("exec env", out), 0);
    assert_non_null(strstr(out, "WEIR_POOL=app\n"));
    assert_null(strstr(out, "HOME="));
    assert_int_equal(heard("pwd; cat; grep -E '^Sig(Blk|Ign)' /proc/self/status", out),
                     0);
    assert_true(strncmp(out, "/\n", 2) == 0);
    assert_non_null(strstr(out, "SigBlk:\t0000000000000000\n"));
    /* the C library leaves its own two, 32 and 33, ignored */
    assert_non_null(strstr(out, "SigIgn:\t0000000"));
    assert_int_equal(strtoull(strstr(out, "SigIgn:\t") + 8, NULL, 16) & 0x7fffffff, 0);
    sigemptyset(&blocked);
    assert_int_equal(sigprocmask(SIG_SETMASK, &blocked, NULL), 0);
    close(leak);
}

/* What it has started ends with it, whether it is killed or ends by itself. */
static void test_the_group_ends(void **state)
{
    for (int is_killed = 0; is_killed < 2; is_killed++) {
        struct sys_child child =
            started(is_killed ? "sleep 100 & echo $!; sleep 100"
                              : "sleep 100 >/dev/null 2>&1 & echo $!; exit 0");
        struct pollfd ask = {.fd = child.output, .events = POLLIN};
        struct timespec pause = {.tv_nsec = 10000000};
        char out[64] = "";
        unsigned status;
        size_t got = 0;
        int grandchild;

        assert_int_equal(poll(&ask, 1, 10000), 1);
        assert_int_equal(sys_child_read(&child, out, sizeof out - 1, &got), ERR_OK);
        assert_int_equal(sscanf(out, "%d", &grandchild), 1);
        if (is_killed) {
            assert_false(sys_child_ended(&child, &status));
            sys_child_kill(&child);
        }
        assert_int_equal(wait_end(&child), is_killed ? 256 + 9 : 0);
        for (int i = 0; i < 500 && kill(grandchild, 0) == 0; i++) {
            char path[64], stat[256] = "";
            FILE *file;

            snprintf(path, sizeof path, "/proc/%d/stat", grandchild);
            file = fopen(path, "r");
            if (!file || !fgets(stat, sizeof stat, file) || strstr(stat, ") Z ")) {
                if (file)
                    fclose(file);
                break; /* dead, and nobody has reaped it here */
            }
            fclose(file);
            nanosleep(&pause, NULL);
            assert_true(i < 499);
        }
        sys_child_close(&child);
    }
}

static void test_what_can_not_run(void **state)
{
    static const char *const none[] = {"/nowhere/at/all", NULL};
    static const char *const folder[] = {"/tmp", NULL};
    struct sys_child child;

    assert_int_equal(sys_child_start(none, env, &child), ERR_NOT_FOUND);
    assert_int_equal(sys_child_start(folder, env, &child), ERR_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_how_it_ends),
        cmocka_unit_test(test_nothing_is_handed_on),
        cmocka_unit_test(test_the_group_ends),
        cmocka_unit_test(test_what_can_not_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
