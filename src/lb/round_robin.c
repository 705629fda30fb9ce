/*
 * round_robin and weighted_round_robin: every server in its turn (schedule.h), each
 * worker from a random place. Who may not be chosen loses the turn to the next in line;
 * since the place moves on past it, the others' shares among themselves stay as they are.
 * Where so many turns are lost that finding the next would cost more than one look at
 * every server, one look at every server decides, by weighted chance.
 */
#include "lb/draw.h"
#include "lb/schedule.h"

enum { TURNS_LEAST = 16 };

static const void *turns_build(struct arena *arena, const struct tier *tier,
                               bool is_weighted)
{
    uint32_t *weights = ARENA_ARRAY(arena, uint32_t, tier->count);

    for (unsigned i = 0; i < tier->count; i++)
        weights[i] = server_weight(&tier->servers[i], is_weighted);
    return schedule_new(arena, weights, tier->count);
}

static const void *round_robin_build(struct arena *arena, const struct tier *tier)
{
    return turns_build(arena, tier, false);
}

static const void *weighted_build(struct arena *arena, const struct tier *tier)
{
    return turns_build(arena, tier, true);
}

static size_t turns_scratch_size(const struct tier *tier)
{
    return schedule_scratch_size(tier->data);
}

static void turns_scratch_start(const struct tier *tier, char *scratch, struct rand *rand)
{
    schedule_start(tier->data, scratch, rand);
}

static int turns_pick(const struct tier *tier, const struct ask *ask, bool is_weighted)
{
    const struct schedule *schedule = tier->data;
    char *scratch = ask->scratch + tier->scratch_at;
    uint64_t turns = schedule->count + TURNS_LEAST;

    if (!schedule->count)
        return -1;
    if (turns > schedule->total)
        turns = schedule->total;
    for (uint64_t i = 0; i < turns; i++) {
        uint32_t at = schedule_next(schedule, scratch);

        if (ask_accepts(ask, &tier->servers[at]))
            return (int)at;
    }
    return draw_scan(tier, ask, is_weighted);
}

static int round_robin_pick(const struct tier *tier, const struct ask *ask)
{
    return turns_pick(tier, ask, false);
}

static int weighted_pick(const struct tier *tier, const struct ask *ask)
{
    return turns_pick(tier, ask, true);
}

const struct balancer balancer_round_robin = {
    .name = "round_robin",
    .doc = "one after the other, then from the first again",
    .build = round_robin_build,
    .scratch_size = turns_scratch_size,
    .scratch_start = turns_scratch_start,
    .pick = round_robin_pick,
};

const struct balancer balancer_weighted_round_robin = {
    .name = "weighted_round_robin",
    .doc = "in turn, as often as the weights say, evenly interleaved",
    .uses_weight = true,
    .build = weighted_build,
    .scratch_size = turns_scratch_size,
    .scratch_start = turns_scratch_start,
    .pick = weighted_pick,
};
