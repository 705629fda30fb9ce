/*
 * The door to the real world: Linux. Each function is one or two system calls and the
 * folding of errno; policy lives above. The few calls of the data path go to the kernel
 * without libc, which would make each a point of cancellation (45 instructions). EINTR
 * is retried here and seen nowhere else.
 */
#include "io/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static enum err last_error(void)
{
    return err_from_errno(errno);
}

/* ---- sockets ---- */

union any_sockaddr {
    struct sockaddr any;
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;
    struct sockaddr_un local;
};

static socklen_t to_sockaddr(const struct addr *addr, union any_sockaddr *out)
{
    memset(out, 0, sizeof *out);
    switch ((enum addr_family)addr->family) {
    case ADDR_IP4:
        out->ip4.sin_family = AF_INET;
        out->ip4.sin_port = htons(addr->port);
        memcpy(&out->ip4.sin_addr, addr->ip, 4);
        return sizeof out->ip4;
    case ADDR_IP6:
        out->ip6.sin6_family = AF_INET6;
        out->ip6.sin6_port = htons(addr->port);
        out->ip6.sin6_scope_id = addr->scope;
        memcpy(&out->ip6.sin6_addr, addr->ip, 16);
        return sizeof out->ip6;
    case ADDR_UNIX:
        out->local.sun_family = AF_UNIX;
        memcpy(out->local.sun_path, addr->path, addr->path_length);
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + addr->path_length +
                           1);
    case ADDR_NONE:
        break;
    }
    return 0;
}

static void from_sockaddr(const union any_sockaddr *from, struct addr *out)
{
    memset(out, 0, sizeof *out);
    switch (from->any.sa_family) {
    case AF_INET:
        out->family = ADDR_IP4;
        out->port = ntohs(from->ip4.sin_port);
        memcpy(out->ip, &from->ip4.sin_addr, 4);
        break;
    case AF_INET6:
        out->family = ADDR_IP6;
        out->port = ntohs(from->ip6.sin6_port);
        out->scope = from->ip6.sin6_scope_id;
        memcpy(out->ip, &from->ip6.sin6_addr, 16);
        addr_unmap(out);
        break;
    default:
        out->family = ADDR_UNIX;
        break;
    }
}

enum err sys_socket(enum addr_family family, int *fd)
{
    static const int domains[] = {
        [ADDR_IP4] = AF_INET, [ADDR_IP6] = AF_INET6, [ADDR_UNIX] = AF_UNIX};

    *fd = socket(domains[family], SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return *fd < 0 ? last_error() : ERR_OK;
}

enum err sys_bind(int fd, const struct addr *addr)
{
    union any_sockaddr name;
    socklen_t size = to_sockaddr(addr, &name);

    return bind(fd, &name.any, size) ? last_error() : ERR_OK;
}

enum err sys_listen(int fd, int backlog)
{
    return listen(fd, backlog) ? last_error() : ERR_OK;
}

enum err sys_accept(int listen_fd, int *fd, struct addr *peer)
{
    union any_sockaddr name;
    socklen_t size = sizeof name;

    do
        *fd = accept4(listen_fd, &name.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (*fd < 0 && errno == EINTR);
    if (*fd < 0)
        return last_error();
    from_sockaddr(&name, peer);
    return ERR_OK;
}

enum err sys_connect(int fd, const struct addr *addr)
{
    union any_sockaddr name;
    socklen_t size = to_sockaddr(addr, &name);

    return connect(fd, &name.any, size) ? last_error() : ERR_OK;
}

enum err sys_socket_error(int fd)
{
    int number = 0;
    socklen_t size = sizeof number;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size))
        return last_error();
    return err_from_errno(number);
}

enum err sys_local_addr(int fd, struct addr *out)
{
    union any_sockaddr name;
    socklen_t size = sizeof name;

    if (getsockname(fd, &name.any, &size))
        return last_error();
    from_sockaddr(&name, out);
    return ERR_OK;
}

size_t sys_unsent(int fd)
{
    int bytes = 0;

    return ioctl(fd, SIOCOUTQ, &bytes) || bytes < 0 ? 0 : (size_t)bytes;
}

enum err sys_datagram(const struct addr *to, int *fd)
{
    union any_sockaddr name;
    socklen_t size = to_sockaddr(to, &name);
    enum err e;

    *fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return last_error();
    if (connect(*fd, &name.any, size) == 0)
        return ERR_OK;
    e = last_error();
    close(*fd);
    return e;
}

enum err sys_peer_user(int fd, unsigned *uid, unsigned *gid)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
        return last_error();
    *uid = peer.uid;
    *gid = peer.gid;
    return ERR_OK;
}

void sys_own_user(unsigned *uid, unsigned *gid)
{
    *uid = geteuid();
    *gid = getegid();
}

static enum err set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) ? last_error() : ERR_OK;
}

static enum err set_keep_alive(int fd, int seconds)
{
    enum err e = set_int(fd, SOL_SOCKET, SO_KEEPALIVE, seconds > 0);

    if (e || seconds <= 0)
        return e;
    return set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
}

enum err sys_set(int fd, enum sock_option option, int value)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    switch (option) {
    case SOCK_REUSE_ADDRESS:
        return set_int(fd, SOL_SOCKET, SO_REUSEADDR, value);
    case SOCK_REUSE_PORT:
        return set_int(fd, SOL_SOCKET, SO_REUSEPORT, value);
    case SOCK_NO_DELAY:
        return set_int(fd, IPPROTO_TCP, TCP_NODELAY, value);
    case SOCK_KEEP_ALIVE:
        return set_keep_alive(fd, value);
    case SOCK_DEFER_ACCEPT:
        return set_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, value);
    case SOCK_IPV6_ONLY:
        return set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, value);
    case SOCK_RESET_ON_CLOSE:
        return setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once)
                   ? last_error()
                   : ERR_OK;
    }
    return ERR_UNSUPPORTED;
}

enum err sys_recv(int fd, void *p, size_t n, size_t *got)
{
    ssize_t r;

    do
        r = syscall(SYS_recvfrom, fd, p, n, 0, NULL, NULL);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return last_error();
    *got = (size_t)r;
    return r ? ERR_OK : ERR_EOF;
}

enum err sys_send(int fd, const struct iovec *parts, unsigned count, bool more,
                  size_t *sent)
{
    int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts,
                             .msg_iovlen = count};
    ssize_t r;

    do
        r = count == 1
                ? syscall(SYS_sendto, fd, parts->iov_base, parts->iov_len, flags, NULL, 0)
                : syscall(SYS_sendmsg, fd, &message, flags);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return last_error();
    *sent = (size_t)r;
    return ERR_OK;
}

void sys_shutdown(int fd)
{
    shutdown(fd, SHUT_WR);
}

enum err sys_dup(int fd, int *copy)
{
    *copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return *copy < 0 ? last_error() : ERR_OK;
}

void sys_close(int fd)
{
    close(fd);
}

enum err sys_pipe(int fds[2], size_t size)
{
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC))
        return last_error();
    fcntl(fds[1], F_SETPIPE_SZ, (int)size); /* a smaller one works too */
    return ERR_OK;
}

enum err sys_splice(int from, int to, size_t n, bool more, size_t *moved)
{
    unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0u);
    ssize_t r;

    do
        r = splice(from, NULL, to, NULL, n, flags);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return last_error();
    *moved = (size_t)r;
    return r ? ERR_OK : ERR_EOF;
}

/* ---- readiness ---- */

enum err sys_poll_new(int *poll)
{
    *poll = epoll_create1(EPOLL_CLOEXEC);
    return *poll < 0 ? last_error() : ERR_OK;
}

enum err sys_poll_add(int poll, int fd, unsigned ready, bool shared, void *data)
{
    struct epoll_event event = {.data.ptr = data};

    if (shared)
        event.events = EPOLLIN | EPOLLEXCLUSIVE;
    else
        event.events = EPOLLET | (ready & READY_IN ? EPOLLIN | EPOLLRDHUP : 0u) |
                       (ready & READY_OUT ? EPOLLOUT : 0u);
    return epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) ? last_error() : ERR_OK;
}

void sys_poll_remove(int poll, int fd)
{
    epoll_ctl(poll, EPOLL_CTL_DEL, fd, NULL);
}

enum { MOST_EVENTS = 256 };

_Static_assert((int)READY_IN == EPOLLIN && (int)READY_OUT == EPOLLOUT &&
                   (int)READY_HUP == EPOLLHUP && (int)READY_ERROR == EPOLLERR,
               "Linux has the same bits");

static unsigned ready_of(uint32_t events)
{
    return (events & (READY_IN | READY_OUT | READY_HUP | READY_ERROR)) |
           (events & EPOLLRDHUP ? (unsigned)READY_HUP : 0);
}

unsigned sys_poll_wait(int poll, struct sys_event *events, unsigned most,
                       uint64_t timeout_ns)
{
    struct epoll_event raw[MOST_EVENTS];
    int timeout_ms = -1;
    int n;

    if (timeout_ns != UINT64_MAX) {
        uint64_t ms = (timeout_ns + 999999) / 1000000;

        timeout_ms = ms > 3600000 ? 3600000 : (int)ms;
    }
    n = (int)syscall(SYS_epoll_pwait, poll, raw, most < MOST_EVENTS ? most : MOST_EVENTS,
                     timeout_ms, NULL, 0);
    for (int i = 0; i < n; i++)
        events[i] = (struct sys_event){ready_of(raw[i].events), raw[i].data.ptr};
    return n > 0 ? (unsigned)n : 0;
}

enum err sys_event_new(int *fd)
{
    *fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return *fd < 0 ? last_error() : ERR_OK;
}

void sys_event_post(int fd)
{
    uint64_t one = 1;
    ssize_t r = write(fd, &one, sizeof one);

    (void)r; /* a full counter is a wake-up too */
}

void sys_event_take(int fd)
{
    uint64_t count;
    ssize_t r = read(fd, &count, sizeof count);

    (void)r;
}

/* ---- time and chance ---- */

static uint64_t read_clock(clockid_t which)
{
    struct timespec t;

    clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t sys_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t sys_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

void sys_random(void *p, size_t n)
{
    char *at = p;

    while (n) {
        ssize_t r = getrandom(at, n, 0);

        if (r > 0) {
            at += r;
            n -= (size_t)r;
        }
    }
}

/* ---- threads ---- */

static void *thread_main(void *given)
{
    struct sys_thread *thread = given;

    while (thread->turn(thread->owner))
        ;
    return NULL;
}

enum err sys_thread_start(struct sys_thread *thread, const char *name, sys_turn_fn *turn,
                          void *owner)
{
    pthread_t id;
    int number;

    thread->turn = turn;
    thread->owner = owner;
    number = pthread_create(&id, NULL, thread_main, thread);
    if (number)
        return err_from_errno(number);
    pthread_setname_np(id, name);
    thread->id = (unsigned long)id;
    return ERR_OK;
}

void sys_thread_join(struct sys_thread *thread)
{
    pthread_join((pthread_t)thread->id, NULL);
}

/* ---- signals ---- */

enum err sys_signals_open(int *fd)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return last_error();
    *fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return *fd < 0 ? last_error() : ERR_OK;
}

enum sys_signal sys_signal_take(int fd)
{
    struct signalfd_siginfo info;

    if (read(fd, &info, sizeof info) != sizeof info)
        return SYS_SIGNAL_NONE;
    switch (info.ssi_signo) {
    case SIGHUP:
        return SYS_SIGNAL_RELOAD;
    case SIGUSR1:
        return SYS_SIGNAL_REOPEN;
    case SIGCHLD:
        return SYS_SIGNAL_CHILD;
    default:
        return SYS_SIGNAL_STOP;
    }
}

/* ---- files ---- */

/* Room for all of it and the look behind its end; what has no size (/proc, pipes) grows. */
static size_t first_room(int fd, size_t most)
{
    struct stat facts;
    size_t size = fstat(fd, &facts) == 0 && facts.st_size > 0 ? (size_t)facts.st_size : 0;

    size = size < most ? size : most;
    return size < 16384 ? 16384 : size + 1;
}

/* Whoever opens a named pipe waits until somebody writes to it: perhaps for ever, and the
 * daemon with all that it decides. Pipes that were handed to us have their writer. */
static bool is_named_pipe(const char *path)
{
    struct stat facts;

    return strncmp(path, "/dev/", 5) != 0 && strncmp(path, "/proc/", 6) != 0 &&
           stat(path, &facts) == 0 && S_ISFIFO(facts.st_mode);
}

enum err sys_file_read(const char *path, size_t most, struct arena *arena, str *out)
{
    size_t room, n = 0;
    char *p;
    ssize_t r;
    int fd;

    if (is_named_pipe(path))
        return ERR_INVALID;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return last_error();
    room = first_room(fd, most);
    p = arena_alloc(arena, room + 1);
    while ((r = read(fd, p + n, room - n)) > 0 || (r < 0 && errno == EINTR)) {
        n += r > 0 ? (size_t)r : 0;
        if (n > most)
            break;
        if (n == room) {
            char *grown = arena_alloc(arena, room * 2 + 1);

            memcpy(grown, p, n);
            p = grown;
            room *= 2;
        }
    }
    if (r < 0) {
        enum err e = errno == EISDIR ? ERR_INVALID : last_error();

        close(fd);
        return e;
    }
    close(fd);
    p[n] = '\0';
    *out = (str){p, n};
    return n > most ? ERR_TOO_LARGE : ERR_OK;
}

enum err sys_file_append(const char *path, unsigned mode, int *fd)
{
    int flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK;

    *fd = open(path, O_WRONLY | flags, mode);
    if (*fd < 0 && errno == ENXIO) /* a pipe that nobody reads yet */
        *fd = open(path, O_RDWR | flags, mode);
    return *fd < 0 ? last_error() : ERR_OK;
}

/* How many bytes may be given to write() so that it does not wait; 0: none. What others
 * gave us (a pipe as standard output) may be a blocking one, and its flags are shared with
 * them: ask poll, then stay within what a pipe takes at once. */
static size_t writable_now(int fd, size_t n)
{
    struct pollfd ask = {.fd = fd, .events = POLLOUT};
    struct stat stat;
    int flags = fcntl(fd, F_GETFL);

    if ((flags >= 0 && flags & O_NONBLOCK) ||
        (!fstat(fd, &stat) && S_ISREG(stat.st_mode)))
        return n;
    if (poll(&ask, 1, 0) == 0)
        return 0;
    return n < PIPE_BUF ? n : PIPE_BUF;
}

enum err sys_file_write_some(int fd, str bytes, size_t *written)
{
    size_t most = writable_now(fd, bytes.n);
    ssize_t r;

    if (most == 0)
        return ERR_AGAIN;
    do
        r = write(fd, bytes.p, most);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return last_error();
    *written = (size_t)r;
    return ERR_OK;
}

enum err sys_file_write(int fd, str bytes)
{
    while (bytes.n) {
        ssize_t r = write(fd, bytes.p, bytes.n);

        if (r > 0)
            bytes = str_from(bytes, (size_t)r);
        else if (errno != EINTR)
            return last_error();
    }
    return ERR_OK;
}

void sys_file_remove(const char *path)
{
    unlink(path);
}

enum err sys_file_mode(const char *path, unsigned mode)
{
    return chmod(path, mode) ? last_error() : ERR_OK;
}

enum err sys_socket_remove(const char *path)
{
    struct stat stat;

    if (lstat(path, &stat))
        return last_error();
    if (!S_ISSOCK(stat.st_mode))
        return ERR_IN_USE;
    return unlink(path) ? last_error() : ERR_OK;
}
