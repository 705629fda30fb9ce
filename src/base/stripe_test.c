/*
 * One thread against an array of counts; then several threads at once, where what must
 * hold is that no key ever holds more than `most` and that all comes back to zero.
 */
#include <stdatomic.h>

/* Lets a test act as another thread between the look and the swap. */
static void (*before_swap)(void);
#undef atomic_compare_exchange_strong
#define atomic_compare_exchange_strong(word, expected, desired) \
    ((before_swap ? before_swap() : (void)0),                   \
     atomic_compare_exchange_strong_explicit(                   \
         word, expected, desired, memory_order_seq_cst, memory_order_seq_cst))

#include "base/stripe.c"

#include "base/rand.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const uint64_t seed[2] = {3, 4};

static void make_key(unsigned char key[STRIPE_KEY_SIZE], uint64_t number)
{
    memset(key, 0, STRIPE_KEY_SIZE);
    memcpy(key + 4, &number, sizeof number);
}

static bool is_all_free(const struct stripe *stripe)
{
    for (size_t i = 0; i < stripe->stripes * WORDS; i++)
        if (atomic_load(&stripe->words[i]))
            return false;
    return true;
}

static void test_against_an_array(void **state)
{
    enum { KEYS = 50, STEPS = 100000 };
    uint32_t counts[KEYS] = {0};
    struct stripe stripe;
    struct rand rand;

    rand_seed(&rand, 1);
    stripe_init(&stripe, KEYS, seed);
    for (int step = 0; step < STEPS; step++) {
        uint64_t i = rand_below(&rand, KEYS);
        uint32_t most = (uint32_t)rand_below(&rand, 6);
        unsigned char key[STRIPE_KEY_SIZE];

        make_key(key, i);
        if (rand_below(&rand, 2)) {
            enum stripe_answer want = counts[i] < most ? STRIPE_ADDED : STRIPE_OVER;

            assert_int_equal(stripe_add(&stripe, key, most), want);
            counts[i] += want == STRIPE_ADDED;
        } else if (counts[i]) {
            stripe_give(&stripe, key);
            counts[i]--;
        }
        assert_int_equal(stripe_count(&stripe, key), counts[i]);
    }
    for (uint64_t i = 0; i < KEYS; i++) {
        unsigned char key[STRIPE_KEY_SIZE];

        make_key(key, i);
        assert_int_equal(stripe_count(&stripe, key), counts[i]);
        while (counts[i]--)
            stripe_give(&stripe, key);
    }
    assert_true(is_all_free(&stripe));
    stripe_close(&stripe);
}

/* It holds as many keys as it was made for; and far more than fit are refused, not lost. */
static void test_room(void **state)
{
    static const size_t sizes[] = {1, 8, 9, 16, 100, 1000, 1024, 4096, 30000, 65536};

    for (size_t i = 0; i < array_len(sizes); i++) {
        unsigned char key[STRIPE_KEY_SIZE];
        struct stripe stripe;
        uint64_t keys = 0, refused = 0;
        size_t words;

        stripe_init(&stripe, sizes[i], seed);
        words = stripe.stripes * WORDS;
        assert_in_range(words, 2 * sizes[i], sizes[i] < 8 ? 16 : 4 * sizes[i]);
        for (; keys < sizes[i]; keys++) {
            make_key(key, keys);
            assert_int_equal(stripe_add(&stripe, key, 1), STRIPE_ADDED);
        }
        for (; keys < 2 * words; keys++) {
            make_key(key, keys);
            if (stripe_add(&stripe, key, 1) == STRIPE_NO_ROOM)
                refused++;
            else
                assert_int_equal(stripe_count(&stripe, key), 1);
        }
        assert_true(refused >= keys - words);
        make_key(key, 0); /* who is in is not touched by those who are not */
        assert_int_equal(stripe_add(&stripe, key, 1), STRIPE_OVER);
        assert_int_equal(stripe_add(&stripe, key, 2), STRIPE_ADDED);
        stripe_close(&stripe);
    }
}

static void test_limits_of_the_count(void **state)
{
    unsigned char key[STRIPE_KEY_SIZE];
    struct stripe stripe;
    struct place place;

    make_key(key, 1);
    stripe_init(&stripe, 1, seed);
    assert_int_equal(stripe_add(&stripe, key, 0), STRIPE_OVER);
    assert_true(is_all_free(&stripe));
    assert_int_equal(stripe_add(&stripe, key, UINT32_MAX), STRIPE_ADDED);
    place = find_place(&stripe, key);
    atomic_store(look(&place).word, place.tag | (STRIPE_COUNT_MOST - 1));
    assert_int_equal(stripe_add(&stripe, key, UINT32_MAX), STRIPE_ADDED);
    assert_int_equal(stripe_add(&stripe, key, UINT32_MAX), STRIPE_OVER);
    assert_int_equal(stripe_count(&stripe, key), STRIPE_COUNT_MOST);
    stripe_give(&stripe, key);
    assert_int_equal(stripe_count(&stripe, key), STRIPE_COUNT_MOST - 1);
    stripe_close(&stripe);
}

/* The two words that a race may leave behind count as one. */
static void test_two_words_of_one_key(void **state)
{
    unsigned char key[STRIPE_KEY_SIZE];
    struct stripe stripe;
    struct place place;

    make_key(key, 1);
    stripe_init(&stripe, 8, seed);
    place = find_place(&stripe, key);
    atomic_store(&place.words[0][5], place.tag + 2);
    atomic_store(&place.words[1][3], place.tag + 1);
    assert_int_equal(stripe_count(&stripe, key), 3);
    assert_int_equal(stripe_add(&stripe, key, 3), STRIPE_OVER);
    assert_int_equal(stripe_add(&stripe, key, 4), STRIPE_ADDED);
    for (uint32_t left = 4; left-- > 0;) {
        stripe_give(&stripe, key);
        assert_int_equal(stripe_count(&stripe, key), left);
    }
    assert_true(is_all_free(&stripe));
    stripe_close(&stripe);
}

static struct place raced;
static uint64_t raced_count;

/* Another thread makes an entry of the same key in the other stripe. */
static void make_second_word(void)
{
    before_swap = NULL;
    atomic_store(&raced.words[1][7], raced.tag + raced_count);
}

static void test_first_entries_at_the_same_moment(void **state)
{
    unsigned char key[STRIPE_KEY_SIZE];
    struct stripe stripe;

    make_key(key, 1);
    stripe_init(&stripe, 8, seed);
    raced = find_place(&stripe, key);
    for (raced_count = 1; raced_count <= 3; raced_count++) {
        enum stripe_answer want = raced_count < 3 ? STRIPE_ADDED : STRIPE_OVER;

        before_swap = make_second_word;
        assert_int_equal(stripe_add(&stripe, key, 3), want);
        assert_null(before_swap);
        assert_int_equal(stripe_count(&stripe, key),
                         raced_count + (want == STRIPE_ADDED));
        while (stripe_count(&stripe, key))
            stripe_give(&stripe, key);
        assert_true(is_all_free(&stripe));
    }
    stripe_close(&stripe);
}

/* Another thread takes the word for another key: it looks again. */
static void take_the_word(void)
{
    before_swap = NULL;
    atomic_store(look(&raced).word, (raced.tag ^ (uint64_t)1 << 40) + 1);
}

static void test_word_is_taken_by_another(void **state)
{
    unsigned char key[STRIPE_KEY_SIZE];
    struct stripe stripe;

    make_key(key, 1);
    stripe_init(&stripe, 8, seed);
    raced = find_place(&stripe, key);
    before_swap = take_the_word;
    assert_int_equal(stripe_add(&stripe, key, 1), STRIPE_ADDED);
    assert_null(before_swap);
    assert_int_equal(stripe_count(&stripe, key), 1);
    stripe_give(&stripe, key);
    assert_false(is_all_free(&stripe)); /* the other's word is still there */
    stripe_close(&stripe);
}

enum { THREADS = 4, HOT_KEYS = 3, MOST = 2, ROUNDS = 30000 };

struct crowd {
    struct stripe stripe;
    _Atomic(int) inside[HOT_KEYS]; /* never more than are counted in the stripe */
    _Atomic(int) most_inside;
    _Atomic(int) added;
    pthread_barrier_t start;
};

struct member {
    struct crowd *crowd;
    uint64_t seed;
};

static void *come_and_go(void *argument)
{
    struct member *member = argument;
    struct crowd *crowd = member->crowd;
    struct rand rand;

    rand_seed(&rand, member->seed);
    pthread_barrier_wait(&crowd->start);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t number = rand_below(&rand, HOT_KEYS);
        unsigned char key[STRIPE_KEY_SIZE];
        int inside;

        make_key(key, number);
        if (stripe_add(&crowd->stripe, key, MOST) != STRIPE_ADDED)
            continue;
        inside = atomic_fetch_add(&crowd->inside[number], 1) + 1;
        if (inside > atomic_load(&crowd->most_inside))
            atomic_store(&crowd->most_inside, inside);
        atomic_fetch_add(&crowd->added, 1);
        atomic_fetch_sub(&crowd->inside[number], 1);
        stripe_give(&crowd->stripe, key);
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    struct crowd crowd = {.most_inside = 0};
    struct member members[THREADS];
    pthread_t threads[THREADS];

    stripe_init(&crowd.stripe, 8, seed);
    assert_int_equal(pthread_barrier_init(&crowd.start, NULL, THREADS), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        members[i] = (struct member){&crowd, i};
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &members[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&crowd.start);
    assert_true(atomic_load(&crowd.added) >= ROUNDS);
    assert_true(atomic_load(&crowd.most_inside) <= MOST);
    assert_true(is_all_free(&crowd.stripe));
    stripe_close(&crowd.stripe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_an_array),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_limits_of_the_count),
        cmocka_unit_test(test_two_words_of_one_key),
        cmocka_unit_test(test_first_entries_at_the_same_moment),
        cmocka_unit_test(test_word_is_taken_by_another),
        cmocka_unit_test(test_many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
