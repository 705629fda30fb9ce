/*
 * Tells on stdout how the servers are, once each has been checked for the first time. It
 * asks over the admin socket like anybody else, in a thread of its own that then ends.
 */
#ifndef MAIN_ANNOUNCE_H
#define MAIN_ANNOUNCE_H

#include "io/sys.h"

#include <stdatomic.h>

struct announcement {
    const char *socket;         /* the admin socket to ask */
    void (*after)(void *owner); /* on that thread, when all is told; may be NULL */
    void *owner;
    uint64_t end;
    struct sys_thread thread;
    bool is_started;
    _Atomic(bool) is_ending;
};

/* socket, after and owner are set by the caller. */
void announcement_start(struct announcement *announcement);

/* Waits for its end; harmless when it was not started. */
void announcement_end(struct announcement *announcement);

#endif
