/*
 * Builds endpoint sets and asks their tiers: first the one whose turn it is by the shares
 * (tier.h), then the others in order, backups last. With when_all_down: open, health is
 * ignored when not one server of the set is usable -- not when those that are have reached
 * their caps.
 */
#include "lb/pool.h"

#include "base/check.h"
#include "lb/rendezvous.h"

#include <stdlib.h>

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
        .tier = member->tier,
        .is_draining = member->is_draining,
        .is_drained = member->is_drained,
        .is_backup = member->is_backup,
        .is_remote = member->is_remote,
        .live = member->live,
    };
}

/* For qsort: the order in which servers are asked, and of the file among equals. */
static int by_tier(const void *one, const void *other)
{
    const struct member *a = *(const struct member *const *)one;
    const struct member *b = *(const struct member *const *)other;

    if (a->is_backup != b->is_backup)
        return a->is_backup ? 1 : -1;
    if (a->tier != b->tier)
        return a->tier < b->tier ? -1 : 1;
    if (a->is_remote != b->is_remote)
        return a->is_remote ? 1 : -1;
    return a < b ? -1 : a > b;
}

static struct server *servers_new(struct arena *arena, const struct member *members,
                                  unsigned count)
{
    struct server *servers = ARENA_ARRAY(arena, struct server, count);
    const struct member **sorted = calloc(count + 1, sizeof *sorted);

    CHECK(sorted != NULL);
    for (unsigned i = 0; i < count; i++)
        sorted[i] = &members[i];
    qsort(sorted, count, sizeof *sorted, by_tier);
    for (unsigned i = 0; i < count; i++)
        servers[i] = server_from(arena, sorted[i]);
    free(sorted);
    return servers;
}

static void tier_build(struct endpoint_set *set, struct arena *arena, struct tier *tier)
{
    const struct balancer *balancer = set->balancer;

    tier->settings = &set->balance;
    if (balancer->build)
        tier->data = balancer->build(arena, tier);
    tier->scratch_at = set->scratch_size;
    if (balancer->scratch_size)
        set->scratch_size += round_up(balancer->scratch_size(tier));
}

static int compare_known(const void *a, const void *b)
{
    uint64_t x = ((const struct known_server *)a)->id;
    uint64_t y = ((const struct known_server *)b)->id;

    return (x > y) - (x < y);
}

static const struct known_server *know_servers(struct arena *arena,
                                               const struct server *servers,
                                               unsigned count)
{
    struct known_server *known = ARENA_ARRAY(arena, struct known_server, count);

    for (unsigned i = 0; i < count; i++)
        known[i] = (struct known_server){servers[i].live->id, i};
    qsort(known, count, sizeof *known, compare_known);
    return known;
}

static const uint64_t *list_ids(struct arena *arena, const struct server *servers,
                                unsigned count)
{
    uint64_t *ids = ARENA_ARRAY(arena, uint64_t, count);

    for (unsigned i = 0; i < count; i++)
        ids[i] = servers[i].live->id;
    return ids;
}

const struct server *endpoint_set_find(const struct endpoint_set *set, uint64_t id)
{
    const struct known_server sought = {id, 0}, *found;

    if (!set->known || !set->count)
        return NULL;
    found = bsearch(&sought, set->known, set->count, sizeof *set->known, compare_known);
    return found ? &set->servers[found->at] : NULL;
}

struct endpoint_set *endpoint_set_new(const struct pool *pool,
                                      const struct member *members, unsigned count)
{
    struct arena arena;
    struct endpoint_set *set;
    const struct server *servers;

    arena_init(&arena, 0);
    set = ARENA_NEW(&arena, struct endpoint_set);
    servers = servers_new(&arena, members, count);
    *set = (struct endpoint_set){
        .balancer = pool->balancer,
        .balance = pool->balance,
        .servers = servers,
        .count = count,
        .when_all_down = pool->when_all_down,
        .tiers = {.settings = pool->tiers, .spill_at = pool->locality.spill_at},
    };
    if (pool->sticky) {
        set->known = know_servers(&arena, servers, count);
        set->ids = list_ids(&arena, servers, count);
    }
    tiers_cut(&set->tiers, &arena, servers, count);
    for (unsigned i = 0; i < set->tiers.count; i++)
        tier_build(set, &arena, &set->tiers.items[i]);
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
    for (unsigned i = 0; i < set->tiers.count; i++) {
        const struct tier *tier = &set->tiers.items[i];

        if (set->balancer->scratch_start)
            set->balancer->scratch_start(tier, scratch + tier->scratch_at, rand);
    }
}

static const struct server *tier_pick(const struct endpoint_set *set,
                                      const struct tier *tier, struct ask *ask)
{
    bool ignores_health = ask->ignore_health;
    enum tier_panic panic = tier_panic(tier);
    int chosen;

    if (panic == TIER_REFUSES)
        return NULL;
    ask->ignore_health |= panic == TIER_OPEN;
    if (unlikely(ask->is_by_rendezvous && set->ids))
        chosen =
            rendezvous_find(tier, set->ids + (tier->servers - set->servers), ask, NULL);
    else
        chosen = set->balancer->pick(tier, ask);
    ask->ignore_health = ignores_health;
    return chosen >= 0 ? &tier->servers[chosen] : NULL;
}

/* First the tier that the shares say, then all in their order. */
static const struct server *pick_by_tiers(const struct endpoint_set *set, struct ask *ask)
{
    unsigned first = tiers_draw(&set->tiers, ask);
    const struct server *server = NULL;

    if (set->tiers.count)
        server = tier_pick(set, &set->tiers.items[first], ask);
    for (unsigned i = 0; !server && i < set->tiers.count; i++)
        if (i != first)
            server = tier_pick(set, &set->tiers.items[i], ask);
    return server;
}

static const struct server *pick_by_wish(const struct endpoint_set *set, struct ask *ask)
{
    if (unlikely(ask->wish != NULL)) {
        if (ask_allows_known(ask, ask->wish))
            return ask->wish;
        if (ask->is_wish_all)
            return NULL;
    }
    return pick_by_tiers(set, ask);
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
    server = pick_by_wish(set, ask);
    if (server || set->when_all_down != ALL_DOWN_OPEN || !is_all_down(set))
        return server;
    ask->ignore_health = true;
    return pick_by_wish(set, ask);
}

const struct server *pool_take(const struct endpoint_set *set, struct ask *ask)
{
    const struct server *server;

    do
        server = pool_pick(set, ask);
    while (server && !server_take(server, ask->priority));
    return server;
}

bool server_take(const struct server *server, enum priority priority)
{
    _Atomic(unsigned) *in_flight = &server->live->in_flight;
    unsigned now, cap;

    if (!server->max_in_flight) {
        atomic_fetch_add_explicit(in_flight, 1, memory_order_relaxed);
        return true;
    }
    cap = server_cap(server, priority);
    now = atomic_load_explicit(in_flight, memory_order_relaxed);
    do {
        if (now >= cap)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(
        in_flight, &now, now + 1, memory_order_relaxed, memory_order_relaxed));
    return true;
}

void server_give(struct server_live *live)
{
    /* In one order with the count of those who wait for it: see proxy/waiting. */
    atomic_fetch_sub_explicit(&live->in_flight, 1, memory_order_seq_cst);
}

/* May it be chosen, but for its cap? */
static bool may_serve(const struct ask *ask, const struct server *server)
{
    if (!server_weight(server, true))
        return false;
    if (!ask->ignore_health && !health_is_usable((enum health)atomic_load_explicit(
                                   &server->live->health, memory_order_seq_cst)))
        return false;
    if (ask->breaker && !ask_allows_circuit(ask, server))
        return false;
    for (unsigned i = 0; i < ask->tried_count; i++)
        if (ask->tried[i] == server->live)
            return false;
    return true;
}

static enum pool_room look_in_tier(const struct tier *tier, const struct ask *ask)
{
    bool is_full = false;

    for (unsigned i = 0; i < tier->count; i++) {
        const struct server *server = &tier->servers[i];

        if (!may_serve(ask, server))
            continue;
        if (!server->max_in_flight ||
            atomic_load_explicit(&server->live->in_flight, memory_order_seq_cst) <
                server_cap(server, ask->priority))
            return POOL_HAS_ROOM;
        is_full = true;
    }
    return is_full ? POOL_IS_FULL : POOL_HAS_NOBODY;
}

enum pool_room pool_look_for_room(const struct endpoint_set *set, struct ask *ask)
{
    bool is_open = set->when_all_down == ALL_DOWN_OPEN && is_all_down(set);
    enum pool_room best = POOL_HAS_NOBODY;

    for (unsigned i = 0; i < set->tiers.count && best < POOL_HAS_ROOM; i++) {
        const struct tier *tier = &set->tiers.items[i];
        enum tier_panic panic = tier_panic(tier);
        enum pool_room room;

        if (panic == TIER_REFUSES)
            continue;
        ask->ignore_health = is_open || panic == TIER_OPEN;
        room = look_in_tier(tier, ask);
        best = room > best ? room : best;
    }
    return best;
}
