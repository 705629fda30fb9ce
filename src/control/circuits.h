/*
 * Circuit breakers as the steward sees them: the workers move them (guard/breaker) and
 * send news; here each move becomes an event and a reason in words, people may force one by
 * hand, and whoever waits for a place hears when an open one may be tried again.
 */
#ifndef CONTROL_CIRCUITS_H
#define CONTROL_CIRCUITS_H

#include "control/steward_inside.h"
#include "guard/breaker.h"

void circuits_init(struct timer *trials);

/* Called on a worker's thread. */
void circuits_moved(struct steward_desk *desk, const struct circuit_news *news);

/* After a reload: what has no breaker any more is closed and forgets. */
void circuits_apply(struct steward *steward);

/* By hand (admin_house.force_breaker): breakers of a server, of all addresses of its name, or
 * of a route are held open, held closed, or closed and left to themselves again. */
unsigned circuits_carry_out(struct steward *steward, const struct breaker_order *order,
                            struct scroll *words);

#endif
