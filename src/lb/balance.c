/*
 * The table of balancers and the one question that all of them ask about a candidate.
 */
#include "lb/balance.h"

const struct balancer *const balancers[] = {
    &balancer_weighted_round_robin, /* the default */
    &balancer_round_robin,
    &balancer_least_connections,
    &balancer_weighted_least_connections,
    &balancer_random,
    &balancer_random_two,
    NULL,
};

const struct balancer *balancer_find(str name)
{
    for (const struct balancer *const *row = balancers; *row; row++)
        if (str_eq(str_of((*row)->name), name))
            return *row;
    return NULL;
}

static bool was_tried(const struct ask *ask, const struct server_live *live)
{
    for (unsigned i = 0; i < ask->tried_count; i++)
        if (ask->tried[i] == live)
            return true;
    return false;
}

bool ask_allows(const struct ask *ask, const struct server *server)
{
    struct server_live *live = server->live;

    if (!server_weight(server, true))
        return false;
    if (!ask->ignore_health &&
        !health_is_usable(atomic_load_explicit(&live->health, memory_order_relaxed)))
        return false;
    if (server->max_in_flight && server_load(server) >= server->max_in_flight)
        return false;
    return !was_tried(ask, live);
}

void ask_add_tried(struct ask *ask, const struct server_live *live)
{
    if (ask->tried_count < TRIED_MOST)
        ask->tried[ask->tried_count++] = live;
}
