/*
 * Which pool of a `split` serves this request: exact shares by weight. Each choice is
 * drawn anew; nothing is remembered of a client.
 */
#ifndef LB_SPLIT_H
#define LB_SPLIT_H

#include "base/rand.h"
#include "lb/model.h"

/*
 * The pool of a route with ROUTE_TO_POOL or ROUTE_SPLIT. share_total is the sum of the
 * weights. NULL only when all weights are 0 (which a configuration cannot say).
 */
const struct pool *route_pool(const struct route *route, struct rand *rand);

#endif
