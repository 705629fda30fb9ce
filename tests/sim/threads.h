/*
 * The daemon's threads, all in one: whoever has something to do is given turns in an
 * order drawn from the seed; when nobody has, the clock jumps to what happens next. A
 * turn rests only in sys_poll_wait, which here never waits: it says "nothing", and the
 * thread is not asked again before there is something or its time has come.
 */
#ifndef SIM_THREADS_H
#define SIM_THREADS_H

#include "files.h"

void threads_begin(void);

MUST_CHECK enum err thread_add(struct sys_thread *thread, const char *name,
                               sys_turn_fn *turn, void *owner);

/* The poll in which the running thread rests. As sys_poll_wait. */
unsigned thread_rest(struct file *poll, struct sys_event *events, unsigned most,
                     uint64_t timeout);

/* Lets the world go on until that time, or until nothing will ever happen. */
void world_run(uint64_t until);

bool thread_has_ended(const struct sys_thread *thread);

/* Lets the world go on until the thread has ended; false: it did not within a day. */
bool thread_join(const struct sys_thread *thread);

#endif
