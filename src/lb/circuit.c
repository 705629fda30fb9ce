/*
 * Reading the words of a circuit. `until` carries the low bits of the round it is about:
 * whoever opens a circuit swaps the word first and then writes `until`, and in between the
 * time that stands there is another round's, which says nothing.
 */
#include "lb/circuit.h"

#include "lb/model.h"

#include <limits.h>

enum { UNTIL_BITS = 40 }; /* of milliseconds: 34 years */

static uint64_t take(uint64_t *word, unsigned bits)
{
    uint64_t part = *word & ((UINT64_C(1) << bits) - 1);

    *word >>= bits;
    return part;
}

struct circuit_view circuit_unpack(uint64_t word)
{
    struct circuit_view view;

    view.state = (enum circuit_state)take(&word, CIRCUIT_STATE_BITS);
    view.is_forced = take(&word, 1);
    view.probes = (unsigned)take(&word, CIRCUIT_PROBE_BITS);
    view.passed = (unsigned)take(&word, CIRCUIT_PROBE_BITS);
    view.trips = (unsigned)take(&word, CIRCUIT_TRIP_BITS);
    view.round = (uint32_t)take(&word, CIRCUIT_ROUND_BITS);
    return view;
}

static uint64_t put(uint64_t word, uint64_t part, unsigned bits)
{
    return word << bits | (part & ((UINT64_C(1) << bits) - 1));
}

uint64_t circuit_pack(const struct circuit_view *view)
{
    uint64_t word = put(0, view->round, CIRCUIT_ROUND_BITS);

    word = put(word, view->trips, CIRCUIT_TRIP_BITS);
    word = put(word, view->passed, CIRCUIT_PROBE_BITS);
    word = put(word, view->probes, CIRCUIT_PROBE_BITS);
    word = put(word, view->is_forced, 1);
    return put(word, view->state, CIRCUIT_STATE_BITS);
}

uint64_t circuit_wait(const struct circuit *circuit, uint64_t now)
{
    struct circuit_view view =
        circuit_unpack(atomic_load_explicit(&circuit->word, memory_order_acquire));
    uint64_t until = atomic_load_explicit(&circuit->until, memory_order_acquire);
    uint64_t now_ms = now / 1000000;

    if (view.state != CIRCUIT_OPEN)
        return 0;
    if (view.is_forced)
        return UINT64_MAX;
    if (until >> UNTIL_BITS != (view.round & ((1 << (64 - UNTIL_BITS)) - 1)))
        return 1; /* it opens at this very moment */
    until &= (UINT64_C(1) << UNTIL_BITS) - 1;
    return until > now_ms ? until - now_ms : 0;
}

bool circuit_allows_probe(const struct circuit *circuit, const struct breaker *breaker,
                          uint64_t now)
{
    struct circuit_view view =
        circuit_unpack(atomic_load_explicit(&circuit->word, memory_order_acquire));

    switch (view.state) {
    case CIRCUIT_OPEN:
        return view.probes < breaker->half_open && circuit_wait(circuit, now) == 0;
    case CIRCUIT_HALF_OPEN:
        return view.probes < breaker->half_open;
    default:
        return true;
    }
}

void circuit_set_wait(struct circuit *circuit, uint32_t round, uint64_t until_ms)
{
    uint64_t mine = round & ((1 << (64 - UNTIL_BITS)) - 1);
    uint64_t wanted = mine << UNTIL_BITS | (until_ms & ((UINT64_C(1) << UNTIL_BITS) - 1));
    uint64_t there = atomic_load_explicit(&circuit->until, memory_order_relaxed);

    do { /* a later round's stays: the difference of rounds, as a signed number */
        if ((int64_t)((mine << UNTIL_BITS) - (there >> UNTIL_BITS << UNTIL_BITS)) < 0)
            return;
    } while (!atomic_compare_exchange_weak_explicit(
        &circuit->until, &there, wanted, memory_order_release, memory_order_relaxed));
}

const char *circuit_state_text(enum circuit_state state)
{
    static const char *const texts[CIRCUIT_STATES] = {
        [CIRCUIT_CLOSED] = "closed",
        [CIRCUIT_OPEN] = "open",
        [CIRCUIT_HALF_OPEN] = "half_open",
    };

    return texts[state];
}
