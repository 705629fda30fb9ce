/*
 * One try at a server, be it the first, a retry or a hedge: it connects, hands the request
 * over and ends. A failed one gives back exactly what it has counted and leads to another
 * server or to an answer of ours.
 */
#include "guard/retry.h"
#include "proto/proxy_header.h"
#include "proxy/exchange.h"
#include "proxy/hedge.h"
#include "proxy/learn.h"
#include "proxy/outcome.h"
#include "proxy/reply.h"
#include "proxy/stick.h"

/* For a request to reach its server, once more when it was lost on the way, and for word
 * to come back that nobody reads there any more. */
enum { RACE_MS = 1000 };

static void send_proxy_header(struct exchange *x, struct link *link)
{
    char memory[PROXY_HEADER_MOST];
    struct text text = text_in(memory, sizeof memory);
    struct addr to = {0};

    if (sys_local_addr(x->session->front.conn.watch.fd, &to))
        proxy_header_write_local(&text);
    else
        proxy_header_write(&text, &x->client, &to);
    h1_end_send_raw(&link->back, text_str(&text));
}

enum err attempt_connect(struct exchange *x, struct attempt *attempt, enum due due)
{
    struct server_live *server = attempt->server;
    bool is_proxied = x->pool->proxy_protocol != PROXY_PROTOCOL_OFF;
    enum err e;

    if (!attempt->link && !is_proxied && !attempt->is_at_home &&
        (attempt->link = link_reuse(x->worker, server, x))) {
        attempt->is_reused = true;
        attempt->connected = attempt->began;
        return ERR_OK;
    }
    if (!attempt->link) {
        attempt->link = link_dial(x->worker, server, x, &e);
        if (!attempt->link && e == ERR_NO_FDS && worker_free_descriptors(x->worker))
            attempt->link = link_dial(x->worker, server, x, &e);
        if (!attempt->link)
            return e;
        exchange_due(x, due, x->route->timeouts.connect);
    }
    e = conn_connected(&attempt->link->back.conn);
    if (e == ERR_AGAIN)
        return e;
    exchange_done_with(x, due);
    if (e)
        return e;
    attempt->connected = exchange_now(x);
    histogram_add(&server->shards[x->worker->index].connect,
                  attempt->connected - attempt->began);
    if (atomic_load_explicit(&server->connect_failures, memory_order_relaxed))
        atomic_store_explicit(&server->connect_failures, 0, memory_order_relaxed);
    if (is_proxied)
        send_proxy_header(x, attempt->link);
    return ERR_OK;
}

static void choose_authority(struct exchange *x, const struct server_live *server)
{
    struct head *head = &x->request;

    if (x->route->host_header == HOST_FIXED)
        head->authority = x->route->host_name;
    else if (x->route->host_header == HOST_SERVER || !head->host.n)
        head->authority = server->authority;
}

void attempt_send(struct exchange *x, struct attempt *attempt)
{
    struct http_end *back = &attempt->link->back.end;
    struct head_send what = {.head = &x->request,
                             .target = x->target,
                             .upgrades = x->request.flags & HEAD_UPGRADE};

    if (x->route->host_header != HOST_KEEP || !x->request.host.n)
        choose_authority(x, attempt->server);
    attempt->sent_before = back->conn->sent;
    attempt->is_head_sent = true;
    back->ops->send_head(back, &what);
    attempt->sent = attempt->asked = exchange_now(x);
}

/* ---- the end, and what follows ---- */

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

/* A try of a breaker that came to nothing. */
static NEVER_INLINE void give_permit_back(struct exchange *x)
{
    attempt_outcome(x, &(struct server_outcome){.says = BREAKER_NOTHING});
}

void attempt_end(struct exchange *x, bool is_clean)
{
    struct attempt *attempt = &x->attempt;

    if (unlikely(x->hedge != NULL))
        hedge_end(x, HEDGE_LOST);
    if (attempt->permit)
        give_permit_back(x);
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

bool attempt_broke_kept(const struct exchange *x, const struct attempt *attempt,
                        enum server_failure failure)
{
    return failure == FAILURE_CLOSED && attempt->is_reused && attempt->link &&
           !x->interim_count && !h1_end_has_partial(&attempt->link->back) &&
           exchange_now(x) - attempt->sent < (uint64_t)RACE_MS * 1000000;
}

/* A kept link that breaks says nothing against its server: see attempt_broke_kept. Whose
 * sessions are there is asked once more, if that leaves a try for another one. */
static bool may_go_home(const struct exchange *x, const struct retry_case *what)
{
    return x->stick && x->stick->server == x->attempt.server->id &&
           what->cause == RETRY_CAUSE_RESET &&
           attempt_broke_kept(x, &x->attempt, FAILURE_CLOSED) &&
           what->tries < x->route->retries.count;
}

/* Ends the attempt if another one is allowed, and takes its budget; else leaves it. */
static bool may_retry(struct exchange *x, struct retry_case what)
{
    struct pool_live *pool = x->pool->live, *budget = NULL;
    enum retry_verdict verdict;
    bool goes_home;
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
    goes_home = may_go_home(x, &what);
    attempt_end(x, false);
    if (goes_home)
        x->tried[(x->tries - 1) % TRIED_MOST] = NULL;
    x->response.status = 0;
    x->attempt.retry_of = budget;
    x->attempt.is_at_home = goes_home;
    counter_add(&pool->shards[x->worker->index].retries, 1);
    if (x->upload.passed && h1_end_rewind(&x->session->front, x->upload.passed))
        exchange_expect_upload(x); /* the next server gets it from its first byte */
    exchange_due(x, DUE_RETRY, pause);
    return true;
}

/* It counts against the server. */
static void blame(struct exchange *x, enum server_failure failure)
{
    struct server_outcome outcome = {BREAKER_BAD, 0, server_failure_text(failure)};

    learn_failure(x, &x->attempt);
    attempt_outcome(x, &outcome);
}

static struct retry_case case_of(const struct exchange *x, enum cause cause)
{
    const struct link *link = x->attempt.link;

    return (struct retry_case){.cause = retry_cause_of(cause),
                               .is_response_begun =
                                   link && h1_end_has_partial(&link->back)};
}

static enum flow client_bears(struct exchange *x, enum cause cause)
{
    attempt_end(x, false);
    return reply_error(x, answers[cause].status, cause, answers[cause].why);
}

enum flow attempt_failed(struct exchange *x, enum cause cause,
                         enum server_failure failure)
{
    bool is_excused = attempt_broke_kept(x, &x->attempt, failure);

    counter_add(&attempt_shard(x)->failures[failure], 1);
    if (!is_excused)
        blame(x, failure);
    if (x->hedge)
        return hedge_alone(x);
    if (may_retry(x, case_of(x, cause)))
        return FLOW_RETRY;
    if (is_excused) /* not any more: the client has to bear it */
        blame(x, failure);
    return client_bears(x, cause);
}

enum flow attempt_leave_server(struct exchange *x)
{
    if (x->hedge)
        return hedge_alone(x);
    if (may_retry(x, case_of(x, CAUSE_SERVER_CLOSED)))
        return FLOW_RETRY;
    return client_bears(x, CAUSE_SERVER_CLOSED);
}

bool attempt_retry_status(struct exchange *x)
{
    struct retry_case what = {.cause = RETRY_CAUSE_STATUS, .status = x->response.status};
    const struct field *after = head_find(&x->response, NAME_RETRY_AFTER);

    if (after)
        what.asked_wait = retry_after_read(after->value);
    return may_retry(x, what);
}
