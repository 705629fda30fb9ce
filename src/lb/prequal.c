/*
 * prequal: Wydrowski, Kleinberg, Rumble, Archer, "Load is not what you should balance:
 * introducing Prequal" (NSDI 2024, arXiv 2312.10172).
 *
 * As in the paper: candidates are looked at for their requests in flight and for the time
 * that a request takes at about so many; who has more in flight than q_rif (0.84) of what
 * was seen of late is hot; if all are hot, the one with the fewest in flight is taken, else
 * the fastest of the cold ones. Errors make a server look slow, and a fifth of them puts it
 * behind all others, against sinkholing.
 *
 * Not as in the paper, because one proxy knows what its clients there must ask for:
 * requests in flight are counted here and are exact, so there are no probes, and no pool of
 * their answers to be reused, aged and corrected for what was sent meanwhile. Of up to 16
 * servers (the size of that pool) all are candidates, of more eight are drawn afresh: in the
 * lab that is as good as 16, and half the price. Times are learnt from answers,
 * by powers of two of the requests in flight, as medians that move by small steps (Ma,
 * Muthukrishnan, Sandler, "Frugal streaming", 2013). Weights, which the paper leaves out,
 * say how many in flight are many for a server. A server that nobody looks at is visited now and then (estimate.h).
 */
#include "lb/draw.h"
#include "lb/estimate.h"
#include "lb/model.h"

enum {
    SCAN_MOST = 16, /* up to so many are all looked at */
    CANDIDATES = 8, /* of more, so many */
    LEVELS = 64,    /* of load: up to 8 one each, then four for each doubling */
    SEEN_MOST = 1024,
    LOOKS_A_LIMIT = 64, /* that long the limit is kept */
};

static const double unknown_ns = 1e9;
static const double failing_share = 0.2;
static const double median_step = 1.0 / 8;

struct prequal {
    const struct draw *draw; /* NULL: all are candidates */
    double mean_weight;
};

struct prequal_scratch {
    struct revisit revisit;
    uint16_t seen[LEVELS]; /* candidates of late by their load */
    uint32_t seen_count, looks;
    uint32_t limit; /* a level; above it is hot */
};

/* ---- learning ---- */

static unsigned level_of(unsigned in_flight)
{
    unsigned level = in_flight ? 31 - (unsigned)__builtin_clz(in_flight) : 0;

    return level < ESTIMATE_LEVELS ? level : ESTIMATE_LEVELS - 1;
}

/* One answer says something of its neighbours, too, and less of those farther away. */
static void prequal_learn(struct server_shard *own, const struct outcome *outcome)
{
    struct estimate *estimate = &own->estimate;
    int level = (int)level_of(outcome->in_flight);
    double sample = (double)outcome->latency;
    bool is_least = outcome->has_failed || outcome->is_unfinished;

    for (int i = 0; i < ESTIMATE_LEVELS; i++) {
        int distance = i < level ? level - i : i - level;
        double near = estimate->near[i], step = median_step;

        while (distance--)
            step /= 4;
        if (near <= 0)
            near = is_least ? 0 : sample;
        else if (sample > near)
            near = near * (1 + step) < sample ? near * (1 + step) : sample;
        else if (!is_least)
            near = near * (1 - step) > sample ? near * (1 - step) : sample;
        estimate->near[i] = (float)near;
    }
    estimate_note(estimate, outcome);
}

/* ---- choosing ---- */

struct candidate {
    int at;
    double load; /* in flight, if all servers had the mean weight */
    double time; /* expected, ns */
    enum { COLD, HOT, FAILING } rank;
};

static unsigned load_level(double load)
{
    unsigned whole = load < 1e9 ? (unsigned)load : 1000000000, octave, level;

    if (whole < 8)
        return whole;
    octave = 31 - (unsigned)__builtin_clz(whole);
    level = 8 + (octave - 3) * 4 + ((whole >> (octave - 2)) & 3);
    return level < LEVELS ? level : LEVELS - 1;
}

/* What was seen long ago counts half, again and again. */
static void halve(struct prequal_scratch *mine)
{
    mine->seen_count = 0;
    for (unsigned i = 0; i < LEVELS; i++)
        mine->seen_count += mine->seen[i] /= 2;
}

static void see(struct prequal_scratch *mine, uint32_t q_rif, unsigned level)
{
    mine->seen[level]++;
    if (++mine->seen_count >= SEEN_MOST)
        halve(mine);
    if (mine->looks--)
        return;
    mine->looks = LOOKS_A_LIMIT;
    mine->limit = 0;
    for (uint64_t sum = mine->seen[0]; sum * 1000 < (uint64_t)mine->seen_count * q_rif;)
        sum += mine->seen[++mine->limit];
}

/* ns; and whether it fails too often to be taken before anybody else, however busy. */
static double expected_time(const struct server *server, const struct ask *ask,
                            unsigned in_flight, bool *is_failing)
{
    const struct estimate *estimate = estimate_of(server, ask);
    double fade, near;

    *is_failing = false;
    if (!estimate->at)
        return in_flight ? unknown_ns : 0;
    fade = estimate_fade(estimate->at, ask->now);
    *is_failing = (double)estimate->errors * fade > failing_share;
    near = (double)estimate->near[level_of(in_flight + 1)] * fade;
    return estimate_cost(estimate, near, fade);
}

static void look_at(const struct tier *tier, const struct ask *ask,
                    struct prequal_scratch *mine, struct candidate *candidate)
{
    const struct prequal *prequal = tier->data;
    const struct server *server = &tier->servers[candidate->at];
    unsigned in_flight = server_load(server), level;
    bool is_failing;

    candidate->load =
        in_flight * prequal->mean_weight / (double)server_weight_now(server, true);
    candidate->time = expected_time(server, ask, in_flight, &is_failing);
    level = load_level(candidate->load);
    see(mine, tier->settings->q_rif, level);
    candidate->rank = is_failing ? FAILING : level > mine->limit ? HOT : COLD;
}

/* Below, at or above zero, as a is better, as good or worse than b. */
static int compare(const struct candidate *a, const struct candidate *b)
{
    double left = a->rank == HOT ? a->load : a->time;
    double right = b->rank == HOT ? b->load : b->time;

    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return (left > right) - (left < right);
}

struct choice {
    struct candidate best;
    uint64_t equals;
};

static void weigh(const struct tier *tier, const struct ask *ask,
                  struct prequal_scratch *mine, unsigned at, struct choice *choice)
{
    struct candidate candidate = {.at = (int)at};
    int order = -1;

    look_at(tier, ask, mine, &candidate);
    if (choice->best.at >= 0)
        order = compare(&candidate, &choice->best);
    if (order > 0)
        return;
    choice->equals = order ? 1 : choice->equals + 1;
    if (order == 0 && rand_below(ask->rand, choice->equals))
        return;
    choice->best = candidate;
}

static void weigh_drawn(const struct tier *tier, const struct ask *ask,
                        struct prequal_scratch *mine, struct choice *choice)
{
    const struct prequal *prequal = tier->data;

    for (unsigned i = 0; i < CANDIDATES; i++) {
        int at = draw_try(prequal->draw, tier, ask, choice->best.at);

        if (at < 0)
            break;
        weigh(tier, ask, mine, (unsigned)at, choice);
    }
}

static void weigh_all(const struct tier *tier, const struct ask *ask,
                      struct prequal_scratch *mine, struct choice *choice)
{
    for (unsigned i = 0; i < tier->count; i++)
        if (ask_accepts(ask, &tier->servers[i]))
            weigh(tier, ask, mine, i, choice);
}

static int choose(const struct tier *tier, const struct ask *ask,
                  struct prequal_scratch *mine)
{
    const struct prequal *prequal = tier->data;
    struct choice choice = {.best = {.at = -1}};

    if (prequal->draw)
        weigh_drawn(tier, ask, mine, &choice);
    if (choice.best.at < 0)
        weigh_all(tier, ask, mine, &choice);
    return choice.best.at >= 0 ? choice.best.at : draw_scan(tier, ask, true);
}

/* ---- the contract ---- */

static const void *prequal_build(struct arena *arena, const struct tier *tier)
{
    struct prequal *prequal = ARENA_NEW(arena, struct prequal);
    double sum = 0;
    unsigned count = 0;

    for (unsigned i = 0; i < tier->count; i++) {
        unsigned weight = server_weight(&tier->servers[i], true);

        sum += weight;
        count += weight > 0;
    }
    prequal->mean_weight = count ? sum * RAMP_FULL / count : RAMP_FULL;
    if (tier->count > SCAN_MOST)
        prequal->draw = draw_new(arena, tier, true);
    return prequal;
}

static size_t prequal_scratch_size(const struct tier *tier)
{
    (void)tier;
    return sizeof(struct prequal_scratch);
}

static void prequal_scratch_start(const struct tier *tier, char *scratch,
                                  struct rand *rand)
{
    (void)tier;
    (void)rand;
    memset(scratch, 0, sizeof(struct prequal_scratch));
}

static int prequal_pick(const struct tier *tier, const struct ask *ask)
{
    struct prequal_scratch *mine =
        (struct prequal_scratch *)(void *)(ask->scratch + tier->scratch_at);
    int chosen = revisit_pick(&mine->revisit, tier, ask);

    if (chosen < 0)
        chosen = choose(tier, ask, mine);
    if (chosen >= 0)
        estimate_of(&tier->servers[chosen], ask)->picked_at = ask->now;
    return chosen;
}

const struct balancer balancer_prequal = {
    .name = "prequal",
    .doc = "the fastest of those that are not among the busiest",
    .uses_weight = true,
    .build = prequal_build,
    .scratch_size = prequal_scratch_size,
    .scratch_start = prequal_scratch_start,
    .pick = prequal_pick,
    .learn = prequal_learn,
};
