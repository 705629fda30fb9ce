/*
 * How hard a worker is pressed: it measures itself (memory, busy connections, how long what
 * is ready waits for its turn), guard/overload makes a level of that, and shed turns
 * requests away by it. Measured after turns with many events and every few milliseconds;
 * a quiet worker pays nothing.
 */
#ifndef PROXY_PRESSURE_H
#define PROXY_PRESSURE_H

#include "base/counter.h"
#include "guard/overload.h"
#include "io/timer.h"

struct worker;

/* Busy connections over all workers, next to how many there may be. */
struct busy_board {
    CACHE_ALIGNED _Atomic(unsigned) busy;
    unsigned most; /* 0: too few for a share to mean anything */
};

enum { PRESSURE_EVENTS = 8 }; /* a turn with fewer of them keeps nobody waiting */

struct pressure {
    struct overload_state state;
    struct busy_board *board; /* NULL: connections do not count */
    unsigned counted;         /* of ours on the board */
    uint64_t look_at;         /* monotonic ns */
    uint64_t backlog_since;   /* since then there was always more than a turn takes; 0 */
    struct timer timer;       /* set while the level is above none */
    struct histogram loop_time;
    _Atomic(unsigned) word;     /* the level, and the cause << 8; the steward reads */
    _Atomic(unsigned) episodes; /* how often it came above none */
};

void pressure_init(struct worker *worker);
void pressure_close(struct worker *worker);

/* After a turn of the loop, when it had PRESSURE_EVENTS or look_at has come. */
void pressure_look(struct worker *worker);

#endif
