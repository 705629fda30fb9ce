/* The change from exchange to tunnel, and its end. */
#include "proxy/tunnel.h"

#include "base/check.h"
#include "proxy/relay.h"

static void append(struct chunk *to, struct chunk *from)
{
    str bytes = chunk_bytes(from);
    size_t n = bytes.n < to->room - to->end ? bytes.n : to->room - to->end;

    memcpy(to->bytes + to->end, bytes.p, n);
    to->end += (unsigned)n;
    from->at += (unsigned)n;
}

/*
 * The first bytes of one direction: what still waits for the receiver's socket (the 101
 * itself, at most), then what its sender has sent behind the handshake. Both are small
 * beside a chunk; false when they are not.
 */
static bool take_first(struct h1_end *from, struct h1_end *to, struct chunk **out)
{
    *out = NULL;
    if (!to->out && !h1_end_has_input(from))
        return true;
    *out = chunk_new(from->conn.engine, CHUNK_LARGE);
    while (to->out) {
        struct chunk *waiting = to->out;

        append(*out, waiting);
        if (waiting->at < waiting->end)
            return false;
        to->out = waiting->next;
        chunk_free(to->conn.engine, waiting);
    }
    if (h1_end_has_input(from))
        append(*out, from->in);
    return !h1_end_has_input(from);
}

/*
 * What the end of the tunnel needs of the configuration, copied, with names that live as
 * long as the live objects, which are held. Then the snapshot may go.
 */
static void leave_snapshot(struct exchange *x)
{
    struct listener *listener = ARENA_NEW(&x->arena, struct listener);
    struct route *route = ARENA_NEW(&x->arena, struct route);
    struct pool *pool = ARENA_NEW(&x->arena, struct pool);

    *listener = (struct listener){.name = x->session->guest.door->live->name};
    *route = (struct route){.name = x->route->live->name, .live = x->route->live};
    *pool = (struct pool){.name = x->pool->live->name, .live = x->pool->live};
    atomic_fetch_add_explicit(&route->live->holds, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&pool->live->holds, 1, memory_order_relaxed);
    x->listener = listener;
    x->route = route;
    x->pool = pool;
    worker_unpin(x->worker, x->snapshot);
    x->snapshot = NULL;
}

static void tunnel_done(struct relay *relay)
{
    struct exchange *x = relay->owner;

    x->upload.passed = relay->ways[RELAY_CLIENT].passed;
    x->download.passed = relay->ways[RELAY_SERVER].passed;
    x->relay = NULL;
    exchange_abort(x, relay->cause);
}

enum flow tunnel_begin(struct exchange *x)
{
    struct h1_end *front = &x->session->front, *back = &x->attempt.link->back;
    struct head_send what = {.head = &x->response, .is_response = true, .upgrades = true};
    struct chunk *from_client, *from_server;
    bool fits;
    enum err e;

    front->end.ops->send_head(&front->end, &what);
    e = front->end.ops->flush(&front->end, false);
    if ((e && e != ERR_AGAIN) || conn_arm(&front->conn)) {
        exchange_abort(x, CAUSE_CLIENT_CLOSED);
        return FLOW_END;
    }
    for (unsigned i = 0; i < DUE_COUNT; i++)
        exchange_done_with(x, i);
    x->flags = (x->flags | EXCHANGE_TUNNEL | EXCHANGE_HEAD_SENT) &
               ~(unsigned)(EXCHANGE_KEEP_FRONT | EXCHANGE_UPLOADING);
    x->first_byte = exchange_now(x);
    fits = take_first(front, back, &from_client);
    fits &= take_first(back, front, &from_server);
    h1_end_drop_head(back);
    x->relay = relay_new(x->worker, &front->conn, &back->conn, &x->route->timeouts,
                         tunnel_done, x);
    relay_begin(x->relay, from_client, from_server);
    leave_snapshot(x);
    if (!fits)
        relay_cut(x->relay, CAUSE_OVERLOADED);
    return FLOW_END;
}
