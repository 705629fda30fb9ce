/*
 * The pool of a route. The shares of a split are few, so the cumulative table is walked.
 */
#include "lb/split.h"

const struct pool *route_pool(const struct route *route, struct rand *rand)
{
    uint64_t at;

    if (likely(route->share_count == 1))
        return route->shares[0].pool;
    if (!route->share_total)
        return NULL;
    at = rand_below(rand, route->share_total);
    for (unsigned i = 0; i < route->share_count; i++) {
        if (at < route->shares[i].weight)
            return route->shares[i].pool;
        at -= route->shares[i].weight;
    }
    return NULL;
}
