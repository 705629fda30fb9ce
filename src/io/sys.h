/*
 * The one door to the world. Every call that leaves the process or depends on what is
 * outside goes through here: sockets, readiness, clocks, chance, files, threads. The
 * daemon links sys.c; the simulation links its twin in tests/sim, which keeps virtual
 * sockets and a virtual clock behind the very same functions. Descriptors are
 * non-blocking and close-on-exec. Nothing here knows what the bytes mean.
 */
#ifndef IO_SYS_H
#define IO_SYS_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"

#include <sys/uio.h>

/* ---- sockets ---- */

enum sock_option {
    SOCK_REUSE_ADDRESS,
    SOCK_REUSE_PORT,
    SOCK_NO_DELAY,
    SOCK_KEEP_ALIVE,   /* seconds of silence before the first probe; 0: off */
    SOCK_DEFER_ACCEPT, /* seconds, for which a client that is silent is not told of */
    SOCK_IPV6_ONLY,
    SOCK_RESET_ON_CLOSE /* close sends RST instead of FIN */
};

MUST_CHECK enum err sys_socket(enum addr_family family, int *fd);
MUST_CHECK enum err sys_bind(int fd, const struct addr *addr);
MUST_CHECK enum err sys_listen(int fd, int backlog);

/* *peer has family ADDR_UNIX with an empty path for unix sockets. */
MUST_CHECK enum err sys_accept(int listen_fd, int *fd, struct addr *peer);

/* ERR_AGAIN: under way; writable when it is decided, then ask sys_socket_error. */
MUST_CHECK enum err sys_connect(int fd, const struct addr *addr);
MUST_CHECK enum err sys_socket_error(int fd);
MUST_CHECK enum err sys_local_addr(int fd, struct addr *out);

/* A unix datagram socket that sys_send sends to `to` with, one message a call. ERR_AGAIN
 * from sys_send: the receiver's queue is full. */
MUST_CHECK enum err sys_datagram(const struct addr *to, int *fd);

/* Who is at the other end of a unix socket, and who we are: effective ids. */
MUST_CHECK enum err sys_peer_user(int fd, unsigned *uid, unsigned *gid);
void sys_own_user(unsigned *uid, unsigned *gid);
MUST_CHECK enum err sys_set(int fd, enum sock_option option, int value);

/* ERR_OK with *got > 0, ERR_EOF, ERR_AGAIN or what broke. */
MUST_CHECK enum err sys_recv(int fd, void *p, size_t n, size_t *got);

/* `more`: the kernel may wait for more before it sends. *sent > 0 with ERR_OK. */
MUST_CHECK enum err sys_send(int fd, const struct iovec *parts, unsigned count, bool more,
                             size_t *sent);

/* Bytes handed to the kernel that the other end has not taken yet; 0 where nobody knows. */
size_t sys_unsent(int fd);

/* Ends our direction (FIN). */
void sys_shutdown(int fd);

/* A second descriptor of the same socket; it is open until both are closed. */
MUST_CHECK enum err sys_dup(int fd, int *copy);
void sys_close(int fd);

/* A pipe of about `size` bytes for splicing; fds[0] is the end to read. */
MUST_CHECK enum err sys_pipe(int fds[2], size_t size);

/* Moves up to n bytes between a pipe and a socket inside the kernel. As sys_recv. */
MUST_CHECK enum err sys_splice(int from, int to, size_t n, bool more, size_t *moved);

/* ---- readiness (edge-triggered) ---- */

enum ready { READY_IN = 1, READY_OUT = 4, READY_ERROR = 8, READY_HUP = 16 };

struct sys_event {
    unsigned ready; /* enum ready */
    void *data;
};

MUST_CHECK enum err sys_poll_new(int *poll);

/* Registers once, for edges in both directions. `shared`: wake one of several pollers. */
MUST_CHECK enum err sys_poll_add(int poll, int fd, unsigned ready, bool shared,
                                 void *data);
void sys_poll_remove(int poll, int fd);

/* Waits at most timeout_ns (UINT64_MAX: for ever); how many events came. */
unsigned sys_poll_wait(int poll, struct sys_event *events, unsigned most,
                       uint64_t timeout_ns);

/* A counter that makes its descriptor readable: how one thread wakes another. */
MUST_CHECK enum err sys_event_new(int *fd);
void sys_event_post(int fd);
void sys_event_take(int fd);

/* ---- time and chance ---- */

/* Monotonic nanoseconds. Never jumps. The only clock for deadlines. */
uint64_t sys_now(void);

/* Nanoseconds since 1970. May jump; only for what people read. */
uint64_t sys_wall(void);

/* Unpredictable bytes. */
void sys_random(void *p, size_t n);

/* ---- threads ---- */

/*
 * A thread calls `turn` again and again until it returns false. A turn may wait for the
 * world only in sys_poll_wait, as its one point of rest; so the simulation can run all
 * threads in one.
 */
typedef bool sys_turn_fn(void *owner);

struct sys_thread {
    unsigned long id;
    sys_turn_fn *turn;
    void *owner;
};

/* name: at most 15 bytes, static. */
MUST_CHECK enum err sys_thread_start(struct sys_thread *thread, const char *name,
                                     sys_turn_fn *turn, void *owner);
void sys_thread_join(struct sys_thread *thread);

/* CPUs that this process may use, at least 1. */
unsigned sys_cpus(void);

/* Bytes of memory that this process may use: the least of the machine's, its control
 * group's and its own limit. */
uint64_t sys_memory_limit(void);

/* What this process has used and uses. */
struct sys_usage {
    uint64_t cpu_ns;                 /* user and system, all threads */
    uint64_t resident, virtual_size; /* bytes */
    unsigned open_files, open_files_most;
};

/* Not for the data path: it counts the descriptors one by one. */
void sys_usage(struct sys_usage *out);

/* ---- signals ---- */

enum sys_signal {
    SYS_SIGNAL_NONE,
    SYS_SIGNAL_RELOAD, /* SIGHUP */
    SYS_SIGNAL_STOP,   /* SIGTERM, SIGINT */
    SYS_SIGNAL_REOPEN, /* SIGUSR1 */
    SYS_SIGNAL_CHILD,  /* SIGCHLD */
};

/* Blocks these signals for all threads started later, ignores SIGPIPE, and gives a
 * descriptor that is readable when one came. */
MUST_CHECK enum err sys_signals_open(int *fd);

/* The next one that came; SYS_SIGNAL_NONE when there is none. */
enum sys_signal sys_signal_take(int fd);

/* ---- files ---- */

/* The whole file, NUL behind it. ERR_TOO_LARGE: it has more than `most` bytes, and *out
 * holds its beginning. ERR_INVALID: a directory, or a named pipe. */
MUST_CHECK enum err sys_file_read(const char *path, size_t most, struct arena *arena,
                                  str *out);

/* Opens for appending, made with `mode` where it does not exist. A named pipe is opened
 * at once, whether somebody reads it or not. */
MUST_CHECK enum err sys_file_append(const char *path, unsigned mode, int *fd);

/* Writes what goes without waiting for a reader: to a file all of it, to a pipe or a
 * terminal perhaps a part. ERR_OK with *written > 0; ERR_AGAIN: nothing goes now. Fd 1 and
 * 2 may be given too. The process must ignore SIGPIPE. */
MUST_CHECK enum err sys_file_write_some(int fd, str bytes, size_t *written);

/* Writes all of it or says why not; may block. Only for the writer thread and start-up. */
MUST_CHECK enum err sys_file_write(int fd, str bytes);
void sys_file_remove(const char *path);

/* Rights of a file that is there. */
MUST_CHECK enum err sys_file_mode(const char *path, unsigned mode);

/* Removes the file of a unix socket. ERR_IN_USE: what is there is something else. */
MUST_CHECK enum err sys_socket_remove(const char *path);

/*
 * Takes `size` bytes from the kernel at once, for malloc to give out next, and keeps them:
 * for a process that will soon use about so much and then end. Each page that is taken
 * by touching it costs more than to fill it. Does less, or nothing, where it can not.
 */
void sys_heap_prepare(size_t size);

/* Soft limit of open files. */
unsigned sys_file_limit(void);

#endif
