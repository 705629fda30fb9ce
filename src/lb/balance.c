/*
 * The table of balancers. Their order is that of the reference.
 */
#include "lb/balance.h"

/* clang-format off */
const struct balancer *const balancers[] = {
    &balancer_round_robin,
    &balancer_weighted_round_robin, /* the default */
    &balancer_least_connections,
    &balancer_weighted_least_connections,
    &balancer_least_response_time,
    &balancer_prequal,
    &balancer_random,
    &balancer_random_two,
    &balancer_ip_hash,
    &balancer_consistent_hash,
    NULL,
};
/* clang-format on */

const struct balancer *balancer_find(str name)
{
    for (const struct balancer *const *row = balancers; *row; row++)
        if (str_eq(str_of((*row)->name), name))
            return *row;
    return NULL;
}

void ask_add_tried(struct ask *ask, const struct server_live *live)
{
    if (ask->tried_count < TRIED_MOST)
        ask->tried[ask->tried_count++] = live;
}
