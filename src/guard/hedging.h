/*
 * When a second server is asked because the first one takes long (Dean and Barroso, The
 * Tail at Scale, 2013): after the time within which most answers of late have come, and
 * for a small share of the requests at most. Each worker keeps its own book of
 * a pool, or of a route that has a setting of its own.
 */
#ifndef GUARD_HEDGING_H
#define GUARD_HEDGING_H

#include "lb/live.h"
#include "lb/model.h"

/* One more request that might be hedged: it pays its share into the book. */
void hedging_count(struct hedge_book *book, const struct hedging *rule);

/* ns after which it is; 0: too little is known yet. `now`: monotonic ns. */
uint64_t hedging_delay(struct hedge_book *book, const struct hedging *rule, uint64_t now);

/* Takes one hedge out of what was paid in; false: there is none. */
MUST_CHECK bool hedging_take(struct hedge_book *book);

/* What was taken was not used. */
void hedging_give(struct hedge_book *book);

/* An answer's head came after so many ns, or had not come yet when it was given up. */
void hedging_learn(struct hedge_book *book, uint64_t ns);

#endif
