/*
 * Keeps the addresses of servers that are given by name: asks at once, again when the TTL
 * is over, and tells the steward when the set of addresses of a name has changed. The
 * last good answer is kept while nobody can tell. On the steward's engine.
 */
#ifndef CONTROL_DISCOVERY_DNS_H
#define CONTROL_DISCOVERY_DNS_H

#include "io/resolver.h"
#include "lb/model.h"

struct dns_watch;

/* changed: the addresses of (pool, host) are now these (sorted, port 0); count 0: the name
 * has none, or none yet, and `why` says so in words. Not called for an unchanged set. */
typedef void dns_changed_fn(void *owner, str pool, str host, const struct addr *addrs,
                            unsigned count, str why);

MUST_CHECK enum err dns_watch_new(struct dns_watch **watch, struct engine *engine,
                                  dns_changed_fn *changed, void *owner);
void dns_watch_free(struct dns_watch *watch);

/* The names of this snapshot and its resolvers: new ones are asked for, unchanged ones go
 * on with what they know, others are forgotten. */
void dns_watch_apply(struct dns_watch *watch, const struct snapshot *snapshot);

#endif
