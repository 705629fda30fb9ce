/*
 * The client's side of an exchange: what was asked and by whom, which route takes it,
 * and on the way back the head and body of the answer, and the account of it all.
 */
#include "base/check.h"
#include "lb/router.h"
#include "proto/uri.h"
#include "proto/websocket.h"
#include "proxy/access_log.h"
#include "proxy/exchange.h"
#include "proxy/facts.h"
#include "proxy/outcome.h"
#include "proxy/reply.h"
#include "proxy/stick.h"
#include "proxy/shed.h"

/* ---- route ---- */

/* The path in the one form that matching and servers see. */
static enum err normalise(struct exchange *x)
{
    const struct head *head = &x->request;

    x->facts = (struct request_facts){
        .head = head,
        .query = head->query,
        .client = &x->client,
        .listener = x->listener->index,
        .scratch = &x->worker->patterns,
    };
    x->facts.host = head->host;
    x->facts.path = head->path;
    if (head->host.n && !(head->flags & HEAD_HOST_FOLDED))
        x->facts.host = uri_fold_host(head->host, &x->arena);
    if (head->flags & HEAD_PATH_NORMAL)
        return ERR_OK;
    return uri_normalise(head->path, &x->arena, &x->facts.path);
}

/* Bounds that the route sets for itself. In its normal form a path may be three times as
 * long as it came, and that is what a server is sent. */
static enum flow check_sizes(struct exchange *x)
{
    const struct sizes *sizes = &x->route->sizes;
    const struct head *head = &x->request;
    size_t target = head->target.n - head->path.n + x->facts.path.n;

    if (head->bytes > sizes->header_size || head->field_count > sizes->headers)
        return reply_error(x, 431, CAUSE_TOO_LARGE, "the request's head is too large");
    if (target > sizes->uri || head->bytes - head->target.n + target > sizes->header_size)
        return reply_error(x, 414, CAUSE_TOO_LARGE, "the request's target is too long");
    if (head->framing == FRAMING_LENGTH && head->content_length > sizes->body)
        return reply_error(x, 413, CAUSE_TOO_LARGE, "the request's body is too large");
    x->upload.most = sizes->body;
    return FLOW_NEXT;
}

void exchange_expect_upload(struct exchange *x)
{
    const struct head *head = &x->request;

    body_init(&x->upload, &x->session->front.end, head,
              x->route ? x->route->sizes.body : UINT64_MAX,
              head->framing == FRAMING_CHUNKED ? arena_alloc(&x->arena, BODY_TRAILER_ROOM)
                                               : NULL);
}

enum flow step_route(struct exchange *x)
{
    exchange_learn_client(x);
    if (!x->request_id.p)
        exchange_make_id(x);
    exchange_expect_upload(x);
    if (engine_is_full(&x->worker->engine))
        return reply_error(x, 503, CAUSE_OVERLOADED, NO_MEMORY_LEFT);
    if (normalise(x))
        return reply_error(x, 400, CAUSE_BAD_REQUEST,
                           "the request's path has no single meaning");
    x->route = router_find(x->listener->router, &x->facts);
    if (!x->route)
        return reply_error(x, 404, CAUSE_NO_ROUTE, "no route matches this request");
    counter_add((uint64_t *)&x->route->live->shards[x->worker->index].in_flight, 1);
    if ((x->worker->curbs || x->route->ladder) && shed_look(x) != FLOW_NEXT)
        return FLOW_REPLY;
    return check_sizes(x);
}

/* ---- request ---- */

/* What the server sees as the target: the normal path, less a stripped prefix. */
static void make_target(struct exchange *x)
{
    str path = x->facts.path, query = x->facts.query;
    str prefix = x->route->strip_prefix;

    if (prefix.n && str_starts(path, prefix) &&
        (path.n == prefix.n || path.p[prefix.n] == '/')) {
        path = str_from(path, prefix.n);
        if (path.n == 0)
            path = STR("/");
    }
    if (!query.p)
        x->target = path;
    else if (path.p + path.n + 1 == query.p) /* as the client wrote it */
        x->target = str_slice(path.p, query.p + query.n);
    else
        x->target =
            arena_printf(&x->arena, STR_FMT "?" STR_FMT, STR_ARG(path), STR_ARG(query));
}

static enum flow check_upgrade(struct exchange *x)
{
    unsigned status = websocket_check_request(&x->request);

    if (!status)
        return FLOW_NEXT;
    return reply_error(x, status, CAUSE_BAD_REQUEST, "this is not a WebSocket handshake");
}

/* OPTIONS may say how many proxies it is to pass: at none the answer is ours
 * (RFC 9110 7.6.2). */
static enum flow count_forward(struct exchange *x)
{
    static const struct respond last = {.status = 204};
    struct field *field = head_find(&x->request, NAME_MAX_FORWARDS);
    uint64_t left;

    if (x->request.method != HTTP_OPTIONS || !field || !str_to_u64(field->value, &left))
        return FLOW_NEXT;
    if (left == 0)
        return reply_respond(x, &last);
    field->value = arena_printf(&x->arena, "%lu", (unsigned long)(left - 1));
    return FLOW_NEXT;
}

enum flow step_request(struct exchange *x)
{
    const struct route *route = x->route;
    enum flow flow = count_forward(x);

    if (flow != FLOW_NEXT)
        return flow;
    if (route->action == ROUTE_REDIRECT)
        return reply_redirect(x, &route->redirect);
    if (route->action == ROUTE_RESPOND)
        return reply_respond(x, &route->respond);
    if (x->request.flags & HEAD_UPGRADE && (flow = check_upgrade(x)) != FLOW_NEXT)
        return flow;
    make_target(x);
    exchange_add_forwarded(x);
    if (!exchange_edit_head(x, &x->request, &route->request_headers))
        return reply_error(
            x, 431, CAUSE_TOO_LARGE,
            "the request leaves no room for the headers that are set in it");
    return FLOW_NEXT;
}

/* ---- response ---- */

/* What this answer says of the route: nothing, where the fault is ours or the client's. */
static struct server_outcome outcome_of(const struct exchange *x)
{
    bool is_servers =
        x->cause >= CAUSE_CONNECT_REFUSED && x->cause <= CAUSE_SERVER_INVALID;

    if (!(x->flags & EXCHANGE_OWN_REPLY))
        return outcome_of_status(x->response.status);
    return (struct server_outcome){is_servers ? BREAKER_BAD : BREAKER_NOTHING, 0,
                                   cause_text(x->cause)};
}

static NEVER_INLINE void tell_route(struct exchange *x)
{
    struct server_outcome outcome = outcome_of(x);

    exchange_tell_route(x, &outcome);
}

/* An answer without what the configuration sets in it (a policy, a cookie's end) must not
 * reach a client. A page of ours goes without: only who asked so gets it. */
static NEVER_INLINE enum flow finds_no_room(struct exchange *x)
{
    if (x->flags & EXCHANGE_OWN_REPLY) {
        x->cause = CAUSE_INTERNAL;
        return FLOW_NEXT;
    }
    attempt_end(x, false);
    return reply_error(x, 502, CAUSE_SERVER_INVALID,
                       "the answer leaves no room for the headers that are set in it");
}

enum flow step_response(struct exchange *x)
{
    const struct header_edits *edits;

    if (!x->route)
        return FLOW_NEXT;
    if (x->route_permit)
        tell_route(x);
    edits = &x->route->response_headers;
    x->response.field_room +=
        (EXTRA_FIELDS + edits->count) * !(x->flags & EXCHANGE_OWN_REPLY);
    if (x->stick && !(x->flags & EXCHANGE_OWN_REPLY))
        stick_answer(x);
    if (x->route->ladder)
        shed_tell_client(x);
    return exchange_edit_head(x, &x->response, edits) ? FLOW_NEXT : finds_no_room(x);
}

/* ---- deliver ---- */

/* How the body goes to the client, and whether the connection survives it. */
static void settle_framing(struct exchange *x)
{
    bool is_old = x->request.flags & HEAD_HTTP10;
    enum framing framing = x->response.framing;

    if (framing == FRAMING_CLOSE && !is_old)
        framing = FRAMING_CHUNKED;
    if (framing == FRAMING_CHUNKED && is_old)
        framing = FRAMING_CLOSE;
    x->download.to_framing = framing;
    if (framing == FRAMING_CLOSE || !x->upload.is_sent || x->worker->is_draining ||
        !x->session->guest.door->listener)
        x->flags &= ~(unsigned)EXCHANGE_KEEP_FRONT;
}

static void send_head(struct exchange *x)
{
    struct http_end *front = &x->session->front.end;
    struct head_send what = {.head = &x->response,
                             .is_response = true,
                             .closes = !(x->flags & EXCHANGE_KEEP_FRONT),
                             .is_old_peer = x->request.flags & HEAD_HTTP10};

    x->response.framing = x->download.to_framing;
    x->flags |= EXCHANGE_HEAD_SENT;
    exchange_done_with(x, DUE_CLIENT_STAYS);
    front->ops->send_head(front, &what);
    if (!(x->flags & EXCHANGE_OWN_REPLY))
        h1_end_drop_head(&x->attempt.link->back);
}

static enum flow client_waits(struct exchange *x, bool has_moved)
{
    exchange_done_with(x, DUE_DOWNLOAD);
    if (has_moved || x->due[DUE_CLIENT_TAKES] == TIMER_NEVER)
        exchange_due(
            x, DUE_CLIENT_TAKES,
            (x->route ? &x->route->timeouts : &x->listener->timeouts)->client_write);
    if (conn_arm(&x->session->front.conn)) {
        exchange_abort(x, CAUSE_CLIENT_CLOSED);
        return FLOW_END;
    }
    return FLOW_WAIT;
}

static enum flow deliver_reply(struct exchange *x, bool is_first)
{
    struct http_end *front = &x->session->front.end;
    enum err e;

    if (is_first)
        front->ops->send_body(front, &x->download, x->reply, true);
    e = front->ops->flush(front, false);
    if (e == ERR_AGAIN)
        return client_waits(x, is_first);
    if (e) {
        exchange_abort(x, CAUSE_CLIENT_CLOSED);
        return FLOW_END;
    }
    return FLOW_NEXT;
}

/* The server's side broke when the client has its head already: nothing to mend. */
static enum flow server_broke(struct exchange *x, enum cause cause,
                              enum server_failure failure)
{
    struct server_outcome outcome = {BREAKER_BAD, 0, server_failure_text(failure)};

    counter_add(&x->attempt.server->shards[x->worker->index].failures[failure], 1);
    attempt_outcome(x, &outcome);
    exchange_abort(x, cause);
    return FLOW_END;
}

static enum flow deliver_download(struct exchange *x)
{
    const struct conn *front = &x->session->front.conn;
    uint64_t before = x->download.passed + front->sent;
    enum body_state state = body_pump(&x->download);
    bool has_moved = x->download.passed + front->sent != before;

    switch (state) {
    case BODY_DONE:
        return FLOW_NEXT;
    case BODY_WAITS_FROM:
        exchange_done_with(x, DUE_CLIENT_TAKES);
        if (has_moved || x->due[DUE_DOWNLOAD] == TIMER_NEVER)
            exchange_due(x, DUE_DOWNLOAD, x->route->timeouts.response_body);
        return FLOW_WAIT;
    case BODY_WAITS_TO:
        return client_waits(x, has_moved);
    case BODY_GOES_ON:
        exchange_done_with(x, DUE_DOWNLOAD);
        exchange_done_with(x, DUE_CLIENT_TAKES);
        loop_defer(&x->worker->engine.loop, &x->again);
        return FLOW_WAIT;
    case BODY_FROM_BROKEN:
    case BODY_TOO_LARGE:
        return server_broke(x, CAUSE_SERVER_CLOSED, FAILURE_CLOSED);
    case BODY_FROM_INVALID:
        return server_broke(x, CAUSE_SERVER_INVALID, FAILURE_INVALID);
    case BODY_TO_BROKEN:
        break;
    }
    exchange_abort(x, CAUSE_CLIENT_CLOSED);
    return FLOW_END;
}

enum flow step_deliver(struct exchange *x)
{
    bool is_first = !(x->flags & EXCHANGE_HEAD_SENT);
    enum flow flow;

    if (is_first) {
        settle_framing(x);
        send_head(x);
    }
    if (x->flags & EXCHANGE_OWN_REPLY)
        return deliver_reply(x, is_first);
    flow = x->flags & EXCHANGE_UPLOADING ? exchange_upload(x) : FLOW_NEXT;
    return flow == FLOW_NEXT ? deliver_download(x) : flow;
}

/* ---- finish ---- */

static bool is_link_clean(const struct exchange *x)
{
    return x->attempt.link && x->response.flags & HEAD_KEEP_ALIVE &&
           x->download.is_sent && x->upload.is_sent && x->cause == CAUSE_OK &&
           !x->attempt.link->back.out &&
           x->pool->proxy_protocol == PROXY_PROTOCOL_OFF; /* it speaks for one client */
}

static void count(struct exchange *x)
{
    unsigned class = exchange_class(x);
    struct listener_shard *listener =
        &x->session->guest.door->live->shards[x->worker->index];
    struct route_shard *route;

    if (!(x->flags & EXCHANGE_HEAD_SENT))
        class = 0;
    counter_add(&listener->requests[class], 1);
    if (!x->route) {
        counter_add(&listener->causes[x->cause], 1);
        return;
    }
    route = &x->route->live->shards[x->worker->index];
    histogram_add(&route->duration[class], exchange_now(x) - x->began);
    counter_add(&route->causes[x->cause], 1);
    counter_add((uint64_t *)&route->in_flight, (uint64_t)-1);
}

/* The server broke off in a body whose framing shows that to the client: a FIN will do. A
 * RST would take answers to earlier requests along that are still on their way. */
static bool is_end_told(const struct exchange *x)
{
    return x->flags & EXCHANGE_HEAD_SENT && x->download.to_framing != FRAMING_CLOSE &&
           x->cause >= CAUSE_SERVER_CLOSED && x->cause <= CAUSE_SERVER_INVALID;
}

static enum session_after what_becomes_of(const struct exchange *x)
{
    if (x->cause != CAUSE_OK && !(x->flags & EXCHANGE_OWN_REPLY))
        return is_end_told(x) ? SESSION_LINGER : SESSION_ABORT;
    if (x->flags & EXCHANGE_KEEP_FRONT)
        return SESSION_KEEP;
    /* Who has not asked for the end may have sent more, and a close with bytes unread is a
     * RST, which eats the answer on its way. */
    return x->upload.is_sent && x->cause == CAUSE_OK &&
                   !(x->request.flags & HEAD_KEEP_ALIVE)
               ? SESSION_CLOSE
               : SESSION_LINGER;
}

enum flow step_finish(struct exchange *x)
{
    struct session *session = x->session;
    enum session_after after = what_becomes_of(x);

    count(x);
    exchange_tell_route(x, &(struct server_outcome){.says = BREAKER_NOTHING});
    if (x->worker->access_log)
        access_log_exchange(x->worker, x, x->request.bytes + x->upload.passed,
                            session->front.conn.sent - x->sent_before);
    attempt_end(x, is_link_clean(x));
    if (x->flags & EXCHANGE_COUNTED)
        atomic_fetch_sub_explicit(&x->pool->live->in_flight, 1, memory_order_release);
    if (!x->snapshot) { /* it was a tunnel and held these itself */
        atomic_fetch_sub_explicit(&x->route->live->holds, 1, memory_order_release);
        atomic_fetch_sub_explicit(&x->pool->live->holds, 1, memory_order_release);
    }
    exchange_free(x);
    session_exchange_done(session, after);
    return FLOW_END;
}
