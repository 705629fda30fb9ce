/* Items are distinct, aligned, reused last-in first-out, and nothing is kept at the end. */
#include "base/slab.c"

#include "base/rand.h"

#include <stdarg.h>
#include <string.h>
#include <setjmp.h>
#include <cmocka.h>

enum { MOST = 500 };

struct held {
    unsigned char *p;
    unsigned char mark;
};

static void assert_marked(const struct held *held, size_t size)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(held->p[i], held->mark);
}

static void give_and_take(size_t size)
{
    struct held held[MOST];
    size_t count = 0, full_size;
    struct slab slab;
    struct rand rand;

    rand_seed(&rand, size);
    slab_init(&slab, "test", size);
    for (int step = 0; step < 5000; step++) {
        if (count < MOST && rand_below(&rand, 5) < 3) {
            struct held *one = &held[count++];

            *one = (struct held){slab_take(&slab), (unsigned char)step};
            assert_int_equal((uintptr_t)one->p & 15, 0);
            memset(one->p, one->mark, size);
        } else if (count) {
            size_t at = rand_below(&rand, count);

            assert_marked(&held[at], size);
            slab_give(&slab, held[at].p);
            held[at] = held[--count];
        }
        assert_int_equal(slab.in_use, count);
    }
    full_size = slab.held;
    assert_true(full_size >= slab.in_use * size);
    while (count) {
        assert_marked(&held[--count], size);
        slab_give(&slab, held[count].p);
    }
    assert_int_equal(slab.held, full_size); /* kept for the next burst */
    slab_close(&slab);
    assert_int_equal(slab.held, 0);
}

static void test_give_and_take(void **state)
{
    static const size_t sizes[] = {1, 8, 16, 24, 64, 1000, 9000, 40000};

    for (size_t i = 0; i < array_len(sizes); i++)
        give_and_take(sizes[i]);
}

static void test_last_given_is_first_taken(void **state)
{
    struct slab slab;
    void *a, *b;

    slab_init(&slab, "test", 100);
    a = slab_take(&slab);
    b = slab_take(&slab);
    slab_give(&slab, a);
    slab_give(&slab, b);
    assert_ptr_equal(slab_take(&slab), b);
    assert_ptr_equal(slab_take(&slab), a);
    slab_give(&slab, a);
    slab_give(&slab, b);
    slab_close(&slab);
}

/* Structures that are aligned to cache lines may live in a slab. */
static void test_cache_lines(void **state)
{
    struct slab slab;
    void *items[3000];

    slab_init(&slab, "test", 2 * CACHE_LINE);
    for (size_t i = 0; i < array_len(items); i++) {
        items[i] = slab_take(&slab);
        assert_int_equal((uintptr_t)items[i] % CACHE_LINE, 0);
    }
    for (size_t i = 0; i < array_len(items); i++)
        slab_give(&slab, items[i]);
    slab_close(&slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_give_and_take),
        cmocka_unit_test(test_last_given_is_first_taken),
        cmocka_unit_test(test_cache_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
