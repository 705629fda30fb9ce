/*
 * Bounded load (Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with bounded
 * loads", arXiv 1608.01350): no server takes a request that would bring it above `bound`
 * times its fair share of what the pool has in flight. A fair share goes by weight among
 * the servers that can be used; how much those weigh together is what a worker keeps here,
 * in its scratch: a pass over few servers, over many one that goes on a few at a time.
 */
#ifndef LB_BOUND_H
#define LB_BOUND_H

#include "lb/balance.h"

struct bound {
    uint64_t weight; /* of all who can be used, times RAMP_FULL, as last counted */
    uint64_t so_far; /* of the pass going on */
    unsigned at;     /* how far it is */
};

/* Counts all, at the time the set is adopted. */
void bound_start(struct bound *bound, const struct tier *tier);

/* A step of counting: once in a choice that asks for room. */
void bound_count(struct bound *bound, const struct tier *tier, const struct ask *ask);

/* May it take one more? An idle server always may. */
bool bound_has_room(const struct bound *bound, const struct tier *tier,
                    const struct ask *ask, const struct server *server);

#endif
