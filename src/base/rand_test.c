/* Seeds decide everything; the numbers spread evenly; bounds are kept. */
#include "base/rand.c"

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

/* The generator as its authors print it, written once more without macros or inlining. */
static uint64_t plain_next(uint64_t s[4])
{
    uint64_t five = s[1] * 5, seven = (five << 7) | (five >> 57), t = s[1] << 17;

    s[2] = s[2] ^ s[0];
    s[3] = s[3] ^ s[1];
    s[1] = s[1] ^ s[2];
    s[0] = s[0] ^ s[3];
    s[2] = s[2] ^ t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return seven * 9;
}

static void test_known_numbers(void **state)
{
    struct rand rand = {{1, 2, 3, 4}};
    uint64_t plain[4] = {1, 2, 3, 4};

    assert_int_equal(rand_u64(&rand), 11520); /* 2 * 5 << 7, times 9 */
    plain_next(plain);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(rand_u64(&rand), plain_next(plain));
    rand_seed(&rand, 0);
    assert_int_equal(rand.s[0], 0xe220a8397b1dcdafu); /* splitmix64 from 0 */
}

static void test_seed_decides(void **state)
{
    struct rand a, b, c;
    int same = 0;

    rand_seed(&a, 0);
    rand_seed(&b, 0);
    rand_seed(&c, 1);
    for (int i = 0; i < 1000; i++) {
        uint64_t x = rand_u64(&a);

        assert_int_equal(x, rand_u64(&b));
        same += x == rand_u64(&c);
    }
    assert_int_equal(same, 0);
}

static void test_below(void **state)
{
    enum { SIDES = 10, THROWS = 100000 };
    unsigned counts[SIDES] = {0};
    struct rand rand;

    rand_seed(&rand, 42);
    for (int i = 0; i < THROWS; i++) {
        uint64_t x = rand_below(&rand, SIDES);

        assert_true(x < SIDES);
        counts[x]++;
        assert_int_equal(rand_below(&rand, 1), 0);
        assert_true(rand_below(&rand, UINT64_MAX) < UINT64_MAX);
    }
    for (int i = 0; i < SIDES; i++) /* five standard deviations */
        assert_true(labs((long)counts[i] - THROWS / SIDES) < 475);
}

static void test_bits_are_even(void **state)
{
    enum { THROWS = 10000 };
    unsigned ones[64] = {0};
    struct rand rand;

    rand_seed(&rand, 7);
    for (int i = 0; i < THROWS; i++) {
        uint64_t x = rand_u64(&rand);

        for (int j = 0; j < 64; j++)
            ones[j] += x >> j & 1;
    }
    for (int j = 0; j < 64; j++)
        assert_true(labs((long)ones[j] - THROWS / 2) < 250); /* the same */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_numbers),
        cmocka_unit_test(test_seed_decides),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_bits_are_even),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
