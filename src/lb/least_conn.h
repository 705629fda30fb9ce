/*
 * Choosing by requests in flight. The load of a server is (in flight + 1) / weight,
 * compared by cross-multiplication; the + 1 lets weights count among the idle, too.
 */
#ifndef LB_LEAST_CONN_H
#define LB_LEAST_CONN_H

#include "lb/draw.h"

/* The least loaded of all who are allowed, ties by chance; O(n). -1: nobody is. */
int least_scan(const struct tier *tier, const struct ask *ask, bool is_weighted);

/*
 * The less loaded of two drawn from tier->data (a struct draw): Mitzenmacher, "The power
 * of two choices in randomized load balancing" (2001). Scans when it cannot draw two.
 */
int least_of_two(const struct tier *tier, const struct ask *ask, bool is_weighted);

#endif
