/*
 * Builds endpoint sets and asks their tiers in order. Primaries are asked first, backups
 * when no primary may be chosen; with when_all_down: open, health is ignored when not one
 * server of the set is usable -- not when those that are have reached their caps.
 */
#include "lb/pool.h"

static size_t round_up(size_t n)
{
    return (n + 15) & ~(size_t)15;
}

static struct server server_from(struct arena *arena, const struct member *member)
{
    char memory[ADDR_TEXT_MOST];

    return (struct server){
        .name = arena_copy(arena, member->name),
        .addr = member->addr,
        .addr_text = arena_copy(arena, addr_print(&member->addr, memory, sizeof memory)),
        .weight = member->weight,
        .max_in_flight = member->max_in_flight,
        .is_draining = member->is_draining,
        .live = member->live,
    };
}

static unsigned add_servers(struct arena *arena, struct server *into,
                            const struct member *members, unsigned count, bool is_backup)
{
    unsigned added = 0;

    for (unsigned i = 0; i < count; i++)
        if (members[i].is_backup == is_backup)
            into[added++] = server_from(arena, &members[i]);
    return added;
}

static void tier_build(struct endpoint_set *set, struct arena *arena, struct tier *tier)
{
    const struct balancer *balancer = set->balancer;

    if (!tier->count)
        return;
    if (balancer->build)
        tier->data = balancer->build(arena, tier);
    tier->scratch_at = set->scratch_size;
    if (balancer->scratch_size)
        set->scratch_size += round_up(balancer->scratch_size(tier));
}

struct endpoint_set *endpoint_set_new(const struct pool *pool,
                                      const struct member *members, unsigned count)
{
    struct arena arena;
    struct endpoint_set *set;
    struct server *servers;
    unsigned primaries;

    arena_init(&arena, 0);
    set = ARENA_NEW(&arena, struct endpoint_set);
    servers = ARENA_ARRAY(&arena, struct server, count);
    primaries = add_servers(&arena, servers, members, count, false);
    add_servers(&arena, servers + primaries, members, count, true);
    *set = (struct endpoint_set){
        .balancer = pool->balancer,
        .servers = servers,
        .count = count,
        .when_all_down = pool->when_all_down,
        .tiers =
            {
                [TIER_PRIMARY] = {.servers = servers, .count = primaries},
                [TIER_BACKUP] = {.servers = servers + primaries,
                                 .count = count - primaries},
            },
    };
    for (unsigned i = 0; i < TIER_COUNT; i++)
        tier_build(set, &arena, &set->tiers[i]);
    set->arena = arena;
    return set;
}

void endpoint_set_free(struct endpoint_set *set)
{
    struct arena arena;

    if (!set)
        return;
    arena = set->arena; /* the set lies in it */
    arena_reset(&arena);
}

void endpoint_set_scratch_start(const struct endpoint_set *set, char *scratch,
                                struct rand *rand)
{
    for (unsigned i = 0; i < TIER_COUNT; i++) {
        const struct tier *tier = &set->tiers[i];

        if (tier->count && set->balancer->scratch_start)
            set->balancer->scratch_start(tier, scratch + tier->scratch_at, rand);
    }
}

static const struct server *pick_by_tiers(const struct endpoint_set *set,
                                          const struct ask *ask)
{
    for (unsigned i = 0; i < TIER_COUNT; i++) {
        const struct tier *tier = &set->tiers[i];
        int chosen = tier->count ? set->balancer->pick(tier, ask) : -1;

        if (chosen >= 0)
            return &tier->servers[chosen];
    }
    return NULL;
}

static bool is_all_down(const struct endpoint_set *set)
{
    for (unsigned i = 0; i < set->count; i++) {
        const struct server *server = &set->servers[i];

        if (server_weight(server, true) &&
            health_is_usable(
                atomic_load_explicit(&server->live->health, memory_order_relaxed)))
            return false;
    }
    return true;
}

const struct server *pool_pick(const struct endpoint_set *set, struct ask *ask)
{
    const struct server *server;

    ask->ignore_health = false;
    server = pick_by_tiers(set, ask);
    if (server || set->when_all_down != ALL_DOWN_OPEN || !is_all_down(set))
        return server;
    ask->ignore_health = true;
    return pick_by_tiers(set, ask);
}

const struct server *pool_take(const struct endpoint_set *set, struct ask *ask)
{
    const struct server *server;

    do
        server = pool_pick(set, ask);
    while (server && !server_take(server));
    return server;
}

bool server_take(const struct server *server)
{
    _Atomic(unsigned) *in_flight = &server->live->in_flight;
    unsigned now;

    if (!server->max_in_flight) {
        atomic_fetch_add_explicit(in_flight, 1, memory_order_relaxed);
        return true;
    }
    now = atomic_load_explicit(in_flight, memory_order_relaxed);
    do {
        if (now >= server->max_in_flight)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(
        in_flight, &now, now + 1, memory_order_relaxed, memory_order_relaxed));
    return true;
}

void server_give(struct server_live *live)
{
    atomic_fetch_sub_explicit(&live->in_flight, 1, memory_order_relaxed);
}
