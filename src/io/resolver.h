/*
 * Names to addresses: our own policy over a thin back end (io/sys_dns.h: c-ares, or the
 * simulation's answers). Both families are asked at once; what it makes of the two
 * answers, how long they hold and when to try again is here. It keeps no answers: who
 * asks again and again is control/discovery. One owner thread, that of the engine.
 */
#ifndef IO_RESOLVER_H
#define IO_RESOLVER_H

#include "io/engine.h"

struct resolver;
struct lookup;

struct lookup_answer {
    enum err error;           /* not ERR_OK: nobody could tell (see io/sys_dns.h) */
    unsigned count;           /* 0 with ERR_OK: the name is known to have no address;
                                 as many as its messages held */
    const struct addr *addrs; /* port 0, sorted (addr_compare), each once */
    enum addr_family untold;  /* with ERR_OK: nobody could tell about this family; what
                                 was known of it holds on. ADDR_NONE: both are told */
    uint32_t wait_ms;         /* ask again after this: the TTL, or a retry's back-off */
};

typedef void lookup_fn(void *owner, const struct lookup_answer *answer);

/* servers: asked in this order; none: what the system says (resolv.conf, hosts).
 * timeout_ms: for one try at one server. */
MUST_CHECK enum err resolver_new(struct resolver **resolver, struct engine *engine,
                                 const struct addr *servers, unsigned server_count,
                                 uint32_t timeout_ms, uint32_t min_ttl_ms,
                                 uint32_t max_ttl_ms);

/* Pending lookups are dropped silently. Not from within a lookup_fn. */
void resolver_free(struct resolver *resolver);

/*
 * Asks for A and AAAA. done is called later, from the loop, exactly once, unless the
 * lookup is cancelled; then the lookup is gone. `host` is copied. failures: how often in
 * a row nobody could tell all of it; the waits grow with it.
 */
struct lookup *resolver_ask(struct resolver *resolver, str host, unsigned failures,
                            lookup_fn *done, void *owner);
void lookup_cancel(struct lookup *lookup);

#endif
