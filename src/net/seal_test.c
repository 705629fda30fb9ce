/* What was sealed opens, what was changed does not, and keys come and go. */
#include "net/seal.c"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define PURPOSE STR("test")

static struct sealer sealer; /* kept over all the tests, as a worker keeps its own */

static struct seal_ring *ring_new(unsigned keys, unsigned char first)
{
    struct seal_ring *ring = calloc(1, sizeof *ring);
    unsigned char key[SEAL_KEY_SIZE];

    assert_non_null(ring);
    for (unsigned i = 0; i < keys; i++) {
        memset(key, (int)(first + i), sizeof key);
        seal_ring_add(ring, key);
    }
    return ring;
}

static void test_there_and_back(void **state)
{
    struct seal_ring *ring = ring_new(1, 1);
    unsigned char sealed[SEAL_TEXT_MOST + SEAL_OVERHEAD], opened[SEAL_TEXT_MOST];
    char text[SEAL_TEXT_MOST];
    struct rand rand;
    bool is_old;

    (void)state;
    rand_seed(&rand, 1);
    for (size_t n = 0; n <= sizeof text; n++) {
        for (size_t i = 0; i < n; i++)
            text[i] = (char)rand_u64(&rand);
        assert_int_equal(seal_close(&sealer, ring, PURPOSE, (str){text, n}, sealed),
                         ERR_OK);
        assert_int_equal(seal_open(&sealer, ring, PURPOSE,
                                   (str){(char *)sealed, n + SEAL_OVERHEAD}, opened,
                                   &is_old),
                         ERR_OK);
        assert_memory_equal(text, opened, n);
        assert_false(is_old);
    }
    free(ring);
}

/* Every single bit counts, and so do the length, the purpose and the key. */
static void test_changed(void **state)
{
    struct seal_ring *ring = ring_new(1, 1), *other = ring_new(1, 9);
    unsigned char sealed[4 + SEAL_OVERHEAD], opened[SEAL_TEXT_MOST];
    str whole = {(char *)sealed, sizeof sealed};
    bool is_old;

    (void)state;
    assert_int_equal(seal_close(&sealer, ring, PURPOSE, STR("text"), sealed), ERR_OK);
    for (size_t bit = 0; bit < sizeof sealed * 8; bit++) {
        sealed[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_int_equal(seal_open(&sealer, ring, PURPOSE, whole, opened, &is_old),
                         ERR_INVALID);
        sealed[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (size_t n = 0; n < sizeof sealed; n++)
        assert_int_equal(
            seal_open(&sealer, ring, PURPOSE, str_upto(whole, n), opened, &is_old),
            ERR_INVALID);
    assert_int_equal(seal_open(&sealer, ring, STR("tesu"), whole, opened, &is_old),
                     ERR_INVALID);
    assert_int_equal(seal_open(&sealer, other, PURPOSE, whole, opened, &is_old),
                     ERR_INVALID);
    assert_int_equal(seal_open(&sealer, ring, PURPOSE, whole, opened, &is_old), ERR_OK);
    free(ring);
    free(other);
}

/* The same text never looks the same. */
static void test_chance(void **state)
{
    struct seal_ring *ring = ring_new(1, 1);
    unsigned char one[4 + SEAL_OVERHEAD], two[4 + SEAL_OVERHEAD];

    (void)state;
    assert_int_equal(seal_close(&sealer, ring, PURPOSE, STR("text"), one), ERR_OK);
    assert_int_equal(seal_close(&sealer, ring, PURPOSE, STR("text"), two), ERR_OK);
    assert_memory_not_equal(one + 1, two + 1, sizeof one - 1);
    free(ring);
}

static void test_rotation(void **state)
{
    struct seal_ring *ring = ring_new(1, 1);
    unsigned char sealed[4 + SEAL_OVERHEAD], opened[4], key[SEAL_KEY_SIZE];
    str whole = {(char *)sealed, sizeof sealed};
    bool is_old;

    (void)state;
    assert_int_equal(seal_close(&sealer, ring, PURPOSE, STR("text"), sealed), ERR_OK);
    for (unsigned i = 1; i < 3 * SEAL_KEYS_MOST; i++) {
        enum err expected = i < SEAL_KEYS_USED ? ERR_OK : ERR_INVALID;

        memset(key, (int)(i + 1), sizeof key);
        seal_ring_add(ring, key);
        assert_int_equal(seal_open(&sealer, ring, PURPOSE, whole, opened, &is_old),
                         expected);
        assert_true(expected || is_old);
    }
    free(ring);
}

static void test_secrets(void **state)
{
    struct seal_ring *one = calloc(1, sizeof *one), *two = calloc(1, sizeof *two);
    unsigned char sealed[4 + SEAL_OVERHEAD], opened[4];
    str whole = {(char *)sealed, sizeof sealed};
    bool is_old;

    (void)state;
    seal_ring_add_secret(one, STR("a secret that two processes know"));
    seal_ring_add_secret(two, STR("a secret that two processes know"));
    assert_int_equal(seal_close(&sealer, one, PURPOSE, STR("text"), sealed), ERR_OK);
    assert_int_equal(seal_open(&sealer, two, PURPOSE, whole, opened, &is_old), ERR_OK);
    assert_memory_equal(opened, "text", 4);
    seal_ring_add_secret(two, STR("a newer one"));
    assert_int_equal(seal_open(&sealer, two, PURPOSE, whole, opened, &is_old), ERR_OK);
    assert_true(is_old);
    free(one);
    free(two);
}

/* Another ring in the same memory has other keys, and a sealer that has used both knows. */
static void test_same_memory(void **state)
{
    struct seal_ring *ring = ring_new(1, 1);
    uint64_t first = seal_ring_state(ring), second;
    unsigned char sealed[4 + SEAL_OVERHEAD], opened[4], key[SEAL_KEY_SIZE];
    str whole = {(char *)sealed, sizeof sealed};
    bool is_old;

    (void)state;
    assert_int_equal(seal_close(&sealer, ring, PURPOSE, STR("text"), sealed), ERR_OK);
    memset(ring, 0, sizeof *ring);
    assert_int_equal(seal_ring_state(ring), 0);
    memset(key, 2, sizeof key);
    seal_ring_add(ring, key);
    second = seal_ring_state(ring);
    assert_int_not_equal(second, first);
    sealed[0] = (unsigned char)ring->keys[0].mark; /* so that the key is tried */
    assert_int_equal(seal_open(&sealer, ring, PURPOSE, whole, opened, &is_old),
                     ERR_INVALID);
    assert_int_equal(seal_close(&sealer, ring, PURPOSE, STR("text"), sealed), ERR_OK);
    assert_int_equal(seal_open(&sealer, ring, PURPOSE, whole, opened, &is_old), ERR_OK);
    seal_ring_add(ring, key); /* the same once more is a change too */
    assert_int_not_equal(seal_ring_state(ring), second);
    free(ring);
}

/* More keys than a sealer keeps, in turns. */
static void test_many_keys(void **state)
{
    struct seal_ring *rings[3 * SEALER_KEYS];
    unsigned char sealed[array_len(rings)][4 + SEAL_OVERHEAD], opened[4];
    bool is_old;

    (void)state;
    for (unsigned i = 0; i < array_len(rings); i++) {
        rings[i] = ring_new(1, (unsigned char)i);
        assert_int_equal(seal_close(&sealer, rings[i], PURPOSE, STR("text"), sealed[i]),
                         ERR_OK);
    }
    for (unsigned i = 0; i < array_len(rings) * array_len(rings); i++) {
        unsigned a = i / array_len(rings), b = i % array_len(rings);
        str whole = {(char *)sealed[b], sizeof sealed[b]};

        assert_int_equal(seal_open(&sealer, rings[a], PURPOSE, whole, opened, &is_old),
                         a == b ? ERR_OK : ERR_INVALID);
    }
    for (unsigned i = 0; i < array_len(rings); i++)
        free(rings[i]);
}

static int forget(void **state)
{
    (void)state;
    sealer_close(&sealer);
    for (unsigned i = 0; i < SEALER_KEYS; i++)
        assert_int_equal(sealer.ids[i], 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_changed),
        cmocka_unit_test(test_chance),         cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_secrets),        cmocka_unit_test(test_same_memory),
        cmocka_unit_test(test_many_keys),
    };

    return cmocka_run_group_tests(tests, NULL, forget);
}
