/*
 * siphash13 against numbers that another program made: CPython 3.11 hashes bytes with
 * SipHash-1-3, keyed from PYTHONHASHSEED (0 is the zero key). hash_fast by its promises.
 */
#include "base/hash.c"

#include "base/rand.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static void test_siphash13_known(void **state)
{
    static const uint64_t zero[2] = {0, 0};
    static const uint64_t one[2] = {0xaed66ce184be2329u, 0xebe9bbf1f1499052u};
    static const struct {
        str bytes;
        uint64_t zero, one;
    } cases[] = {
        {STR("a"), 0x407448d2b89b1813u, 0xd6300bc9f7cc0e73u},
        {STR("abcdefg"), 0x6db12aae9070f506u, 0x2cc75771f0205010u},
        {STR("abcdefgh"), 0x3f7b849c0b8e35eau, 0xfd3011ff3947e7f4u},
        {STR("abcdefghi"), 0xf89b34a3d11eb6e5u, 0x6d3c39f07e99250cu},
    };
    char bytes[512];

    for (size_t i = 0; i < array_len(cases); i++) {
        assert_int_equal(siphash13(zero, cases[i].bytes), cases[i].zero);
        assert_int_equal(siphash13(one, cases[i].bytes), cases[i].one);
    }
    for (int i = 0; i < 64; i++)
        bytes[i] = (char)i;
    assert_int_equal(siphash13(zero, (str){bytes, 16}), 0x8972188433a5c5b7u);
    assert_int_equal(siphash13(one, (str){bytes, 16}), 0x12e9d283f9f37002u);
    assert_int_equal(siphash13(zero, (str){bytes, 64}), 0x75e05fd5bbc870c6u);
    assert_int_equal(siphash13(one, (str){bytes, 64}), 0x7e644b6edc375dc8u);
    for (int i = 0; i < 512; i++)
        bytes[i] = (char)(255 - i % 256);
    assert_int_equal(siphash13(zero, (str){bytes, 512}), 0xc0b76cc7eb748169u);
    assert_int_equal(siphash13(one, (str){bytes, 512}), 0x34ace7efb9027888u);
}

static uint64_t sip_as_fast(str bytes, uint64_t seed)
{
    return siphash13((const uint64_t[2]){seed, ~seed}, bytes);
}

typedef uint64_t hash_function(str bytes, uint64_t seed);

/* Flipping one bit of input or seed flips about half of the result's bits. */
static void assert_avalanche(hash_function *hash)
{
    struct rand rand;

    rand_seed(&rand, 1);
    for (size_t n = 0; n <= 33; n++) {
        unsigned flipped[64] = {0}, rounds = 0;
        char bytes[40];

        for (int i = 0; i < 400; i++) {
            uint64_t seed = rand_u64(&rand), before, after;
            size_t at = rand_below(&rand, n * 8 + 64);

            for (size_t j = 0; j < n; j++)
                bytes[j] = (char)rand_u64(&rand);
            before = hash((str){bytes, n}, seed);
            if (at < n * 8)
                bytes[at / 8] ^= (char)(1 << at % 8);
            else
                seed ^= (uint64_t)1 << (at - n * 8);
            after = hash((str){bytes, n}, seed) ^ before;
            for (int j = 0; j < 64; j++)
                flipped[j] += after >> j & 1;
            rounds++;
        }
        for (int j = 0; j < 64; j++) /* six standard deviations of a fair coin */
            assert_in_range(flipped[j], rounds / 2 - 60, rounds / 2 + 60);
    }
}

static void test_avalanche(void **state)
{
    assert_avalanche(hash_fast);
    assert_avalanche(sip_as_fast);
}

/* Zero bytes at the end count, and what lies behind the slice does not. */
static void assert_length_counts(hash_function *hash)
{
    char bytes[64] = {0}, longer[64] = {0};
    uint64_t seen[41];

    memset(longer + 41, 0xff, sizeof longer - 41);
    for (size_t n = 0; n <= 40; n++) {
        seen[n] = hash((str){bytes, n}, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_not_equal(seen[n], seen[i]);
        assert_int_equal(hash((str){longer + 41 - n, n}, 0), seen[n]); /* any alignment */
    }
    assert_int_equal(hash(STR_NONE, 0), seen[0]);
}

static void test_length_counts(void **state)
{
    assert_length_counts(hash_fast);
    assert_length_counts(sip_as_fast);
}

/* Choices that survive a restart lean on these. */
static void test_fast_is_stable(void **state)
{
    assert_int_equal(hash_u64(0), 0);
    assert_int_equal(hash_u64(golden), 0xe220a8397b1dcdafu); /* splitmix64 from 0 */
    assert_int_equal(hash_fast(STR(""), 0), 0xe220a8397b1dcdafu);
    assert_int_equal(hash_fast(STR("192.0.2.1"), 1), 0xfdfe613d426a0559u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash13_known),
        cmocka_unit_test(test_avalanche),
        cmocka_unit_test(test_length_counts),
        cmocka_unit_test(test_fast_is_stable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
