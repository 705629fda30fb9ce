/*
 * An exchange that finds no place at its pool's servers, and its pool has a queue: it
 * stays in the step pick and is run again when it is its turn. Whoever has half closed its
 * connection meanwhile has most likely left: nothing is sent to a server for it.
 */
#include "lb/pool.h"
#include "proxy/exchange.h"
#include "proxy/reply.h"

static bool has_left(const struct exchange *x)
{
    return x->session->front.conn.has_ended && x->request.flags & HEAD_KEEP_ALIVE;
}

static void turn_has_come(struct wait *wait)
{
    struct exchange *x = container_of(wait, struct exchange, wait);

    if (wait->state == WAIT_CALLED && has_left(x))
        exchange_abort(x, CAUSE_CLIENT_CLOSED);
    else
        exchange_wake(x);
}

/* Not begun for every exchange: most never wait. */
static struct wait *wait_of(struct exchange *x)
{
    if (!(x->flags & EXCHANGE_HAS_WAITED))
        x->wait = (struct wait){.call = turn_has_come};
    x->flags |= EXCHANGE_HAS_WAITED;
    return &x->wait;
}

bool exchange_may_pick(struct exchange *x)
{
    return waiting_may_try(wait_of(x), x->pool);
}

static enum flow time_is_up(struct exchange *x)
{
    return reply_error(x, 503, CAUSE_QUEUE_TIMEOUT,
                       "no server had room for this request in time");
}

static struct ask ask_of(const struct exchange *x, bool tried_too)
{
    struct ask ask = {
        .now = exchange_now(x), .worker = x->worker->index, .breaker = x->pool->breaker};

    if (!tried_too)
        attempt_add_tried(x, &ask);
    return ask;
}

bool exchange_has_other_server(struct exchange *x)
{
    const struct endpoint_set *set = x->pool->live->desks[x->worker->index].set;
    struct ask ask = ask_of(x, false);

    return !x->tries || pool_look_for_room(set, &ask) != POOL_HAS_NOBODY;
}

bool exchange_must_settle(const struct exchange *x)
{
    struct ask ask = ask_of(x, false);

    return waiting_must_settle(&x->wait, x->pool, &ask);
}

enum flow exchange_queue(struct exchange *x, bool tried_too)
{
    struct ask ask = ask_of(x, tried_too);
    struct wait_claim claim = {.worker = x->worker,
                               .pool = x->pool,
                               .client = &x->client,
                               .priority = x->route->priority,
                               .is_retry = x->tries > 0,
                               .ask = &ask};
    bool was_waiting = x->wait.state != WAIT_NOT;

    switch (waiting_go_on(&x->wait, &claim)) {
    case WAIT_GO_ON:
        break;
    case WAIT_IS_VAIN:
        exchange_done_with(x, DUE_QUEUE);
        return FLOW_NEXT;
    case WAIT_QUEUE_FULL:
        exchange_done_with(x, DUE_QUEUE);
        attempt_end(x, false);
        return reply_error(x, 503, CAUSE_QUEUE_FULL,
                           "too many requests wait for a server");
    case WAIT_TIME_IS_UP:
        attempt_end(x, false);
        return time_is_up(x);
    }
    if (was_waiting)
        return FLOW_WAIT;
    if (conn_arm(&x->session->front.conn)) { /* whether it leaves */
        exchange_abort(x, CAUSE_CLIENT_CLOSED);
        return FLOW_END;
    }
    exchange_due(x, DUE_QUEUE, waiting_time_left(&x->wait, x->pool));
    return FLOW_WAIT;
}

void exchange_has_place(struct exchange *x)
{
    waiting_serve(&x->wait);
    exchange_done_with(x, DUE_QUEUE);
}

enum flow exchange_queue_timeout(struct exchange *x)
{
    waiting_time_out(&x->wait);
    attempt_end(x, false);
    return time_is_up(x);
}
