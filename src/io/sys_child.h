/*
 * The door to programs that we run. Nothing of ours is handed on: no descriptor, no
 * environment, no blocked signal, no working directory. A program is the head of a process
 * group, so that what it starts ends with it. It runs as the user that weir runs as, and can
 * not gain more rights than that.
 */
#ifndef IO_SYS_CHILD_H
#define IO_SYS_CHILD_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct sys_child {
    int pid;
    int exit_fd; /* readable when it has ended */
    int output;  /* what it writes to stdout and stderr; non-blocking */
};

/*
 * argv[0] is a whole path; both lists end with NULL. Waits for nothing but the kernel's
 * exec. On error (ERR_NOT_FOUND, ERR_DENIED, ERR_NO_FDS ...) nothing runs, and *child is
 * not to be used.
 */
MUST_CHECK enum err sys_child_start(const char *const *argv, const char *const *env,
                                    struct sys_child *child);

/* ERR_OK with *got > 0, ERR_EOF, ERR_AGAIN or what broke. */
MUST_CHECK enum err sys_child_read(const struct sys_child *child, void *p, size_t n,
                                   size_t *got);

/* False: it still runs. Otherwise it is reaped, and what it started is killed. *status: as
 * it exited (0 to 255), or 256 + the signal that ended it. */
bool sys_child_ended(const struct sys_child *child, unsigned *status);

/* Ends it and what it started, at once; it is still to be reaped. */
void sys_child_kill(const struct sys_child *child);

/* Closes our descriptors. */
void sys_child_close(struct sys_child *child);

#endif
