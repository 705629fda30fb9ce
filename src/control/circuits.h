/*
 * Circuit breakers as the steward sees them: the workers move them (guard/breaker) and
 * send news; here each move becomes an event and a reason in words, and people may force
 * one by hand.
 */
#ifndef CONTROL_CIRCUITS_H
#define CONTROL_CIRCUITS_H

#include "control/steward_inside.h"
#include "guard/breaker.h"

/* Called on a worker's thread. */
void circuits_moved(struct steward_desk *desk, const struct circuit_news *news);

/* After a reload: what has no breaker any more is closed and forgets. */
void circuits_apply(struct steward *steward);

/* By hand; of a server (its pool has a breaker) or of a route (which has one). */
void circuits_force_server(struct steward *steward, struct server_record *server,
                           enum breaker_action action);
void circuits_force_route(struct steward *steward, const struct route *route,
                          enum breaker_action action);

#endif
