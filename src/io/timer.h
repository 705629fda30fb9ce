/*
 * A hierarchical timer wheel (Varghese and Lauck 1987): six levels of 64 slots, one tick
 * is 2^20 ns (about a millisecond). Setting and removing are O(1). A deadline that moves
 * later costs one store: the timer stays where it is and is put on when it comes up
 * ("re-armed lazily"), which is what every request does to its idle and response times.
 */
#ifndef IO_TIMER_H
#define IO_TIMER_H

#include "base/list.h"

#include <stdint.h>

enum { TIMER_LEVELS = 6, TIMER_SLOTS = 64, TIMER_TICK_BITS = 20 };

#define TIMER_NEVER UINT64_MAX

struct timer;
typedef void timer_fn(struct timer *timer);

struct timer {
    struct list node;
    uint64_t due;     /* when to call, monotonic ns; TIMER_NEVER: not at all */
    uint64_t slot_at; /* the tick it hangs at, at or before due; 0: not in the wheel */
    timer_fn *fire;
};

struct timer_wheel {
    uint64_t tick;    /* all slots before it are done */
    uint64_t nearest; /* no slot before it needs a look; TIMER_NEVER: none does */
    uint64_t occupied[TIMER_LEVELS];
    struct list slots[TIMER_LEVELS][TIMER_SLOTS];
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now);

void timer_init(struct timer *timer, timer_fn *fire);

/* Calls fire(timer) at `due` (monotonic ns) or up to one tick later. Replaces any earlier
 * setting. */
void timer_set(struct timer_wheel *wheel, struct timer *timer, uint64_t due);

/* No call any more; O(1). Needed before the timer's memory is given away. */
void timer_remove(struct timer_wheel *wheel, struct timer *timer);

/* Calls all that are due at `now`. A callback may set or remove any timer. */
void timer_wheel_run(struct timer_wheel *wheel, uint64_t now);

/* The nearest time at which timer_wheel_run has something to do; TIMER_NEVER: none. */
uint64_t timer_wheel_next(const struct timer_wheel *wheel);

#endif
