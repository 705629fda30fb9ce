/*
 * The table of Maglev (Eisenbud et al., NSDI 2016): as many slots as a prime says, at
 * least a hundred to a server. In turns, by weight, each server takes the next free slot
 * of an order of its own, drawn from its identity. Shares are as exact as whole slots can
 * be, and a key costs one look; who joins or leaves moves its own keys and a few others.
 */
#ifndef LB_MAGLEV_H
#define LB_MAGLEV_H

#include "lb/balance.h"

struct maglev {
    const uint32_t *slots; /* servers of the tier */
    uint32_t size;
};

/*
 * 65537 slots for up to 655 servers, then the next prime behind a power of two: where a
 * pool grows past such a step most keys move. A server whose share of the weights is less
 * than a slot may get none. NULL when all weights are 0.
 */
const struct maglev *maglev_new(struct arena *arena, const struct tier *tier,
                                const uint64_t *ids);

static inline unsigned maglev_find(const struct maglev *maglev, uint64_t key)
{
    return maglev->slots[(key >> 32) * maglev->size >> 32];
}

#endif
