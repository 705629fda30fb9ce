/* A few calls in the right order: rights before listen(), options before bind(). */
#include "net/listen.h"

#include "io/sys.h"

enum {
    LISTEN_BACKLOG = 4096,
    LISTEN_KEEP_ALIVE = 60, /* seconds of silence before the kernel asks */
    LISTEN_MODE = 0660,
};

static bool is_everywhere(const struct addr *addr)
{
    static const unsigned char zero[16];

    return addr->family == ADDR_IP6 && memcmp(addr->ip, zero, sizeof zero) == 0;
}

static enum err set_up(int fd, const struct addr *addr, bool shares)
{
    enum err e;

    if ((e = sys_set(fd, SOCK_REUSE_ADDRESS, 1)))
        return e;
    if (shares && (e = sys_set(fd, SOCK_REUSE_PORT, 1)))
        return e;
    if (addr->family == ADDR_IP6 && (e = sys_set(fd, SOCK_IPV6_ONLY, 0)))
        return e;
    return ERR_OK;
}

static enum err bind_one(const struct addr *addr, bool shares, int *fd)
{
    enum err e;

    if ((e = sys_socket(addr->family, fd)))
        return e;
    if (addr->family != ADDR_UNIX && (e = set_up(*fd, addr, shares)))
        goto fail;
    if ((e = sys_bind(*fd, addr)))
        goto fail;
    return ERR_OK;

fail:
    sys_close(*fd);
    return e;
}

/* Where IPv6 is switched off, "everywhere" is all of IPv4. */
static enum err bind_to(const struct addr *addr, bool shares, int *fd)
{
    struct addr ip4 = {.family = ADDR_IP4, .port = addr->port};
    enum err e = bind_one(addr, shares, fd);

    if ((e == ERR_UNSUPPORTED || e == ERR_UNREACHABLE) && is_everywhere(addr))
        return bind_one(&ip4, shares, fd);
    return e;
}

static enum err probe_path(const struct addr *addr)
{
    enum err e;
    int fd;

    if ((e = sys_socket(ADDR_UNIX, &fd)))
        return e;
    e = sys_connect(fd, addr);
    sys_close(fd);
    switch (e) {
    case ERR_OK:
    case ERR_AGAIN: /* its queue is full, so it lives */
        return ERR_IN_USE;
    case ERR_REFUSED: /* a dead socket, or no socket at all */
        e = sys_socket_remove(addr->path);
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    case ERR_NOT_FOUND: /* nothing there; perhaps not even the directory: bind says */
        return ERR_OK;
    default:
        return e;
    }
}

enum err listen_probe(const struct addr *addr)
{
    enum err e;
    int fd;

    if (addr->family == ADDR_UNIX)
        return probe_path(addr);
    if ((e = bind_to(addr, false, &fd)))
        return e;
    sys_close(fd);
    return ERR_OK;
}

static enum err start(int fd, const struct addr *addr)
{
    enum err e;

    if (addr->family == ADDR_UNIX) {
        if ((e = sys_file_mode(addr->path, LISTEN_MODE)))
            return e;
    } else if ((e = sys_set(fd, SOCK_NO_DELAY, 1)) ||
               (e = sys_set(fd, SOCK_KEEP_ALIVE, LISTEN_KEEP_ALIVE))) {
        return e;
    }
    return sys_listen(fd, LISTEN_BACKLOG);
}

enum err listen_socket_open(const struct addr *addr, int *fd)
{
    enum err e;

    if ((e = bind_to(addr, true, fd)))
        return e;
    if ((e = start(*fd, addr)) == ERR_OK)
        return ERR_OK;
    sys_close(*fd);
    if (addr->family == ADDR_UNIX)
        sys_file_remove(addr->path);
    return e;
}
