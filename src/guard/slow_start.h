/*
 * How much of its weight a server counts for while it warms up: caches, pools and compilers
 * are cold, so it begins with little and grows to the whole within the window. Envoy's
 * formula, so that what is known of it elsewhere holds here: w * max(min_weight,
 * (t / window)^(1 / aggression)). Pure: time comes in as what has gone by.
 */
#ifndef GUARD_SLOW_START_H
#define GUARD_SLOW_START_H

#include "lb/live.h"
#include "lb/model.h"

/* 1 to RAMP_FULL, which it is when the window is over, or the slow start off. */
unsigned slow_start_ramp(const struct slow_start *settings, uint64_t elapsed_ms);

#endif
