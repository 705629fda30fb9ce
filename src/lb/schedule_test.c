/*
 * The oracle is smooth weighted round robin as nginx describes it: everybody gains its
 * weight, the richest is chosen and pays the total. It is O(n) a turn, and right.
 */
#include "lb/schedule.c"

#include <stdarg.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

enum { MOST = 12 };

struct smooth {
    const uint32_t *weights;
    unsigned count;
    int64_t current[MOST];
    int64_t total;
};

static struct smooth smooth_new(const uint32_t *weights, unsigned count)
{
    struct smooth smooth = {.weights = weights, .count = count};

    for (unsigned i = 0; i < count; i++)
        smooth.total += weights[i];
    return smooth;
}

static unsigned smooth_next(struct smooth *smooth)
{
    unsigned best = 0;

    for (unsigned i = 0; i < smooth->count; i++) {
        smooth->current[i] += smooth->weights[i];
        if (smooth->current[i] > smooth->current[best])
            best = i;
    }
    smooth->current[best] -= smooth->total;
    return best;
}

struct runner {
    struct arena arena;
    const struct schedule *schedule;
    char *scratch;
    struct rand rand;
};

static void runner_init(struct runner *r, const uint32_t *weights, unsigned count,
                        uint64_t seed)
{
    arena_init(&r->arena, 0);
    rand_seed(&r->rand, seed);
    r->schedule = schedule_new(&r->arena, weights, count);
    r->scratch = calloc(1, schedule_scratch_size(r->schedule) + 1);
    schedule_start(r->schedule, r->scratch, &r->rand);
}

static void runner_close(struct runner *r)
{
    free(r->scratch);
    arena_reset(&r->arena);
}

/* From the beginning of a round. */
static void runner_rewind(struct runner *r)
{
    memset(r->scratch, 0, sizeof(uint64_t));
}

static void test_three_two_one(void **state)
{
    static const uint32_t weights[] = {3, 2, 1};
    static const uint32_t expected[] = {0, 1, 0, 2, 1, 0};

    for (uint64_t seed = 0; seed < 20; seed++) {
        struct runner r;
        uint32_t seen[60];

        runner_init(&r, weights, 3, seed);
        for (int i = 0; i < 60; i++)
            seen[i] = schedule_next(r.schedule, r.scratch);
        for (int from = 0; from + 6 <= 60; from++) { /* any six in a row */
            unsigned counts[3] = {0};

            for (int i = 0; i < 6; i++)
                counts[seen[from + i]]++;
            assert_int_equal(counts[0], 3);
            assert_int_equal(counts[1], 2);
            assert_int_equal(counts[2], 1);
        }
        runner_rewind(&r);
        for (int i = 0; i < 12; i++)
            assert_int_equal(schedule_next(r.schedule, r.scratch), expected[i % 6]);
        runner_close(&r);
    }
}

static void test_starts_anywhere(void **state)
{
    static const uint32_t weights[] = {3, 2, 1};
    unsigned firsts[3] = {0};

    for (uint64_t seed = 0; seed < 600; seed++) {
        struct runner r;

        runner_init(&r, weights, 3, seed);
        firsts[schedule_next(r.schedule, r.scratch)]++;
        runner_close(&r);
    }
    assert_in_range(firsts[0], 250, 350); /* of 300 */
    assert_in_range(firsts[1], 150, 250);
    assert_in_range(firsts[2], 60, 140);
}

/* The farthest that any server ever is from its fair part of the turns so far. */
struct spread {
    double most;
    unsigned counts[MOST];
    uint64_t turns;
};

static void spread_add(struct spread *spread, const struct smooth *of, unsigned server)
{
    spread->counts[server]++;
    spread->turns++;
    for (unsigned i = 0; i < of->count; i++) {
        double off = spread->counts[i] -
                     (double)spread->turns * of->weights[i] / (double)of->total;

        off = off < 0 ? -off : off;
        spread->most = off > spread->most ? off : spread->most;
    }
}

/* A round has the oracle's counts and is as well interleaved as the oracle's. */
static void test_random_weights_against_the_oracle(void **state)
{
    struct rand rand;

    rand_seed(&rand, 7);
    for (int run = 0; run < 400; run++) {
        unsigned count = 1 + (unsigned)rand_below(&rand, MOST);
        uint32_t weights[MOST];
        struct spread ours = {0}, theirs = {0};
        struct smooth smooth;
        struct runner r;

        for (unsigned i = 0; i < count; i++)
            weights[i] = (uint32_t)rand_below(&rand, run % 2 ? 5 : 50);
        weights[0] += 1;
        smooth = smooth_new(weights, count);
        runner_init(&r, weights, count, rand_u64(&rand));
        runner_rewind(&r);
        for (int64_t i = 0; i < smooth.total; i++) {
            spread_add(&ours, &smooth, schedule_next(r.schedule, r.scratch));
            spread_add(&theirs, &smooth, smooth_next(&smooth));
        }
        for (unsigned i = 0; i < count; i++) {
            assert_int_equal(ours.counts[i], weights[i]);
            assert_int_equal(theirs.counts[i], weights[i]);
        }
        assert_true(ours.most <= theirs.most + 0.5);
        assert_true(ours.most < 2);
        runner_close(&r);
    }
}

/* Without a table the heap runs at each turn: the same order, from a random phase. */
static void test_long_rounds_run_on_the_heap(void **state)
{
    static const uint32_t weights[] = {100003, 70001, 3, 1};
    static uint32_t seen[3 * 170008];
    const uint32_t total = 100003 + 70001 + 3 + 1;

    for (uint64_t seed = 0; seed < 5; seed++) {
        unsigned counts[4] = {0};
        struct runner r;

        runner_init(&r, weights, 4, seed);
        assert_null(r.schedule->table);
        for (uint32_t i = 0; i < 3 * total; i++)
            seen[i] = schedule_next(r.schedule, r.scratch);
        for (uint32_t i = 0; i < total; i++) {
            counts[seen[i]]++;
            assert_int_equal(seen[i], seen[i + total]); /* it repeats exactly */
            assert_int_equal(seen[i], seen[i + 2 * total]);
        }
        for (int i = 0; i < 4; i++)
            assert_int_equal(counts[i], weights[i]);
        runner_close(&r);
    }
}

/* Any phase of the heap is a rotation of the table: both begin a round alike. */
static void test_phases_are_rotations(void **state)
{
    static const uint32_t weights[] = {5, 3, 2, 2, 1};
    struct turn heap[5];
    struct runner r;

    runner_init(&r, weights, 5, 1);
    for (uint64_t phase = 0; phase < 0x100000000; phase += 0x3ffffff) {
        uint32_t seen[13];
        bool found = false;

        turns_start(r.schedule, heap, (uint32_t)phase);
        for (int i = 0; i < 13; i++)
            seen[i] = turns_next(heap, 5);
        for (int turn = 0; turn < 13 && !found; turn++) {
            int same = 0;

            while (same < 13 && seen[same] == r.schedule->table[(turn + same) % 13])
                same++;
            found = same == 13;
        }
        assert_true(found);
    }
    runner_close(&r);
}

static void test_common_divisors_shorten_the_round(void **state)
{
    static const uint32_t weights[] = {300000000, 0, 200000000, 100000000};
    static const uint32_t expected[] = {0, 2, 0, 3, 2, 0};
    struct runner r;

    runner_init(&r, weights, 4, 3);
    assert_int_equal(r.schedule->total, 6);
    assert_int_equal(r.schedule->count, 3);
    assert_non_null(r.schedule->table);
    runner_rewind(&r);
    for (int i = 0; i < 30; i++)
        assert_int_equal(schedule_next(r.schedule, r.scratch), expected[i % 6]);
    runner_close(&r);
}

static void test_greatest_weights_do_not_overflow(void **state)
{
    static const uint32_t weights[] = {UINT32_MAX, UINT32_MAX - 1};
    unsigned counts[2] = {0};
    struct runner r;

    runner_init(&r, weights, 2, 5);
    for (int i = 0; i < 10000; i++)
        counts[schedule_next(r.schedule, r.scratch)]++;
    assert_in_range(counts[0], 4999, 5001);
    runner_close(&r);
}

static void test_nobody_has_turns(void **state)
{
    static const uint32_t weights[] = {0, 0};
    struct runner r;

    runner_init(&r, weights, 2, 1);
    assert_int_equal(r.schedule->count, 0);
    runner_close(&r);
    runner_init(&r, NULL, 0, 1);
    assert_int_equal(r.schedule->count, 0);
    runner_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_two_one),
        cmocka_unit_test(test_starts_anywhere),
        cmocka_unit_test(test_random_weights_against_the_oracle),
        cmocka_unit_test(test_long_rounds_run_on_the_heap),
        cmocka_unit_test(test_phases_are_rotations),
        cmocka_unit_test(test_common_divisors_shorten_the_round),
        cmocka_unit_test(test_greatest_weights_do_not_overflow),
        cmocka_unit_test(test_nobody_has_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
