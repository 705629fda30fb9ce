/*
 * What a worker learns of a server from the outcomes of its own attempts: how long an
 * answer takes and how often there is none. Everything fades with a time constant of ten
 * seconds while nothing is heard, so that bad news is not believed for ever.
 *
 * Failures are counted as slow, or a server that fails fast would look like the fastest
 * and draw everything to it: what is compared is the time that a request would take if a
 * failure cost a second and were tried again until it went well.
 */
#ifndef LB_ESTIMATE_H
#define LB_ESTIMATE_H

#include "lb/balance.h"

/* Takes the failure or success in, and the time of it. Called last: the learning of times
 * looks at when the outcome before was. */
void estimate_note(struct estimate *estimate, const struct outcome *outcome);

/* What is left of something learnt at `then`: e^(-t / 10 s), to within 0.035. */
double estimate_fade(uint64_t then, uint64_t now);

/* ns: `latency` (faded by the caller) and what failures add to it; see above. `fade` is
 * the estimate's. */
double estimate_cost(const struct estimate *estimate, double latency, double fade);

/* This worker's own. */
static inline struct estimate *estimate_of(const struct server *server,
                                           const struct ask *ask)
{
    return &server->live->shards[ask->worker].estimate;
}

/* ---- the floor ---- */

/*
 * So that nobody is starved for ever: at most one pick in a hundred goes to the server
 * that this worker has not chosen for the longest time, where that is five seconds or
 * more. Of up to 64 servers all are looked at, above that some, by chance.
 */
struct revisit {
    unsigned picks; /* since the last one */
};

/* An index into tier->servers, or -1: choose as usual. To be asked for each pick. */
int revisit_pick(struct revisit *revisit, const struct tier *tier, const struct ask *ask);

#endif
