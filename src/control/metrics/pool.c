/* Pools, their servers and how they are. */
#include "control/metrics/exposition.h"
#include "control/metrics/metrics.h"
#include "proxy/waiting.h"

/* Every server of every pool that is in the configuration. */
#define EACH_SERVER(view, server)                                                 \
    for (unsigned pool_at = 0; pool_at < (view)->snapshot->pool_count; pool_at++) \
        for (struct server_record *server =                                       \
                 first_server(&(view)->snapshot->pools[pool_at]);                 \
             server; server = next_server(server))

static struct server_record *shown_from(struct list *node, struct list *end)
{
    for (; node != end; node = node->next) {
        struct server_record *server = list_entry(node, struct server_record, node);

        if (server_is_shown(server))
            return server;
    }
    return NULL;
}

static struct server_record *first_server(const struct pool *pool)
{
    struct pool_record *record = record_of_pool(pool);

    return shown_from(record->servers.next, &record->servers);
}

static struct server_record *next_server(struct server_record *server)
{
    return shown_from(server->node.next, &server->pool->servers);
}

static enum health health_of(const struct server_record *server)
{
    return record_state(server, (enum health)atomic_load_explicit(&server->live.health,
                                                                  memory_order_relaxed));
}

#define SERVER_LABELS(server, ...)                                              \
    LABELS({"pool", (server)->live.pool_name}, {"server", (server)->live.name}, \
           {"address", address_of(server, memory)} __VA_OPT__(, ) __VA_ARGS__)

/* Several addresses of one name are several servers. */
static str address_of(const struct server_record *server, char memory[ADDR_TEXT_MOST])
{
    return addr_print(&server->live.addr, memory, ADDR_TEXT_MOST);
}

bool metrics_has_servers(const struct overview *view)
{
    unsigned count = 0;

    if (view->snapshot->metrics.per_server != PER_SERVER_AUTO)
        return view->snapshot->metrics.per_server == PER_SERVER_ON;
    EACH_SERVER(view, server)
    if (++count > PER_SERVER_MOST)
        return false;
    return true;
}

/* ---- pools ---- */

static uint64_t pool_sum(const struct overview *view, const struct pool *pool,
                         size_t offset)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < view->worker_count; i++) {
        const char *shard = (const char *)&pool->live->shards[i];

        sum += counter_read((const uint64_t *)(const void *)(shard + offset));
    }
    return sum;
}

static void write_pool_counter(const struct overview *view, struct scroll *out,
                               const char *name, const char *help, size_t offset)
{
    exposition_family(out, name, "counter", help);
    for (unsigned i = 0; i < view->snapshot->pool_count; i++)
        exposition_u64(out, name, LABELS({"pool", view->snapshot->pools[i].name}),
                       pool_sum(view, &view->snapshot->pools[i], offset));
}

static void write_pool_hedges(const struct overview *view, struct scroll *out)
{
    exposition_family(out, "weir_pool_hedges_total", "counter",
                      "Requests that were given to a second server too.");
    for (unsigned i = 0; i < view->snapshot->pool_count; i++)
        for (unsigned result = HEDGE_WON; result < HEDGE_RESULTS; result++)
            exposition_u64(out, "weir_pool_hedges_total",
                           LABELS({"pool", view->snapshot->pools[i].name},
                                  {"result", str_of(hedge_result_text(result))}),
                           pool_sum(view, &view->snapshot->pools[i],
                                    offsetof(struct pool_shard, hedges) +
                                        result * sizeof(uint64_t)));
}

static void count_states(const struct pool *pool, unsigned counts[HEALTH_COUNT])
{
    memset(counts, 0, HEALTH_COUNT * sizeof *counts);
    for (struct server_record *s = first_server(pool); s; s = next_server(s))
        counts[health_of(s)]++;
}

static void write_pool_states(const struct overview *view, struct scroll *out)
{
    unsigned counts[HEALTH_COUNT];

    exposition_family(out, "weir_pool_servers", "gauge", "Servers by state.");
    for (unsigned i = 0; i < view->snapshot->pool_count; i++) {
        const struct pool *pool = &view->snapshot->pools[i];

        count_states(pool, counts);
        for (unsigned state = 0; state < HEALTH_COUNT; state++)
            exposition_u64(
                out, "weir_pool_servers",
                LABELS({"pool", pool->name}, {"state", str_of(health_text(state))}),
                counts[state]);
    }
    exposition_family(out, "weir_pool_healthy_ratio", "gauge",
                      "Share of the servers that may be chosen, 0 to 1.");
    for (unsigned i = 0; i < view->snapshot->pool_count; i++) {
        unsigned all = 0, usable = 0;

        count_states(&view->snapshot->pools[i], counts);
        for (unsigned state = 0; state < HEALTH_COUNT; state++) {
            all += counts[state];
            usable += health_is_usable(state) ? counts[state] : 0;
        }
        exposition_double(out, "weir_pool_healthy_ratio",
                          LABELS({"pool", view->snapshot->pools[i].name}),
                          all ? (double)usable / all : 0);
    }
}

static void write_pool_gauges(const struct overview *view, struct scroll *out)
{
    exposition_family(out, "weir_pool_requests_in_flight", "gauge",
                      "Requests on their way to a server or back, or waiting for one.");
    for (unsigned i = 0; i < view->snapshot->pool_count; i++)
        exposition_u64(out, "weir_pool_requests_in_flight",
                       LABELS({"pool", view->snapshot->pools[i].name}),
                       atomic_load_explicit(&view->snapshot->pools[i].live->in_flight,
                                            memory_order_relaxed));
}

static void write_queue_length(struct scroll *out, const struct pool *pool,
                               const char *name, bool is_aside)
{
    unsigned all = atomic_load_explicit(&pool->live->waiting, memory_order_relaxed);
    unsigned queued = waiting_in_queue(pool->live, all);

    if (pool->queue.is_on)
        exposition_u64(out, name, LABELS({"pool", pool->name}),
                       is_aside ? all - queued : queued);
}

/* Only of pools that have a queue. */
static void write_queues(const struct overview *view, struct scroll *out)
{
    struct histogram waited;

    exposition_family(out, "weir_pool_queue_length", "gauge",
                      "Requests that wait for a server with room.");
    for (unsigned i = 0; i < view->snapshot->pool_count; i++)
        write_queue_length(out, &view->snapshot->pools[i], "weir_pool_queue_length",
                           false);
    exposition_family(out, "weir_pool_queue_aside", "gauge",
                      "Retries that wait beside the queue for another server.");
    for (unsigned i = 0; i < view->snapshot->pool_count; i++)
        write_queue_length(out, &view->snapshot->pools[i], "weir_pool_queue_aside", true);
    exposition_family(out, "weir_pool_queue_seconds", "histogram",
                      "How long requests waited, whatever came of it.");
    for (unsigned i = 0; i < view->snapshot->pool_count; i++) {
        const struct pool *pool = &view->snapshot->pools[i];

        if (!pool->queue.is_on)
            continue;
        waited = (struct histogram){0};
        for (unsigned k = 0; k < view->worker_count; k++)
            histogram_sum(&waited, &pool->live->shards[k].waited);
        exposition_histogram(out, "weir_pool_queue_seconds", LABELS({"pool", pool->name}),
                             &waited);
    }
}

/* ---- servers ---- */

static void write_server_states(const struct overview *view, struct scroll *out)
{
    char memory[ADDR_TEXT_MOST];

    exposition_family(out, "weir_server_up", "gauge", "May the server be chosen?");
    EACH_SERVER(view, server)
    exposition_u64(out, "weir_server_up", SERVER_LABELS(server),
                   health_is_usable(health_of(server)));
    exposition_family(out, "weir_server_state", "gauge",
                      "1 for the state that the server is in.");
    EACH_SERVER(view, server)
    exposition_u64(
        out, "weir_server_state",
        SERVER_LABELS(server, {"state", str_of(health_text(health_of(server)))}), 1);
    exposition_family(out, "weir_server_weight", "gauge", "Its share among its fellows.");
    EACH_SERVER(view, server)
    exposition_u64(out, "weir_server_weight", SERVER_LABELS(server),
                   record_weight(server));
    exposition_family(
        out, "weir_server_weight_ratio", "gauge",
        "The part of its weight that it counts for: below 1 in a slow start.");
    EACH_SERVER(view, server)
    exposition_double(
        out, "weir_server_weight_ratio", SERVER_LABELS(server),
        (double)atomic_load_explicit(&server->live.ramp, memory_order_relaxed) /
            RAMP_FULL);
    exposition_family(out, "weir_server_requests_in_flight", "gauge",
                      "Requests that the server has not answered yet.");
    EACH_SERVER(view, server)
    exposition_u64(out, "weir_server_requests_in_flight", SERVER_LABELS(server),
                   atomic_load_explicit(&server->live.in_flight, memory_order_relaxed));
}

/* Only of pools that adapt to their servers. */
static void write_server_limits(const struct overview *view, struct scroll *out)
{
    static const char name[] = "weir_server_concurrency_limit";
    char memory[ADDR_TEXT_MOST];

    exposition_family(out, name, "gauge",
                      "Requests in flight that the server is thought to bear.");
    EACH_SERVER(view, server)
    {
        unsigned limit = atomic_load_explicit(&server->live.limit, memory_order_relaxed);

        if (limit)
            exposition_u64(out, name, SERVER_LABELS(server), limit);
    }
}

static uint64_t server_sum(const struct overview *view,
                           const struct server_record *server, size_t offset)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < view->worker_count; i++) {
        const char *shard = (const char *)&server->live.shards[i];

        sum += counter_read((const uint64_t *)(const void *)(shard + offset));
    }
    return sum;
}

static void write_server_counters(const struct overview *view, struct scroll *out)
{
    char memory[ADDR_TEXT_MOST];
    uint64_t sum;

    exposition_family(out, "weir_server_requests_total", "counter",
                      "Answers of the server, and requests it did not answer.");
    EACH_SERVER(view, server)
    for (unsigned class = 0; class < CODE_CLASSES; class ++) {
        sum = server_sum(view, server,
                         offsetof(struct server_shard, requests[0]) + class * sizeof sum);
        if (sum)
            exposition_u64(out, "weir_server_requests_total",
                           SERVER_LABELS(server, {"code", metrics_code_text(class)}),
                           sum);
    }
    exposition_family(out, "weir_server_failures_total", "counter",
                      "Tries that failed because of the server.");
    EACH_SERVER(view, server)
    for (unsigned failure = 0; failure < FAILURE_COUNT; failure++) {
        sum =
            server_sum(view, server,
                       offsetof(struct server_shard, failures[0]) + failure * sizeof sum);
        if (sum)
            exposition_u64(
                out, "weir_server_failures_total",
                SERVER_LABELS(server, {"reason", str_of(server_failure_text(failure))}),
                sum);
    }
}

static void write_server_bytes(const struct overview *view, struct scroll *out)
{
    static const char name[] = "weir_server_bytes_total";
    char memory[ADDR_TEXT_MOST];

    exposition_family(out, name, "counter", "Bytes to and from the server.");
    EACH_SERVER(view, server)
    {
        exposition_u64(
            out, name, SERVER_LABELS(server, {"direction", STR("sent")}),
            server_sum(view, server, offsetof(struct server_shard, bytes_sent)));
        exposition_u64(
            out, name, SERVER_LABELS(server, {"direction", STR("received")}),
            server_sum(view, server, offsetof(struct server_shard, bytes_received)));
    }
}

static void write_server_times(const struct overview *view, struct scroll *out)
{
    char memory[ADDR_TEXT_MOST];
    struct histogram times;

    exposition_family(out, "weir_server_response_seconds", "histogram",
                      "From the request sent to the head of the answer.");
    EACH_SERVER(view, server)
    {
        overview_server_times(view, &server->live, &times);
        exposition_histogram(out, "weir_server_response_seconds", SERVER_LABELS(server),
                             &times);
    }
    exposition_family(out, "weir_server_connect_seconds", "histogram",
                      "To connect to the server.");
    EACH_SERVER(view, server)
    {
        times = (struct histogram){0};
        for (unsigned i = 0; i < view->worker_count; i++)
            histogram_sum(&times, &server->live.shards[i].connect);
        exposition_histogram(out, "weir_server_connect_seconds", SERVER_LABELS(server),
                             &times);
    }
}

/* ---- checks ---- */

static str check_text(enum check_result result)
{
    static const char *const texts[] = {
        [CHECK_PASSED] = "ok",         [CHECK_CONNECT_FAILED] = "connect_failed",
        [CHECK_NO_ANSWER] = "timeout", [CHECK_CLOSED] = "closed",
        [CHECK_INVALID] = "invalid",   [CHECK_BAD_STATUS] = "status",
        [CHECK_BAD_BODY] = "body",     [CHECK_NO_MATCH] = "body_regex",
        [CHECK_BAD_JSON] = "json",     [CHECK_BAD_ANSWER] = "answer",
        [CHECK_FAILED] = "exec",
    };

    return str_of(texts[result]);
}

static void write_checks(const struct overview *view, struct scroll *out)
{
    char memory[ADDR_TEXT_MOST];

    exposition_family(out, "weir_health_checks_total", "counter",
                      "Checks of the server, by how they went.");
    EACH_SERVER(view, server)
    for (unsigned result = 0; result < CHECK_RESULT_COUNT; result++)
        if (server->checks[result])
            exposition_u64(
                out, "weir_health_checks_total",
                SERVER_LABELS(
                    server,
                    {"result", result == CHECK_PASSED ? STR("passed") : STR("failed")},
                    {"reason", check_text(result)}),
                server->checks[result]);
    exposition_family(out, "weir_health_check_seconds", "histogram",
                      "How long checks took.");
    EACH_SERVER(view, server)
    if (histogram_count(&server->check_time))
        exposition_histogram(out, "weir_health_check_seconds", SERVER_LABELS(server),
                             &server->check_time);
    exposition_family(out, "weir_health_transitions_total", "counter",
                      "How often the server came into that state.");
    EACH_SERVER(view, server)
    for (unsigned state = 0; state < HEALTH_COUNT; state++)
        if (server->transitions[state])
            exposition_u64(out, "weir_health_transitions_total",
                           SERVER_LABELS(server, {"to", str_of(health_text(state))}),
                           server->transitions[state]);
}

void metrics_write_pools(const struct overview *view, struct scroll *out)
{
    write_pool_counter(view, out, "weir_pool_requests_total",
                       "Requests for which a server was sought.",
                       offsetof(struct pool_shard, requests));
    write_pool_counter(view, out, "weir_pool_retries_total", "Tries after the first.",
                       offsetof(struct pool_shard, retries));
    write_pool_hedges(view, out);
    write_pool_counter(view, out, "weir_pool_no_server_total",
                       "Requests for which no server could be chosen.",
                       offsetof(struct pool_shard, no_server));
    write_pool_counter(view, out, "weir_sticky_hits_total",
                       "Answers to clients that were kept at their server.",
                       offsetof(struct pool_shard, sticky_hits));
    write_pool_counter(view, out, "weir_sticky_misses_total",
                       "Answers to clients that were not known, or no more.",
                       offsetof(struct pool_shard, sticky_misses));
    write_pool_counter(view, out, "weir_sticky_rebalanced_total",
                       "Answers to clients whose server could not take them.",
                       offsetof(struct pool_shard, sticky_rebalanced));
    write_pool_counter(view, out, "weir_pool_queue_full_total",
                       "Requests refused because too many waited.",
                       offsetof(struct pool_shard, queue_full));
    write_pool_counter(view, out, "weir_pool_queue_timeouts_total",
                       "Requests refused because they had waited for too long.",
                       offsetof(struct pool_shard, queue_timeout));
    write_pool_gauges(view, out);
    write_queues(view, out);
    write_pool_states(view, out);
    if (!metrics_has_servers(view))
        return;
    write_server_states(view, out);
    write_server_limits(view, out);
    write_server_counters(view, out);
    write_server_bytes(view, out);
    write_server_times(view, out);
    write_checks(view, out);
}
