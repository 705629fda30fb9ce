/*
 * A timer hangs in the level whose slots are just fine enough for its distance, and
 * moves down as its time comes near. A bitmap per level makes finding the next slot a
 * count of trailing zeros.
 */
#include "io/timer.h"

#include "base/check.h"

enum { LEVEL_BITS = 6 };

static uint64_t tick_of(uint64_t ns)
{
    return ns >> TIMER_TICK_BITS;
}

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now)
{
    wheel->tick = tick_of(now);
    wheel->nearest = TIMER_NEVER;
    for (unsigned level = 0; level < TIMER_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (unsigned slot = 0; slot < TIMER_SLOTS; slot++)
            list_init(&wheel->slots[level][slot]);
    }
}

void timer_init(struct timer *timer, timer_fn *fire)
{
    list_init(&timer->node);
    timer->due = TIMER_NEVER;
    timer->slot_at = 0;
    timer->fire = fire;
}

/* The finest level on which `at` lies less than a whole round ahead. On the levels above
 * the first that is never the slot we stand in. */
static unsigned level_of(uint64_t tick, uint64_t at)
{
    unsigned level = 0;

    while ((at >> (level * LEVEL_BITS)) - (tick >> (level * LEVEL_BITS)) >= TIMER_SLOTS)
        level++;
    return level;
}

/* The tick behind the due time, so that no timer fires early; never in the past. */
static void hang(struct timer_wheel *wheel, struct timer *timer)
{
    uint64_t at = tick_of(timer->due) + 1;
    uint64_t far = wheel->tick + ((uint64_t)1 << ((TIMER_LEVELS - 1) * LEVEL_BITS)) * 63;
    unsigned level, slot;

    if (at < wheel->tick)
        at = wheel->tick;
    if (at > far)
        at = far;
    level = level_of(wheel->tick, at);
    slot = (unsigned)(at >> (level * LEVEL_BITS)) & (TIMER_SLOTS - 1);
    timer->slot_at = at;
    at = at >> (level * LEVEL_BITS) << (level * LEVEL_BITS);
    if (at < wheel->nearest)
        wheel->nearest = at;
    list_add(&wheel->slots[level][slot], &timer->node);
    wheel->occupied[level] |= (uint64_t)1 << slot;
}

void timer_set(struct timer_wheel *wheel, struct timer *timer, uint64_t due)
{
    timer->due = due;
    if (timer->slot_at) {
        if (due == TIMER_NEVER || tick_of(due) + 1 >= timer->slot_at)
            return;
        list_remove(&timer->node);
        timer->slot_at = 0;
    }
    if (due != TIMER_NEVER)
        hang(wheel, timer);
}

void timer_remove(struct timer_wheel *wheel, struct timer *timer)
{
    (void)wheel; /* a bit left set in `occupied` costs one empty look */
    list_remove(&timer->node);
    timer->due = TIMER_NEVER;
    timer->slot_at = 0;
}

/* Distance in slots from the current one to the next occupied, 0..63; -1: none. */
static int next_slot(const struct timer_wheel *wheel, unsigned level)
{
    unsigned now = (unsigned)(wheel->tick >> (level * LEVEL_BITS)) & (TIMER_SLOTS - 1);
    uint64_t bits = wheel->occupied[level];

    if (!bits)
        return -1;
    bits = now ? bits >> now | bits << (TIMER_SLOTS - now) : bits;
    return __builtin_ctzll(bits);
}

/* The tick at which the next occupied slot of any level must be looked at. No slot is
 * ever passed over, so the answer is never before wheel->tick. */
static uint64_t next_tick(const struct timer_wheel *wheel)
{
    uint64_t best = TIMER_NEVER;

    for (unsigned level = 0; level < TIMER_LEVELS; level++) {
        unsigned shift = level * LEVEL_BITS;
        int distance = next_slot(wheel, level);
        uint64_t at = ((wheel->tick >> shift) + (unsigned)distance) << shift;

        if (distance >= 0 && at < best)
            best = at;
    }
    return best;
}

uint64_t timer_wheel_next(const struct timer_wheel *wheel)
{
    uint64_t tick = wheel->nearest;

    return tick == TIMER_NEVER ? tick : tick << TIMER_TICK_BITS;
}

/* Takes all timers off a slot; those that are not due hang again, nearer. */
static void run_slot(struct timer_wheel *wheel, unsigned level, uint64_t tick,
                     uint64_t now)
{
    unsigned slot = (unsigned)(tick >> (level * LEVEL_BITS)) & (TIMER_SLOTS - 1);
    struct list *head = &wheel->slots[level][slot];
    struct list batch, *node;

    if (!(wheel->occupied[level] >> slot & 1))
        return;
    wheel->occupied[level] &= ~((uint64_t)1 << slot);
    if (list_is_empty(head))
        return;
    list_add(head, &batch);
    list_remove(head);
    while ((node = list_take(&batch))) {
        struct timer *timer = list_entry(node, struct timer, node);

        timer->slot_at = 0;
        if (timer->due == TIMER_NEVER)
            continue;
        if (timer->due > now) {
            hang(wheel, timer);
            continue;
        }
        timer->due = TIMER_NEVER;
        timer->fire(timer);
    }
}

/* Looks at all slots that have come up to the tick `end`. */
static NEVER_INLINE void run_slots(struct timer_wheel *wheel, uint64_t end, uint64_t now)
{
    uint64_t tick;

    while ((tick = next_tick(wheel)) <= end) {
        wheel->tick = tick;
        for (unsigned level = TIMER_LEVELS - 1; level > 0; level--)
            if ((tick & (((uint64_t)1 << (level * LEVEL_BITS)) - 1)) == 0)
                run_slot(wheel, level, tick, now);
        wheel->tick = tick + 1; /* what a callback sets now goes behind this slot */
        run_slot(wheel, 0, tick, now);
    }
    if (wheel->tick <= end)
        wheel->tick = end + 1;
    wheel->nearest = next_tick(wheel);
}

void timer_wheel_run(struct timer_wheel *wheel, uint64_t now)
{
    uint64_t end = tick_of(now);

    if (unlikely(wheel->nearest <= end))
        run_slots(wheel, end, now);
    else if (wheel->tick <= end)
        wheel->tick = end + 1;
}
