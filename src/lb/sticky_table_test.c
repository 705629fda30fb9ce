/*
 * The table against a plain list of what was put, what goes when it is full, and several
 * threads at once (build with ThreadSanitizer to see more of that).
 */
#include "lb/sticky_table.c"

#include "base/rand.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct sticky for_ever;

#define SECONDS(n) ((uint64_t)(n)*1000000000)

static void test_finds(void **state)
{
    struct sticky_table *table = sticky_table_new(1000, 42);

    (void)state;
    assert_true(sticky_table_find(table, &for_ever, 7, 0) == 0);
    sticky_table_put(table, &for_ever, 7, 100, 0);
    sticky_table_put(table, &for_ever, 8, 200, 0);
    assert_true(sticky_table_find(table, &for_ever, 7, 0) == 100);
    assert_true(sticky_table_find(table, &for_ever, 8, SECONDS(1000000)) == 200);
    sticky_table_put(table, &for_ever, 7, 300, 0);
    assert_true(sticky_table_find(table, &for_ever, 7, 0) == 300);
    sticky_table_free(table);
}

static void test_lifetimes(void **state)
{
    const struct sticky sticky = {.idle = 8000, .absolute = 20000};
    struct sticky_table *table = sticky_table_new(1000, 42);

    (void)state;
    sticky_table_put(table, &sticky, 7, 100, SECONDS(1));
    assert_true(sticky_table_find(table, &sticky, 7, SECONDS(8)) == 100);
    assert_true(sticky_table_find(table, &sticky, 7, SECONDS(15)) == 100); /* seen at 8 */
    assert_true(sticky_table_find(table, &sticky, 7, SECONDS(21)) == 0);   /* absolute */
    assert_true(sticky_table_find(table, &for_ever, 7, SECONDS(21)) == 0); /* is gone */
    sticky_table_put(table, &sticky, 7, 100, SECONDS(30));
    assert_true(sticky_table_find(table, &sticky, 7, SECONDS(40)) == 0); /* idle */
    sticky_table_free(table);
}

/* As long as there are no more keys than it was made for, hardly one is lost. */
static void test_holds_what_it_was_made_for(void **state)
{
    enum { ENTRIES = 1000000 };
    struct sticky_table *table = sticky_table_new(ENTRIES, 1);
    unsigned lost = 0;

    (void)state;
    assert_true((table->count + 1) * sizeof *table->buckets <= (size_t)ENTRIES * 43);
    for (uint64_t i = 0; i < ENTRIES; i++)
        sticky_table_put(table, &for_ever, hash_u64(i), i + 1, SECONDS(i / 1000));
    for (uint64_t i = 0; i < ENTRIES; i++) {
        uint64_t server = sticky_table_find(table, &for_ever, hash_u64(i), SECONDS(2000));

        lost += server != i + 1;
        assert_true(server == 0 || server == i + 1);
    }
    assert_true(lost < ENTRIES / 1000);
    sticky_table_free(table);
}

/* Ten times as many: the newest stay, and of those used all the time none goes. */
static void test_oldest_go(void **state)
{
    enum { ENTRIES = 10000, KEYS = 10 * ENTRIES, FAVOURITES = 100 };
    struct sticky_table *table = sticky_table_new(ENTRIES, 5);
    uint64_t first_key = UINT64_C(1) << 40;
    unsigned kept = 0;

    (void)state;
    for (uint64_t i = 0; i < FAVOURITES; i++)
        sticky_table_put(table, &for_ever, hash_u64(first_key + i), 9, 0);
    for (uint64_t i = 0; i < KEYS; i++) {
        sticky_table_put(table, &for_ever, hash_u64(i), i + 1, SECONDS(i));
        if (i % 100 == 0)
            for (uint64_t j = 0; j < FAVOURITES; j++)
                assert_true(sticky_table_find(table, &for_ever, hash_u64(first_key + j),
                                              SECONDS(i)) == 9);
    }
    for (uint64_t i = KEYS - ENTRIES / 2; i < KEYS; i++)
        kept += sticky_table_find(table, &for_ever, hash_u64(i), SECONDS(KEYS)) != 0;
    assert_true(kept > ENTRIES / 2 * 99 / 100);
    sticky_table_free(table);
}

/* ---- several threads ---- */

enum { THREADS = 4, SHARED_KEYS = 64, ROUNDS = 50000 };

struct crew {
    struct sticky_table *table;
    unsigned number;
    bool has_seen_foreign;
};

static void *work(void *owner)
{
    struct crew *crew = owner;
    struct rand rand;

    rand_seed(&rand, crew->number);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t key = rand_below(&rand, SHARED_KEYS), server;

        if (rand_below(&rand, 2)) {
            sticky_table_put(crew->table, &for_ever, key,
                             key * THREADS + crew->number + 1, SECONDS(i));
        } else {
            server = sticky_table_find(crew->table, &for_ever, key, SECONDS(i));
            crew->has_seen_foreign |= server && (server - 1) / THREADS != key;
        }
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct sticky_table *table = sticky_table_new(16, 5);
    struct crew crews[THREADS];
    pthread_t threads[THREADS];

    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        crews[i] = (struct crew){table, i, false};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &crews[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_false(crews[i].has_seen_foreign);
    }
    sticky_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds),
        cmocka_unit_test(test_lifetimes),
        cmocka_unit_test(test_holds_what_it_was_made_for),
        cmocka_unit_test(test_oldest_go),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
