/*
 * A pool without breakers is asked once. With them, whoever was chosen may be half open
 * and its permits just taken by another worker; then it is as if it had not been there.
 */
#include "proxy/choose.h"

#include "guard/retry.h"
#include "proxy/waiting.h"

enum { SECONDS_MOST = 86400 };

/* The budget for one probe, if it takes one and has none. */
static bool has_budget(const struct worker *worker, const struct pool *pool,
                       struct pool_live **budget)
{
    if (!budget || *budget)
        return true;
    if (!retry_budget_take(pool->live, &pool->retries, worker->engine.loop.now))
        return false;
    *budget = pool->live;
    return true;
}

/* Through the server's breaker; false: given back, as if it had not been chosen. */
static bool enter(struct worker *worker, const struct pool *pool, struct ask *ask,
                  struct server_live *server, breaker_permit *permit,
                  struct pool_live **budget)
{
    static const struct server_outcome nothing = {.says = BREAKER_NOTHING};

    *permit = outcome_enter_server(worker, pool, server);
    if (*permit && (!breaker_is_probe(*permit) || has_budget(worker, pool, budget)))
        return true;
    if (*permit) {
        outcome_report(worker, pool, server, permit, &nothing);
        ask->no_probes = true;
    }
    place_give(worker, server);
    return false;
}

struct server_live *choose_server(struct worker *worker, const struct pool *pool,
                                  struct ask *ask, breaker_permit *permit,
                                  struct pool_live **budget)
{
    const struct endpoint_set *set = pool->live->desks[worker->index].set;
    const struct server *server;

    ask->breaker = pool->breaker;
    while ((server = pool_take(set, ask)) || ask->no_probes) {
        if (server &&
            (!pool->breaker || enter(worker, pool, ask, server->live, permit, budget)))
            return server->live;
        if (!server) {
            ask->no_probes = false;
            budget = NULL;
        }
    }
    return NULL;
}

uint32_t choose_retry_after(const struct circuit *circuit, const struct breaker *breaker,
                            uint64_t now)
{
    uint64_t wait = circuit_wait(circuit, now);

    if (wait == UINT64_MAX) /* held open by hand: nobody knows */
        wait = breaker->open;
    wait = (wait + 999) / 1000;
    return wait < 1 ? 1 : wait > SECONDS_MOST ? SECONDS_MOST : (uint32_t)wait;
}

bool choose_is_broken(struct worker *worker, const struct pool *pool, uint32_t *seconds)
{
    const struct endpoint_set *set = pool->live->desks[worker->index].set;
    uint64_t now = worker->engine.loop.now;

    *seconds = 0;
    for (unsigned i = 0; pool->breaker && i < set->count; i++) {
        const struct server *server = &set->servers[i];
        const struct circuit *circuit = &server->live->circuit;
        uint32_t after;

        if (!server_weight(server, true) ||
            !health_is_usable((enum health)atomic_load_explicit(&server->live->health,
                                                                memory_order_relaxed)))
            continue;
        if (circuit_allows(circuit, pool->breaker, now))
            return false;
        after = choose_retry_after(circuit, pool->breaker, now);
        *seconds = !*seconds || after < *seconds ? after : *seconds;
    }
    return *seconds > 0;
}

bool choose_is_unresolved(const struct worker *worker, const struct pool *pool)
{
    return pool->live->desks[worker->index].set->count == 0;
}
