/*
 * The exponential is (1 + x / 8)^-8: three multiplications, since every server that is
 * looked at needs one. A single failure is an accident and weighs little; those that
 * repeat themselves weigh by the square of their share.
 */
#include "lb/estimate.h"

enum {
    REVISIT_SHARE = 100, /* at most one pick in so many */
    REVISIT_SCAN = 64,
    REVISIT_DRAWS = 8,
};

static const double fade_ns = 10e9;
static const double failure_ns = 1e9;         /* what a failure costs */
static const double error_step = 1.0 / 8;     /* the newest outcome's part of `errors` */
static const double success_least = 1.0 / 64; /* nobody is thought to be worse */
static const uint64_t revisit_after_ns = 5000000000;

double estimate_fade(uint64_t then, uint64_t now)
{
    double x;

    if (now <= then)
        return 1;
    x = 1 / (1 + (double)(now - then) / (8 * fade_ns));
    x *= x;
    x *= x;
    return x * x;
}

void estimate_note(struct estimate *estimate, const struct outcome *outcome)
{
    double errors = estimate->errors * estimate_fade(estimate->at, outcome->now);

    if (!outcome->is_unfinished)
        errors += ((outcome->has_failed ? 1 : 0) - errors) * error_step;
    estimate->errors = (float)errors;
    estimate->at = outcome->now;
}

double estimate_cost(const struct estimate *estimate, double latency, double fade)
{
    double errors = estimate->errors * fade, success = 1 - errors;

    if (success < success_least)
        success = success_least;
    return (latency + errors * errors * failure_ns) / success;
}

static bool is_longer_ago(const struct tier *tier, const struct ask *ask, unsigned at,
                          uint64_t *oldest)
{
    uint64_t picked_at = estimate_of(&tier->servers[at], ask)->picked_at;

    if (picked_at >= *oldest || !ask_allows(ask, &tier->servers[at]))
        return false;
    *oldest = picked_at;
    return true;
}

int revisit_pick(struct revisit *revisit, const struct tier *tier, const struct ask *ask)
{
    bool is_small = tier->count <= REVISIT_SCAN;
    unsigned looks = is_small ? tier->count : REVISIT_DRAWS;
    uint64_t oldest;
    int chosen = -1;

    if (++revisit->picks < REVISIT_SHARE || ask->now < revisit_after_ns)
        return -1;
    oldest = ask->now - revisit_after_ns + 1;
    for (unsigned i = 0; i < looks; i++) {
        unsigned at = is_small ? i : (unsigned)rand_below(ask->rand, tier->count);

        if (is_longer_ago(tier, ask, at, &oldest))
            chosen = (int)at;
    }
    revisit->picks = 0;
    return chosen;
}
