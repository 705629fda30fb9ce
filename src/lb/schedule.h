/*
 * Turns by weight, evenly spread: in every `total` turns each server has exactly its
 * weight, and its turns lie as far apart as may be. Earliest deadline first, with the
 * turns of weight w due at the middles (1/2w, 3/2w, ...) of w equal parts of a round; the
 * fractions are compared exactly, so that a round repeats for ever without drift. Where a
 * round is short it is written out in a table once, and a turn costs O(1); else a worker
 * runs the heap itself, O(log n).
 */
#ifndef LB_SCHEDULE_H
#define LB_SCHEDULE_H

#include "base/arena.h"
#include "base/rand.h"

/* One entry of the heap: its next turn is due at round + (2 step + 1) / 2 weight. */
struct turn {
    uint32_t server, weight, round, step;
};

struct schedule {
    const struct turn *turns; /* the heap as it begins; weights have no common divisor */
    unsigned count;           /* of servers that have turns at all */
    uint64_t total;           /* length of a round */
    const uint32_t *table;    /* a round, written out; NULL when it is too long */
};

/* weights[i] belongs to server i and may be 0. */
const struct schedule *schedule_new(struct arena *arena, const uint32_t *weights,
                                    unsigned count);

/* What a worker needs to keep its place in the round. */
size_t schedule_scratch_size(const struct schedule *schedule);

/* Begins with the first turn of a round. */
void schedule_begin(const struct schedule *schedule, char *scratch);

/* Begins at a random place. */
void schedule_start(const struct schedule *schedule, char *scratch, struct rand *rand);

/* Whose turn it is; schedule->count > 0. */
uint32_t schedule_next(const struct schedule *schedule, char *scratch);

#endif
