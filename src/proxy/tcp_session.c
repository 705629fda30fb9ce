/*
 * From accept to relay. A server that refuses is passed over for another one as long as
 * tries are left: no byte of the client's has been sent yet, so that is always safe.
 */
#include "proxy/tcp_session.h"

#include "base/check.h"
#include "lb/key.h"
#include "lb/pool.h"
#include "proto/proxy_header.h"
#include "proxy/access_log.h"
#include "proxy/choose.h"

enum { EARLY_MS = 5000 }; /* a server that hangs up before that has refused */

static void try_server(struct tcp_session *session);

/* What the configuration has to say ends with connecting. */
static void leave_snapshot(struct tcp_session *session)
{
    if (session->snapshot)
        worker_unpin(session->guest.worker, session->snapshot);
    session->snapshot = NULL;
    session->listener = NULL;
}

/* Of a stream of bytes all that is known is whether the server takes it. */
static void tell_outcome(struct tcp_session *session, enum breaker_says says,
                         const char *what)
{
    struct server_outcome outcome = {says, 0, what};
    const struct pool *pool = session->listener ? session->listener->to : NULL;

    if (pool && pool->learns)
        outcome_report(session->guest.worker, pool, session->target, &session->permit,
                       &outcome);
}

static void give_target_back(struct tcp_session *session)
{
    if (session->permit)
        tell_outcome(session, BREAKER_NOTHING, NULL);
    if (session->target) {
        list_remove(&session->of_target);
        place_give(session->guest.worker, session->target);
    }
    session->target = NULL;
}

/* What a balancer may learn of a connection is how long it took to stand, and that it did
 * not stand, or was ended early by the server, who had not said a word. */
static void learn(struct tcp_session *session, uint64_t since, bool has_failed)
{
    const struct worker *worker = session->guest.worker;
    struct outcome outcome = {.now = worker->engine.loop.now,
                              .latency = worker->engine.loop.now - since,
                              .in_flight = session->in_flight,
                              .has_failed = has_failed};

    if (session->learn)
        session->learn(&session->target->shards[worker->index], &outcome);
}

static bool was_turned_away(const struct tcp_session *session, const struct relay *relay)
{
    uint64_t stood = session->guest.worker->engine.loop.now - session->connected;

    return (relay->cause == CAUSE_SERVER_CLOSED || relay->server_was_first) &&
           !session->server.received && stood < (uint64_t)EARLY_MS * 1000000;
}

static void session_end(struct tcp_session *session)
{
    struct worker *worker = session->guest.worker;
    struct listener_shard *shard = &session->guest.door->live->shards[worker->index];

    CHECK_MAGIC(session, TCP_SESSION_MAGIC);
    waiting_leave(&session->wait);
    counter_add(&shard->bytes_received, session->client.received);
    counter_add(&shard->bytes_sent, session->client.sent);
    if (worker->access_log)
        access_log_tcp(worker, session);
    timer_remove(&worker->engine.loop.timers, &session->timer);
    if (session->cause == CAUSE_OK || session->cause == CAUSE_CLIENT_CLOSED ||
        !session->connected) /* nothing was begun that could look whole */
        conn_close(&session->client);
    else
        conn_abort(&session->client);
    conn_close(&session->server);
    give_target_back(session);
    atomic_fetch_sub_explicit(&session->pool->in_flight, 1, memory_order_release);
    leave_snapshot(session);
    session->magic = 0;
    guest_leave(&session->guest);
    slab_give(&worker->tcp_slab, session);
}

static void relay_over(struct relay *relay)
{
    struct tcp_session *session = relay->owner;

    session->relay = NULL;
    session->cause = relay->cause;
    if (was_turned_away(session, relay))
        learn(session, session->connected, true);
    session_end(session);
}

/* ---- connecting ---- */

static struct template_facts facts_of(const struct tcp_session *session)
{
    return (struct template_facts){.client = &session->peer,
                                   .peer = &session->peer,
                                   .listener = session->listener->name,
                                   .pool = session->listener->to->name};
}

/* By what is known without a request: the configuration allows no other key here. */
static void ask_by_key(const struct tcp_session *session, struct ask *ask)
{
    const struct pool *pool = session->listener->to;
    struct template_facts facts = facts_of(session);

    ask->has_key = key_hash(pool->key, &facts, &ask->key);
    ask->in_flight =
        atomic_load_explicit(&session->pool->in_flight, memory_order_relaxed);
}

static void wish_same_server(struct tcp_session *session, struct ask *ask)
{
    struct template_facts facts = facts_of(session);

    stick_wish_by_ip(&session->stick, session->guest.worker, session->listener->to,
                     &facts, ask);
}

/* Without those who were tried, as long as there is anybody else. */
static struct ask ask_of(const struct tcp_session *session)
{
    struct worker *worker = session->guest.worker;
    const struct pool *pool = session->listener->to;
    const struct pool_desk *desk = &pool->live->desks[worker->index];
    struct ask ask = {.rand = &worker->engine.rand,
                      .now = worker->engine.loop.now,
                      .worker = worker->index,
                      .scratch = desk->scratch,
                      .breaker = pool->breaker};

    for (unsigned i = 0; i < session->tries; i++)
        ask_add_tried(&ask, session->tried[i]);
    if (pool->queue.is_on && session->tries &&
        pool_look_for_room(desk->set, &ask) == POOL_HAS_NOBODY)
        ask.tried_count = 0;
    return ask;
}

/* Not in its turn: only where that keeps nobody waiting, see stick_is_apart. */
static struct server_live *pick(struct tcp_session *session, bool in_turn)
{
    struct worker *worker = session->guest.worker;
    const struct pool *pool = session->listener->to;
    struct ask ask = ask_of(session);
    struct server_live *server;

    if (pool->key)
        ask_by_key(session, &ask);
    if (pool->sticky)
        wish_same_server(session, &ask);
    if (!in_turn && !stick_is_apart(&ask))
        return NULL;
    ask.is_wish_all |= !in_turn;
    server = choose_server(worker, pool, &ask, &session->permit, NULL);
    if (!server && waiting_must_settle(&session->wait, pool, &ask)) {
        ask.tried_count = 0;
        server = choose_server(worker, pool, &ask, &session->permit, NULL);
    }
    session->learn = pool->balancer->learn;
    if (server)
        session->in_flight =
            atomic_load_explicit(&server->in_flight, memory_order_relaxed);
    return server;
}

static void nobody(struct tcp_session *session)
{
    struct worker *worker = session->guest.worker;
    const struct pool *pool = session->listener->to;
    struct pool_shard *shard = &pool->live->shards[worker->index];
    uint32_t seconds;

    if (session->cause == CAUSE_OK && choose_is_broken(worker, pool, &seconds)) {
        counter_add(&shard->breaker_open, 1);
        session->cause = CAUSE_BREAKER_OPEN;
    } else {
        counter_add(&shard->no_server, 1);
    }
    if (session->cause == CAUSE_OK)
        session->cause =
            choose_is_unresolved(worker, pool) ? CAUSE_UNRESOLVED : CAUSE_NO_SERVER;
    session_end(session);
}

/* ---- waiting ---- */

/* No server had room, or others were there first. */
static void wait_for_place(struct tcp_session *session)
{
    struct loop *loop = &session->guest.worker->engine.loop;
    const struct pool *pool = session->listener->to;
    struct ask ask = ask_of(session);
    struct wait_claim claim = {.worker = session->guest.worker,
                               .pool = pool,
                               .client = &session->peer,
                               .priority = PRIORITY_NORMAL,
                               .is_retry = session->tries > 0,
                               .ask = &ask};
    bool was_waiting = session->wait.state != WAIT_NOT;

    switch (waiting_go_on(&session->wait, &claim)) {
    case WAIT_GO_ON:
        break;
    case WAIT_IS_VAIN:
        nobody(session);
        return;
    case WAIT_QUEUE_FULL:
        session->cause = CAUSE_QUEUE_FULL;
        session_end(session);
        return;
    case WAIT_TIME_IS_UP:
        session->cause = CAUSE_QUEUE_TIMEOUT;
        session_end(session);
        return;
    }
    if (was_waiting)
        return;
    timer_set(&loop->timers, &session->timer,
              loop->now + (uint64_t)waiting_time_left(&session->wait, pool) * 1000000);
    if (conn_arm(&session->client)) {
        session->cause = CAUSE_CLIENT_CLOSED;
        session_end(session);
    }
}

static void turn_has_come(struct wait *wait)
{
    try_server(container_of(wait, struct tcp_session, wait));
}

static void connect_failed(struct tcp_session *session, enum err why)
{
    struct worker *worker = session->guest.worker;
    struct server_live *server = session->target;
    const struct pool *pool = session->listener->to;
    bool is_ours = why == ERR_NO_FDS || why == ERR_NO_MEMORY;

    conn_close(&session->server);
    session->cause = why == ERR_TIMEOUT   ? CAUSE_CONNECT_TIMEOUT
                     : why == ERR_REFUSED ? CAUSE_CONNECT_REFUSED
                     : is_ours            ? CAUSE_OVERLOADED
                                          : CAUSE_CONNECT_ERROR;
    if (!is_ours) {
        enum server_failure failure = why == ERR_TIMEOUT   ? FAILURE_CONNECT_TIMEOUT
                                      : why == ERR_REFUSED ? FAILURE_CONNECT_REFUSED
                                                           : FAILURE_CONNECT_ERROR;

        learn(session, session->connect_began, true);
        counter_add(&server->shards[worker->index].failures[failure], 1);
        tell_outcome(session, BREAKER_BAD, server_failure_text(failure));
        if ((1 + atomic_fetch_add_explicit(&server->connect_failures, 1,
                                           memory_order_relaxed)) %
                pool->check.unhealthy_after ==
            0)
            worker->steward->server_fails(worker->steward, server, why);
    }
    give_target_back(session);
    if (is_ours || session->tries >= TCP_TRIES_MOST)
        session_end(session);
    else
        try_server(session);
}

static enum err send_proxy_header(struct tcp_session *session)
{
    char memory[PROXY_HEADER_MOST];
    struct text text = text_in(memory, sizeof memory);
    struct iovec part = {memory, 0};
    struct addr to = {0};
    size_t sent;
    enum err e;

    if (sys_local_addr(session->client.watch.fd, &to))
        proxy_header_write_local(&text);
    else
        proxy_header_write(&text, &session->peer, &to);
    part.iov_len = text.n;
    /* At once: a server that speaks first waits for it. */
    e = conn_send(&session->server, &part, 1, false, &sent);
    return e == ERR_OK && sent < text.n ? ERR_RESET
                                        : e; /* a new socket takes this much */
}

static void join(struct tcp_session *session)
{
    struct worker *worker = session->guest.worker;
    const struct listener *listener = session->listener;
    struct server_live *server = session->target;
    enum err e = ERR_OK;

    timer_set(&worker->engine.loop.timers, &session->timer, TIMER_NEVER);
    session->connected = worker->engine.loop.now;
    histogram_add(&server->shards[worker->index].connect,
                  session->connected - session->connect_began);
    counter_add(&server->shards[worker->index].joined, 1);
    learn(session, session->connect_began, false);
    tell_outcome(session, BREAKER_GOOD, NULL);
    if (listener->to->sticky)
        stick_connected(&session->stick, worker, listener->to, server);
    if (atomic_load_explicit(&server->connect_failures, memory_order_relaxed))
        atomic_store_explicit(&server->connect_failures, 0, memory_order_relaxed);
    if (listener->to->proxy_protocol != PROXY_PROTOCOL_OFF)
        e = send_proxy_header(session);
    if (!e)
        e = conn_arm(&session->client);
    if (e) {
        session->cause = CAUSE_INTERNAL;
        session_end(session);
        return;
    }
    session->relay = relay_new(worker, &session->client, &session->server,
                               &listener->timeouts, relay_over, session);
    relay_begin(session->relay, NULL, NULL);
    leave_snapshot(session);
}

static void server_ready(struct conn *conn)
{
    struct tcp_session *session = container_of(conn, struct tcp_session, server);
    enum err e;

    if (session->relay) {
        relay_wake(session->relay);
        return;
    }
    e = conn_connected(conn);
    if (e == ERR_OK)
        join(session);
    else if (e != ERR_AGAIN)
        connect_failed(session, e);
}

static void try_server(struct tcp_session *session)
{
    struct worker *worker = session->guest.worker;
    const struct pool *pool = session->listener->to;
    struct loop *loop = &worker->engine.loop;
    bool may_pick = !pool->queue.is_on || waiting_may_try(&session->wait, pool);
    enum err e;

    if (may_pick)
        session->target = pick(session, true);
    else if (session->wait.state == WAIT_NOT)
        session->target = pick(session, false);
    if (!session->target && may_pick && session->stick.is_wish_all) {
        waiting_leave(&session->wait); /* others must not wait behind it */
        nobody(session);
        return;
    }
    if (!session->target && pool->queue.is_on) {
        wait_for_place(session);
        return;
    }
    if (!session->target) {
        nobody(session);
        return;
    }
    waiting_serve(&session->wait);
    list_add(&session->target->desks[worker->index].tcp, &session->of_target);
    session->tried[session->tries++] = session->target;
    session->connect_began = loop->now;
    e = conn_dial(&session->server, &worker->engine, &session->target->addr,
                  server_ready);
    if (e) {
        connect_failed(session, e);
        return;
    }
    timer_set(&loop->timers, &session->timer,
              loop->now + (uint64_t)session->listener->timeouts.connect * 1000000);
    if (!session->server.is_connecting)
        join(session);
}

static void client_ready(struct conn *conn)
{
    struct tcp_session *session = container_of(conn, struct tcp_session, client);

    if (session->relay)
        relay_wake(session->relay);
    else if (conn->is_broken) {
        session->cause = CAUSE_CLIENT_CLOSED;
        session_end(session);
    }
}

static void too_late(struct timer *timer)
{
    struct tcp_session *session = container_of(timer, struct tcp_session, timer);

    if (session->wait.state == WAIT_NOT) {
        connect_failed(session, ERR_TIMEOUT);
        return;
    }
    waiting_time_out(&session->wait);
    session->cause = CAUSE_QUEUE_TIMEOUT;
    session_end(session);
}

void tcp_session_begin(struct door *door, int fd, const struct addr *peer,
                       const struct conn_permit *permit)
{
    struct tcp_session *session = slab_take(&door->worker->tcp_slab);

    memset(session, 0, sizeof *session);
    session->magic = TCP_SESSION_MAGIC;
    guest_enter(&session->guest, SESSION_TCP, door, permit);
    conn_init(&session->client, &door->worker->engine, fd, client_ready);
    conn_init_closed(&session->server, &door->worker->engine, server_ready);
    timer_init(&session->timer, too_late);
    session->wait.call = turn_has_come;
    session->snapshot = worker_pin(door->worker);
    session->listener = door->listener;
    session->pool = door->listener->to->live;
    atomic_fetch_add_explicit(&session->pool->in_flight, 1, memory_order_relaxed);
    session->peer = *peer;
    session->began = door->worker->engine.loop.now;
    counter_add(&session->pool->shards[door->worker->index].requests, 1);
    try_server(session);
}

void tcp_session_cut(struct tcp_session *session, enum cause cause)
{
    session->learn = NULL; /* it is our doing */
    if (session->relay) {
        relay_cut(session->relay, cause);
        return;
    }
    session->cause = cause;
    session_end(session);
}
