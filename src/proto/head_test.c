/* Finding, dropping and adding fields. */
#include "head.c"

#include "proto/test_help.h"

static void test_fields(void **state)
{
    struct field fields[4];
    struct head head = {.fields = fields, .field_room = 4};

    (void)state;
    assert_null(head_find(&head, NAME_COOKIE));
    assert_true(head_add(&head, NAME_COOKIE, STR("Cookie"), STR("1")));
    assert_true(head_add(&head, NAME_OTHER, STR("X-A"), STR("2")));
    assert_true(head_add(&head, NAME_COOKIE, STR("cookie"), STR("3")));
    assert_true(head_add(&head, NAME_OTHER, STR("x-a"), STR("4")));
    assert_false(head_add(&head, NAME_OTHER, STR("x-b"), STR("5")));
    assert_str(head_find(&head, NAME_COOKIE)->value, "1");
    assert_str(head_find_name(&head, STR("x-A"))->value, "2");
    assert_null(head_find_name(&head, STR("x-b")));
    fields[0].dropped = true;
    assert_str(head_find(&head, NAME_COOKIE)->value, "3");
    assert_int_equal(head_drop(&head, NAME_COOKIE), 1);
    assert_null(head_find(&head, NAME_COOKIE));
    assert_int_equal(head_drop_name(&head, STR("X-a")), 2);
    assert_null(head_find_name(&head, STR("X-A")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
