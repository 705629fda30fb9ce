/*
 * How many requests at once a server bears, learnt from how long its answers take. Up to
 * what it can work on at the same time they take as long as without load; beyond, they
 * wait for each other, and each further request only makes all of them slower. The limit
 * follows the gradient, which is the time without load by the time of now:
 *
 *     limit = limit * gradient + sqrt(limit)
 *
 * so that a short queue, the root, always stands at the server and shows when it has become
 * faster; when it has, and as long as nothing is known, the limit grows faster than that.
 * The times that are compared are means of logarithms over windows of some tenths
 * of a second: a mix of quick and slow requests moves them little, and each window with
 * its like; what may be chance, by the standard error, is not taken for slower.
 *
 * The time without load is a sliding low percentile of the windows: it follows faster ones
 * quickly and slower ones slowly, and the latter only where the limit was not used up. A
 * server that is never idle is still understood, and is never paused for it (as a
 * concurrency filter that measures with hardly any request in flight does): whenever the
 * limit was lowered it is looked whether that has helped. When answers did not become
 * faster as load would have it, then they are not slow because of load, and what they take
 * is the new time without it: so a server that has become slower for good keeps its limit.
 * When they did, the server is full. Should the limit not come down for some seconds by
 * itself while answers are slow, it is lowered for one window to a part, between half and
 * four fifths, of what the server is thought to bear, which takes the queue away and
 * leaves the server most of its work.
 *
 * Failures count as answers that took four times as long. Whoever uses less than his limit
 * gets no higher one. What a low limit does with requests that it keeps out is not decided
 * here: they wait or are refused (proxy/waiting, lb/pool.h).
 */
#ifndef GUARD_CAPACITY_H
#define GUARD_CAPACITY_H

#include "base/rand.h"
#include "lb/live.h"
#include "lb/model.h"

/* Why the limit is as it is. */
enum capacity_state {
    CAPACITY_NEW,    /* too little was asked yet */
    CAPACITY_UNUSED, /* there are not so many requests */
    CAPACITY_GROWS,  /* they are, and none is slower for it */
    CAPACITY_LOWER,  /* answers take longer, and it was lowered */
    CAPACITY_LOOKS,  /* lowered for a moment, to see whether load is the reason */
    CAPACITY_FAILS,  /* hardly anything is answered well */
    CAPACITY_STATES,
};

/* "new", "unused", "grows", "lower", "looks", "fails". */
const char *capacity_state_text(enum capacity_state state);

/* What the steward knows of one server. All zero: nothing. */
struct capacity {
    double limit;
    double calm;                  /* log2 ns: the time without load; 0: not known */
    double time;                  /* log2 ns: of the newest window */
    double was_time, was_load;    /* before the limit was lowered; 0: it was not */
    double resumed;               /* the limit after a look; 0: none is under way */
    struct capacity_counts since; /* what was counted when the window began */
    uint64_t opens;               /* monotonic ns: a new limit has settled then */
    uint64_t began;               /* of the window; 0: it has not */
    uint64_t look_at;             /* when a look is due */
    enum capacity_state state;
    unsigned streak; /* windows since one was slower; then it grows in haste */
    bool has_peaked; /* it was slower once: the limit no longer doubles */
};

/* One attempt has ended; `limit` is the server's. Called by the worker whose `own` is. */
void capacity_note(struct capacity_counts *own, unsigned limit,
                   const struct outcome *outcome);

/* `from` is being written by another thread. */
void capacity_add(struct capacity_counts *into, const struct capacity_counts *from);

/* Begins, or goes on under another rule. Returns the limit. */
unsigned capacity_begin(struct capacity *capacity,
                        const struct adaptive_concurrency *rule);

/* Is it worth summing the counts now? */
bool capacity_is_due(const struct capacity *capacity, uint64_t now);

/* Looks at what all workers have counted, and returns the limit. To be called every tenth
 * of a second or so. */
unsigned capacity_look(struct capacity *capacity, const struct adaptive_concurrency *rule,
                       const struct capacity_counts *sum, uint64_t now,
                       struct rand *rand);

/* ns: what answers take without load, and took in the newest window; 0: not known. */
uint64_t capacity_calm_time(const struct capacity *capacity);
uint64_t capacity_time(const struct capacity *capacity);

#endif
