/*
 * The state of one circuit breaker, as it hangs on a server or a route: a few shared words
 * that every worker may read and change by compare-and-swap. Who is being chosen looks at
 * it here; how it moves lies in guard/breaker. All that decides stands in one word, so
 * that of two workers with the same idea only one carries it out:
 *
 *     state, forced, probes under way, probes passed, openings in a row, round
 *
 * A round ends with every change of state. It marks the permits that were taken in it, so
 * that what was begun before a change does not decide after it.
 */
#ifndef LB_CIRCUIT_H
#define LB_CIRCUIT_H

#include "base/compiler.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct breaker; /* lb/model.h */

/* CIRCUIT_CLOSED is 0: a circuit that nobody has touched lets everything through. */
enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_HALF_OPEN, CIRCUIT_STATES };

enum {
    CIRCUIT_STATE_BITS = 2,
    CIRCUIT_PROBE_BITS = 10,
    CIRCUIT_TRIP_BITS = 5,
    CIRCUIT_ROUND_BITS = 30,
    CIRCUIT_PROBES_MOST = (1 << CIRCUIT_PROBE_BITS) - 1,
    CIRCUIT_TRIPS_MOST = (1 << CIRCUIT_TRIP_BITS) - 1,
    CIRCUIT_BUCKETS = 10, /* the window moves on in tenths of itself */
};

struct circuit {
    _Atomic(uint64_t) word;
    _Atomic(uint64_t) until; /* of a round: when it may be tried again */
    _Atomic(uint64_t) window[CIRCUIT_BUCKETS]; /* failures, by the time they came */
    _Atomic(uint64_t) entered[CIRCUIT_STATES]; /* how often it came into that state */
};

/* The word, taken apart. */
struct circuit_view {
    enum circuit_state state;
    bool is_forced; /* by hand: it stays until it is reset */
    unsigned probes,
        passed;     /* requests let through while half open; those that went well */
    unsigned trips; /* probes that failed since it was closed last */
    uint32_t round;
};

static inline enum circuit_state circuit_state_of(uint64_t word)
{
    return (enum circuit_state)(word & ((1 << CIRCUIT_STATE_BITS) - 1));
}

struct circuit_view circuit_unpack(uint64_t word);
uint64_t circuit_pack(const struct circuit_view *view);

/* Milliseconds until an open circuit may be tried again; 0: now. Of one held open by hand
 * there is no such time: UINT64_MAX. now: monotonic ns. */
uint64_t circuit_wait(const struct circuit *circuit, uint64_t now);

/* Only for who has opened it (guard/breaker): until when it stays so in that round. */
void circuit_set_wait(struct circuit *circuit, uint32_t round, uint64_t until_ms);

/* circuit_allows for what is not simply closed. */
bool circuit_allows_probe(const struct circuit *circuit, const struct breaker *breaker,
                          uint64_t now);

/* May one more request go through? That it may is no promise: breaker_enter takes. */
static inline bool circuit_allows(const struct circuit *circuit,
                                  const struct breaker *breaker, uint64_t now)
{
    uint64_t word = atomic_load_explicit(&circuit->word, memory_order_relaxed);

    return likely(circuit_state_of(word) == CIRCUIT_CLOSED) ||
           circuit_allows_probe(circuit, breaker, now);
}

/* "closed", "open", "half_open". */
const char *circuit_state_text(enum circuit_state state);

#endif
