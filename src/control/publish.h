/*
 * What the steward tells workers, by mail: new snapshots with their doors, new endpoint
 * sets, and the end. Each worker acknowledges to the steward's mailbox; what all of them
 * have let go is freed there.
 */
#ifndef CONTROL_PUBLISH_H
#define CONTROL_PUBLISH_H

#include "control/steward_inside.h"

/* A door to open: descriptors[i] belongs to worker i. */
struct new_port {
    const struct listener *listener; /* of the new snapshot */
    struct addr addr;
    int *fds; /* on the heap */
};

/* Every worker starts to use it; the old set goes when all have. Before the workers run
 * they are given it directly. */
void publish_set(struct steward *steward, struct pool_record *pool,
                 struct endpoint_set *set);

/*
 * Every worker adopts the generation's snapshot and opens these doors (descriptors are
 * taken over). When all have, steward_all_adopted is called; when nobody uses the one
 * before any more, steward_snapshot_unused.
 */
void publish_snapshot(struct steward *steward, struct generation *generation,
                      const struct new_port *ports, unsigned port_count);

/* Every worker learns what is closed (NULL: nothing is); the closure before it is freed
 * when all have. */
void publish_closure(struct steward *steward, struct closure *closure);

/* Idle links to a removed server are closed everywhere. */
void publish_idle_links_end(struct steward *steward, struct server_record *server);

/* What still runs on a removed server, or came by a removed listener, ends everywhere. */
void publish_server_cut(struct steward *steward, struct server_record *server);
void publish_listener_cut(struct steward *steward, struct listener_record *listener);

/* Every worker drains; every worker cuts what is left and stops. */
void publish_drain(struct steward *steward);
void publish_stop(struct steward *steward);

#endif
