/*
 * One client's connection at a tcp listener: a server is picked, connected (another one
 * if that fails), and the two are joined by a relay. No HTTP word in here.
 */
#ifndef PROXY_TCP_SESSION_H
#define PROXY_TCP_SESSION_H

#include "guard/breaker.h"
#include "lb/balance.h"
#include "net/conn.h"
#include "proxy/relay.h"
#include "proxy/session.h"
#include "proxy/stick.h"
#include "proxy/waiting.h"

enum { TCP_SESSION_MAGIC = 0x54435053, TCP_TRIES_MOST = 3 };

struct tcp_session {
    struct guest guest;
    unsigned magic;
    enum cause cause;
    struct conn client, server;
    struct relay *relay;             /* once both sides are there */
    struct snapshot *snapshot;       /* pinned until then; NULL afterwards */
    const struct listener *listener; /* of that snapshot */
    struct pool_live *pool;          /* counted in, which holds it */
    struct server_live *target;      /* counted in; NULL: none */
    struct list of_target;           /* its desk->tcp */
    balancer_learn_fn *learn;        /* of the pool's balancer; NULL: it does not */
    unsigned in_flight;              /* at the target when it was chosen */
    breaker_permit permit;           /* of its breaker, until it is connected */
    const struct server_live *tried[TCP_TRIES_MOST];
    unsigned tries;
    struct stick stick;
    struct wait wait;   /* in the pool's queue */
    struct timer timer; /* waiting, connecting */
    struct addr peer;
    uint64_t began, connect_began, connected;
};

/* Takes the accepted descriptor and the permit over. */
void tcp_session_begin(struct door *door, int fd, const struct addr *peer,
                       const struct conn_permit *permit);

/* Ends it at once for that cause. */
void tcp_session_cut(struct tcp_session *session, enum cause cause);

#endif
