/* Cookie fields as browsers and as enemies write them. */
#include "cookie.c"

#include "proto/test_help.h"

static void test_find(void **state)
{
    static const struct {
        const char *field, *name, *value; /* NULL: not there */
    } rows[] = {
        {"a=1", "a", "1"},
        {"a=1; b=2", "b", "2"},
        {"a=1;b=2", "b", "2"},
        {"a=1;  b = 2 ;c=3", "b", "2"},
        {"a=1; a=2", "a", "1"},
        {"a=", "a", ""},
        {"a", "a", NULL},
        {"=1", "a", NULL},
        {"", "a", NULL},
        {";;; a=1", "a", "1"},
        {"A=1", "a", NULL},
        {"ab=1; b=2", "b", "2"},
        {"a=b=c", "a", "b=c"},
        {"a=\"x y\"", "a", "\"x y\""},
        {"a=\"x;y\"", "a", "\"x"},
        {"a=1, b=2", "b", NULL},
        {"a=\xe4\x01; b=2", "b", "2"},
    };

    (void)state;
    for (unsigned i = 0; i < array_len(rows); i++) {
        str field = exact(str_of(rows[i].field)), value = STR_NONE;
        bool found = cookie_find(field, str_of(rows[i].name), &value);

        assert_int_equal(found, rows[i].value != NULL);
        if (found)
            assert_str(value, rows[i].value);
        exact_free(field);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_find)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
