/*
 * The circuit breaker: CLOSED, until `failures` have come within `window`; OPEN for
 * `open`, while every request is refused at once; HALF_OPEN, while at most `half_open`
 * requests at a time try whether it has become better; CLOSED again after `close_after`
 * of them went well, OPEN again after one did not. It is exact over all workers: whoever
 * would be one too many loses a compare-and-swap. Time (monotonic ns) and chance come by
 * argument; the words it moves are in lb/circuit.h.
 *
 * What is a failure is not decided here: see proxy/outcome.
 */
#ifndef GUARD_BREAKER_H
#define GUARD_BREAKER_H

#include "base/rand.h"
#include "lb/circuit.h"
#include "lb/model.h"

/* What came of a request that was let through. */
enum breaker_says {
    BREAKER_GOOD,
    BREAKER_BAD,
    BREAKER_NOTHING, /* it ended before it could say: its client left, we lack memory */
};

/* What a call has changed, for who tells of it. */
enum breaker_change { BREAKER_SAME, BREAKER_OPENED, BREAKER_HALF_OPENED, BREAKER_CLOSED };

/* The right to have passed; 0: none. */
typedef uint32_t breaker_permit;

/* Was it let through to try, while the circuit is half open? */
bool breaker_is_probe(breaker_permit permit);

/*
 * Lets one request through; 0: it may not. Each permit is given back exactly once by
 * breaker_leave. *change: BREAKER_HALF_OPENED, or nothing.
 */
MUST_CHECK breaker_permit breaker_enter(struct circuit *circuit,
                                        const struct breaker *breaker, uint64_t now,
                                        enum breaker_change *change);

/*
 * Gives a permit back and says what came of it. With permit 0 a failure that shows only
 * after its request was judged well already (a body that breaks off): it counts as long
 * as the circuit is closed.
 */
enum breaker_change breaker_leave(struct circuit *circuit, const struct breaker *breaker,
                                  breaker_permit permit, enum breaker_says says,
                                  uint64_t now, struct rand *rand);

/* By hand: held open, held closed, or closed and left to itself again. */
enum breaker_action { BREAKER_HOLD_OPEN, BREAKER_HOLD_CLOSED, BREAKER_RESET };

void breaker_force(struct circuit *circuit, enum breaker_action action);

/*
 * Milliseconds that a circuit stays open when `trips` probes have failed before: `open`,
 * or with `open_max` twice as long each time up to that, and up to a tenth more by chance,
 * so that many that have opened together do not all try together.
 */
uint64_t breaker_open_time(const struct breaker *breaker, unsigned trips,
                           struct rand *rand);

#endif
