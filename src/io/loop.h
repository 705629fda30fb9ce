/*
 * A thread's loop: readiness, timers, mail and deferred calls. It knows descriptors, not
 * protocols. Edge-triggered: an event is said once, and who hears it must read or write
 * until the kernel says "would block". In a turn, I/O comes before timers, so that a
 * stalled turn makes no false time-outs.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include "io/mailbox.h"
#include "io/timer.h"

struct watch;
typedef void watch_fn(struct watch *watch, unsigned ready); /* enum ready */

/* A registered descriptor; lies inside what it serves. */
struct watch {
    watch_fn *ready;
    int fd;
    bool is_added;
};

/* A call that is made later in this turn, on an empty stack. */
struct deferred {
    struct list node;
    void (*run)(struct deferred *deferred);
};

enum { LOOP_EVENTS = 128, LOOP_MAIL = 64 /* letters opened at once */ };

struct loop {
    uint64_t now; /* monotonic ns, read once a turn, after the wait */
    int poll;
    bool is_stopping;
    struct timer_wheel timers;
    struct list deferred;
    struct mailbox mailbox;
    struct watch mail_watch;
    struct deferred mail_left;      /* what a turn has not opened is for the next one */
    unsigned event_at, event_count; /* the batch being told */
    unsigned told;                  /* events of this turn */
    struct sys_event events[LOOP_EVENTS];
};

MUST_CHECK enum err loop_init(struct loop *loop);

/* All watches must have been forgotten. */
void loop_close(struct loop *loop);

/* Reads the clock within a turn: for who hears of a moment from another thread, whose clock
 * may be ahead of this turn's. */
static inline void loop_look_at_clock(struct loop *loop)
{
    loop->now = sys_now();
}

/* One turn: wait for events, tell them, open mail, run what was deferred, fire timers.
 * False once loop_stop was called. */
bool loop_turn(struct loop *loop);
void loop_stop(struct loop *loop);

static inline void watch_init(struct watch *watch, int fd, watch_fn *ready)
{
    *watch = (struct watch){ready, fd, false};
}

/* Registers for edges in both directions. An edge that is already there is told. */
MUST_CHECK enum err loop_watch(struct loop *loop, struct watch *watch);

/* As loop_watch for a descriptor that several processes or threads wait for. Level
 * triggered. */
MUST_CHECK enum err loop_watch_shared(struct loop *loop, struct watch *watch);

/* No event of it will be told any more, not even one of this batch. The descriptor is
 * about to be closed: that takes it from the kernel's list without a call of ours. */
void loop_forget(struct loop *loop, struct watch *watch);

/* As loop_forget for a descriptor that stays open. */
void loop_unwatch(struct loop *loop, struct watch *watch);

void deferred_init(struct deferred *deferred, void (*run)(struct deferred *));

/* Runs it later in this turn; once, however often it is asked for. */
void loop_defer(struct loop *loop, struct deferred *deferred);

/* Takes a request back; harmless when there was none. */
void deferred_cancel(struct deferred *deferred);

#endif
