/* The change from exchange to tunnel, and its end. */
#include "proxy/tunnel.h"

#include "base/check.h"
#include "proxy/relay.h"

/* Takes unread bytes over as the first of the relay. */
static struct chunk *take_input(struct h1_end *h1)
{
    struct chunk *chunk = NULL;

    if (h1_end_has_input(h1)) {
        str bytes = chunk_bytes(h1->in);

        chunk = chunk_new(h1->conn.engine, (unsigned)bytes.n);
        memcpy(chunk->bytes, bytes.p, bytes.n);
        chunk->end = (unsigned)bytes.n;
        h1->in->at = h1->in->end;
    }
    return chunk;
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
    x->flags &= ~(unsigned)EXCHANGE_TUNNEL;
    exchange_abort(x, relay->cause);
}

enum flow tunnel_begin(struct exchange *x)
{
    struct h1_end *front = &x->session->front, *back = &x->attempt.link->back;
    struct head_send what = {.head = &x->response, .is_response = true, .upgrades = true};
    struct chunk *from_client;
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
    from_client = take_input(front);
    x->relay = relay_new(x->worker, &front->conn, &back->conn, x->route->timeouts.tunnel,
                         tunnel_done, x);
    relay_begin(x->relay, from_client, take_input(back));
    leave_snapshot(x);
    return FLOW_END;
}
