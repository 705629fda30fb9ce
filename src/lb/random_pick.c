/*
 * random: one by chance, as often as its weight says. random_two: two by chance, and of
 * them the one with fewer requests in flight for its weight.
 */
#include "lb/least_conn.h"

static const void *random_build(struct arena *arena, const struct tier *tier)
{
    return draw_new(arena, tier, true);
}

static int random_pick(const struct tier *tier, const struct ask *ask)
{
    int chosen = draw_try(tier->data, tier, ask, -1);

    return chosen >= 0 ? chosen : draw_scan(tier, ask, true);
}

static int random_two_pick(const struct tier *tier, const struct ask *ask)
{
    return least_of_two(tier, ask, true);
}

const struct balancer balancer_random = {
    .name = "random",
    .doc = "one by chance, as often as the weights say",
    .uses_weight = true,
    .build = random_build,
    .pick = random_pick,
};

const struct balancer balancer_random_two = {
    .name = "random_two",
    .doc = "two by chance, the one with fewer requests in flight",
    .uses_weight = true,
    .build = random_build,
    .pick = random_two_pick,
};
