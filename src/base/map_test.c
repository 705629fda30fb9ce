/* The map against an array that is searched from end to end. */
#include "base/map.c"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { KEYS = 300, STEPS = 60000 };

static const uint64_t seed[2] = {1, 2};

static char names[KEYS][8];
static str keys[KEYS];

static void make_keys(void)
{
    for (int i = 0; i < KEYS; i++) {
        int n = snprintf(names[i], sizeof names[i], "k%d", i);

        names[i][0] = i % 2 ? '\0' : 'k'; /* any byte may stand in a key */
        keys[i] = (str){names[i], (size_t)n};
    }
}

static void assert_same(const struct map *map, void *const values[KEYS])
{
    size_t count = 0, walked = 0, at = 0;
    void *value;
    str key;

    for (int i = 0; i < KEYS; i++) {
        assert_ptr_equal(map_get(map, keys[i]), values[i]);
        count += values[i] != NULL;
    }
    assert_int_equal(map->count, count);
    while (map_next(map, &at, &key, &value)) {
        assert_ptr_equal(map_get(map, key), value);
        walked++;
    }
    assert_int_equal(walked, count);
}

/* Grows and shrinks in waves, so that long runs form and are cut again. */
static void random_steps(struct map *map, struct rand *rand)
{
    void *values[KEYS] = {NULL};

    for (int step = 0; step < STEPS; step++) {
        bool is_growing = step / 1000 % 2 == 0;
        size_t i = rand_below(rand, KEYS);
        void *value = &names[rand_below(rand, KEYS)];

        if (rand_below(rand, 4) < (is_growing ? 3 : 1)) {
            assert_ptr_equal(map_put(map, keys[i], value), values[i]);
            values[i] = value;
        } else {
            assert_ptr_equal(map_remove(map, keys[i]), values[i]);
            values[i] = NULL;
        }
        if (step % 100 == 0)
            assert_same(map, values);
    }
    assert_same(map, values);
}

static void test_against_an_array(void **state)
{
    struct rand rand;
    struct map map;

    make_keys();
    rand_seed(&rand, 1);
    map_init(&map, seed);
    random_steps(&map, &rand);
    map_close(&map);
    assert_int_equal(map.count, 0);
    random_steps(&map, &rand); /* it may be used again */
    map_close(&map);
}

static void test_empty(void **state)
{
    struct map map;
    size_t at = 0;

    map_init(&map, seed);
    assert_null(map_get(&map, STR("a")));
    assert_null(map_remove(&map, STR("a")));
    assert_false(map_next(&map, &at, NULL, NULL));
    assert_null(map.slots);
    map_close(&map);
}

static void test_empty_key_and_prefixes(void **state)
{
    struct map map;
    int a, b, c;

    map_init(&map, seed);
    assert_null(map_put(&map, STR(""), &a));
    assert_null(map_put(&map, STR("x"), &b));
    assert_null(map_put(&map, STR("x\0"), &c));
    assert_ptr_equal(map_get(&map, STR_NONE), &a);
    assert_ptr_equal(map_get(&map, STR("x")), &b);
    assert_ptr_equal(map_get(&map, STR("x\0")), &c);
    assert_null(map_get(&map, STR("\0")));
    map_close(&map);
}

/* The old key's memory may go once its value has been replaced. */
static void test_replacing_takes_the_new_key(void **state)
{
    char old[] = "key", new[] = "key";
    struct map map;
    size_t at = 0;
    int a, b;
    str key;

    map_init(&map, seed);
    map_put(&map, str_of(old), &a);
    assert_ptr_equal(map_put(&map, str_of(new), &b), &a);
    memset(old, 'x', 3);
    assert_ptr_equal(map_get(&map, STR("key")), &b);
    assert_true(map_next(&map, &at, &key, NULL));
    assert_ptr_equal(key.p, new);
    assert_int_equal(map.count, 1);
    map_close(&map);
}

/* The order in the table is the seed's, so nobody outside can know it. */
static void test_seed_decides_the_order(void **state)
{
    struct map one, other;
    size_t at = 0, there = 0;
    int differences = 0;
    str a, b;

    make_keys();
    map_init(&one, seed);
    map_init(&other, (const uint64_t[2]){1, 3});
    for (int i = 0; i < KEYS; i++) {
        map_put(&one, keys[i], &one);
        map_put(&other, keys[i], &other);
    }
    while (map_next(&one, &at, &a, NULL) && map_next(&other, &there, &b, NULL))
        differences += !str_eq(a, b);
    assert_true(differences > KEYS / 2);
    map_close(&one);
    map_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_an_array),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_empty_key_and_prefixes),
        cmocka_unit_test(test_replacing_takes_the_new_key),
        cmocka_unit_test(test_seed_decides_the_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
