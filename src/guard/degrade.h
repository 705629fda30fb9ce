/*
 * The degradation ladder: which level a pool's healthy share stands for, and when it may
 * be believed. Down at once, because requests are failing; up only when what is better has
 * lasted, because a server that comes and goes would otherwise open and close the shop.
 * Pure: counts and time come in by argument.
 */
#ifndef GUARD_DEGRADE_H
#define GUARD_DEGRADE_H

#include "lb/model.h"

struct degrade_state {
    bool has_begun;
    bool is_forced; /* by hand: it stays */
    enum degrade_level level;
    uint64_t good_since[DEGRADE_COUNT]; /* ns: as good as that or better; 0: it is not */
};

/* The first rule that holds; where none does, the last one that is there. */
enum degrade_level degrade_wanted(const struct ladder *ladder, unsigned healthy,
                                  unsigned all);

/* The counts as of now (monotonic ns, never 0). True: the level has changed. The first look
 * takes the level as it is. */
bool degrade_look(struct degrade_state *state, const struct ladder *ladder,
                  unsigned healthy, unsigned all, uint64_t now);

/* By hand; true: the level has changed. */
bool degrade_force(struct degrade_state *state, enum degrade_level level);

/* No longer by hand: from the next look on the counts decide. Up from there, too, only
 * after the hold. */
void degrade_release(struct degrade_state *state);

/* ns until it goes up, should nothing change; 0: it is not about to. */
uint64_t degrade_rises_in(const struct degrade_state *state, const struct ladder *ladder,
                          uint64_t now);

#endif
