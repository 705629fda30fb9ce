/*
 * The server's side of an exchange: which server, a link to it, the request out, the
 * response's head in. What a failed attempt leads to is in attempt.c.
 */
#include "lb/key.h"
#include "lb/split.h"
#include "proto/websocket.h"
#include "proxy/choose.h"
#include "proxy/exchange.h"
#include "proxy/facts.h"
#include "proxy/hedge.h"
#include "proxy/learn.h"
#include "proxy/load_slip.h"
#include "proxy/outcome.h"
#include "proxy/reply.h"
#include "proxy/stick.h"
#include "proxy/tunnel.h"

/* ---- pick ---- */

static void ask_by_key(const struct exchange *x, struct ask *ask)
{
    struct template_facts facts = exchange_facts(x);

    ask->has_key = key_hash(x->pool->key, &facts, &ask->key);
    ask->in_flight =
        atomic_load_explicit(&x->pool->live->in_flight, memory_order_relaxed);
}

void attempt_add_tried(const struct exchange *x, struct ask *ask)
{
    if (unlikely(x->hedged_at != NULL))
        ask_add_tried(ask, x->hedged_at);
    for (unsigned i = 0; i < x->tries && i < TRIED_MOST; i++)
        ask_add_tried(ask, x->tried[i]);
}

static void begin_ask(struct exchange *x, bool tried_too, struct ask *ask)
{
    memset(ask, 0, offsetof(struct ask, tried)); /* most have tried nobody */
    ask->rand = &x->worker->engine.rand;
    ask->now = x->worker->engine.loop.now;
    ask->worker = x->worker->index;
    ask->scratch = x->pool->live->desks[x->worker->index].scratch;
    if (x->pool->adaptive.is_enabled && !x->pool->queue.is_on)
        ask->priority = x->route->priority; /* a queue has an order of its own */
    if (!tried_too)
        attempt_add_tried(x, ask);
    if (x->pool->key)
        ask_by_key(x, ask);
    if (x->pool->sticky)
        stick_wish(x, ask);
}

struct server_live *attempt_pick(struct exchange *x, struct attempt *attempt,
                                 bool tried_too)
{
    struct ask ask;

    begin_ask(x, tried_too, &ask);
    return choose_server(x->worker, x->pool, &ask, &attempt->permit, &attempt->retry_of);
}

static NEVER_INLINE enum flow nobody(struct exchange *x)
{
    struct pool_shard *shard = &x->pool->live->shards[x->worker->index];
    uint32_t seconds;

    attempt_end(x, false);
    if (choose_is_broken(x->worker, x->pool, &seconds)) {
        counter_add(&shard->breaker_open, 1);
        return reply_later(x, CAUSE_BREAKER_OPEN,
                           "the servers for this request have failed too often: their "
                           "circuit breakers are open",
                           seconds);
    }
    counter_add(&shard->no_server, 1);
    if (choose_is_unresolved(x->worker, x->pool))
        return reply_error(x, 503, CAUSE_UNRESOLVED,
                           "the names of the servers for this request have no address "
                           "at the moment");
    return reply_error(x, 503, CAUSE_NO_SERVER,
                       x->stick && x->stick->is_wish_all
                           ? "the server of this session cannot take this request at "
                             "the moment"
                           : "no server can take this request at the moment");
}

/* ---- the route's breaker ---- */

void exchange_tell_route(struct exchange *x, const struct server_outcome *outcome)
{
    if (x->route_permit)
        outcome_report_route(x->worker, x->route, &x->route_permit, outcome);
}

/* FLOW_NEXT: it lets this exchange in. */
static NEVER_INLINE enum flow ask_route(struct exchange *x)
{
    const struct route *route = x->route;

    x->route_permit = outcome_enter_route(x->worker, route);
    if (x->route_permit)
        return FLOW_NEXT;
    counter_add(&route->live->shards[x->worker->index].breaker_open, 1);
    return reply_later(
        x, CAUSE_BREAKER_OPEN,
        "requests like this have failed too often: the route's circuit breaker is open",
        choose_retry_after(&route->live->circuit, route->breaker, exchange_now(x)));
}

static struct server_live *pick_any(struct exchange *x)
{
    struct server_live *server = attempt_pick(x, &x->attempt, false);

    if (!server && x->tries) /* nobody else: the same one may do better on a new link */
        server = attempt_pick(x, &x->attempt, true);
    return server;
}

/* Out of its turn, where that keeps nobody waiting: see stick_is_apart. */
static struct server_live *pick_apart(struct exchange *x, bool tried_too)
{
    struct ask ask;

    if (!x->pool->sticky || x->wait.state != WAIT_NOT)
        return NULL;
    begin_ask(x, tried_too, &ask);
    if (!stick_is_apart(&ask))
        return NULL;
    ask.is_wish_all = true;
    return choose_server(x->worker, x->pool, &ask, &x->attempt.permit,
                         &x->attempt.retry_of);
}

static bool has_tried(const struct exchange *x, const struct server_live *server)
{
    for (unsigned i = 0; i < x->tries && i < TRIED_MOST; i++)
        if (x->tried[i] == server)
            return true;
    return false;
}

static enum flow begin_attempt(struct exchange *x, struct server_live *server)
{
    x->attempt.is_at_home |= has_tried(x, server);
    x->tried[x->tries % TRIED_MOST] = server;
    x->tries++;
    x->attempt.server = server;
    x->attempt.began = exchange_now(x);
    if (learn_is_wanted(x->pool))
        x->attempt.in_flight =
            atomic_load_explicit(&server->in_flight, memory_order_relaxed);
    return FLOW_NEXT;
}

/* Where the pool has a queue. A retry rather waits for another server than try the one
 * that has failed. */
static NEVER_INLINE enum flow pick_in_turn(struct exchange *x)
{
    bool tried_too = !exchange_has_other_server(x);
    bool may_pick = exchange_may_pick(x);
    struct server_live *server =
        may_pick ? attempt_pick(x, &x->attempt, tried_too) : pick_apart(x, tried_too);
    enum flow flow;

    if (!server && exchange_must_settle(x))
        server = attempt_pick(x, &x->attempt, true);
    if (server) {
        exchange_has_place(x);
        return begin_attempt(x, server);
    }
    if (may_pick && x->stick &&
        x->stick->is_wish_all) { /* others must not wait behind it */
        waiting_leave(&x->wait);
        exchange_done_with(x, DUE_QUEUE);
        return nobody(x);
    }
    flow = exchange_queue(x, tried_too);
    return flow == FLOW_NEXT ? nobody(x) : flow;
}

enum flow step_pick(struct exchange *x)
{
    struct pool_live *pool;
    struct server_live *server;

    if (x->due[DUE_RETRY] != TIMER_NEVER) /* woken before its time */
        return FLOW_WAIT;
    if (!x->pool) {
        if (x->route->breaker && ask_route(x) != FLOW_NEXT)
            return FLOW_REPLY;
        x->pool = route_pool(x->route, &x->worker->engine.rand);
    }
    pool = x->pool->live;
    if (!(x->flags & EXCHANGE_COUNTED)) {
        x->flags |= EXCHANGE_COUNTED;
        atomic_fetch_add_explicit(&pool->in_flight, 1, memory_order_relaxed);
        counter_add(&pool->shards[x->worker->index].requests, 1);
    }
    if (x->pool->queue.is_on)
        return pick_in_turn(x);
    server = pick_any(x);
    return server ? begin_attempt(x, server) : nobody(x);
}

/* ---- connect ---- */

void attempt_note_connect_failure(struct exchange *x, const struct attempt *attempt,
                                  enum err why)
{
    struct server_live *server = attempt->server;
    unsigned failures =
        1 + atomic_fetch_add_explicit(&server->connect_failures, 1, memory_order_relaxed);

    if (failures % x->pool->check.unhealthy_after == 0)
        x->worker->steward->server_fails(x->worker->steward, server, why);
}

enum flow attempt_overloaded(struct exchange *x, const char *why)
{
    attempt_end(x, false);
    return reply_error(x, 503, CAUSE_OVERLOADED, why);
}

enum flow attempt_connect_failed(struct exchange *x, enum err why)
{
    if (why == ERR_NO_FDS || why == ERR_NO_MEMORY)
        return attempt_overloaded(x, NO_CONNECTION);
    attempt_note_connect_failure(x, &x->attempt, why);
    if (why == ERR_REFUSED)
        return attempt_failed(x, CAUSE_CONNECT_REFUSED, FAILURE_CONNECT_REFUSED);
    if (why == ERR_TIMEOUT)
        return attempt_failed(x, CAUSE_CONNECT_TIMEOUT, FAILURE_CONNECT_TIMEOUT);
    return attempt_failed(x, CAUSE_CONNECT_ERROR, FAILURE_CONNECT_ERROR);
}

enum flow step_connect(struct exchange *x)
{
    enum err e = attempt_connect(x, &x->attempt, DUE_CONNECT);

    if (e == ERR_AGAIN)
        return FLOW_WAIT;
    return e ? attempt_connect_failed(x, e) : FLOW_NEXT;
}

/* ---- send ---- */

/* The server's socket has not taken the whole head: the pump sends the rest, as if it were
 * a body, and then the wait for the answer begins. */
static NEVER_INLINE void send_rest(struct exchange *x)
{
    x->flags |= EXCHANGE_UPLOADING;
    pace_begin(&x->pace, exchange_now(x) / 1000000);
}

enum flow step_send(struct exchange *x)
{
    struct http_end *back = &x->attempt.link->back.end;
    enum err e;

    attempt_send(x, &x->attempt);
    x->upload.to = back;
    x->upload.to_framing = x->upload.framing;
    if (!x->upload.is_sent) {
        x->flags |= EXCHANGE_UPLOADING;
        pace_begin(&x->pace, exchange_now(x) / 1000000);
        if (x->request.flags & HEAD_EXPECT_CONTINUE)
            exchange_due(x, DUE_RESPONSE, x->route->timeouts.response);
        return FLOW_NEXT;
    }
    if (x->upload.framing == FRAMING_CHUNKED) /* a retry: the empty body's end, again */
        back->ops->send_body(back, &x->upload, STR(""), true);
    e = back->ops->flush(back, false);
    if (unlikely(e != ERR_OK)) {
        if (e != ERR_AGAIN)
            return attempt_failed(x, CAUSE_SERVER_CLOSED, FAILURE_CLOSED);
        send_rest(x);
        return FLOW_NEXT;
    }
    exchange_due(x, DUE_RESPONSE, x->route->timeouts.response);
    hedge_expect(x);
    return FLOW_NEXT;
}

/* ---- receive ---- */

/* Interim heads that the client's socket did not take at once. */
static enum flow flush_interim(struct exchange *x)
{
    struct http_end *front = &x->session->front.end;
    enum err e = front->ops->flush(front, false);

    if (e == ERR_AGAIN)
        e = conn_arm(front->conn);
    if (!e)
        return FLOW_NEXT;
    exchange_abort(x, CAUSE_CLIENT_CLOSED);
    return FLOW_END;
}

static enum flow pass_interim(struct exchange *x)
{
    struct http_end *front = &x->session->front.end;
    struct head_send what = {.head = &x->response, .is_response = true};

    if (++x->interim_count > INTERIM_MOST)
        return attempt_failed(x, CAUSE_SERVER_INVALID, FAILURE_INVALID);
    exchange_due(x, DUE_RESPONSE, x->route->timeouts.response);
    if (x->flags & EXCHANGE_UPLOADING)
        exchange_done_with(x, DUE_RESPONSE);
    if (x->request.flags & HEAD_HTTP10 ||
        (x->response.status == 100 && !(x->request.flags & HEAD_EXPECT_CONTINUE)))
        return FLOW_NEXT;
    if (front->ops->has_room(front))
        front->ops->send_head(front, &what);
    return flush_interim(x);
}

enum flow exchange_take_answer(struct exchange *x)
{
    struct attempt *attempt = &x->attempt;
    struct server_shard *shard;
    struct server_outcome outcome;

    x->first_byte = exchange_now(x);
    exchange_done_with(x, DUE_RESPONSE);
    hedge_first_answers(x);
    shard = attempt_shard(x);
    histogram_add(&shard->response, x->first_byte - attempt->sent);
    counter_add(&shard->requests[exchange_class(x)], 1);
    learn_answer(x);
    if (x->pool->learns) {
        outcome = outcome_of_status(x->response.status);
        attempt_outcome(x, &outcome);
    }
    if (x->route->retries.on_errors >= RETRY_500 && attempt_retry_status(x))
        return FLOW_RETRY;
    body_init(&x->download, &attempt->link->back.end, &x->response, UINT64_MAX,
              x->response.framing == FRAMING_CHUNKED
                  ? arena_alloc(&x->arena, BODY_TRAILER_ROOM)
                  : NULL);
    x->download.to = &x->session->front.end;
    return FLOW_NEXT;
}

static void drop_interim(struct exchange *x)
{
    h1_end_drop_head(&x->attempt.link->back);
    x->response.status = 0;
}

/* A head is there; FLOW_WAIT: read on for the next one. */
static enum flow take_head(struct exchange *x)
{
    unsigned status = x->response.status;
    enum flow flow;

    load_slip_look(x);
    if (status >= 200)
        return exchange_take_answer(x);
    if (status == 101) {
        if (x->request.flags & HEAD_UPGRADE && websocket_check_answer(&x->response)) {
            learn_answer(x);
            attempt_outcome(x, &(struct server_outcome){BREAKER_GOOD, status, NULL});
            exchange_tell_route(x, &(struct server_outcome){BREAKER_GOOD, status, NULL});
            if (x->stick)
                stick_answer(x);
            return tunnel_begin(x);
        }
        return attempt_failed(x, CAUSE_SERVER_INVALID, FAILURE_INVALID);
    }
    flow = pass_interim(x);
    if (flow == FLOW_NEXT) {
        drop_interim(x);
        return FLOW_WAIT;
    }
    return flow;
}

static NEVER_INLINE enum flow read_heads(struct exchange *x)
{
    struct h1_limits limits = {x->route->sizes.header_size, 0};
    enum flow flow;

    do {
        enum h1_verdict verdict;
        enum err e;

        exchange_make_room(x, &x->response);
        e = h1_end_read_response(&x->attempt.link->back, &limits, x->request.method,
                                 &x->response, &verdict);
        if (e == ERR_AGAIN)
            return FLOW_WAIT;
        if (e == ERR_TOO_LARGE || (!e && verdict == H1_BAD))
            return attempt_failed(x, CAUSE_SERVER_INVALID, FAILURE_INVALID);
        if (e == ERR_NO_MEMORY)
            return attempt_overloaded(x, NO_MEMORY_LEFT);
        if (e)
            return attempt_failed(x, CAUSE_SERVER_CLOSED, FAILURE_CLOSED);
        flow = take_head(x);
    } while (flow == FLOW_WAIT);
    return flow;
}

enum flow step_receive(struct exchange *x)
{
    enum flow flow;

    if (x->flags & EXCHANGE_UPLOADING && (flow = exchange_upload(x)) != FLOW_NEXT)
        return flow;
    if (x->interim_count && (flow = flush_interim(x)) != FLOW_NEXT)
        return flow;
    flow = FLOW_WAIT;
    if (x->attempt.link &&
        h1_end_may_have(&x->attempt.link->back)) /* else a hedge is alone */
        flow = read_heads(x);
    if (flow == FLOW_WAIT && unlikely(x->hedge != NULL)) {
        flow = hedge_run(x);
        if (flow == FLOW_NEXT)
            flow = exchange_take_answer(x);
    }
    return flow;
}
