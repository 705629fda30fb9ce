/* Honest clients pass, however they pause; trickles do not. */
#include "guard/pace.c"

#include "base/rand.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct slow_client rule = {.min_rate = 500, .grace = 10000};

/*
 * A client that sends `bytes` every `every` ms, asked each millisecond at which a timer
 * would ask. When it was found too slow, or 0: not within `until`.
 */
static uint64_t found_slow(uint64_t bytes, uint64_t every, uint64_t until)
{
    const uint64_t start = 777777;
    struct pace pace;
    uint64_t due;

    pace_begin(&pace, start);
    due = start + pace_left(&pace, &rule, start);
    for (uint64_t now = start; now < start + until; now++) {
        if (now == due) {
            uint64_t left = pace_left(&pace, &rule, now);

            if (!left)
                return now - start;
            due = now + left;
        }
        if ((now - start) % every == every - 1)
            pace_add(&pace, &rule, bytes, now);
    }
    return 0;
}

static void test_a_trickle_ends_with_the_grace(void **state)
{
    assert_int_equal(found_slow(0, 1000, 60000), 10000);
    assert_int_equal(found_slow(1, 1000, 60000), 10000);
    assert_int_equal(found_slow(1, 3, 60000), 10000); /* 333 bytes a second */
    assert_in_range(found_slow(480, 1000, 60000), 10000, 11250);
}

static void test_honest_uploads_pass(void **state)
{
    assert_int_equal(found_slow(510, 1000, 600000), 0);
    assert_int_equal(found_slow(1000000, 1000, 600000), 0);
    assert_int_equal(found_slow(100000, 9000, 600000), 0); /* with long pauses */
    assert_int_equal(found_slow(1, 1, 600000), 0);
}

/* However much came before: a window without enough ends it. */
static void test_what_was_sent_long_ago_does_not_help(void **state)
{
    struct pace pace;
    uint64_t left;

    pace_begin(&pace, 0);
    pace_add(&pace, &rule, UINT64_MAX, 100);
    pace_add(&pace, &rule, 1000000000, 20000);
    left = pace_left(&pace, &rule, 20000);
    assert_in_range(left, 9999, 11250);
    for (uint64_t now = 20000; now < 20000 + left; now += 100)
        pace_add(&pace, &rule, 1, now);
    assert_in_range(pace_left(&pace, &rule, 20000 + left), 0, 1250);
    assert_int_equal(pace_left(&pace, &rule, 20000 + left + 1250), 0);
}

/* Nobody asked for long: the first to come after that finds nothing left of before. */
static void test_a_long_silence_clears_the_window(void **state)
{
    struct pace pace;

    pace_begin(&pace, 0);
    pace_add(&pace, &rule, 1000000, 3000);
    pace_add(&pace, &rule, 1, 20000);
    assert_int_equal(pace_left(&pace, &rule, 20000), 1250);
}

static void test_waiting_for_us_does_not_count(void **state)
{
    struct pace pace;

    pace_begin(&pace, 0);
    pace_add(&pace, &rule, 10, 4000);
    pace_hold(&pace, 5000);
    pace_hold(&pace, 70000); /* said again */
    assert_int_equal(pace_left(&pace, &rule, 900000), UINT64_MAX);
    pace_go_on(&pace, 1000000);
    pace_go_on(&pace, 1000000);
    assert_int_equal(pace_left(&pace, &rule, 1000000), 5000);
    pace_add(&pace, &rule, 5000, 1004999);
    assert_true(pace_left(&pace, &rule, 1005000) > 0);
    assert_int_equal(pace_left(&pace, &rule, 1025000), 0);
}

static void test_no_rule(void **state)
{
    struct slow_client none = {.min_rate = 0, .grace = 10000};
    struct pace pace;

    pace_begin(&pace, 0);
    assert_int_equal(pace_left(&pace, &none, 999999999), UINT64_MAX);
}

static void test_no_grace_is_a_second(void **state)
{
    struct slow_client strict = {.min_rate = 100, .grace = 0};
    struct pace pace;

    pace_begin(&pace, 50);
    assert_int_equal(pace_left(&pace, &strict, 50), 1000);
    pace_add(&pace, &strict, 100, 500);
    assert_true(pace_left(&pace, &strict, 1050) > 0);
    assert_int_equal(pace_left(&pace, &strict, 2050), 0);
}

/*
 * Against a list of all that came: too slow is said only when some window that ended at
 * the end of a slot had too little, and never later than one slot after such a window.
 */
static void test_random_against_a_list(void **state)
{
    enum { SLOT = 1250, SLOTS = 100 };
    struct rand rand;

    rand_seed(&rand, 5);
    for (int run = 0; run < 400; run++) {
        uint64_t slots[SLOTS] = {0}, now = 0, bad = UINT64_MAX;
        uint64_t rate = 300 + rand_below(&rand, 500);
        struct pace pace;

        pace_begin(&pace, 0);
        for (;;) {
            uint64_t step = 1 + rand_below(&rand, 3000), left, bytes;

            left = pace_left(&pace, &rule, now);
            if (left <= step) { /* the timer comes first */
                now += left;
                if (pace_left(&pace, &rule, now) == 0)
                    break;
                continue;
            }
            now += step;
            if (now / SLOT >= SLOTS)
                break;
            bytes = rate * step * rand_below(&rand, 21) / 10000;
            slots[now / SLOT] += bytes;
            pace_add(&pace, &rule, bytes, now);
        }
        for (uint64_t end = PACE_SLOTS; end <= now / SLOT && end < SLOTS; end++) {
            uint64_t sum = 0;

            for (uint64_t i = end - PACE_SLOTS; i < end; i++)
                sum += slots[i];
            if (sum < 5000 && bad == UINT64_MAX)
                bad = end * SLOT;
        }
        if (now / SLOT >= SLOTS)
            assert_true(bad == UINT64_MAX || bad >= (SLOTS - 1) * SLOT);
        else
            assert_int_equal(bad, now);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_trickle_ends_with_the_grace),
        cmocka_unit_test(test_honest_uploads_pass),
        cmocka_unit_test(test_what_was_sent_long_ago_does_not_help),
        cmocka_unit_test(test_a_long_silence_clears_the_window),
        cmocka_unit_test(test_waiting_for_us_does_not_count),
        cmocka_unit_test(test_no_rule),
        cmocka_unit_test(test_no_grace_is_a_second),
        cmocka_unit_test(test_random_against_a_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
