/*
 * Passive health: servers whose answers to requests are bad rest for a while (what is bad
 * is judged in guard/outlier). The workers count failures in a row and send mail; shares
 * and times are looked at once a second, only in pools that want it.
 */
#ifndef CONTROL_EJECTION_H
#define CONTROL_EJECTION_H

#include "control/steward_inside.h"

/* Called on a worker's thread. */
void ejection_server_errs(struct steward_desk *desk, struct server_live *server,
                          const struct server_outcome *last);

/* Once a second: ejects, brings back, forgets. */
void ejection_look(struct steward *steward);

/* Its health has changed, as workers see it. */
void ejection_moved(struct server_record *server, enum health before, enum health now);

/* A server has become unusable: if it was the last one, those that rest come back. */
void ejection_rescue(struct steward *steward, struct pool_record *pool);

#endif
