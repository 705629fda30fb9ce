/*
 * Sums. A listener has no histogram of its own: its latencies are those of the routes that
 * it may take, which is the same wherever routes are not shared between listeners.
 */
#include "control/overview.h"

#include "lb/match.h"

void overview_server_times(const struct overview *view, const struct server_live *server,
                           struct histogram *out)
{
    *out = (struct histogram){0};
    for (unsigned i = 0; i < view->worker_count; i++)
        histogram_sum(out, &server->shards[i].response);
}

static struct histogram route_times(const struct overview *view,
                                    const struct route *route)
{
    struct histogram times = {0};

    for (unsigned i = 0; i < view->worker_count; i++)
        for (unsigned class = 0; class < CODE_CLASSES; class ++)
            histogram_sum(&times, &route->live->shards[i].duration[class]);
    return times;
}

static struct meter_sample counted(const struct overview *view,
                                   const struct listener *listener)
{
    struct meter_sample sample = {.at = view->now};

    for (unsigned i = 0; i < view->worker_count; i++) {
        const struct listener_shard *shard = &listener->live->shards[i];

        for (unsigned class = 0; class < CODE_CLASSES; class ++)
            sample.count += counter_read(&shard->requests[class]);
        sample.errors += counter_read(&shard->requests[5]);
    }
    return sample;
}

/* To each listener that a route names. */
static void add_to_named(const struct snapshot *snapshot, const struct match *match,
                         const struct histogram *times)
{
    for (unsigned word = 0; word < match->listener_words; word++)
        for (uint64_t left = match->listeners[word]; left; left &= left - 1) {
            unsigned index = word * 64 + (unsigned)__builtin_ctzll(left);
            struct listener_record *record =
                record_of_listener(&snapshot->listeners[index]);

            histogram_sum(&record->sample.latency, times);
        }
}

/* Each route is summed once: a cost of routes and listeners, not of their product. */
void overview_listeners(const struct overview *view)
{
    const struct snapshot *snapshot = view->snapshot;
    struct histogram everywhere = {0};

    for (unsigned i = 0; i < snapshot->listener_count; i++)
        record_of_listener(&snapshot->listeners[i])->sample =
            counted(view, &snapshot->listeners[i]);
    for (unsigned i = 0; i < snapshot->route_count; i++) {
        const struct route *route = &snapshot->routes[i];
        struct histogram times = route_times(view, route);

        if (route->match && route->match->listeners)
            add_to_named(snapshot, route->match, &times);
        else
            histogram_sum(&everywhere, &times);
    }
    for (unsigned i = 0; i < snapshot->listener_count; i++)
        if (snapshot->listeners[i].kind == LISTENER_HTTP)
            histogram_sum(&record_of_listener(&snapshot->listeners[i])->sample.latency,
                          &everywhere);
}

struct meter_sample overview_pool(const struct overview *view, const struct pool *pool)
{
    struct meter_sample sample = {.at = view->now};
    struct histogram times;

    for (unsigned i = 0; i < view->worker_count; i++)
        sample.count += counter_read(&pool->live->shards[i].requests);
    list_each(node, &record_of_pool(pool)->servers) {
        struct server_record *server = list_entry(node, struct server_record, node);

        overview_server_times(view, &server->live, &times);
        histogram_sum(&sample.latency, &times);
    }
    return sample;
}

struct meter_sample overview_server(const struct overview *view,
                                    const struct server_live *server)
{
    struct meter_sample sample = {.at = view->now};

    for (unsigned i = 0; i < view->worker_count; i++) {
        const struct server_shard *shard = &server->shards[i];

        for (unsigned class = 0; class < CODE_CLASSES; class ++)
            sample.count += counter_read(&shard->requests[class]);
        sample.errors += counter_read(&shard->requests[5]);
    }
    overview_server_times(view, server, &sample.latency);
    return sample;
}

static void take_servers(const struct overview *view, struct pool_record *pool)
{
    list_each(node, &pool->servers) {
        struct server_record *server = list_entry(node, struct server_record, node);
        struct meter_sample sample = overview_server(view, &server->live);

        meter_take(&server->meter, &sample);
    }
}

void overview_take(const struct overview *view)
{
    const struct snapshot *snapshot = view->snapshot;

    overview_listeners(view);
    for (unsigned i = 0; i < snapshot->listener_count; i++) {
        struct listener_record *record = record_of_listener(&snapshot->listeners[i]);

        meter_take(&record->meter, &record->sample);
    }
    for (unsigned i = 0; i < snapshot->pool_count; i++) {
        struct meter_sample sample = overview_pool(view, &snapshot->pools[i]);
        struct pool_record *record = record_of_pool(&snapshot->pools[i]);

        meter_take(&record->meter, &sample);
        take_servers(view, record);
    }
}
