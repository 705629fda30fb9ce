/*
 * The server's side of an exchange: which server, a link to it, the request out, the
 * response's head in. A failed attempt gives back exactly what it has counted and leads
 * to another server or to an answer of ours.
 */
#include "guard/retry.h"
#include "lb/key.h"
#include "lb/pool.h"
#include "lb/split.h"
#include "proto/websocket.h"
#include "proxy/choose.h"
#include "proxy/exchange.h"
#include "proxy/facts.h"
#include "proxy/hedge.h"
#include "proxy/learn.h"
#include "proxy/relay.h"
#include "proxy/reply.h"
#include "proxy/stick.h"
#include "proxy/tunnel.h"

static struct server_shard *server_shard(const struct exchange *x)
{
    return &x->attempt.server->shards[x->worker->index];
}

/* ---- attempts ---- */

/* For the log: the server may be gone from the configuration before that is written. */
static void remember_server(struct exchange *x)
{
    const struct attempt *attempt = &x->attempt;

    exchange_forget_server(x);
    atomic_fetch_add_explicit(&attempt->server->holds, 1, memory_order_relaxed);
    x->served = (struct served){
        .by = attempt->server,
        .began = attempt->began,
        .connected = attempt->connected,
        .is_reused = attempt->is_reused,
    };
}

void attempt_outcome(struct exchange *x, const struct server_outcome *outcome)
{
    if (x->pool->learns && x->attempt.server)
        outcome_report(x->worker, x->pool, x->attempt.server, &x->attempt.permit,
                       outcome);
}

void attempt_end(struct exchange *x, bool is_clean)
{
    struct attempt *attempt = &x->attempt;

    if (unlikely(x->hedge != NULL))
        hedge_end(x, HEDGE_LOST);
    if (attempt->permit)
        attempt_outcome(x, &(struct server_outcome){.says = BREAKER_NOTHING});
    x->flags &= ~(unsigned)EXCHANGE_UPLOADING;
    for (unsigned i = DUE_CONNECT; i <= DUE_DOWNLOAD; i++)
        exchange_done_with(x, i);
    body_close(&x->upload);   /* before a retry begins it anew */
    body_close(&x->download); /* its pipe's engine is found by way of the link */
    if (attempt->link && is_clean)
        link_release(attempt->link, &x->pool->keepalive);
    else if (attempt->link)
        link_close(attempt->link);
    if (attempt->retry_of)
        retry_budget_give(attempt->retry_of);
    if (attempt->server) {
        if (x->step != STEP_FINISH)
            remember_server(x);
        place_give(x->worker, attempt->server);
    }
    *attempt = (struct attempt){0};
    x->upload.to = NULL;
}

static const struct failure_answer {
    unsigned status;
    const char *why;
} answers[CAUSE_COUNT] = {
    [CAUSE_CONNECT_REFUSED] = {502, "the server refuses connections"},
    [CAUSE_CONNECT_TIMEOUT] = {504, "the server does not answer a connection attempt"},
    [CAUSE_CONNECT_ERROR] = {502, "the server cannot be reached"},
    [CAUSE_SERVER_CLOSED] = {502, "the server closed the connection too early"},
    [CAUSE_SERVER_TIMEOUT] = {504, "the server took too long to answer"},
    [CAUSE_SERVER_INVALID] = {502, "the server's answer is not valid HTTP"},
};

static enum retry_cause retry_cause_of(enum cause cause)
{
    switch (cause) {
    case CAUSE_CONNECT_REFUSED:
    case CAUSE_CONNECT_TIMEOUT:
    case CAUSE_CONNECT_ERROR:
        return RETRY_CAUSE_CONNECT;
    case CAUSE_SERVER_CLOSED:
        return RETRY_CAUSE_RESET;
    case CAUSE_SERVER_TIMEOUT:
        return RETRY_CAUSE_TIMEOUT;
    default:
        return RETRY_CAUSE_OTHER;
    }
}

/* Has the kernel taken a byte of this attempt's request? */
static bool is_begun(const struct attempt *attempt)
{
    return attempt->is_head_sent && attempt->link &&
           attempt->link->back.conn.sent > attempt->sent_before;
}

/* Of the time in which the client is to hear something, in ms. */
static uint32_t time_left(const struct exchange *x)
{
    uint64_t most = x->route->timeouts.response;
    uint64_t gone = (exchange_now(x) - x->began) / 1000000;

    if (!most)
        return UINT32_MAX;
    return gone < most ? (uint32_t)(most - gone) : 0;
}

/* Ends the attempt if another one is allowed, and takes its budget; else leaves it. */
static bool may_retry(struct exchange *x, struct retry_case what)
{
    struct pool_live *pool = x->pool->live, *budget = NULL;
    enum retry_verdict verdict;
    uint32_t pause;

    what.method = x->request.method;
    what.tries = x->tries;
    what.is_request_begun = is_begun(&x->attempt);
    what.is_body_whole =
        x->upload.passed == 0 || h1_end_can_rewind(&x->session->front, x->upload.passed);
    what.is_link_kept = x->attempt.is_reused;
    verdict = retry_judge(&x->route->retries, &what);
    if (verdict == RETRY_NOT || !retry_pause(&x->route->retries, &what, time_left(x),
                                             &x->worker->engine.rand, &pause))
        return false;
    if (verdict == RETRY_COSTS) {
        if (x->attempt.retry_of) /* each retry draws on it */
            retry_budget_give(x->attempt.retry_of);
        x->attempt.retry_of = NULL;
        if (!retry_budget_take(pool, &x->pool->retries, exchange_now(x)))
            return false;
        budget = pool;
    }
    attempt_end(x, false);
    x->response.status = 0;
    x->attempt.retry_of = budget;
    counter_add(&pool->shards[x->worker->index].retries, 1);
    if (x->upload.passed && h1_end_rewind(&x->session->front, x->upload.passed))
        exchange_expect_upload(x); /* the next server gets it from its first byte */
    exchange_due(x, DUE_RETRY, pause);
    return true;
}

enum flow attempt_failed(struct exchange *x, enum cause cause,
                         enum server_failure failure)
{
    struct retry_case what = {.cause = retry_cause_of(cause)};
    struct server_outcome outcome = {BREAKER_BAD, 0, server_failure_text(failure)};

    counter_add(&server_shard(x)->failures[failure], 1);
    learn_failure(x);
    attempt_outcome(x, &outcome);
    if (x->hedge)
        return hedge_alone(x);
    if (x->attempt.link)
        what.is_response_begun = h1_end_has_partial(&x->attempt.link->back);
    if (may_retry(x, what))
        return FLOW_RETRY;
    attempt_end(x, false);
    return reply_error(x, answers[cause].status, cause, answers[cause].why);
}

/* ---- pick ---- */

static void ask_by_key(const struct exchange *x, struct ask *ask)
{
    struct template_facts facts = exchange_facts(x);

    ask->has_key = key_hash(x->pool->key, &facts, &ask->key);
    ask->in_flight =
        atomic_load_explicit(&x->pool->live->in_flight, memory_order_relaxed);
}

struct server_live *attempt_pick(struct exchange *x, struct attempt *attempt,
                                 bool tried_too)
{
    const struct pool_desk *desk = &x->pool->live->desks[x->worker->index];
    struct ask ask = {.rand = &x->worker->engine.rand,
                      .now = x->worker->engine.loop.now,
                      .worker = x->worker->index,
                      .scratch = desk->scratch};

    for (unsigned i = 0; !tried_too && i < x->tries && i < TRIED_MOST; i++)
        ask_add_tried(&ask, x->tried[i]);
    if (x->pool->key)
        ask_by_key(x, &ask);
    if (x->pool->sticky)
        stick_wish(x, &ask);
    return choose_server(x->worker, x->pool, &ask, &attempt->permit, &attempt->retry_of);
}

static enum flow nobody(struct exchange *x)
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
static enum flow ask_route(struct exchange *x)
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

/* Where the pool has a queue. A retry rather waits for another server than try the one
 * that has failed. Without a server: *flow says what now. */
static struct server_live *pick_in_turn(struct exchange *x, enum flow *flow)
{
    bool tried_too = !exchange_has_other_server(x);
    bool may_pick = exchange_may_pick(x);
    struct server_live *server =
        may_pick ? attempt_pick(x, &x->attempt, tried_too) : NULL;

    if (server) {
        exchange_has_place(x);
        return server;
    }
    if (may_pick && x->stick &&
        x->stick->is_wish_all) { /* others must not wait behind it */
        waiting_leave(&x->wait);
        exchange_done_with(x, DUE_QUEUE);
        *flow = nobody(x);
    } else if ((*flow = exchange_queue(x, tried_too)) == FLOW_NEXT) {
        *flow = nobody(x);
    }
    return NULL;
}

enum flow step_pick(struct exchange *x)
{
    enum flow without = FLOW_NEXT;
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
    server = x->pool->queue.is_on ? pick_in_turn(x, &without) : pick_any(x);
    if (!server)
        return x->pool->queue.is_on ? without : nobody(x);
    x->tried[x->tries % TRIED_MOST] = server;
    x->tries++;
    x->attempt.server = server;
    x->attempt.began = exchange_now(x);
    if (x->pool->balancer->learn)
        x->attempt.in_flight =
            atomic_load_explicit(&server->in_flight, memory_order_relaxed);
    return FLOW_NEXT;
}

/* ---- connect ---- */

static void note_connect_failure(struct exchange *x, enum err why)
{
    struct server_live *server = x->attempt.server;
    unsigned failures =
        1 + atomic_fetch_add_explicit(&server->connect_failures, 1, memory_order_relaxed);

    if (failures % x->pool->check.unhealthy_after == 0)
        x->worker->steward->server_fails(x->worker->steward, server, why);
}

/* Our own lack, not the server's fault: no other one would help. */
static enum flow overloaded(struct exchange *x, const char *why)
{
    attempt_end(x, false);
    return reply_error(x, 503, CAUSE_OVERLOADED, why);
}

enum flow attempt_connect_failed(struct exchange *x, enum err why)
{
    if (why == ERR_NO_FDS || why == ERR_NO_MEMORY)
        return overloaded(x, "no connection can be opened at the moment");
    note_connect_failure(x, why);
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
    if (e && e != ERR_AGAIN)
        return attempt_failed(x, CAUSE_SERVER_CLOSED, FAILURE_CLOSED);
    exchange_due(x, DUE_RESPONSE, x->route->timeouts.response);
    hedge_expect(x);
    return FLOW_NEXT;
}

/* ---- the upload ---- */

/* A client that sends by drops must not be the one whom a half-open server waits for: its
 * request goes on, but another one may try. */
#define PROBE_UPLOAD_NS ((uint64_t)10 * 1000000000)

static enum flow upload_waits_for_client(struct exchange *x, bool has_moved)
{
    const struct slow_client *rule = &x->route->slow_client;
    uint64_t now_ms = exchange_now(x) / 1000000, left;

    if (breaker_is_probe(x->attempt.permit) &&
        exchange_now(x) - x->attempt.began > PROBE_UPLOAD_NS)
        attempt_outcome(x, &(struct server_outcome){.says = BREAKER_NOTHING});
    exchange_done_with(x, DUE_SERVER_TAKES);
    pace_go_on(&x->pace, now_ms);
    if (conn_arm(&x->session->front.conn)) {
        exchange_abort(x, CAUSE_CLIENT_CLOSED);
        return FLOW_END;
    }
    if (!has_moved && x->due[DUE_UPLOAD] != TIMER_NEVER)
        return FLOW_NEXT;
    left = pace_left(&x->pace, rule, now_ms);
    if (left > x->route->timeouts.request_body)
        left = x->route->timeouts.request_body;
    exchange_due(x, DUE_UPLOAD, left ? (uint32_t)left : 1);
    return FLOW_NEXT;
}

static void upload_waits_for_server(struct exchange *x, bool has_moved)
{
    exchange_done_with(x, DUE_UPLOAD);
    pace_hold(&x->pace, exchange_now(x) / 1000000);
    if (has_moved || x->due[DUE_SERVER_TAKES] == TIMER_NEVER)
        exchange_due(x, DUE_SERVER_TAKES, x->route->timeouts.response);
}

static void upload_over(struct exchange *x)
{
    x->flags &= ~(unsigned)EXCHANGE_UPLOADING;
    exchange_done_with(x, DUE_UPLOAD);
    exchange_done_with(x, DUE_SERVER_TAKES);
    x->attempt.asked = exchange_now(x);
    if (x->step < STEP_RESPONSE)
        exchange_due(x, DUE_RESPONSE, x->route->timeouts.response);
}

static enum flow upload_refused(struct exchange *x, unsigned status, enum cause cause,
                                const char *why)
{
    x->flags &= ~(unsigned)EXCHANGE_KEEP_FRONT;
    attempt_end(x, false);
    if (x->flags & EXCHANGE_HEAD_SENT) {
        exchange_abort(x, cause);
        return FLOW_END;
    }
    return reply_error(x, status, cause, why);
}

enum flow exchange_upload(struct exchange *x)
{
    uint64_t before = x->upload.passed, sent;
    enum body_state state;
    bool has_moved;

    sent = x->upload.to->conn->sent;
    state = body_pump(&x->upload);
    has_moved = x->upload.passed != before;
    if (has_moved && x->step < STEP_RESPONSE)
        exchange_done_with(x, DUE_RESPONSE); /* the client did not wait for the 100 */
    if (has_moved)
        pace_add(&x->pace, &x->route->slow_client, x->upload.passed - before,
                 exchange_now(x) / 1000000);
    switch (state) {
    case BODY_DONE:
        upload_over(x);
        return FLOW_NEXT;
    case BODY_WAITS_FROM:
        return upload_waits_for_client(x, has_moved);
    case BODY_WAITS_TO:
        upload_waits_for_server(x, x->upload.to->conn->sent != sent);
        return FLOW_NEXT;
    case BODY_GOES_ON:
        exchange_done_with(x, DUE_UPLOAD);
        exchange_done_with(x, DUE_SERVER_TAKES);
        loop_defer(&x->worker->engine.loop, &x->again);
        return FLOW_NEXT;
    case BODY_TO_BROKEN: /* perhaps it has answered before it hung up */
        upload_over(x);
        return FLOW_NEXT;
    case BODY_TOO_LARGE:
        return upload_refused(x, 413, CAUSE_TOO_LARGE, "the request's body is too large");
    case BODY_FROM_INVALID:
        return upload_refused(x, 400, CAUSE_BAD_REQUEST,
                              "the request's body is not validly framed");
    case BODY_FROM_BROKEN:
        break;
    }
    exchange_abort(x, CAUSE_CLIENT_CLOSED);
    return FLOW_END;
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

static bool wants_other_server(struct exchange *x)
{
    struct retry_case what = {.cause = RETRY_CAUSE_STATUS, .status = x->response.status};
    const struct field *after = head_find(&x->response, NAME_RETRY_AFTER);

    if (after)
        what.asked_wait = retry_after_read(after->value);
    return may_retry(x, what);
}

enum flow exchange_take_answer(struct exchange *x)
{
    struct attempt *attempt = &x->attempt;
    struct server_outcome outcome;

    x->first_byte = exchange_now(x);
    exchange_done_with(x, DUE_RESPONSE);
    hedge_first_answers(x);
    histogram_add(&server_shard(x)->response, x->first_byte - attempt->sent);
    counter_add(&server_shard(x)->requests[x->response.status / 100 % CODE_CLASSES], 1);
    learn_answer(x);
    if (x->pool->learns) {
        outcome = outcome_of_status(x->response.status);
        attempt_outcome(x, &outcome);
    }
    if (x->route->retries.on_errors >= RETRY_500 && wants_other_server(x))
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

static void make_room_for_response(struct exchange *x)
{
    x->response.field_room = x->route->sizes.headers;
    if (!x->response.fields)
        x->response.fields = arena_alloc(
            &x->arena, (x->response.field_room + EXTRA_FIELDS) * sizeof(struct field));
}

static enum flow read_heads(struct exchange *x)
{
    struct h1_limits limits = {x->route->sizes.header_size, 0};
    enum flow flow;

    if (!h1_end_may_have(&x->attempt.link->back))
        return FLOW_WAIT;
    do {
        enum h1_verdict verdict;
        enum err e;

        make_room_for_response(x);
        e = h1_end_read_response(&x->attempt.link->back, &limits, x->request.method,
                                 &x->response, &verdict);
        if (e == ERR_AGAIN)
            return FLOW_WAIT;
        if (e == ERR_TOO_LARGE || (!e && verdict == H1_BAD))
            return attempt_failed(x, CAUSE_SERVER_INVALID, FAILURE_INVALID);
        if (e == ERR_NO_MEMORY)
            return overloaded(x, "no memory is left for now");
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
    flow = x->attempt.link ? read_heads(x) : FLOW_WAIT; /* none: the hedge is alone */
    if (flow == FLOW_WAIT && unlikely(x->hedge != NULL)) {
        flow = hedge_run(x);
        if (flow == FLOW_NEXT)
            flow = exchange_take_answer(x);
    }
    return flow;
}
