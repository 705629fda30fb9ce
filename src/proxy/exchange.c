/*
 * The life of one exchange, top to bottom: nine steps, one at a time. A step tries what
 * it is there for; when that cannot be done yet it says FLOW_WAIT and is simply run again
 * after the next event, so a wake-up can come too often but never be lost. Bodies do not
 * pass through the steps: send and deliver set pumps going (body.c), and deliver waits
 * for both.
 */
#include "proxy/exchange.h"

#include "base/check.h"
#include "proxy/hedge.h"
#include "proxy/learn.h"
#include "proxy/outcome.h"
#include "proxy/relay.h"
#include "proxy/reply.h"

typedef enum flow flow_fn(struct exchange *x);

static flow_fn *const steps[] = {
    [STEP_ROUTE] = step_route,       /* which route? what may it? */
    [STEP_REQUEST] = step_request,   /* edits, answers of our own */
    [STEP_PICK] = step_pick,         /* which server? */
    [STEP_CONNECT] = step_connect,   /* a link to it, idle or new */
    [STEP_SEND] = step_send,         /* head; the upload begins to flow */
    [STEP_RECEIVE] = step_receive,   /* wait for the response head */
    [STEP_RESPONSE] = step_response, /* edits on the way back */
    [STEP_DELIVER] = step_deliver,   /* head; download flows to its end */
    [STEP_FINISH] = step_finish,     /* count, log, give everything back */
};

/* Where it goes on when a step has not led to the next one. */
static enum step step_after(enum flow flow)
{
    return flow == FLOW_RETRY   ? STEP_PICK
           : flow == FLOW_HEDGE ? STEP_RECEIVE
                                : STEP_RESPONSE;
}

static void exchange_run(struct exchange *x)
{
    for (;;) {
        enum flow flow;

        while ((flow = steps[x->step](x)) == FLOW_NEXT)
            x->step++;
        if (flow == FLOW_WAIT || flow == FLOW_END)
            return;
        CHECK(!(x->flags & EXCHANGE_HEAD_SENT));
        x->step = step_after(flow);
    }
}

/* ---- deadlines ---- */

static void set_timer(struct exchange *x, uint64_t due)
{
    timer_set(&x->worker->engine.loop.timers, &x->session->timer, due);
}

void exchange_due(struct exchange *x, enum due which, uint32_t ms)
{
    x->due[which] = ms ? exchange_now(x) + (uint64_t)ms * 1000000 : TIMER_NEVER;
    if (x->due[which] < x->session->timer.due)
        set_timer(x, x->due[which]);
}

static void go_on(struct exchange *x, enum flow flow)
{
    x->step = step_after(flow);
    exchange_run(x);
}

/* The response has begun already: it may go on without the rest of the request's body. The
 * connections do not outlive it. */
static void give_upload_up(struct exchange *x)
{
    x->flags &= ~(unsigned)EXCHANGE_UPLOADING;
    exchange_done_with(x, DUE_UPLOAD);
    exchange_done_with(x, DUE_SERVER_TAKES);
}

/* The server's fault: once more elsewhere, an answer of ours, or a cut connection. */
static void server_fails(struct exchange *x, enum cause cause,
                         enum server_failure failure)
{
    if (x->flags & EXCHANGE_HEAD_SENT)
        exchange_abort(x, cause);
    else
        go_on(x, attempt_failed(x, cause, failure));
}

static void server_is_late(struct exchange *x)
{
    if (x->flags & EXCHANGE_HEAD_SENT) /* else attempt_failed tells it */
        attempt_outcome(x, &(struct server_outcome){
                               BREAKER_BAD, 0, server_failure_text(FAILURE_TIMEOUT)});
    server_fails(x, CAUSE_SERVER_TIMEOUT, FAILURE_TIMEOUT);
}

/* After its news: that of an answer leads to the response, as from receive. */
static void hedge_went(struct exchange *x, enum flow flow)
{
    if (flow == FLOW_NEXT)
        flow = exchange_take_answer(x);
    if (flow != FLOW_WAIT && flow != FLOW_END)
        go_on(x, flow);
}

void exchange_lose_server(struct exchange *x, const struct link *link)
{
    CHECK_MAGIC(x, EXCHANGE_MAGIC);
    if (link != x->attempt.link && x->hedge)
        hedge_went(x, hedge_lose_server(x));
    else if (x->flags & EXCHANGE_HEAD_SENT)
        exchange_abort(x, CAUSE_SERVER_CLOSED);
    else
        go_on(x, attempt_leave_server(x));
}

static void client_is_late(struct exchange *x)
{
    attempt_end(x, false);
    x->flags &= ~(unsigned)(EXCHANGE_KEEP_FRONT | EXCHANGE_UPLOADING);
    go_on(x,
          reply_error(x, 408, CAUSE_CLIENT_TIMEOUT, "the request's body took too long"));
}

static void look_at_client(struct exchange *x)
{
    x->due[DUE_LOOK] = TIMER_NEVER;
    if (conn_arm(&x->session->front.conn))
        exchange_abort(x, CAUSE_INTERNAL);
}

static void late(struct exchange *x, enum due which)
{
    switch (which) {
    case DUE_CONNECT:
        go_on(x, attempt_connect_failed(x, ERR_TIMEOUT));
        break;
    case DUE_HEDGE:
        hedge_went(x, hedge_due(x));
        break;
    case DUE_RETRY:
        exchange_run(x);
        break;
    case DUE_RESPONSE:
    case DUE_DOWNLOAD:
        server_is_late(x);
        break;
    case DUE_SERVER_TAKES:
        if (x->flags & EXCHANGE_HEAD_SENT)
            give_upload_up(x);
        else
            server_is_late(x);
        break;
    case DUE_UPLOAD:
        if (x->flags & EXCHANGE_HEAD_SENT)
            give_upload_up(x);
        else
            client_is_late(x);
        break;
    case DUE_CLIENT_TAKES:
        exchange_abort(x, CAUSE_CLIENT_TIMEOUT);
        break;
    case DUE_CLIENT_STAYS:
        exchange_abort(x, CAUSE_CLIENT_CLOSED);
        break;
    case DUE_QUEUE:
        go_on(x, exchange_queue_timeout(x));
        break;
    case DUE_LOOK:
        look_at_client(x);
        break;
    case DUE_COUNT:
        break;
    }
}

void exchange_look_at_clock(struct exchange *x)
{
    uint64_t now = exchange_now(x), nearest = TIMER_NEVER;

    CHECK_MAGIC(x, EXCHANGE_MAGIC);
    for (unsigned i = 0; i < DUE_COUNT; i++) {
        if (x->due[i] > now) {
            nearest = x->due[i] < nearest ? x->due[i] : nearest;
            continue;
        }
        /* Others that are due too come a tick later, if x is still there. */
        set_timer(x, now + 1);
        x->due[i] = TIMER_NEVER;
        late(x, i);
        return;
    }
    set_timer(x, nearest);
}

/* ---- life ---- */

static void turn_again(struct deferred *deferred)
{
    exchange_wake(container_of(deferred, struct exchange, again));
}

/* What may be added to a request, whichever route takes it. */
static unsigned extra_fields(const struct exchange *x)
{
    return EXTRA_FIELDS + x->snapshot->most_request_edits;
}

struct exchange *exchange_new(struct session *session)
{
    struct worker *worker = session->guest.worker;
    struct exchange *x = slab_take(&worker->exchange_slab);
    const struct sizes *sizes;

    memset(x, 0, offsetof(struct exchange, session));
    x->magic = EXCHANGE_MAGIC;
    x->session = session;
    x->worker = worker;
    x->began = worker->engine.loop.now;
    x->sent_before = session->front.conn.sent;
    x->facts.head = NULL; /* not understood yet: what the log asks of a refused one */
    x->listener = session->guest.door->listener;
    x->snapshot = worker_pin(worker);
    arena_init_in(&x->arena, x->memory, sizeof x->memory, 0);
    sizes = &x->listener->sizes;
    x->request.field_room = sizes->headers;
    x->request.fields =
        arena_alloc(&x->arena, (sizes->headers + extra_fields(x)) * sizeof(struct field));
    x->response.fields = NULL;
    x->response.status = x->response.flags = 0;
    body_init_none(&x->upload);
    body_init_none(&x->download);
    deferred_init(&x->again, turn_again);
    for (unsigned i = 0; i < DUE_COUNT; i++)
        x->due[i] = TIMER_NEVER;
    return x;
}

void exchange_make_room(struct exchange *x, struct head *response)
{
    unsigned extra = EXTRA_FIELDS + x->route->response_headers.count;

    response->field_room = x->route->sizes.headers;
    if (!response->fields)
        response->fields =
            arena_alloc(&x->arena, (response->field_room + extra) * sizeof(struct field));
}

void exchange_forget_server(struct exchange *x)
{
    if (x->served.by)
        atomic_fetch_sub_explicit(&x->served.by->holds, 1, memory_order_release);
    x->served.by = NULL;
}

void exchange_free(struct exchange *x)
{
    struct worker *worker = x->worker;

    CHECK_MAGIC(x, EXCHANGE_MAGIC);
    deferred_cancel(&x->again);
    if (x->snapshot)
        worker_unpin(worker, x->snapshot);
    exchange_forget_server(x);
    arena_reset(&x->arena);
    x->magic = 0;
    slab_give(&worker->exchange_slab, x);
}

void exchange_begin(struct exchange *x)
{
    struct conn *front = &x->session->front.conn;

    x->request.field_room += extra_fields(x);
    if (x->request.flags & HEAD_KEEP_ALIVE && !x->worker->is_draining)
        x->flags |= EXCHANGE_KEEP_FRONT;
    if (!front->watch.is_added)
        exchange_due(x, DUE_LOOK, LOOK_AFTER_MS);
    x->step = STEP_ROUTE;
    exchange_run(x);
}

/* A refused request has no head to look at; that an answer to HEAD has no body holds for
 * it too. */
static enum http_method method_of_refused(const struct exchange *x)
{
    const struct h1_end *front = &x->session->front;

    return h1_end_has_input(front) && str_starts(chunk_bytes(front->in), STR("HEAD "))
               ? HTTP_HEAD
               : HTTP_METHOD_OTHER;
}

void exchange_refuse(struct exchange *x, unsigned status, const char *why)
{
    enum cause cause = status == 431 || status == 414 ? CAUSE_TOO_LARGE
                       : status == 501 || status == 405 || status == 505
                           ? CAUSE_UNSUPPORTED
                       : status == 408 ? CAUSE_CLIENT_TIMEOUT
                       : status == 503 ? CAUSE_OVERLOADED
                                       : CAUSE_BAD_REQUEST;

    x->request =
        (struct head){.fields = x->request.fields, .method = method_of_refused(x)};
    session_peer(x->session, &x->peer);
    x->client = x->peer;
    x->client_text = session_peer_text(x->session);
    go_on(x, reply_error(x, status, cause, why));
}

/*
 * A FIN says that no more requests will come, and it is all that is to be seen of a
 * client that has gone. Nobody can tell the two apart before bytes are sent to it. Who
 * has said that this is the last request waits for the answer; of anybody else, an answer
 * that is not on its way soon is taken to be for nobody.
 */
static void note_half_close(struct exchange *x)
{
    if (x->session->front.conn.has_ended && !(x->flags & EXCHANGE_HEAD_SENT) &&
        x->request.flags & HEAD_KEEP_ALIVE && x->due[DUE_CLIENT_STAYS] == TIMER_NEVER)
        exchange_due(x, DUE_CLIENT_STAYS, HALF_CLOSED_MS);
}

void exchange_wake(struct exchange *x)
{
    CHECK_MAGIC(x, EXCHANGE_MAGIC);
    if (x->relay) {
        relay_wake(x->relay);
        return;
    }
    if (x->session->front.conn.is_broken) {
        exchange_abort(x, CAUSE_CLIENT_CLOSED);
        return;
    }
    note_half_close(x);
    exchange_run(x);
}

/* Of a tunnel nothing is learnt but that its server agreed to it. */
static void learn_from_abort(struct exchange *x, enum cause cause)
{
    if (cause == CAUSE_SERVER_CLOSED || cause == CAUSE_SERVER_INVALID ||
        cause == CAUSE_SERVER_TIMEOUT)
        learn_failure_always(x, &x->attempt);
    else if (cause == CAUSE_CLIENT_CLOSED && x->step <= STEP_RECEIVE)
        learn_departure_always(x);
}

void exchange_abort(struct exchange *x, enum cause cause)
{
    CHECK_MAGIC(x, EXCHANGE_MAGIC);
    if (x->relay) {
        relay_cut(x->relay, cause);
        return;
    }
    x->cause = cause;
    x->flags &= ~(unsigned)EXCHANGE_KEEP_FRONT;
    if (x->attempt.server && x->snapshot && learn_is_wanted(x->pool))
        learn_from_abort(x, cause);
    if (x->flags & EXCHANGE_HAS_WAITED)
        waiting_leave(&x->wait);
    attempt_end(x, false);
    x->step = STEP_FINISH;
    exchange_run(x);
}
