/* Breakers, and mail where one has moved. */
#include "proxy/outcome.h"

struct server_outcome outcome_of_status(unsigned status)
{
    bool is_bad = status == 500 || status == 502 || status == 503 || status == 504;

    return (struct server_outcome){is_bad ? BREAKER_BAD : BREAKER_GOOD, status, NULL};
}

void outcome_say(struct text *text, const struct server_outcome *outcome)
{
    if (outcome->status) {
        text_add(text, STR("HTTP "));
        text_u64(text, outcome->status);
        return;
    }
    for (const char *p = outcome->what ? outcome->what : "unknown"; *p; p++)
        text_char(text, *p == '_' ? ' ' : *p);
}

static uint64_t now_of(const struct worker *worker)
{
    return worker->engine.loop.now;
}

static void post(struct worker *worker, const struct circuit_news *news)
{
    if (news->change != BREAKER_SAME)
        worker->steward->circuit_moved(worker->steward, news);
}

/* ---- in ---- */

breaker_permit outcome_enter_server(struct worker *worker, const struct pool *pool,
                                    struct server_live *server)
{
    struct circuit_news news = {.server = server};
    breaker_permit permit =
        breaker_enter(&server->circuit, pool->breaker, now_of(worker), &news.change);

    post(worker, &news);
    return permit;
}

breaker_permit outcome_enter_route(struct worker *worker, const struct route *route)
{
    struct circuit_news news = {.route = route->live};
    breaker_permit permit = breaker_enter(&route->live->circuit, route->breaker,
                                          now_of(worker), &news.change);

    post(worker, &news);
    return permit;
}

/* ---- out ---- */

static void leave(struct worker *worker, struct circuit *circuit,
                  const struct breaker *breaker, breaker_permit *permit,
                  struct circuit_news *news)
{
    news->by_probe = breaker_is_probe(*permit);
    news->change = breaker_leave(circuit, breaker, *permit, news->last.says,
                                 now_of(worker), &worker->engine.rand);
    *permit = 0;
    post(worker, news);
}

static void count_in_a_row(struct worker *worker, const struct pool *pool,
                           struct server_live *server,
                           const struct server_outcome *outcome)
{
    _Atomic(unsigned) *count = &server->bad_in_a_row;
    unsigned now;

    if (outcome->says == BREAKER_GOOD &&
        atomic_load_explicit(count, memory_order_relaxed))
        atomic_store_explicit(count, 0, memory_order_relaxed);
    if (outcome->says != BREAKER_BAD)
        return;
    now = 1 + atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    if (now % pool->passive.failures == 0)
        worker->steward->server_errs(worker->steward, server, outcome);
}

void outcome_report(struct worker *worker, const struct pool *pool,
                    struct server_live *server, breaker_permit *permit,
                    const struct server_outcome *outcome)
{
    struct circuit_news news = {.server = server, .last = *outcome};

    if (outcome->says == BREAKER_BAD)
        counter_add(&server->shards[worker->index].bad, 1);
    if (pool->passive.is_enabled)
        count_in_a_row(worker, pool, server, outcome);
    if (pool->breaker)
        leave(worker, &server->circuit, pool->breaker, permit, &news);
}

void outcome_report_route(struct worker *worker, const struct route *route,
                          breaker_permit *permit, const struct server_outcome *outcome)
{
    struct circuit_news news = {.route = route->live, .last = *outcome};

    leave(worker, &route->live->circuit, route->breaker, permit, &news);
}
