/*
 * Keeps the addresses of servers that are given by name: asks at once, again when the TTL
 * is over, and tells the steward when the set of addresses of a name has changed. The
 * last good answer is kept while nobody can tell, and while nothing of an answer may be
 * used (dns_policy.h). On the steward's engine.
 */
#ifndef CONTROL_DISCOVERY_DNS_H
#define CONTROL_DISCOVERY_DNS_H

#include "io/resolver.h"
#include "lb/model.h"

struct dns_watch;

enum {
    DNS_ADDRS_MOST = 64, /* that a name may have; of more that may be used, the first ones
                            in order */
    DNS_WORDS_MOST = 160,
};

/* What is known of a name now. */
struct dns_news {
    str pool, host;
    const struct addr *addrs; /* sorted, port 0 */
    unsigned count;           /* 0: it has none, or none yet */
    bool is_changed;          /* these are other addresses than were told before */
    str why;                  /* of count 0, in words */
    str refused; /* which addresses of the last answer may not be used, and what then;
                    empty: there are none. At most DNS_WORDS_MOST */
    str cut;     /* how many of those that may be used are too many; empty: none is */
};

/* Not called when all is as it was told. */
typedef void dns_changed_fn(void *owner, const struct dns_news *news);

MUST_CHECK enum err dns_watch_new(struct dns_watch **watch, struct engine *engine,
                                  dns_changed_fn *changed, void *owner);
void dns_watch_free(struct dns_watch *watch);

/* The names of this snapshot and its resolvers: new ones are asked for, unchanged ones go
 * on with what they know, others are forgotten. */
void dns_watch_apply(struct dns_watch *watch, const struct snapshot *snapshot);

#endif
