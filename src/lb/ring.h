/*
 * The hash ring (Karger et al. 1997): every server stands at many places drawn from its
 * identity alone, a key belongs to the first one at or after its own place. Who joins
 * takes keys from all the others and moves no other key; who leaves gives its own back.
 * 150 places to a server hold shares within about 8 % of each other.
 */
#ifndef LB_RING_H
#define LB_RING_H

#include "lb/balance.h"

struct point {
    uint32_t at;
    uint32_t server; /* in the tier */
};

struct ring {
    const struct point *points; /* in the order of their places */
    const uint32_t *starts;     /* of each 2^-bits part of the ring: its first point */
    unsigned count;
    unsigned shift; /* a place to its part */
};

/*
 * virtual_nodes points for a unit of weight, weights without their common divisor; halved
 * for all, as often as needed, when that makes more than 4 million. ids[i] is server i's
 * identity; servers of weight 0 have no point. NULL when none has any.
 */
const struct ring *ring_new(struct arena *arena, const struct tier *tier,
                            const uint64_t *ids, uint32_t virtual_nodes);

/* The point that the key belongs to; O(1). */
unsigned ring_find(const struct ring *ring, uint64_t key);

#endif
