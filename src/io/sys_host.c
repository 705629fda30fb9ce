/*
 * Processes, users, passed descriptors: Linux and glibc. As in sys.c, each
 * function is a few calls and the folding of errno; who may do what is decided above.
 */
#include "io/sys_host.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static enum err last_error(void)
{
    return err_from_errno(errno);
}

/* ---- processes ---- */

enum err sys_process_fork(int *pid)
{
    *pid = fork();
    return *pid < 0 ? last_error() : ERR_OK;
}

int sys_process_self(void)
{
    return getpid();
}

void sys_process_tell(int pid, enum sys_signal which)
{
    static const int numbers[] = {
        [SYS_SIGNAL_RELOAD] = SIGHUP,
        [SYS_SIGNAL_STOP] = SIGTERM,
        [SYS_SIGNAL_REOPEN] = SIGUSR1,
        [SYS_SIGNAL_CHILD] = SIGCHLD,
    };

    kill(pid, numbers[which]);
}

void sys_process_kill(int pid)
{
    kill(pid, SIGKILL);
}

bool sys_process_reap(struct sys_end *end)
{
    int how;

    end->pid = waitpid(-1, &how, WNOHANG);
    if (end->pid <= 0)
        return false;
    end->status = WIFEXITED(how) ? WEXITSTATUS(how) : -1;
    end->signal = WIFSIGNALED(how) ? WTERMSIG(how) : 0;
    return true;
}

const char *sys_process_signal_text(int signal)
{
    const char *text = sigdescr_np(signal);

    return text ? text : "Unknown signal";
}

void sys_process_leave_terminal(void)
{
    setsid();
}

bool sys_process_follow(int parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    return getppid() == parent;
}

static void close_between(int from, int to)
{
    if (from <= to)
        close_range((unsigned)from, (unsigned)to, 0);
}

void sys_process_shed(int keep, int keep_too)
{
    int low = keep < keep_too ? keep : keep_too, high = keep < keep_too ? keep_too : keep;

    low = low < 3 ? 2 : low;
    high = high < 3 ? 2 : high;
    close_between(3, low - 1);
    close_between(low + 1, high - 1);
    close_between(high + 1, INT_MAX);
}

void sys_process_harden(void)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0);
}

void sys_process_unveil(void)
{
    prctl(PR_SET_DUMPABLE, 1);
}

/* ---- users ---- */

bool sys_user_is_root(void)
{
    return geteuid() == 0;
}

enum err sys_user_find(str name, struct sys_user *out)
{
    struct passwd *found;

    if (name.n >= sizeof out->name)
        return ERR_NOT_FOUND;
    memcpy(out->name, name.p, name.n);
    out->name[name.n] = '\0';
    errno = 0;
    found = getpwnam(out->name);
    if (!found)
        return ERR_NOT_FOUND;
    out->uid = found->pw_uid;
    out->gid = found->pw_gid;
    return ERR_OK;
}

enum err sys_user_become(const struct sys_user *user)
{
    if (initgroups(user->name, user->gid) || setgid(user->gid) || setuid(user->uid))
        return last_error();
    return ERR_OK;
}

enum err sys_user_act_as(const struct sys_user *user)
{
    uid_t uid = user ? user->uid : geteuid();
    gid_t gid = user ? user->gid : getegid();

    setfsgid(gid); /* both say nothing of failure: ask by setting no one */
    setfsuid(uid);
    if ((uid_t)setfsuid((uid_t)-1) != uid || (gid_t)setfsgid((gid_t)-1) != gid)
        return ERR_DENIED;
    return ERR_OK;
}

/* ---- descriptors between processes ---- */

enum err sys_pair_new(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds)
               ? last_error()
               : ERR_OK;
}

static void wait_for(int fd, short events)
{
    struct pollfd ask = {.fd = fd, .events = events};

    poll(&ask, 1, -1);
}

union passed {
    struct cmsghdr head;
    char room[CMSG_SPACE(SYS_PASSED_MOST * sizeof(int))];
};

enum err sys_pair_send(int fd, str message, const int *fds, unsigned count)
{
    struct iovec part = {(void *)(uintptr_t)message.p, message.n};
    union passed passed;
    struct msghdr parcel = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t r;

    memset(&passed, 0, sizeof passed);
    if (count) {
        parcel.msg_control = &passed;
        parcel.msg_controllen = CMSG_SPACE(count * sizeof(int));
        passed.head.cmsg_level = SOL_SOCKET;
        passed.head.cmsg_type = SCM_RIGHTS;
        passed.head.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&passed.head), fds, count * sizeof(int));
    }
    for (;;) {
        r = sendmsg(fd, &parcel, MSG_NOSIGNAL);
        if (r >= 0)
            return ERR_OK;
        if (errno == EAGAIN)
            wait_for(fd, POLLOUT);
        else if (errno != EINTR)
            return last_error();
    }
}

/* Takes the descriptors out of a parcel; closes what there is no room for. */
static void unpack(struct msghdr *parcel, int *fds, unsigned *count)
{
    unsigned room = *count;

    *count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(parcel); c; c = CMSG_NXTHDR(parcel, c)) {
        unsigned n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (unsigned i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (*count < room)
                fds[(*count)++] = fd;
            else
                close(fd);
        }
    }
}

enum err sys_pair_take(int fd, bool wait, void *p, size_t room, size_t *got, int *fds,
                       unsigned *count)
{
    struct iovec part = {p, room};
    union passed passed;
    struct msghdr parcel = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t r;

    for (;;) {
        parcel.msg_control = &passed;
        parcel.msg_controllen = sizeof passed;
        r = recvmsg(fd, &parcel, MSG_CMSG_CLOEXEC);
        if (r >= 0)
            break;
        if (errno == EAGAIN && wait)
            wait_for(fd, POLLIN);
        else if (errno != EINTR)
            return last_error();
    }
    unpack(&parcel, fds, count);
    *got = (size_t)r;
    if (parcel.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        return ERR_TOO_LARGE;
    return r ? ERR_OK : ERR_EOF;
}

/* ---- files ---- */

enum err sys_memory_file(str bytes, int *fd)
{
    enum err e;

    *fd = memfd_create("weir", MFD_CLOEXEC);
    if (*fd < 0)
        return last_error();
    e = sys_file_write(*fd, bytes);
    if (e)
        close(*fd);
    return e;
}

enum err sys_memory_read(int fd, size_t most, struct arena *arena, str *out)
{
    struct stat stat;
    size_t size, n = 0;
    char *p;

    if (fstat(fd, &stat))
        return last_error();
    size = (size_t)stat.st_size;
    if (stat.st_size < 0 || size > most)
        return ERR_TOO_LARGE;
    p = arena_alloc(arena, size + 1);
    while (n < size) {
        ssize_t r = pread(fd, p + n, size - n, (off_t)n);

        if (r > 0)
            n += (size_t)r;
        else if (r == 0)
            break;
        else if (errno != EINTR)
            return last_error();
    }
    *out = (str){p, n};
    return ERR_OK;
}

void sys_directory_make_above(const char *path, const struct sys_user *owner)
{
    char above[ADDR_PATH_MOST + 1];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;

    if (n == 0 || n >= sizeof above)
        return;
    memcpy(above, path, n);
    above[n] = '\0';
    if (mkdir(above, 0755) == 0 && owner) {
        enum err e = sys_file_give(above, owner);

        (void)e; /* then opening a file in it says what is wrong */
    }
}

enum err sys_file_give(const char *path, const struct sys_user *owner)
{
    return lchown(path, owner->uid, owner->gid) ? last_error() : ERR_OK;
}

/* ---- the service manager ---- */

void sys_service_tell(const char *state)
{
    const char *place = getenv("NOTIFY_SOCKET");
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t n = place ? strlen(place) : 0;
    int fd;

    if (n < 2 || n >= sizeof name.sun_path || (*place != '/' && *place != '@'))
        return;
    memcpy(name.sun_path, place, n);
    if (*place == '@') /* no name in the file system */
        name.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    /* A manager that does not listen is its own affair: nothing hangs on it. */
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
               (struct sockaddr *)&name,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
        (void)0;
    close(fd);
}
