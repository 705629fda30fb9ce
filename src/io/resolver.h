/*
 * Names to addresses: our own policy (both families at once, TTL bounds, last good answer
 * kept) over a thin back end (io/sys_dns.h: c-ares, or the simulation's answers). Runs on
 * its owner's loop; one owner thread.
 */
#ifndef IO_RESOLVER_H
#define IO_RESOLVER_H

#include "io/engine.h"

struct resolver;
struct lookup;

/*
 * An answer: count addresses (port 0) and how long they hold, in ms, already within the
 * TTL bounds. count 0: the name is known to have no address. e != ERR_OK: nobody could
 * tell (SERVFAIL, silence); count is 0 and `ttl_ms` says when to ask again.
 */
typedef void lookup_fn(void *owner, enum err e, const struct addr *addrs, unsigned count,
                       uint32_t ttl_ms);

/* servers: asked in this order; none: what the system says (resolv.conf, hosts). */
MUST_CHECK enum err resolver_new(struct resolver **resolver, struct engine *engine,
                                 const struct addr *servers, unsigned server_count,
                                 uint32_t timeout_ms, uint32_t min_ttl_ms,
                                 uint32_t max_ttl_ms);
void resolver_free(struct resolver *resolver); /* pending lookups are dropped silently */

/* Asks for A and AAAA. done is called later, from the loop, exactly once, unless the
 * lookup is cancelled. `host` is copied. */
struct lookup *resolver_ask(struct resolver *resolver, str host, lookup_fn *done,
                            void *owner);
void lookup_cancel(struct lookup *lookup);

#endif
