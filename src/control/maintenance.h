/*
 * Closed for maintenance: what the file says, or what people order while weir runs. An
 * order holds over reloads until it is taken back, the process ends, or the file's own
 * word has changed since; then the file wins, and that is announced.
 */
#ifndef CONTROL_MAINTENANCE_H
#define CONTROL_MAINTENANCE_H

#include "control/overview.h"
#include "control/steward_inside.h"

/* After a snapshot has become the current one: the workers learn who is turned away. */
void maintenance_apply(struct steward *steward);

/* As admin_house.put_maintenance: 200 and JSON, or a status and words. */
unsigned maintenance_put(struct steward *steward, const struct maintenance_patch *patch,
                         struct scroll *answer);

/* What status and metrics show of it. The texts live until the next change. */
struct maintenance_view maintenance_view(const struct steward *steward);

/* Of what publish_closure was given; NULL is fine. */
void closure_free(struct closure *closure);

/* When the workers' threads have ended. */
void maintenance_close(struct steward *steward);

#endif
