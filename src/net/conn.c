/* Plain connections. Every call is one system call and the bookkeeping of edges. */
#include "net/conn.h"

#include "base/check.h"

static void conn_event(struct watch *watch, unsigned ready)
{
    struct conn *conn = container_of(watch, struct conn, watch);

    if (ready & (READY_HUP | READY_ERROR))
        conn->has_ended = true;
    if (ready & READY_ERROR)
        conn->is_broken = true;
    if (ready & (READY_IN | READY_HUP | READY_ERROR))
        conn->can_read = true;
    if (ready & (READY_OUT | READY_ERROR))
        conn->can_write = true;
    conn->ready(conn);
}

void conn_init(struct conn *conn, struct engine *engine, int fd, conn_fn *ready)
{
    *conn = (struct conn){
        .engine = engine, .ready = ready, .can_read = true, .can_write = true};
    watch_init(&conn->watch, fd, conn_event);
}

void conn_init_closed(struct conn *conn, struct engine *engine, conn_fn *ready)
{
    conn_init(conn, engine, -1, ready);
}

enum err conn_dial(struct conn *conn, struct engine *engine, const struct addr *addr,
                   conn_fn *ready)
{
    enum err e;
    int fd;

    conn_init_closed(conn, engine, ready);
    if ((e = sys_socket(addr->family, &fd)))
        return e;
    conn_init(conn, engine, fd, ready);
    if (addr->family != ADDR_UNIX && (e = sys_set(fd, SOCK_NO_DELAY, 1)))
        goto fail;
    e = sys_connect(fd, addr);
    if (e == ERR_AGAIN && addr->family == ADDR_UNIX)
        e = ERR_REFUSED; /* its queue is full: nothing is under way */
    if (e && e != ERR_AGAIN)
        goto fail;
    conn->is_connecting = e == ERR_AGAIN;
    conn->can_read = conn->can_write = !conn->is_connecting;
    if ((e = conn_arm(conn)))
        goto fail;
    return ERR_OK;

fail:
    conn_close(conn);
    return e;
}

enum err conn_connected(struct conn *conn)
{
    enum err e;

    if (!conn->is_connecting)
        return ERR_OK;
    if (!conn->can_write && !conn->has_ended)
        return ERR_AGAIN;
    if (conn->has_ended && (e = sys_socket_error(conn->watch.fd)))
        return e; /* who can write, and was told of no end, is connected */
    conn->is_connecting = false;
    return ERR_OK;
}

enum err conn_arm(struct conn *conn)
{
    if (conn->watch.is_added)
        return ERR_OK;
    return loop_watch(&conn->engine->loop, &conn->watch);
}

/*
 * Remembers what broke. The kernel tells of a reset once, to whoever calls first; from
 * then on reading says "end of file", which must not be taken for an orderly end.
 */
static enum err with_break(struct conn *conn, enum err e)
{
    if (likely(e == ERR_OK || e == ERR_AGAIN))
        return e;
    if (e == ERR_EOF)
        return conn->is_broken ? ERR_RESET : ERR_EOF;
    conn->is_broken = true;
    return e;
}

enum err conn_read(struct conn *conn, void *p, size_t n, size_t *got)
{
    enum err e;

    if (!conn->can_read)
        return ERR_AGAIN;
    e = sys_recv(conn->watch.fd, p, n, got);
    if (e == ERR_OK) {
        conn->received += *got;
        conn->can_read = *got == n || conn->has_ended;
    } else if (e == ERR_AGAIN) {
        conn->can_read = false;
    }
    return with_break(conn, e);
}

enum err conn_send(struct conn *conn, const struct iovec *parts, unsigned count,
                   bool more, size_t *sent)
{
    enum err e;

    if (!conn->can_write)
        return ERR_AGAIN;
    e = sys_send(conn->watch.fd, parts, count, more, sent);
    if (e == ERR_OK)
        conn->sent += *sent;
    else if (e == ERR_AGAIN)
        conn->can_write = false;
    return with_break(conn, e);
}

enum err conn_fill_pipe(struct conn *conn, struct pipe *pipe, size_t n)
{
    size_t moved;
    enum err e;

    if (!conn->can_read)
        return ERR_AGAIN;
    e = sys_splice(conn->watch.fd, pipe->fds[1], n, false, &moved);
    if (e == ERR_OK) {
        conn->received += moved;
        pipe->held += moved;
    } else if (e == ERR_AGAIN && pipe->held == 0) {
        conn->can_read = false; /* with bytes inside the pipe itself may be full */
    }
    return with_break(conn, e);
}

enum err conn_drain_pipe(struct conn *conn, struct pipe *pipe)
{
    size_t moved;
    enum err e;

    if (!conn->can_write)
        return ERR_AGAIN;
    e = sys_splice(pipe->fds[0], conn->watch.fd, pipe->held, false, &moved);
    if (e == ERR_OK) {
        conn->sent += moved;
        pipe->held -= moved;
    } else if (e == ERR_AGAIN) {
        conn->can_write = false;
    }
    return with_break(conn, e);
}

void conn_shutdown(struct conn *conn)
{
    sys_shutdown(conn->watch.fd);
}

void conn_close(struct conn *conn)
{
    if (!conn_is_open(conn))
        return;
    loop_forget(&conn->engine->loop, &conn->watch);
    sys_close(conn->watch.fd);
    conn->watch.fd = -1;
}

void conn_abort(struct conn *conn)
{
    /* Where this fails (no descriptor, a unix socket) the peer gets a FIN instead. */
    enum err plain_close = sys_set(conn->watch.fd, SOCK_RESET_ON_CLOSE, 1);

    (void)plain_close;
    conn_close(conn);
}
