/*
 * least_connections and weighted_least_connections: whoever has the fewest requests in
 * flight over all workers. Up to 64 servers are all looked at; above that two are drawn
 * and the less loaded one wins, which is nearly as good and does not send the requests of
 * all workers to the same server at once.
 */
#include "lb/least_conn.h"

enum { SCAN_MOST = 64 };

struct load {
    uint64_t requests; /* in flight + 1 */
    uint64_t weight;
};

static struct load load_of(const struct server *server, bool is_weighted)
{
    return (struct load){(uint64_t)server_load(server) + 1,
                         server_weight_now(server, is_weighted)};
}

/* Below, at or above zero, as a is less, equally or more loaded than b. */
static int load_compare(struct load a, struct load b)
{
    uint64_t left = a.requests * b.weight, right = b.requests * a.weight;

    return (left > right) - (left < right);
}

/* Is the `count`-th of equals the one to keep? Of n equals each is kept by 1 in n. */
static bool is_kept(uint64_t *chance, uint64_t count)
{
    *chance = *chance * 6364136223846793005u + 1442695040888963407u;
    return ((*chance >> 32) * count) >> 32 == 0;
}

int least_scan(const struct tier *tier, const struct ask *ask, bool is_weighted)
{
    struct load best = {0, 0};
    uint64_t chance = 0, equals = 0;
    int chosen = -1;

    for (unsigned i = 0; i < tier->count; i++) {
        const struct server *server = &tier->servers[i];
        struct load load;
        int order = -1;

        if (!ask_allows(ask, server))
            continue;
        load = load_of(server, is_weighted);
        if (chosen >= 0)
            order = load_compare(load, best);
        if (order > 0)
            continue;
        if (order == 0 && equals == 1 && !chance)
            chance = rand_u64(ask->rand);
        equals = order ? 1 : equals + 1;
        if (order == 0 && !is_kept(&chance, equals))
            continue;
        best = load;
        chosen = (int)i;
    }
    return chosen;
}

int least_of_two(const struct tier *tier, const struct ask *ask, bool is_weighted)
{
    int one = -1, two = -1;

    if (tier->count > 2)
        one = draw_try(tier->data, tier, ask, -1);
    if (one >= 0)
        two = draw_try(tier->data, tier, ask, one);
    if (two < 0)
        return least_scan(tier, ask, is_weighted);
    return load_compare(load_of(&tier->servers[two], is_weighted),
                        load_of(&tier->servers[one], is_weighted)) < 0
               ? two
               : one;
}

static const void *least_build(struct arena *arena, const struct tier *tier)
{
    return tier->count > SCAN_MOST ? draw_new(arena, tier, false) : NULL;
}

static const void *weighted_build(struct arena *arena, const struct tier *tier)
{
    return tier->count > SCAN_MOST ? draw_new(arena, tier, true) : NULL;
}

static int least_pick(const struct tier *tier, const struct ask *ask)
{
    return tier->data ? least_of_two(tier, ask, false) : least_scan(tier, ask, false);
}

static int weighted_pick(const struct tier *tier, const struct ask *ask)
{
    return tier->data ? least_of_two(tier, ask, true) : least_scan(tier, ask, true);
}

const struct balancer balancer_least_connections = {
    .name = "least_connections",
    .doc = "the fewest requests in flight",
    .build = least_build,
    .pick = least_pick,
};

const struct balancer balancer_weighted_least_connections = {
    .name = "weighted_least_connections",
    .doc = "the fewest requests in flight for its weight",
    .uses_weight = true,
    .build = weighted_build,
    .pick = weighted_pick,
};
