/*
 * Where listening sockets come from. The daemon itself binds nothing: it asks for ports
 * by address and gets descriptors that already listen. In production the supervisor
 * answers (main/supervisor), which keeps a copy of every socket, so that no connection
 * attempt is refused while a dead daemon is started anew; without a supervisor (demo,
 * `weir proxy`, simulation) ports_direct does it in place.
 */
#ifndef CONTROL_PORTS_H
#define CONTROL_PORTS_H

#include "base/addr.h"
#include "base/err.h"

struct ports {
    /*
     * Listening descriptors for `addr`: one for each of `count` workers, each its own
     * SO_REUSEPORT socket; for a unix path one and the same, of which each worker gets a
     * duplicate. The caller closes them. The same address again gives the same sockets.
     * ERR_IN_USE: somebody else has it; ERR_DENIED: no right to.
     */
    enum err (*open)(struct ports *ports, const struct addr *addr, unsigned count,
                     int *fds);

    /* Nobody here wants that address any more. */
    void (*close)(struct ports *ports, const struct addr *addr);
};

/* Binds in this process. Probes the address without SO_REUSEPORT first, so that a second
 * weir does not share it silently. Backlog 4096 (the kernel caps it). */
struct ports *ports_direct(void);

/* Closes all that it still holds and removes the files of unix sockets. */
void ports_direct_free(struct ports *ports);

#endif
