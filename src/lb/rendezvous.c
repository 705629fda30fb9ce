/*
 * The logarithm is our own, in whole numbers: one of libm may differ in its last bit from
 * machine to machine, and the choice may not. Among equal weights the draws themselves are
 * compared, which comes to the same.
 */
#include "lb/rendezvous.h"

#include "base/hash.h"

struct bid {
    uint64_t draw, weight;
};

/*
 * -log2(draw / 2^64), in units of 2^-56. With draw = (1 - y) 2^(64 - e), y in [0, 1/2], it
 * is e + y g(y); g is a cubic within 0.04 % of -log2(1 - y) / y, coefficients times 2^30.
 */
static uint64_t wait_of(uint64_t draw)
{
    unsigned e;
    uint64_t y, z, g = 1064807515;

    draw |= !draw;
    e = (unsigned)__builtin_clzll(draw);
    y = -(draw << e);
    z = y >> 32;
    g = 252384408 + (g * z >> 32);
    g = 804081338 + (g * z >> 32);
    g = 1548587042 + (g * z >> 32);
    return ((uint64_t)e << 56) + (uint64_t)((unsigned __int128)y * g >> 38);
}

static bool bid_is_better(struct bid a, struct bid b)
{
    if (a.weight == b.weight)
        return a.draw > b.draw;
    return (unsigned __int128)wait_of(a.draw) * b.weight <
           (unsigned __int128)wait_of(b.draw) * a.weight;
}

int rendezvous_find(const struct tier *tier, const uint64_t *ids, const struct ask *ask,
                    const struct bound *bound)
{
    struct bid best = {0, 0};
    int chosen = -1;

    for (unsigned i = 0; i < tier->count; i++) {
        const struct server *server = &tier->servers[i];
        struct bid bid = {hash_u64(ask->key ^ ids[i]), server_weight_now(server, true)};

        if (!ask_allows(ask, server))
            continue;
        if (chosen >= 0 && !bid_is_better(bid, best))
            continue;
        if (bound && !bound_has_room(bound, tier, ask, server))
            continue;
        best = bid;
        chosen = (int)i;
    }
    return chosen;
}
