/*
 * The part of the door to the world that only main goes through: processes and who they
 * run as, descriptors passed between them, the service manager, directories. The
 * simulation has no need of it, so it has no twin. Everything here is for start-up and
 * for the supervisor; nothing is called while a request is under way.
 */
#ifndef IO_SYS_HOST_H
#define IO_SYS_HOST_H

#include "base/arena.h"
#include "io/sys.h"

/* ---- processes ---- */

/* How a process ended. */
struct sys_end {
    int pid;
    int status; /* its exit status; -1: a signal ended it */
    int signal;
};

/* *pid is 0 in the child. This process must have one thread only. */
MUST_CHECK enum err sys_process_fork(int *pid);
int sys_process_self(void);

/* Sends what the signal stands for (SYS_SIGNAL_STOP: SIGTERM). */
void sys_process_tell(int pid, enum sys_signal which);
void sys_process_kill(int pid);

/* The next child that has ended; false: none just now. Never waits. */
bool sys_process_reap(struct sys_end *end);

/* "Killed", "Segmentation fault"; never NULL. */
const char *sys_process_signal_text(int signal);

/* Out of the terminal's group: its Ctrl-C reaches the parent alone. */
void sys_process_leave_terminal(void);

/* SIGTERM comes when the parent ends. Lost with a change of user: call it again. False:
 * `parent` has ended already. */
bool sys_process_follow(int parent);

/* Closes all descriptors but 0, 1, 2 and these (-1: none): what a forked child has of its
 * parent and does not want. */
void sys_process_shed(int keep, int keep_too);

/* No program started from here gains rights, and nobody may look into our memory. */
void sys_process_harden(void);

/* Looking is allowed again: at the very end, for leak checkers, which are a process of
 * their own. */
void sys_process_unveil(void);

/* ---- users ---- */

struct sys_user {
    unsigned uid, gid;
    char name[64];
};

bool sys_user_is_root(void);

/* ERR_NOT_FOUND: there is no such user. */
MUST_CHECK enum err sys_user_find(str name, struct sys_user *out);

/* For good and for all threads: groups, group, user. */
MUST_CHECK enum err sys_user_become(const struct sys_user *user);

/* The user whose rights count when files and unix sockets are made, for this thread;
 * NULL: our own again. */
MUST_CHECK enum err sys_user_act_as(const struct sys_user *user);

/* ---- descriptors between processes ---- */

enum { SYS_PASSED_MOST = 64 };

/* A pair of connected sockets that keep the bounds of messages. Non-blocking. */
MUST_CHECK enum err sys_pair_new(int fds[2]);

/* One message with copies of `count` descriptors. Waits until there is room. */
MUST_CHECK enum err sys_pair_send(int fd, str message, const int *fds, unsigned count);

/* The next message; *count: room in fds, then how many came. ERR_AGAIN: none just now
 * (never with `wait`); ERR_EOF: the other end is closed; ERR_TOO_LARGE: does not fit. */
MUST_CHECK enum err sys_pair_take(int fd, bool wait, void *p, size_t room, size_t *got,
                                  int *fds, unsigned *count);

/* ---- files ---- */

/* A file in memory that holds these bytes. */
MUST_CHECK enum err sys_memory_file(str bytes, int *fd);

/* All of it, whatever was read before; at most `most` bytes. */
MUST_CHECK enum err sys_memory_read(int fd, size_t most, struct arena *arena, str *out);

/* Makes the directory above `path` where it is missing (mode 0755), one level, and gives
 * it to `owner` (NULL: it stays ours). */
void sys_directory_make_above(const char *path, const struct sys_user *owner);

/* Gives a file or a socket to the user; a symbolic link itself, not what it points to. */
MUST_CHECK enum err sys_file_give(const char *path, const struct sys_user *owner);

/* ---- the service manager ---- */

/* Tells systemd ("READY=1"), where NOTIFY_SOCKET says that it listens; else nothing. */
void sys_service_tell(const char *state);

#endif
