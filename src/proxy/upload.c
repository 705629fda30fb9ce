/*
 * The request's body on its way to the server: who is waited for, how long that may take,
 * and what follows when it cannot go on. The bytes themselves are the pump's (body.c).
 */
#include "proxy/exchange.h"
#include "proxy/outcome.h"
#include "proxy/reply.h"

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
