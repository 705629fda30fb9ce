/*
 * Addresses in the simulated world to which the daemon may connect, and how they take it
 * at the moment.
 */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "stream.h"

enum host_mood {
    HOST_UP,
    HOST_REFUSES,
    HOST_SILENT, /* packets vanish */
};

struct host {
    struct host *next;
    struct addr addr;
    enum host_mood mood;
    void (*arrive)(struct host *host, struct side *side); /* takes the side over */
};

void hosts_begin(uint64_t connect_most);
void host_add(struct host *host);

/*
 * The daemon connects: ERR_AGAIN while it is under way. Its connect may take `connect_most`
 * of hosts_begin until it must have given up.
 */
MUST_CHECK enum err host_connect(struct file *file, const struct addr *to);

#endif
