/*
 * Circuit breakers of servers and of routes, in the same families: a server's samples have
 * pool, server and address, a route's have route. What has no breaker has no samples.
 */
#include "control/metrics/exposition.h"
#include "control/metrics/metrics.h"

enum { LABELS_MOST = 5 };

/* Samples of one breaker, whosever it is. */
typedef void breaker_write_fn(struct scroll *out, const struct circuit *circuit,
                              struct label labels[LABELS_MOST], unsigned count);

static void write_servers(const struct overview *view, struct scroll *out,
                          breaker_write_fn *write)
{
    const struct snapshot *snapshot = view->snapshot;

    for (unsigned i = 0; i < snapshot->pool_count; i++) {
        const struct pool *pool = &snapshot->pools[i];

        if (!pool->breaker)
            continue;
        list_each(node, &record_of_pool(pool)->servers) {
            struct server_record *server = list_entry(node, struct server_record, node);
            char memory[ADDR_TEXT_MOST];
            struct label labels[LABELS_MOST] = {
                {"pool", pool->name},
                {"server", server->live.name},
                {"address", addr_print(&server->live.addr, memory, sizeof memory)}};

            if (server_is_shown(server))
                write(out, &server->live.circuit, labels, 3);
        }
    }
}

static void write_all(const struct overview *view, struct scroll *out,
                      breaker_write_fn *write)
{
    const struct snapshot *snapshot = view->snapshot;

    if (metrics_has_servers(view))
        write_servers(view, out, write);
    for (unsigned i = 0; i < snapshot->route_count; i++) {
        const struct route *route = &snapshot->routes[i];
        struct label labels[LABELS_MOST] = {{"route", route->name}};

        if (route->breaker)
            write(out, &route->live->circuit, labels, 1);
    }
}

static void write_state(struct scroll *out, const struct circuit *circuit,
                        struct label labels[LABELS_MOST], unsigned count)
{
    enum circuit_state state =
        circuit_state_of(atomic_load_explicit(&circuit->word, memory_order_relaxed));

    labels[count] = (struct label){"state", str_of(circuit_state_text(state))};
    exposition_u64(out, "weir_breaker_state", labels, 1);
}

static void write_transitions(struct scroll *out, const struct circuit *circuit,
                              struct label labels[LABELS_MOST], unsigned count)
{
    for (unsigned state = 0; state < CIRCUIT_STATES; state++) {
        labels[count] = (struct label){"to", str_of(circuit_state_text(state))};
        exposition_u64(
            out, "weir_breaker_transitions_total", labels,
            atomic_load_explicit(&circuit->entered[state], memory_order_relaxed));
    }
}

static void write_rejected(const struct overview *view, struct scroll *out)
{
    static const char name[] = "weir_breaker_rejected_total";
    const struct snapshot *snapshot = view->snapshot;

    exposition_family(out, name, "counter",
                      "Requests answered 503 at once because of open breakers: of all "
                      "servers of the pool, or of the route.");
    for (unsigned i = 0; i < snapshot->pool_count; i++) {
        const struct pool *pool = &snapshot->pools[i];
        uint64_t sum = 0;

        for (unsigned w = 0; pool->breaker && w < view->worker_count; w++)
            sum += counter_read(&pool->live->shards[w].breaker_open);
        if (pool->breaker)
            exposition_u64(out, name, LABELS({"pool", pool->name}), sum);
    }
    for (unsigned i = 0; i < snapshot->route_count; i++) {
        const struct route *route = &snapshot->routes[i];
        uint64_t sum = 0;

        for (unsigned w = 0; route->breaker && w < view->worker_count; w++)
            sum += counter_read(&route->live->shards[w].breaker_open);
        if (route->breaker)
            exposition_u64(out, name, LABELS({"route", route->name}), sum);
    }
}

static bool has_breaker(const struct snapshot *snapshot)
{
    for (unsigned i = 0; i < snapshot->pool_count; i++)
        if (snapshot->pools[i].breaker)
            return true;
    for (unsigned i = 0; i < snapshot->route_count; i++)
        if (snapshot->routes[i].breaker)
            return true;
    return false;
}

void metrics_write_breakers(const struct overview *view, struct scroll *out)
{
    if (!has_breaker(view->snapshot))
        return;
    exposition_family(out, "weir_breaker_state", "gauge",
                      "1 for the state that the circuit breaker is in.");
    write_all(view, out, write_state);
    exposition_family(out, "weir_breaker_transitions_total", "counter",
                      "How often the circuit breaker came into that state.");
    write_all(view, out, write_transitions);
    write_rejected(view, out);
}
