/*
 * With hundreds of servers the count may be old by as many choices as there are servers to
 * go through, a few at a time. Then the bound is for a while a little too tight or too
 * wide, which sends some keys elsewhere and refuses nobody.
 */
#include "lb/bound.h"

#include "lb/model.h"

enum { COUNT_ALL = 16, COUNT_STEP = 4 };

static uint64_t weight_of(const struct ask *ask, const struct server *server)
{
    return ask_counts(ask, server) ? server_weight_now(server, true) : 0;
}

void bound_start(struct bound *bound, const struct tier *tier)
{
    const struct ask nobody = {0};

    *bound = (struct bound){0};
    for (unsigned i = 0; i < tier->count; i++)
        bound->weight += weight_of(&nobody, &tier->servers[i]);
}

void bound_count(struct bound *bound, const struct tier *tier, const struct ask *ask)
{
    unsigned steps = tier->count <= COUNT_ALL ? tier->count : COUNT_STEP;

    for (unsigned i = 0; i < steps; i++) {
        bound->so_far += weight_of(ask, &tier->servers[bound->at]);
        if (++bound->at < tier->count)
            continue;
        bound->weight = bound->so_far;
        bound->so_far = 0;
        bound->at = 0;
    }
}

/* load < factor * in flight * weight / all weights, multiplied out. */
bool bound_has_room(const struct bound *bound, const struct tier *tier,
                    const struct ask *ask, const struct server *server)
{
    unsigned load = server_load(server);
    uint64_t allowed = (uint64_t)tier->settings->bound * ask->in_flight;

    return !load || (unsigned __int128)load * 1000 * bound->weight <
                        (unsigned __int128)allowed * server_weight_now(server, true);
}
