/*
 * Small web servers for `weir demo`: each says which one it is. They live on one thread
 * with a loop of its own. A control port makes one of them leave and come back, so that a
 * visitor can watch what a load balancer does about it. Strict and tiny: GET and HEAD, no
 * bodies, a fixed number of connections. Nobody should use them for anything else.
 */
#ifndef MAIN_DEMO_ORIGIN_H
#define MAIN_DEMO_ORIGIN_H

#include "io/loop.h"

enum { DEMO_ORIGINS = 3, DEMO_GUESTS_MOST = 128 };

struct demo_origins;

/* One that listens: an origin, or the control port. */
struct demo_door {
    const char *name; /* NULL: the control port */
    struct addr addr; /* 127.0.0.1, a port of the kernel's choice */
    struct watch watch;
    struct list guests; /* struct demo_guest */
    struct timer back;  /* when a stopped one comes back */
    struct demo_origins *origins;
    uint64_t answers;
};

struct demo_origins {
    struct loop loop;
    struct demo_door doors[DEMO_ORIGINS + 1]; /* the last is the control port */
    unsigned guests;
    struct sys_thread thread;
    struct mail stop;
};

/* Listens and starts the thread. */
MUST_CHECK enum err demo_origins_start(struct demo_origins *origins);

/* Ends and joins it. */
void demo_origins_stop(struct demo_origins *origins);

#endif
