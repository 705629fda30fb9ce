/*
 * Moves of a circuit. Each is: take the word apart, say what it should be, swap; whoever
 * finds that somebody was faster looks again. Only the one who has swapped does what
 * follows from it. The window is a ring of tenths, each a word with its time, its round
 * and its count; a tenth of another time or round is as if empty, so nothing has to be
 * swept when time goes on or a circuit closes.
 */
#include "guard/breaker.h"

#include "base/check.h"

enum {
    PERMIT_TAKEN = 1 << 30,
    ROUND_MASK = (1 << CIRCUIT_ROUND_BITS) - 1,
    COUNT_BITS = 12,
    COUNT_MOST = (1 << COUNT_BITS) - 1,
    SLOT_BITS = 36,
};

#define PERMIT_PROBE (UINT32_C(1) << 31)

_Static_assert(CIRCUIT_ROUND_BITS == 30, "a permit holds a round and two flags");

bool breaker_is_probe(breaker_permit permit)
{
    return permit & PERMIT_PROBE;
}

static breaker_permit permit_of(uint32_t round, bool is_probe)
{
    return (round & ROUND_MASK) | PERMIT_TAKEN | (is_probe ? PERMIT_PROBE : 0);
}

static bool permit_is_of(breaker_permit permit, uint32_t round)
{
    return (permit & ROUND_MASK) == round;
}

/* False: somebody else was faster, and *word is what stands there now. */
static bool swap(struct circuit *circuit, uint64_t *word, const struct circuit_view *next)
{
    return atomic_compare_exchange_strong_explicit(
        &circuit->word, word, circuit_pack(next), memory_order_acq_rel,
        memory_order_acquire);
}

static uint64_t word_of(const struct circuit *circuit)
{
    return atomic_load_explicit(&circuit->word, memory_order_acquire);
}

static void become(struct circuit_view *view, enum circuit_state state)
{
    view->state = state;
    view->round = (view->round + 1) & ROUND_MASK;
    view->passed = 0;
}

static void count_entry(struct circuit *circuit, enum circuit_state state)
{
    atomic_fetch_add_explicit(&circuit->entered[state], 1, memory_order_relaxed);
}

/* ---- opening ---- */

uint64_t breaker_open_time(const struct breaker *breaker, unsigned trips,
                           struct rand *rand)
{
    uint64_t time = breaker->open;

    if (!breaker->open_max)
        return time;
    while (trips-- && time < breaker->open_max)
        time *= 2;
    if (time > breaker->open_max)
        time = breaker->open_max;
    return time + rand_below(rand, time / 10 + 1);
}

static void has_opened(struct circuit *circuit, const struct breaker *breaker,
                       const struct circuit_view *view, uint64_t now, struct rand *rand)
{
    circuit_set_wait(circuit, view->round,
                     now / 1000000 + breaker_open_time(breaker, view->trips, rand));
    count_entry(circuit, CIRCUIT_OPEN);
}

/* ---- the window ---- */

/* Time and round of a tenth, above its count. */
static uint64_t bucket_key(uint64_t slot, uint32_t round)
{
    return ((uint64_t)round << SLOT_BITS | (slot & ((UINT64_C(1) << SLOT_BITS) - 1)))
           << COUNT_BITS;
}

static void bucket_add(_Atomic(uint64_t) *bucket, uint64_t key)
{
    uint64_t there = atomic_load(bucket), wanted;

    do {
        uint64_t count = there >> COUNT_BITS << COUNT_BITS == key ? there - key : 0;

        wanted = key + count + (count < COUNT_MOST);
    } while (!atomic_compare_exchange_weak(bucket, &there, wanted));
}

/* One failure more in the window; how many there are now. Of several that come at once
 * the last to be added counts them all. */
static uint64_t window_add(struct circuit *circuit, const struct breaker *breaker,
                           uint32_t round, uint64_t now)
{
    uint64_t width = (uint64_t)breaker->window * 1000000 / CIRCUIT_BUCKETS;
    uint64_t slot = now / width, sum = 0;

    bucket_add(&circuit->window[slot % CIRCUIT_BUCKETS], bucket_key(slot, round));
    for (uint64_t i = 0; i < CIRCUIT_BUCKETS && i <= slot; i++) {
        uint64_t key = bucket_key(slot - i, round);
        uint64_t there = atomic_load(&circuit->window[(slot - i) % CIRCUIT_BUCKETS]);

        if (there >> COUNT_BITS << COUNT_BITS == key)
            sum += there - key;
    }
    return sum;
}

static enum breaker_change count_failure(struct circuit *circuit,
                                         const struct breaker *breaker,
                                         breaker_permit permit, uint64_t now,
                                         struct rand *rand)
{
    uint64_t word = word_of(circuit);
    struct circuit_view view = circuit_unpack(word), next;
    uint32_t round = permit ? permit & ROUND_MASK : view.round;

    if (view.state != CIRCUIT_CLOSED || view.is_forced || view.round != round ||
        window_add(circuit, breaker, round, now) < breaker->failures)
        return BREAKER_SAME;
    do {
        next = circuit_unpack(word);
        if (next.state != CIRCUIT_CLOSED || next.is_forced || next.round != round)
            return BREAKER_SAME;
        become(&next, CIRCUIT_OPEN);
    } while (!swap(circuit, &word, &next));
    has_opened(circuit, breaker, &next, now, rand);
    return BREAKER_OPENED;
}

/* ---- permits ---- */

breaker_permit breaker_enter(struct circuit *circuit, const struct breaker *breaker,
                             uint64_t now, enum breaker_change *change)
{
    uint64_t word = word_of(circuit);
    struct circuit_view next;
    bool begins;

    *change = BREAKER_SAME;
    do {
        next = circuit_unpack(word);
        begins = next.state == CIRCUIT_OPEN;
        if (next.state == CIRCUIT_CLOSED)
            return permit_of(next.round, false);
        if (next.probes >= breaker->half_open || (begins && circuit_wait(circuit, now)))
            return 0;
        if (begins)
            become(&next, CIRCUIT_HALF_OPEN);
        next.probes++;
    } while (!swap(circuit, &word, &next));
    if (begins) {
        count_entry(circuit, CIRCUIT_HALF_OPEN);
        *change = BREAKER_HALF_OPENED;
    }
    return permit_of(next.round, true);
}

/* What the verdict of a probe makes of the circuit. */
static enum breaker_change judge(struct circuit_view *view, const struct breaker *breaker,
                                 enum breaker_says says)
{
    if (says == BREAKER_BAD) {
        become(view, CIRCUIT_OPEN);
        view->trips += view->trips < CIRCUIT_TRIPS_MOST;
        return BREAKER_OPENED;
    }
    if (says == BREAKER_NOTHING || ++view->passed < breaker->close_after)
        return BREAKER_SAME;
    become(view, CIRCUIT_CLOSED);
    view->trips = 0;
    return BREAKER_CLOSED;
}

static enum breaker_change give_probe(struct circuit *circuit,
                                      const struct breaker *breaker,
                                      breaker_permit permit, enum breaker_says says,
                                      uint64_t now, struct rand *rand)
{
    uint64_t word = word_of(circuit);
    enum breaker_change change;
    struct circuit_view next;

    do {
        next = circuit_unpack(word);
        change = BREAKER_SAME;
        CHECK(next.probes > 0);
        next.probes--;
        if (next.state == CIRCUIT_HALF_OPEN && permit_is_of(permit, next.round))
            change = judge(&next, breaker, says);
    } while (!swap(circuit, &word, &next));
    if (change == BREAKER_OPENED)
        has_opened(circuit, breaker, &next, now, rand);
    else if (change == BREAKER_CLOSED)
        count_entry(circuit, CIRCUIT_CLOSED);
    return change;
}

enum breaker_change breaker_leave(struct circuit *circuit, const struct breaker *breaker,
                                  breaker_permit permit, enum breaker_says says,
                                  uint64_t now, struct rand *rand)
{
    if (breaker_is_probe(permit))
        return give_probe(circuit, breaker, permit, says, now, rand);
    if (says != BREAKER_BAD)
        return BREAKER_SAME;
    return count_failure(circuit, breaker, permit, now, rand);
}

void breaker_force(struct circuit *circuit, enum breaker_action action)
{
    uint64_t word = word_of(circuit);
    enum circuit_state state =
        action == BREAKER_HOLD_OPEN ? CIRCUIT_OPEN : CIRCUIT_CLOSED;
    struct circuit_view next;
    bool is_new;

    do {
        next = circuit_unpack(word);
        is_new = next.state != state;
        become(&next, state);
        next.is_forced = action != BREAKER_RESET;
        next.trips = 0;
    } while (!swap(circuit, &word, &next));
    if (is_new)
        count_entry(circuit, state);
}
