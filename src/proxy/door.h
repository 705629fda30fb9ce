/*
 * A listening socket of one worker: accepts, counts against the limits, and begins a
 * session of the listener's kind. It outlives snapshots: `listener` is what the current
 * one says, NULL when the listener was removed and its sessions drain.
 */
#ifndef PROXY_DOOR_H
#define PROXY_DOOR_H

#include "proxy/worker.h"

struct door {
    struct list node; /* worker->doors */
    struct watch watch;
    struct worker *worker;
    const struct listener *listener;
    struct listener_live *live;
    struct addr addr;
    bool is_shared;  /* one socket for all workers (unix) */
    bool can_accept; /* an edge was told and nobody has heard "would block" since */
    bool is_open;
    unsigned sessions; /* that came in here and are still open */
};

/* Takes the listening descriptor over and begins to accept. */
MUST_CHECK enum err door_open(struct worker *worker, const struct listener *listener,
                              const struct addr *addr, int fd, bool is_shared);

/* From now on it lets in for this listener; NULL: it was removed. */
void door_use(struct door *door, const struct listener *listener);

/* Accepts no more; the door itself goes with its last session. Whether the socket is
 * closed is the supervisor's business too: it holds a copy. */
void door_shut(struct door *door);

/* A session of it has ended. */
void door_left(struct door *door);

/* Accepts what waits, a bounded number at a time. */
void door_accept(struct door *door);

/* Accepts all that waits, before it is shut: they would be reset. */
void door_empty(struct door *door);

#endif
