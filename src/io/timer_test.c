/* The wheel against a plain list: every timer fires once, not early, at most a tick late. */
#include "io/timer.c"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
/* cmocka wants the four before it */
#include <cmocka.h>

enum { TIMERS = 300, TICK_NS = 1 << TIMER_TICK_BITS };

struct probe {
    struct timer timer;
    uint64_t wanted; /* TIMER_NEVER: must not fire */
    unsigned fired;
};

static struct probe probes[TIMERS];
static uint64_t clock_now;

static void note(struct timer *timer)
{
    struct probe *probe = container_of(timer, struct probe, timer);

    assert_true(probe->wanted != TIMER_NEVER);
    assert_true(clock_now >= probe->wanted);
    probe->fired++;
    probe->wanted = TIMER_NEVER;
}

/* Time goes on exactly as the wheel says it must be looked at. */
static void walk(struct timer_wheel *wheel, uint64_t until)
{
    while (clock_now < until) {
        uint64_t next = timer_wheel_next(wheel);

        clock_now = next < clock_now + TICK_NS ? clock_now + TICK_NS : next;
        if (clock_now > until)
            clock_now = until;
        timer_wheel_run(wheel, clock_now);
        for (unsigned i = 0; i < TIMERS; i++)
            if (probes[i].wanted != TIMER_NEVER)
                assert_true(probes[i].wanted + 3 * TICK_NS > clock_now);
    }
}

static uint64_t draw_distance(struct rand *rand)
{
    return rand_below(rand, (uint64_t)1 << (10 + rand_below(rand, 36)));
}

static void test_fires_on_time(void **state)
{
    struct timer_wheel wheel;
    struct rand rand;

    (void)state;
    rand_seed(&rand, 7);
    clock_now = 12345678901234;
    timer_wheel_init(&wheel, clock_now);
    for (unsigned i = 0; i < TIMERS; i++) {
        timer_init(&probes[i].timer, note);
        probes[i].wanted = TIMER_NEVER;
    }
    for (unsigned round = 0; round < 400; round++) {
        struct probe *probe = &probes[rand_below(&rand, TIMERS)];

        if (rand_below(&rand, 8) == 0) {
            timer_remove(&wheel, &probe->timer);
            probe->wanted = TIMER_NEVER;
        } else {
            probe->wanted = clock_now + draw_distance(&rand);
            timer_set(&wheel, &probe->timer, probe->wanted);
        }
        walk(&wheel, clock_now + rand_below(&rand, (uint64_t)1 << 33));
    }
}

static void test_later_costs_nothing_and_still_fires(void **state)
{
    struct timer_wheel wheel;
    struct probe *probe = &probes[0];

    (void)state;
    clock_now = 1000 * (uint64_t)TICK_NS;
    timer_wheel_init(&wheel, clock_now);
    for (unsigned i = 0; i < TIMERS; i++)
        probes[i].wanted = TIMER_NEVER;
    timer_init(&probe->timer, note);
    for (unsigned i = 1; i < 1000; i++) {
        probe->wanted = clock_now + 50 * (uint64_t)TICK_NS;
        timer_set(&wheel, &probe->timer, probe->wanted);
        walk(&wheel, clock_now + 10 * (uint64_t)TICK_NS);
    }
    probe->fired = 0;
    walk(&wheel, clock_now + 60 * (uint64_t)TICK_NS);
    assert_int_equal(probe->fired, 1);
    assert_true(timer_wheel_next(&wheel) == TIMER_NEVER);
}

static struct timer_wheel *chained_wheel;
static unsigned chained;

static void set_again(struct timer *timer)
{
    if (++chained < 5)
        timer_set(chained_wheel, timer, clock_now); /* due at once: but in a later tick */
}

static void test_a_timer_that_sets_itself_does_not_spin(void **state)
{
    struct timer_wheel wheel;
    struct timer timer;

    (void)state;
    clock_now = 5000 * (uint64_t)TICK_NS;
    timer_wheel_init(&wheel, clock_now);
    timer_init(&timer, set_again);
    chained_wheel = &wheel;
    timer_set(&wheel, &timer, clock_now);
    timer_wheel_run(&wheel, clock_now + 2 * (uint64_t)TICK_NS);
    assert_in_range(chained, 1, 2); /* once in each tick that has passed */
    for (unsigned i = 0; i < 20; i++)
        timer_wheel_run(&wheel, clock_now += 2 * (uint64_t)TICK_NS);
    assert_int_equal(chained, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fires_on_time),
        cmocka_unit_test(test_later_costs_nothing_and_still_fires),
        cmocka_unit_test(test_a_timer_that_sets_itself_does_not_spin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
