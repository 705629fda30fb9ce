/*
 * The limits of servers in pools with adaptive concurrency (guard/capacity.h): workers count,
 * the steward sums ten times a second, and workers read the limit as one word of the server.
 * It is the steward who decides, not a worker, because only he may look at all shards, and
 * because a limit that comes some hundredths of a second later is as good.
 *
 * A limit is part of what is known of a server at run time: it outlasts reloads, and
 * ends with the setting.
 */
#ifndef CONTROL_ADAPTING_H
#define CONTROL_ADAPTING_H

#include "control/steward_inside.h"

void adapting_init(struct timer *timer);

/* The pool's members or settings may be others now; before its set is published. */
void adapting_look(struct steward *steward, struct pool_record *pool);

/* "answers take 31ms instead of 12ms": why its limit is what it is, for people. */
void adapting_reason(const struct server_record *record, struct scroll *out);

#endif
