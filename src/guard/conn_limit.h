/*
 * How many client connections there may be: for the process, for each listener, and for
 * each client address at a listener. One is taken for every accepted connection and given
 * back at its end; a permit remembers what was counted, so that what is given back is
 * exactly that, whatever was reloaded meanwhile.
 */
#ifndef GUARD_CONN_LIMIT_H
#define GUARD_CONN_LIMIT_H

#include "base/addr.h"
#include "base/stripe.h"
#include "lb/live.h"
#include "lb/model.h"

/* One for the process; shared by all workers. */
struct conn_limit {
    CACHE_ALIGNED _Atomic(unsigned) open;
    CACHE_ALIGNED _Atomic(unsigned) most; /* of the process; 0: no cap; may be set anew */
    struct stripe addresses;
};

/* What was counted for one connection. */
struct conn_permit {
    struct listener_live *listener; /* NULL: nothing taken */
    unsigned char key[STRIPE_KEY_SIZE];
    bool has_address; /* `key` is counted too */
};

/* most: runtime.max_connections as it was worked out (0: no cap, room for 65,536
 * addresses). seed from chance. */
void conn_limit_init(struct conn_limit *limit, unsigned most, const uint64_t seed[2]);

/* All permits must have been given back. */
void conn_limit_close(struct conn_limit *limit);

/*
 * May one more connection from `client` stay at this listener? True: *permit holds it.
 * False: nothing is counted, *why says at what it failed. Unix clients have no address,
 * and addresses are counted only where the listener has a cap for them.
 */
MUST_CHECK bool conn_limit_take(struct conn_limit *limit, const struct listener *listener,
                                const struct addr *client, struct conn_permit *permit,
                                enum reject_reason *why);

/* Gives back what the permit holds and empties it; harmless on an empty one. */
void conn_limit_give(struct conn_limit *limit, struct conn_permit *permit);

#endif
