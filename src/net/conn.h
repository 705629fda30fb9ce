/*
 * A stream of bytes to a peer: today plain TCP and unix sockets. It knows nothing of
 * protocols. It tries I/O at once and registers with the loop only when somebody must
 * wait ("try now, else wait"), so a short connection costs no epoll_ctl. `can_read` and
 * `can_write` remember the edges that were told.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "io/engine.h"

struct conn;
typedef void conn_fn(struct conn *conn);

struct conn {
    struct watch watch;
    struct engine *engine;
    conn_fn *ready; /* something may have become possible; from the loop only */
    bool can_read;  /* worth a try */
    bool can_write;
    bool has_ended; /* the peer has sent its FIN, or worse */
    bool is_broken; /* reset: nothing will come or go any more */
    bool is_connecting;
    uint64_t received, sent; /* bytes, for the log */
};

/* Takes the descriptor over. */
void conn_init(struct conn *conn, struct engine *engine, int fd, conn_fn *ready);

/* No descriptor: conn_is_open says false. */
void conn_init_closed(struct conn *conn, struct engine *engine, conn_fn *ready);

static inline bool conn_is_open(const struct conn *conn)
{
    return conn->watch.fd >= 0;
}

/*
 * Opens a socket and starts to connect. ERR_OK: connected or under way; `ready` is called
 * when it is decided, then conn_connected says how. On error there is nothing to close.
 */
MUST_CHECK enum err conn_dial(struct conn *conn, struct engine *engine,
                              const struct addr *addr, conn_fn *ready);

/* ERR_AGAIN: still under way. ERR_OK: connected. Else why not; conn_close it. */
MUST_CHECK enum err conn_connected(struct conn *conn);

/* From now on `ready` is called. Called by whoever is about to wait. */
MUST_CHECK enum err conn_arm(struct conn *conn);

/* ERR_OK with *got > 0; ERR_AGAIN; ERR_EOF; or what broke. A read that comes short is
 * taken for the last one: no second call just to hear "would block". */
MUST_CHECK enum err conn_read(struct conn *conn, void *p, size_t n, size_t *got);

/* As much as the kernel takes; ERR_OK with *sent > 0, ERR_AGAIN, or what broke. */
MUST_CHECK enum err conn_send(struct conn *conn, const struct iovec *parts,
                              unsigned count, bool more, size_t *sent);

/* Up to n bytes from the conn into the pipe, or out of it. As conn_read and conn_send. */
MUST_CHECK enum err conn_fill_pipe(struct conn *conn, struct pipe *pipe, size_t n);
MUST_CHECK enum err conn_drain_pipe(struct conn *conn, struct pipe *pipe);

/* Our FIN; reading goes on. */
void conn_shutdown(struct conn *conn);

/* Closes at once; harmless when closed. conn_abort sends RST instead of FIN. */
void conn_close(struct conn *conn);
void conn_abort(struct conn *conn);

#endif
