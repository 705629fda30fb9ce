/* Begun, connected, asked, read: the steps of the second try, and who wins. */
#include "proxy/hedge.h"

#include "guard/hedging.h"
#include "guard/retry.h"
#include "lb/pool.h"
#include "proto/names.h"
#include "proxy/learn.h"
#include "proxy/load_slip.h"
#include "proxy/outcome.h"

/* The route's, or else the pool's; NULL: neither hedges. */
static const struct hedging *rule_of(const struct exchange *x)
{
    if (x->route->hedges == HEDGE_BY_ROUTE)
        return &x->route->hedge;
    return x->pool->hedge.is_enabled ? &x->pool->hedge : NULL; /* of a split, perhaps */
}

/* Of the one whose rule it is: its times are what the rule is about. */
static struct hedge_book *book_of(const struct exchange *x)
{
    if (x->route->hedges == HEDGE_BY_ROUTE)
        return &x->route->live->desks[x->worker->index].hedges;
    return &x->pool->live->desks[x->worker->index].hedges;
}

static void count(struct exchange *x, enum hedge_result result)
{
    x->hedged = result;
    counter_add(&x->pool->live->shards[x->worker->index].hedges[result], 1);
}

/* ---- begin ---- */

/* A client that belongs to its server stays there. */
static bool may_hedge(const struct exchange *x)
{
    return x->tries == 1 && !x->pool->sticky && x->upload.is_sent &&
           x->upload.framing == FRAMING_NONE &&
           !(x->request.flags & (HEAD_UPGRADE | HEAD_EXPECT_CONTINUE)) &&
           method_is_idempotent(x->request.method);
}

void hedge_expect_always(struct exchange *x)
{
    const struct hedging *rule = rule_of(x);
    uint64_t delay;

    if (!rule || !may_hedge(x))
        return;
    hedging_count(book_of(x), rule);
    delay = hedging_delay(book_of(x), rule, exchange_now(x));
    exchange_due(x, DUE_HEDGE, (uint32_t)((delay + 999999) / 1000000));
}

/* A server and the means, or nothing at all. */
static bool take(struct exchange *x, struct attempt *attempt)
{
    struct pool_live *pool = x->pool->live;

    if (!hedging_take(book_of(x)))
        return false;
    if (retry_budget_take_hedge(pool, &x->pool->retries, exchange_now(x))) {
        attempt->retry_of = pool;
        attempt->server = attempt_pick(x, attempt, false);
        if (attempt->server)
            return true;
        retry_budget_give(pool);
    }
    hedging_give(book_of(x));
    return false;
}

static enum flow begin(struct exchange *x)
{
    struct hedge *hedge;

    if (x->step != STEP_RECEIVE || !may_hedge(x) || x->hedged || x->interim_count ||
        h1_end_has_partial(&x->attempt.link->back))
        return FLOW_WAIT;
    hedge = ARENA_NEW(&x->arena, struct hedge);
    *hedge = (struct hedge){0};
    if (!take(x, &hedge->attempt))
        return FLOW_WAIT;
    hedge->attempt.began = exchange_now(x);
    hedge->attempt.in_flight =
        atomic_load_explicit(&hedge->attempt.server->in_flight, memory_order_relaxed);
    x->hedge = hedge;
    x->hedged_at = hedge->attempt.server;
    return hedge_run(x);
}

/* ---- the end ---- */

void hedge_end(struct exchange *x, enum hedge_result result)
{
    struct attempt *attempt = &x->hedge->attempt;

    x->hedge = NULL;
    count(x, result);
    exchange_done_with(x, DUE_HEDGE);
    if (attempt->permit)
        outcome_report(x->worker, x->pool, attempt->server, &attempt->permit,
                       &(struct server_outcome){.says = BREAKER_NOTHING});
    if (attempt->link)
        link_close(attempt->link);
    retry_budget_give(attempt->retry_of);
    place_give(x->worker, attempt->server);
}

/* The second try takes the place of the first, which has ended or ends now. */
static void take_place(struct exchange *x)
{
    struct hedge *hedge = x->hedge;

    x->hedge = NULL;
    exchange_done_with(x, DUE_HEDGE);
    if (x->attempt.server)
        attempt_end(x, false);
    x->attempt = hedge->attempt;
    if (x->attempt.link)
        x->upload.to = &x->attempt.link->back.end;
}

enum flow hedge_alone(struct exchange *x)
{
    struct hedge *hedge = x->hedge;

    x->hedge = NULL;
    attempt_end(x, false);
    x->response.status = 0;
    x->hedge = hedge;
    return FLOW_HEDGE;
}

/* Beside the first try a failure is counted and forgotten; alone, it is the exchange's. */
static enum flow fails(struct exchange *x, enum cause cause, enum server_failure failure)
{
    struct attempt *attempt = &x->hedge->attempt;
    struct server_outcome outcome = {BREAKER_BAD, 0, server_failure_text(failure)};

    if (!x->attempt.server) {
        count(x, HEDGE_FAILED);
        take_place(x);
        return attempt_failed(x, cause, failure);
    }
    counter_add(&attempt->server->shards[x->worker->index].failures[failure], 1);
    if (attempt_broke_kept(x, attempt, failure)) { /* the first goes on: as a retry */
        hedge_end(x, HEDGE_FAILED);
        return FLOW_WAIT;
    }
    learn_failure(x, attempt);
    if (x->pool->learns)
        outcome_report(x->worker, x->pool, attempt->server, &attempt->permit, &outcome);
    hedge_end(x, HEDGE_FAILED);
    return FLOW_WAIT;
}

/* It cannot go on, which is nobody's failure. True: it was alone and is x->attempt now. */
static bool ends_alone(struct exchange *x)
{
    if (x->attempt.server) {
        hedge_end(x, HEDGE_FAILED);
        return false;
    }
    count(x, HEDGE_FAILED);
    take_place(x);
    return true;
}

static enum flow lacks(struct exchange *x, const char *what)
{
    return ends_alone(x) ? attempt_overloaded(x, what) : FLOW_WAIT;
}

static enum flow fails_to_connect(struct exchange *x, enum err why)
{
    if (why == ERR_NO_FDS || why == ERR_NO_MEMORY)
        return lacks(x, NO_CONNECTION);
    if (!x->attempt.server) {
        count(x, HEDGE_FAILED);
        take_place(x);
        return attempt_connect_failed(x, why);
    }
    attempt_note_connect_failure(x, &x->hedge->attempt, why);
    if (why == ERR_REFUSED)
        return fails(x, CAUSE_CONNECT_REFUSED, FAILURE_CONNECT_REFUSED);
    if (why == ERR_TIMEOUT)
        return fails(x, CAUSE_CONNECT_TIMEOUT, FAILURE_CONNECT_TIMEOUT);
    return fails(x, CAUSE_CONNECT_ERROR, FAILURE_CONNECT_ERROR);
}

enum flow hedge_lose_server(struct exchange *x)
{
    return ends_alone(x) ? attempt_leave_server(x) : FLOW_WAIT;
}

enum flow hedge_due(struct exchange *x)
{
    if (!x->hedge)
        return begin(x);
    return x->hedge->attempt.is_head_sent
               ? fails(x, CAUSE_SERVER_TIMEOUT, FAILURE_TIMEOUT)
               : fails_to_connect(x, ERR_TIMEOUT);
}

/* ---- on its way ---- */

static enum flow ask(struct exchange *x)
{
    struct attempt *attempt = &x->hedge->attempt;
    enum err e = attempt_connect(x, attempt, DUE_HEDGE);

    if (e == ERR_AGAIN)
        return FLOW_WAIT;
    if (e)
        return fails_to_connect(x, e);
    attempt_send(x, attempt);
    exchange_due(x, DUE_HEDGE, x->route->timeouts.response);
    return FLOW_NEXT;
}

/* What is left of its head. FLOW_NEXT: all that the server takes now is on its way. */
static enum flow send_on(struct exchange *x)
{
    struct http_end *back = &x->hedge->attempt.link->back.end;
    enum err e = back->ops->flush(back, false);

    return e && e != ERR_AGAIN ? fails(x, CAUSE_SERVER_CLOSED, FAILURE_CLOSED)
                               : FLOW_NEXT;
}

/* The first one is closed: that it took so long is all that is learnt of it. */
static enum flow wins(struct exchange *x)
{
    struct hedge *hedge = x->hedge;

    count(x, HEDGE_WON);
    if (x->attempt.server) {
        hedging_learn(book_of(x), exchange_now(x) - x->attempt.sent);
        if (learn_is_wanted(x->pool))
            learn_departure_always(x);
    }
    take_place(x);
    x->response = hedge->response;
    load_slip_look(x);
    return FLOW_NEXT;
}

enum flow hedge_run(struct exchange *x)
{
    struct h1_limits limits = {x->route->sizes.header_size, 0};
    struct hedge *hedge = x->hedge;
    struct h1_end *back;
    enum flow flow;

    if (!hedge->attempt.is_head_sent && (flow = ask(x)) != FLOW_NEXT)
        return flow;
    if ((flow = send_on(x)) != FLOW_NEXT)
        return flow;
    back = &hedge->attempt.link->back;
    while (h1_end_may_have(back)) {
        enum h1_verdict verdict;
        enum err e;

        exchange_make_room(x, &hedge->response);
        e = h1_end_read_response(back, &limits, x->request.method, &hedge->response,
                                 &verdict);
        if (e == ERR_AGAIN)
            return FLOW_WAIT;
        if (e == ERR_NO_MEMORY)
            return lacks(x, NO_MEMORY_LEFT);
        if (e && e != ERR_TOO_LARGE)
            return fails(x, CAUSE_SERVER_CLOSED, FAILURE_CLOSED);
        if (e || verdict == H1_BAD || hedge->response.status == 101 ||
            x->interim_count > INTERIM_MOST)
            return fails(x, CAUSE_SERVER_INVALID, FAILURE_INVALID);
        if (hedge->response.status >= 200)
            return wins(x);
        x->interim_count++; /* it is not passed on: perhaps the other one wins */
        h1_end_drop_head(back);
    }
    return FLOW_WAIT;
}

void hedge_first_answers_always(struct exchange *x)
{
    if (!rule_of(x))
        return;
    if (x->tries == 1 && x->hedged != HEDGE_WON)
        hedging_learn(book_of(x), exchange_now(x) - x->attempt.sent);
    exchange_done_with(x, DUE_HEDGE);
    if (x->hedge)
        hedge_end(x, HEDGE_LOST);
}
