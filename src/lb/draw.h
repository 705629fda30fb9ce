/*
 * Drawing a member by weight: in O(1) from an alias table (Walker 1977, built as Vose
 * 1991 does, in whole numbers, so that shares are exact), or by one pass over all who may
 * be chosen when too many may not.
 */
#ifndef LB_DRAW_H
#define LB_DRAW_H

#include "lb/balance.h"

struct draw_slot {
    uint64_t cut; /* below it (of total): this member; else the other */
    uint32_t other;
};

struct draw {
    const struct draw_slot *slots; /* NULL: all weigh the same */
    uint64_t total;                /* of the weights; 0: nobody to draw */
    unsigned count;
};

const struct draw *draw_new(struct arena *arena, const struct tier *tier,
                            bool is_weighted);

/*
 * An allowed member, other than `except` (-1: any), by rejection: shares among the
 * allowed stay exact. -1 after a bounded number of tries, which proves nothing.
 */
int draw_try(const struct draw *draw, const struct tier *tier, const struct ask *ask,
             int except);

/* The same by one pass, O(n); -1: nobody is allowed. */
int draw_scan(const struct tier *tier, const struct ask *ask, bool is_weighted);

#endif
