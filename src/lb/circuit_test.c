/* The word, apart and together again; and who may pass. */
#include "lb/circuit.c"

#include "base/rand.h"

#include <stdarg.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

static const struct breaker one = {
    .failures = 5, .window = 10000, .open = 60000, .half_open = 1, .close_after = 1};

static void set(struct circuit *circuit, struct circuit_view view)
{
    atomic_store(&circuit->word, circuit_pack(&view));
}

static void test_apart_and_together(void **state)
{
    struct rand rand;

    rand_seed(&rand, 1);
    for (int i = 0; i < 100000; i++) {
        struct circuit_view view = {
            .state = (enum circuit_state)rand_below(&rand, CIRCUIT_STATES),
            .is_forced = rand_below(&rand, 2),
            .probes = (unsigned)rand_below(&rand, CIRCUIT_PROBES_MOST + 1),
            .passed = (unsigned)rand_below(&rand, CIRCUIT_PROBES_MOST + 1),
            .trips = (unsigned)rand_below(&rand, CIRCUIT_TRIPS_MOST + 1),
            .round = (uint32_t)rand_below(&rand, UINT32_C(1) << CIRCUIT_ROUND_BITS),
        };
        struct circuit_view again = circuit_unpack(circuit_pack(&view));

        assert_int_equal(again.state, view.state);
        assert_int_equal(again.is_forced, view.is_forced);
        assert_int_equal(again.probes, view.probes);
        assert_int_equal(again.passed, view.passed);
        assert_int_equal(again.trips, view.trips);
        assert_int_equal(again.round, view.round);
        assert_int_equal(circuit_state_of(circuit_pack(&view)), view.state);
    }
}

static void test_who_may_pass(void **state)
{
    struct circuit circuit = {0};

    assert_true(circuit_allows(&circuit, &one, 0));
    set(&circuit, (struct circuit_view){.state = CIRCUIT_OPEN, .round = 7});
    circuit_set_wait(&circuit, 7, 60000);
    assert_false(circuit_allows(&circuit, &one, 59 * SECOND));
    assert_int_equal(circuit_wait(&circuit, 59 * SECOND), 1000);
    assert_true(circuit_allows(&circuit, &one, 60 * SECOND));
    assert_int_equal(circuit_wait(&circuit, 61 * SECOND), 0);
    set(&circuit, (struct circuit_view){.state = CIRCUIT_OPEN, .round = 7, .probes = 1});
    assert_false(circuit_allows(&circuit, &one, 60 * SECOND)); /* one is still there */
    set(&circuit, (struct circuit_view){.state = CIRCUIT_HALF_OPEN, .round = 8});
    assert_true(circuit_allows(&circuit, &one, 60 * SECOND));
    set(&circuit,
        (struct circuit_view){.state = CIRCUIT_HALF_OPEN, .round = 8, .probes = 1});
    assert_false(circuit_allows(&circuit, &one, 60 * SECOND));
    set(&circuit, (struct circuit_view){.state = CIRCUIT_CLOSED, .probes = 1});
    assert_true(circuit_allows(&circuit, &one, 60 * SECOND));
}

static void test_held_open(void **state)
{
    struct circuit circuit = {0};

    set(&circuit,
        (struct circuit_view){.state = CIRCUIT_OPEN, .is_forced = true, .round = 7});
    circuit_set_wait(&circuit, 7, 1);
    assert_int_equal(circuit_wait(&circuit, 3600 * SECOND), UINT64_MAX);
    assert_false(circuit_allows(&circuit, &one, 3600 * SECOND));
}

/* Between the swap of the word and the writing of its time nobody is let through, and who
 * writes late does not undo what came after. */
static void test_times_of_other_rounds(void **state)
{
    struct circuit circuit = {0};

    circuit_set_wait(&circuit, 7, 1000);
    set(&circuit, (struct circuit_view){.state = CIRCUIT_OPEN, .round = 8});
    assert_int_equal(circuit_wait(&circuit, 3600 * SECOND), 1);
    circuit_set_wait(&circuit, 8, 2000);
    circuit_set_wait(&circuit, 7, 9000);
    assert_int_equal(circuit_wait(&circuit, SECOND), 1000);
    for (uint32_t round = 9; round < 3u << 24; round += 1u << 20) /* low bits wrap */
        circuit_set_wait(&circuit, round, 3000);
    set(&circuit, (struct circuit_view){.state = CIRCUIT_OPEN, .round = 3u << 24});
    circuit_set_wait(&circuit, 3u << 24, 4000);
    circuit_set_wait(&circuit, (3u << 24) - 1, 9000);
    assert_int_equal(circuit_wait(&circuit, 3 * SECOND), 1000);
}

static void test_words(void **state)
{
    assert_string_equal(circuit_state_text(CIRCUIT_CLOSED), "closed");
    assert_string_equal(circuit_state_text(CIRCUIT_OPEN), "open");
    assert_string_equal(circuit_state_text(CIRCUIT_HALF_OPEN), "half_open");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apart_and_together),
        cmocka_unit_test(test_who_may_pass),
        cmocka_unit_test(test_held_open),
        cmocka_unit_test(test_times_of_other_rounds),
        cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
