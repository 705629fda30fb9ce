/*
 * The client's side between exchanges: the next request, idle time, and an end that does
 * not lose the answer. A connection that we close while the client may still be sending
 * is first shut in our direction and drained for a moment ("lingering"), or the kernel's
 * RST could overtake the answer.
 */
#include "proxy/session.h"

#include "base/check.h"
#include "proxy/exchange.h"

enum { LINGER_MS = 2000, LINGER_BYTES = 64 * 1024 * 1024 };

/* ---- guests ---- */

void guest_enter(struct guest *guest, enum session_kind kind, struct door *door,
                 const struct conn_permit *permit)
{
    guest->kind = kind;
    guest->worker = door->worker;
    guest->door = door;
    guest->permit = *permit;
    list_add(&door->worker->sessions, &guest->node);
    door->worker->session_count++;
    door->sessions++;
}

void guest_leave(struct guest *guest)
{
    struct worker *worker = guest->worker;

    list_remove(&guest->node);
    worker->session_count--;
    conn_limit_give(worker->conn_limit, &guest->permit);
    door_left(guest->door);
    if (worker->is_draining && worker->session_count == 0)
        worker->steward->worker_empty(worker->steward, worker->index);
}

/* ---- life ---- */

static struct listener_shard *shard_of(const struct session *session)
{
    return &session->guest.door->live->shards[session->guest.worker->index];
}

/* NULL: it was removed, or is not for HTTP any more. */
static const struct listener *listener_of(const struct session *session)
{
    const struct listener *listener = session->guest.door->listener;

    return listener && listener->kind == LISTENER_HTTP ? listener : NULL;
}

static void set_timer(struct session *session, uint64_t from, uint32_t ms)
{
    timer_set(&session->guest.worker->engine.loop.timers, &session->timer,
              ms ? from + (uint64_t)ms * 1000000 : TIMER_NEVER);
}

static void session_end(struct session *session)
{
    struct worker *worker = session->guest.worker;
    struct listener_shard *shard = shard_of(session);

    CHECK_MAGIC(session, SESSION_MAGIC);
    CHECK(!session->exchange);
    counter_add(&shard->bytes_received, session->front.conn.received);
    counter_add(&shard->bytes_sent, session->front.conn.sent);
    timer_remove(&worker->engine.loop.timers, &session->timer);
    deferred_cancel(&session->again);
    h1_end_close(&session->front);
    session->magic = 0;
    guest_leave(&session->guest);
    slab_give(&worker->session_slab, session);
}

/* Waits a moment for the client's FIN, throwing away what it still sends. */
static void linger(struct session *session)
{
    struct h1_end *front = &session->front;

    if (!session->is_lingering) {
        h1_end_drop_head(front);
        conn_shutdown(&front->conn);
        session->is_lingering = true;
        session->linger_most = front->conn.received + LINGER_BYTES;
        set_timer(session, session->guest.worker->engine.loop.now, LINGER_MS);
    }
    if (h1_end_discard(front, session->linger_most) != ERR_AGAIN ||
        conn_arm(&front->conn))
        session_end(session);
}

/*
 * Has a client that has asked for the end sent something behind that request? Old ones put
 * an empty line there (RFC 9112 2.2). A close with bytes unread sends a RST in the place of
 * the FIN, and with that goes the end of the answer, which waits in the kernel for the FIN.
 */
static bool has_sent_more(struct h1_end *front)
{
    if (h1_end_has_input(front))
        return true;
    front->conn.can_read = true; /* of what has just come no event has told */
    return h1_end_discard(front, 0) == ERR_TOO_LARGE;
}

static void refuse(struct session *session, struct exchange *x, unsigned status,
                   const char *why)
{
    session->exchange = x;
    set_timer(session, 0, 0);
    exchange_refuse(x, status, why);
}

/* Waits for the rest of a head, or for the next one. */
static void wait_for_request(struct session *session)
{
    const struct timeouts *timeouts = &session->guest.door->listener->timeouts;
    bool is_draining = session->guest.worker->is_draining;
    uint64_t now = session->guest.worker->engine.loop.now;

    if (is_draining && session->requests && !h1_end_has_partial(&session->front)) {
        linger(session);
        return;
    }
    if (conn_arm(&session->front.conn)) {
        session_end(session);
        return;
    }
    if (is_draining && !h1_end_has_partial(&session->front)) {
        if (session->timer.due > now + (uint64_t)LINGER_MS * 1000000)
            set_timer(session, now, LINGER_MS); /* its first request may be on its way */
    } else if (h1_end_has_partial(&session->front) || session->requests == 0) {
        if (!session->head_began)
            session->head_began = now;
        set_timer(session, session->head_began, timeouts->request_header);
    } else {
        set_timer(session, now, timeouts->idle);
    }
}

static void request_is_there(struct session *session, struct exchange *x,
                             enum h1_verdict verdict)
{
    session->requests++;
    session->head_began = 0;
    timer_set(&session->guest.worker->engine.loop.timers, &session->timer, TIMER_NEVER);
    session->exchange = x;
    if (verdict == H1_BAD)
        exchange_refuse(x, session->front.reader.status, session->front.reader.why);
    else
        exchange_begin(x);
}

/* Reads on. An exchange is lent to the reader for its memory and kept if a head came. */
static void read_request(struct session *session)
{
    const struct listener *listener = listener_of(session);
    enum h1_verdict verdict;
    struct exchange *x;
    enum err e;

    if (!listener) { /* it was removed */
        linger(session);
        return;
    }
    if (!h1_end_may_have(&session->front)) {
        wait_for_request(session);
        return;
    }
    x = exchange_new(session);
    e = h1_end_read_request(
        &session->front,
        &(struct h1_limits){listener->sizes.header_size, listener->sizes.uri},
        &x->request, &verdict);
    if (e == ERR_OK) {
        request_is_there(session, x, verdict);
        return;
    }
    if (e == ERR_TOO_LARGE) { /* more than any buffer of ours takes */
        session->requests++;
        refuse(session, x, 431, "the request's head is too large");
        return;
    }
    if (e == ERR_NO_MEMORY) {
        session->requests++;
        refuse(session, x, 503, NO_MEMORY_LEFT);
        return;
    }
    exchange_free(x);
    if (e == ERR_AGAIN)
        wait_for_request(session);
    else
        session_end(session);
}

static void session_ready(struct conn *conn)
{
    struct session *session = container_of(conn, struct session, front.conn);

    CHECK_MAGIC(session, SESSION_MAGIC);
    if (session->exchange)
        exchange_wake(session->exchange);
    else if (session->is_lingering)
        linger(session);
    else
        read_request(session);
}

static void look_again(struct deferred *deferred)
{
    struct session *session = container_of(deferred, struct session, again);

    if (!session->exchange && !session->is_lingering)
        read_request(session);
}

static void too_late(struct timer *timer)
{
    struct session *session = container_of(timer, struct session, timer);

    if (session->exchange) {
        exchange_look_at_clock(session->exchange);
        return;
    }
    if (session->is_lingering || !h1_end_has_partial(&session->front)) {
        session_end(session);
        return;
    }
    session->requests++;
    refuse(session, exchange_new(session), 408, "the request's head took too long");
}

static void keep_peer(struct session *session, const struct addr *peer)
{
    struct text told = text_in(session->told, sizeof session->told);
    char memory[PEER_TEXT_MOST];
    str text =
        peer->family == ADDR_UNIX ? STR("") : addr_print_ip(peer, memory, sizeof memory);

    text_add(&told, STR("X-Forwarded-For: "));
    text_add(&told, text);
    text_add(&told, STR("\r\nX-Forwarded-Proto: http"));
    CHECK(!told.overflow);
    session->peer_text_n = (uint8_t)text.n;
    session->peer_family = peer->family;
    session->peer_port = peer->port;
    memcpy(session->peer_ip, peer->ip, sizeof session->peer_ip);
}

void session_peer(const struct session *session, struct addr *out)
{
    out->family = session->peer_family;
    out->path_length = 0;
    out->port = session->peer_port;
    out->scope = 0;
    memcpy(out->ip, session->peer_ip, sizeof session->peer_ip);
}

void session_begin(struct door *door, int fd, const struct addr *peer,
                   const struct conn_permit *permit)
{
    struct session *session = slab_take(&door->worker->session_slab);

    memset(session, 0, sizeof *session);
    session->magic = SESSION_MAGIC;
    guest_enter(&session->guest, SESSION_HTTP, door, permit);
    conn_init(&session->front.conn, &door->worker->engine, fd, session_ready);
    h1_end_init(&session->front);
    timer_init(&session->timer, too_late);
    deferred_init(&session->again, look_again);
    keep_peer(session, peer);
    read_request(session);
}

void session_exchange_done(struct session *session, enum session_after after)
{
    struct h1_end *front = &session->front;
    struct worker *worker = session->guest.worker;

    session->exchange = NULL;
    h1_end_drop_head(front);
    if (after == SESSION_KEEP) {
        if (!h1_end_may_have(front) && listener_of(session)) {
            wait_for_request(session);
            return;
        }
        set_timer(session, 0, 0); /* the exchange has had it */
        loop_defer(&worker->engine.loop, &session->again);
        return;
    }
    if (after == SESSION_ABORT)
        conn_abort(&front->conn);
    if (after == SESSION_LINGER || (after == SESSION_CLOSE && has_sent_more(front)))
        linger(session);
    else
        session_end(session);
}

void session_drain(struct session *session)
{
    if (session->exchange || session->is_lingering)
        return;                          /* its answer will say Connection: close */
    session->front.conn.can_read = true; /* what has come already is still answered */
    read_request(session);
}

bool session_is_idle(const struct session *session)
{
    return session->requests && !session->exchange && !session->is_lingering &&
           !session->front.conn.can_read && !h1_end_has_partial(&session->front);
}

void session_cut(struct session *session)
{
    if (session->exchange)
        exchange_abort(session->exchange, CAUSE_INTERNAL);
    else
        session_end(session);
}
