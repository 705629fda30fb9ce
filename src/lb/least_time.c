/*
 * least_response_time: whoever has the lowest expected time to answer for its weight,
 * which is peak-EWMA (as in Finagle) times the requests in flight + 1. The average follows
 * a slower answer at once and a faster one with a time constant of ten seconds; a single
 * answer raises it eightfold at most, so that one report that takes a minute does not shut
 * its server out. Times are each worker's own, requests in flight are those of all. Up to
 * 64 servers are all looked at, of more than that two that are drawn.
 */
#include "lb/draw.h"
#include "lb/estimate.h"

enum { SCAN_MOST = 64 };

static const double peak_step_most = 8;
static const double unknown_ns = 1e9; /* until its first answer is there */

struct least_time_scratch {
    struct revisit revisit;
};

static void least_time_learn(struct server_shard *own, const struct outcome *outcome)
{
    struct estimate *estimate = &own->estimate;
    double sample = (double)outcome->latency, peak = estimate->peak;
    double fade = estimate_fade(estimate->at, outcome->now);

    if (sample > peak)
        peak =
            peak > 0 && sample > peak * peak_step_most ? peak * peak_step_most : sample;
    else if (!outcome->has_failed && !outcome->is_unfinished)
        peak = sample + (peak - sample) * fade;
    estimate->peak = (float)peak;
    estimate_note(estimate, outcome);
}

/* Of a server that nobody has heard of: nothing, so that it is asked, and much for as long
 * as that has brought no answer. */
static double cost_of(const struct server *server, const struct ask *ask)
{
    const struct estimate *estimate = estimate_of(server, ask);
    unsigned in_flight = server_load(server);
    double cost, fade;

    if (!estimate->at) {
        cost = in_flight ? unknown_ns : 0;
    } else {
        fade = estimate_fade(estimate->at, ask->now);
        cost = estimate_cost(estimate, estimate->peak * fade, fade);
    }
    return cost * (in_flight + 1.0) / (double)server_weight_now(server, true);
}

static int scan(const struct tier *tier, const struct ask *ask)
{
    double best = 0;
    uint64_t equals = 0;
    int chosen = -1;

    for (unsigned i = 0; i < tier->count; i++) {
        const struct server *server = &tier->servers[i];
        double cost;

        if (!ask_allows(ask, server))
            continue;
        cost = cost_of(server, ask);
        if (chosen >= 0 && cost > best)
            continue;
        equals = chosen >= 0 && cost == best ? equals + 1 : 1;
        if (equals > 1 && rand_below(ask->rand, equals))
            continue;
        best = cost;
        chosen = (int)i;
    }
    return chosen;
}

static int better_of_two(const struct tier *tier, const struct ask *ask)
{
    int one = draw_try(tier->data, tier, ask, -1), two = -1;

    if (one >= 0)
        two = draw_try(tier->data, tier, ask, one);
    if (two < 0)
        return scan(tier, ask);
    return cost_of(&tier->servers[two], ask) < cost_of(&tier->servers[one], ask) ? two
                                                                                 : one;
}

static const void *least_time_build(struct arena *arena, const struct tier *tier)
{
    return tier->count > SCAN_MOST ? draw_new(arena, tier, true) : NULL;
}

static size_t least_time_scratch_size(const struct tier *tier)
{
    (void)tier;
    return sizeof(struct least_time_scratch);
}

static void least_time_scratch_start(const struct tier *tier, char *scratch,
                                     struct rand *rand)
{
    struct least_time_scratch *mine = (struct least_time_scratch *)(void *)scratch;

    (void)tier;
    (void)rand;
    *mine = (struct least_time_scratch){{0}};
}

static int least_time_pick(const struct tier *tier, const struct ask *ask)
{
    struct least_time_scratch *mine =
        (struct least_time_scratch *)(void *)(ask->scratch + tier->scratch_at);
    int chosen = revisit_pick(&mine->revisit, tier, ask);

    if (chosen < 0)
        chosen = tier->data ? better_of_two(tier, ask) : scan(tier, ask);
    if (chosen >= 0)
        estimate_of(&tier->servers[chosen], ask)->picked_at = ask->now;
    return chosen;
}

const struct balancer balancer_least_response_time = {
    .name = "least_response_time",
    .doc = "the fastest answers and the fewest requests in flight",
    .uses_weight = true,
    .build = least_time_build,
    .scratch_size = least_time_scratch_size,
    .scratch_start = least_time_scratch_start,
    .pick = least_time_pick,
    .learn = least_time_learn,
};
