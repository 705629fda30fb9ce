/* A vec keeps what was put in, in order, however often it grows. */
#include "base/vec.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

struct wide {
    int number;
    char rest[37];
};

static void test_keeps_what_was_put_in(void **state)
{
    struct vec_of(struct wide) wides = {0};
    struct vec_of(char) chars = {0};
    struct arena arena;

    arena_init(&arena, 0);
    for (int i = 0; i < 3000; i++) {
        struct wide *wide = vec_add(&wides, &arena);

        assert_int_equal(wide->number, 0); /* cleared */
        wide->number = i;
        *vec_add(&chars, &arena) = (char)('a' + i % 26);
        assert_int_equal(wides.count, i + 1);
        assert_true(wides.room >= wides.count);
    }
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(wides.items[i].number, i);
        assert_int_equal(chars.items[i], 'a' + i % 26);
    }
    arena_reset(&arena);
}

static void test_reused_place_is_cleared(void **state)
{
    struct vec_of(int) v = {0};
    struct arena arena;

    arena_init(&arena, 0);
    *vec_add(&v, &arena) = 5;
    v.count = 0;
    assert_int_equal(*vec_add(&v, &arena), 0);
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_what_was_put_in),
        cmocka_unit_test(test_reused_place_is_cleared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
