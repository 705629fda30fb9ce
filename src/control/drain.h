/*
 * What still runs on a removed server, or came by a removed listener, may go on for its
 * pool's drain.timeout; then it is cut. The workers let go of everything else by
 * themselves when they adopt the snapshot.
 */
#ifndef CONTROL_DRAIN_H
#define CONTROL_DRAIN_H

#include "control/steward_inside.h"

/* Once a second, and before a new snapshot takes the current one's place: notes what has
 * been removed since, and cuts what has had its time. */
void drain_look(struct steward *steward);

#endif
