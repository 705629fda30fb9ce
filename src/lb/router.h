/*
 * Request -> route. The first route in the order of the file whose match holds wins,
 * whatever is more specific; the index only spares looking at routes that cannot hold, so
 * that a thousand routes cost what ten do. It is built once for each listener and belongs
 * to the snapshot's arena.
 */
#ifndef LB_ROUTER_H
#define LB_ROUTER_H

#include "lb/match.h"
#include "lb/model.h"

struct router;

enum { ROUTER_ANY_LISTENER = ~0u };

/*
 * routes: in order; they and their matches must outlive the router. listener: its index;
 * only routes that it may take are entered. ROUTER_ANY_LISTENER enters all.
 */
struct router *router_new(struct arena *arena, const struct route *routes, unsigned count,
                          unsigned listener);

/* The same for those routes that are named here, in order. */
struct router *router_of(struct arena *arena, const struct route *routes,
                         const uint32_t *numbers, unsigned count);

/* Another way into the same tables: what none of their routes takes, route `last` does, which
 * comes behind them all. */
struct router *router_ending_in(struct arena *arena, const struct router *router,
                                unsigned last);

/* NULL: no route takes it (404, CAUSE_NO_ROUTE). Looks at facts->listener no more. */
const struct route *router_find(const struct router *router,
                                const struct request_facts *facts);

/*
 * The index of the first earlier route that certainly takes everything route `index`
 * could take, or -1: warning W101. `router` was built for ROUTER_ANY_LISTENER. Several
 * earlier routes that take it together are not seen.
 */
int router_shadowed_by(const struct router *router, unsigned index);

#endif
