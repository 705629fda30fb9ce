/*
 * ip_hash and consistent_hash: a key goes to the same server as long as that can be used,
 * in every worker and every weir, because nothing but the key and the servers' identities
 * decides. Who cannot be used is passed over, without building anything anew: its keys go
 * to others until it is back. Who is over its bound gives a key to a place drawn from the
 * key anew ("random jump", Chen et al., arXiv 1908.08762) and not to a neighbour, which
 * would be the next one to be over its bound. Without a key the weights decide.
 */
#include "base/hash.h"
#include "lb/least_conn.h"
#include "lb/maglev.h"
#include "lb/model.h"
#include "lb/rendezvous.h"
#include "lb/ring.h"

enum { WALK_MOST = 128, JUMPS_MOST = 32 };

struct consistent {
    const uint64_t *ids;     /* of the tier's servers */
    const struct draw *draw; /* for those without a key */
    const struct ring *ring; /* at most one of these */
    const struct maglev *maglev;
};

static const uint64_t golden = 0x9e3779b97f4a7c15u;

/* Of a server, wherever it stands in the file and on any machine. */
static uint64_t server_id(const struct server *server)
{
    return hash_fast(server->addr_text, hash_fast(server->name, 0));
}

static const void *consistent_build(struct arena *arena, const struct tier *tier)
{
    const struct balance_settings *settings = tier->settings;
    struct consistent *consistent = ARENA_NEW(arena, struct consistent);
    uint64_t *ids = ARENA_ARRAY(arena, uint64_t, tier->count);

    for (unsigned i = 0; i < tier->count; i++)
        ids[i] = server_id(&tier->servers[i]);
    consistent->ids = ids;
    consistent->draw = draw_new(arena, tier, true);
    if (settings->table == TABLE_RING)
        consistent->ring = ring_new(arena, tier, ids, settings->virtual_nodes);
    else if (settings->table == TABLE_MAGLEV)
        consistent->maglev = maglev_new(arena, tier, ids);
    return consistent;
}

/* The key's place after so many jumps. */
static uint64_t jump(uint64_t key, unsigned jumps)
{
    return jumps ? hash_u64(key + golden * jumps) : key;
}

/* A server that warms up takes always the same keys, more of them as it goes on: whose key
 * it has taken, stays. */
static bool takes(const struct consistent *consistent, const struct tier *tier,
                  const struct ask *ask, unsigned at)
{
    const struct server *server = &tier->servers[at];

    return ask_allows(ask, server) &&
           hash_u64((ask->key ^ consistent->ids[at]) + golden) % RAMP_FULL <
               server_ramp(server);
}

static int ring_walk(const struct consistent *consistent, const struct tier *tier,
                     const struct ask *ask, uint64_t place)
{
    const struct ring *ring = consistent->ring;
    unsigned i = ring_find(ring, place), before = UINT32_MAX;

    for (unsigned step = 0; step < WALK_MOST; step++) {
        unsigned at = ring->points[i].server;

        if (at != before && takes(consistent, tier, ask, at))
            return (int)at;
        before = at;
        i = i + 1 < ring->count ? i + 1 : 0;
    }
    return -1;
}

static int maglev_walk(const struct consistent *consistent, const struct tier *tier,
                       const struct ask *ask, uint64_t place)
{
    for (unsigned step = 0; step < WALK_MOST; step++) {
        unsigned at = maglev_find(consistent->maglev, jump(place, step));

        if (takes(consistent, tier, ask, at))
            return (int)at;
    }
    return -1;
}

/* Whom the place belongs to, of those who take the key; -1: nobody near. */
static int owner(const struct consistent *consistent, const struct tier *tier,
                 const struct ask *ask, uint64_t place)
{
    if (consistent->ring)
        return ring_walk(consistent, tier, ask, place);
    return consistent->maglev ? maglev_walk(consistent, tier, ask, place) : -1;
}

/* The owner is over its bound. */
static int overflow(const struct consistent *consistent, const struct tier *tier,
                    const struct ask *ask)
{
    struct bound *bound = (struct bound *)(void *)(ask->scratch + tier->scratch_at);
    int at;

    bound_count(bound, tier, ask);
    for (unsigned jumps = 0; jumps <= JUMPS_MOST; jumps++) {
        at = owner(consistent, tier, ask, jump(ask->key, jumps));
        if (at < 0)
            break;
        if (bound_has_room(bound, tier, ask, &tier->servers[at]))
            return at;
    }
    at = rendezvous_find(tier, consistent->ids, ask, bound);
    return at >= 0 ? at : least_scan(tier, ask, true);
}

static int consistent_pick(const struct tier *tier, const struct ask *ask)
{
    const struct consistent *consistent = tier->data;
    int at;

    if (!ask->has_key) {
        at = draw_try(consistent->draw, tier, ask, -1);
        return at >= 0 ? at : draw_scan(tier, ask, true);
    }
    at = owner(consistent, tier, ask, ask->key);
    if (at < 0) /* no table, or few can be used */
        at = rendezvous_find(tier, consistent->ids, ask, NULL);
    if (at < 0 || !tier->settings->bound || !server_load(&tier->servers[at]))
        return at;
    return overflow(consistent, tier, ask);
}

static size_t consistent_scratch_size(const struct tier *tier)
{
    return tier->settings->bound ? sizeof(struct bound) : 0;
}

static void consistent_scratch_start(const struct tier *tier, char *scratch,
                                     struct rand *rand)
{
    (void)rand;
    if (tier->settings->bound)
        bound_start((struct bound *)(void *)scratch, tier);
}

const struct balancer balancer_ip_hash = {
    .name = "ip_hash",
    .doc = "the same client address always to the same server",
    .uses_weight = true,
    .uses_key = true,
    .build = consistent_build,
    .scratch_size = consistent_scratch_size,
    .scratch_start = consistent_scratch_start,
    .pick = consistent_pick,
};

const struct balancer balancer_consistent_hash = {
    .name = "consistent_hash",
    .doc = "the same key, any fact of a request, to the same server, with bounded load",
    .uses_weight = true,
    .uses_key = true,
    .build = consistent_build,
    .scratch_size = consistent_scratch_size,
    .scratch_start = consistent_scratch_start,
    .pick = consistent_pick,
};
