/*
 * Rendezvous hashing (Thaler and Ravishankar 1998): each server draws a number from the
 * key and its identity, the best one wins. It needs no table, its shares are exact by
 * weight (-w / ln u: the first of exponential waits, as Efraimidis and Spirakis draw
 * samples), and a change of any weight moves only the keys that must move. It costs a
 * look at every server.
 */
#ifndef LB_RENDEZVOUS_H
#define LB_RENDEZVOUS_H

#include "lb/bound.h"

/*
 * The best of those who are allowed and have room (bound NULL: all have); -1: none. A
 * server that warms up takes part with what it weighs now, so it refuses nobody.
 */
int rendezvous_find(const struct tier *tier, const uint64_t *ids, const struct ask *ask,
                    const struct bound *bound);

#endif
