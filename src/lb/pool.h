/*
 * Who is in a pool now, and the choice among them. An endpoint set is immutable; the
 * steward builds a new one when members change (file, DNS) and workers adopt it by
 * mailbox. Tiers stand in the order in which they are asked; backups come last and are
 * asked only when nobody else may be chosen.
 */
#ifndef LB_POOL_H
#define LB_POOL_H

#include "lb/balance.h"
#include "lb/model.h"
#include "lb/tier.h"

/* A server's number in the set, by what it is known by. */
struct known_server {
    uint64_t id;
    unsigned at;
};

struct endpoint_set {
    struct arena arena; /* all of the set, itself too */
    const struct balancer *balancer;
    struct balance_settings balance;
    const struct server *servers; /* tier by tier */
    unsigned count;
    struct tiers tiers;
    size_t scratch_size;
    const struct known_server *known; /* by id; NULL: the pool is not sticky */
    const uint64_t *ids;              /* [server], with it */
    enum when_all_down when_all_down;
};

/* What one member is made of. The strings are copied into the set. */
struct member {
    str name;
    struct addr addr;
    unsigned weight, max_in_flight;
    unsigned tier; /* from 1 */
    bool is_backup, is_draining, is_drained;
    bool is_remote;           /* not in our zone, where that counts */
    struct server_live *live; /* the set does not take a hold; its maker does */
};

/* Builds a set; never fails. It outlives the pool's snapshot. Freed by endpoint_set_free. */
struct endpoint_set *endpoint_set_new(const struct pool *pool,
                                      const struct member *members, unsigned count);
void endpoint_set_free(struct endpoint_set *set);

/* Starts a worker's scratch (set->scratch_size bytes) for this set. */
void endpoint_set_scratch_start(const struct endpoint_set *set, char *scratch,
                                struct rand *rand);

/* The chosen server, or NULL: nobody may be chosen. `ask->ignore_health` is set here. */
const struct server *pool_pick(const struct endpoint_set *set, struct ask *ask);

/*
 * pool_pick, and one more request in flight there: when another worker takes the last
 * place under a server's cap in between, the choice is made again. Undo with server_give.
 */
const struct server *pool_take(const struct endpoint_set *set, struct ask *ask);

/* The member of that server_live->id; NULL: there is none, or the pool was not sticky when
 * the set was built. */
const struct server *endpoint_set_find(const struct endpoint_set *set, uint64_t id);

/* One more in flight, unless its cap is reached; any thread. Give back exactly once. */
MUST_CHECK bool server_take(const struct server *server, enum priority priority);
void server_give(struct server_live *live);

enum pool_room {
    POOL_HAS_NOBODY, /* who may be chosen at all: waiting would not help */
    POOL_IS_FULL,    /* all who may be chosen are at their caps */
    POOL_HAS_ROOM,
};

/* Would it help to wait for a place? In one order with what other threads give back, so
 * that whoever has said before that he waits cannot miss one. O(servers). */
enum pool_room pool_look_for_room(const struct endpoint_set *set, struct ask *ask);

#endif
