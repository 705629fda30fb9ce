/* What this process may use, read from stand-ins for the system's files. */
#include "io/sys_self.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

static char directory[] = "/tmp/sys_self_test.XXXXXX";

/* A file below the test's directory, with the folders on its way. */
static const char *put(const char *name, const char *text)
{
    static char path[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    for (char *p = path + strlen(directory) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static uint64_t limit_with(const char *groups)
{
    return group_limit(put("groups", groups), directory);
}

static int begin(void **state)
{
    (void)state;
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int end(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command);
}

static void test_version_2(void **state)
{
    (void)state;
    put("memory.max", "max\n"); /* of a container that sees its own group as the root */
    put("a/memory.max", "3000\n");
    put("a/b/memory.max", "5000\n");
    put("a/b/c/memory.max", "max\n");
    assert_int_equal(limit_with("0::/a/b/c\n"),
                     3000); /* a parent's holds for its children */
    assert_int_equal(limit_with("0::/a/b\n"), 3000);
    assert_int_equal(limit_with("0::/\n"), UINT64_MAX);
    assert_int_equal(limit_with("0::/elsewhere/below\n"), UINT64_MAX);
    put("memory.max", "2000\n");
    assert_int_equal(limit_with("0::/\n"), 2000);
    assert_int_equal(limit_with("0::/elsewhere/below\n"), 2000);
    assert_int_equal(limit_with("0::/a/b/c\n"), 2000);
}

static void test_version_1(void **state)
{
    (void)state;
    put("memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("memory/a/memory.limit_in_bytes", "4096000\n");
    assert_int_equal(limit_with("5:cpu:/a\n4:memory:/a/b\n3:pids:/\n"), 4096000);
    assert_int_equal(limit_with("4:cpuset,memory:/a\n"), 4096000);
    assert_int_equal(limit_with("4:memory:/\n"), 9223372036854771712u);
    assert_int_equal(limit_with("5:cpu:/a\n"), UINT64_MAX);
}

/* Both at once: where the memory is counted by version 1, version 2 has no such file. */
static void test_both_versions(void **state)
{
    (void)state;
    put("memory/a/memory.limit_in_bytes", "4096000\n");
    assert_int_equal(limit_with("4:memory:/a\n0::/a\n"), 4096000);
    put("a/memory.max", "1000000\n");
    assert_int_equal(limit_with("4:memory:/a\n0::/a\n"), 1000000);
}

static void test_no_groups(void **state)
{
    (void)state;
    assert_int_equal(limit_with(""), UINT64_MAX);
    assert_int_equal(limit_with("nonsense\n\n0::\n"), UINT64_MAX);
    assert_int_equal(group_limit("/nonexistent", directory), UINT64_MAX);
    put("a/memory.max", "");
    assert_int_equal(limit_with("0::/a\n"), UINT64_MAX);
    put("a/memory.max", "-5\n");
    assert_int_equal(limit_with("0::/a\n"), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_version_2, begin, end),
        cmocka_unit_test_setup_teardown(test_version_1, begin, end),
        cmocka_unit_test_setup_teardown(test_both_versions, begin, end),
        cmocka_unit_test_setup_teardown(test_no_groups, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
