/* Tokens there and back, lifetimes at their edges. */
#include "lb/sticky.c"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_token(void **state)
{
    struct rand rand;

    (void)state;
    rand_seed(&rand, 1);
    for (unsigned i = 0; i < 1000; i++) {
        unsigned char bytes[STICKY_TOKEN_SIZE];
        struct sticky_token token = {rand_u64(&rand), rand_u64(&rand),
                                     (uint32_t)rand_u64(&rand),
                                     (uint32_t)rand_u64(&rand)},
                            back;

        sticky_token_write(&token, bytes);
        sticky_token_read(bytes, &back);
        assert_true(back.server == token.server && back.pool == token.pool);
        assert_true(back.issued == token.issued && back.seen == token.seen);
    }
}

/* Cookies are shared by processes and versions: their form may not change. */
static void test_token_form(void **state)
{
    static const unsigned char expected[STICKY_TOKEN_SIZE] = {
        8,    7,    6,    5,    4, 3, 2, 1, 0x18, 0x17, 0x16, 0x15,
        0x14, 0x13, 0x12, 0x11, 4, 3, 2, 1, 8,    7,    6,    5};
    struct sticky_token token = {0x0102030405060708, 0x1112131415161718, 0x01020304,
                                 0x05060708};
    unsigned char bytes[STICKY_TOKEN_SIZE];

    (void)state;
    sticky_token_write(&token, bytes);
    assert_memory_equal(bytes, expected, sizeof bytes);
    assert_true(sticky_pool_id(STR("app")) == sticky_pool_id(STR("app")));
    assert_true(sticky_pool_id(STR("app")) != sticky_pool_id(STR("api")));
}

static void test_for_ever(void **state)
{
    const struct sticky sticky = {0};

    (void)state;
    assert_true(sticky_is_alive(&sticky, UINT64_MAX, UINT64_MAX));
    assert_false(sticky_is_due(&sticky, UINT64_MAX));
    assert_int_equal(sticky_max_age(&sticky, 0), 0);
}

static void test_idle(void **state)
{
    const struct sticky sticky = {.idle = 8000};

    (void)state;
    assert_true(sticky_is_alive(&sticky, 1000000000, 8000));
    assert_true(sticky_is_alive(&sticky, 0, 8999));
    assert_false(sticky_is_alive(&sticky, 0, 9000));
    assert_false(sticky_is_due(&sticky, 999));
    assert_true(sticky_is_due(&sticky, 1000));
    assert_int_equal(sticky_max_age(&sticky, 1000000000), 9);
}

/* Whoever comes within the idle time after it was seen, noted or not, is still known. */
static void test_idle_is_never_cut_short(void **state)
{
    const struct sticky sticky = {.idle = 3000};
    struct rand rand;
    uint64_t now = 0, noted = 0;

    (void)state;
    rand_seed(&rand, 3);
    for (unsigned i = 0; i < 10000; i++) {
        now += rand_below(&rand, sticky.idle + 1);
        assert_true(sticky_is_alive(&sticky, now, now - noted));
        if (sticky_is_due(&sticky, now - noted))
            noted = now;
    }
}

static void test_absolute(void **state)
{
    const struct sticky sticky = {.idle = 8000, .absolute = 20000};

    (void)state;
    assert_true(sticky_is_alive(&sticky, 19999, 0));
    assert_false(sticky_is_alive(&sticky, 20000, 0));
    assert_int_equal(sticky_max_age(&sticky, 0), 9);
    assert_int_equal(sticky_max_age(&sticky, 15000), 5);
    assert_int_equal(sticky_max_age(&sticky, 20000), 1);
    assert_int_equal(sticky_max_age(&sticky, 27000), 1); /* a long request */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_token_form),
        cmocka_unit_test(test_for_ever),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_idle_is_never_cut_short),
        cmocka_unit_test(test_absolute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
