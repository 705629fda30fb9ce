/*
 * A record that has lost its place in the configuration, or that was ordered to drain, is
 * noticed here and its time begins; the timeout is the one of the last snapshot that knew
 * it. Looking once a second is exact enough for timeouts of minutes and needs no timer per
 * server. When the time is over the workers are told first that the server takes nobody
 * any more, its own clients included, and then cut what runs. What was begun under an older
 * snapshot may still come to a server after it was cut, so it is cut again as long as
 * anything is in flight there.
 */
#include "control/drain.h"

#include "control/publish.h"

/* ---- servers ---- */

static void cut_server(struct steward *steward, struct server_record *record)
{
    struct drain *drain = &record->drain;
    unsigned running =
        atomic_load_explicit(&record->live.in_flight, memory_order_relaxed);

    if (running && !drain->is_cut)
        EVENT(&steward->events, LOG_WARN,
              "drain.timeout is over, what still runs on the leaving server is cut",
              {"pool", record->live.pool_name}, {"server", record->live.name},
              {"address", record->live.addr_text});
    if (running || !drain->is_cut)
        publish_server_cut(steward, record);
    drain->is_cut = true;
}

static bool is_ordered_to_drain(const struct server_record *record)
{
    const struct order *order = order_of(record->pool, record->live.name);

    return order && order->is_draining;
}

/* True: its time is over since just now, and the set it is in does not know. */
static bool look_at_server(struct server_record *record, uint64_t now)
{
    struct drain *drain = &record->drain;
    bool was_over = drain->is_over;

    if (record->pool->pool)
        drain->timeout = record->pool->pool->drain_timeout;
    if (record->entry && !is_ordered_to_drain(record))
        *drain = (struct drain){.timeout = drain->timeout};
    else if (!drain->since)
        drain->since = now;
    else if (now - drain->since >= (uint64_t)drain->timeout * 1000000)
        drain->is_over = true;
    return drain->is_over && !was_over && record->entry;
}

static void look_at_pool(struct steward *steward, struct pool_record *pool, uint64_t now)
{
    bool has_ended = false;

    list_each(at, &pool->servers) {
        has_ended |= look_at_server(list_entry(at, struct server_record, node), now);
    }
    if (has_ended && pool->pool)
        reload_members(steward, pool);
    list_each(at, &pool->servers) {
        struct server_record *record = list_entry(at, struct server_record, node);

        if (record->drain.is_over)
            cut_server(steward, record);
    }
}

/* ---- listeners ---- */

/* A listener for TCP has one pool; what comes by one for HTTP may go to any. */
static uint32_t longest_timeout(const struct snapshot *snapshot)
{
    uint32_t longest = 0;

    for (unsigned i = 0; i < snapshot->pool_count; i++)
        if (snapshot->pools[i].drain_timeout > longest)
            longest = snapshot->pools[i].drain_timeout;
    return longest;
}

static void note_current_listeners(const struct snapshot *snapshot)
{
    uint32_t longest = longest_timeout(snapshot);

    for (unsigned i = 0; i < snapshot->listener_count; i++) {
        const struct listener *listener = &snapshot->listeners[i];
        struct listener_record *record =
            container_of(listener->live, struct listener_record, live);

        record->drain = (struct drain){
            .timeout = listener->to ? listener->to->drain_timeout : longest};
    }
}

static void cut_listener(struct steward *steward, struct listener_record *record)
{
    struct drain *drain = &record->drain;

    if (!atomic_load_explicit(&record->live.connections, memory_order_relaxed))
        return;
    if (!drain->is_cut)
        EVENT(&steward->events, LOG_WARN,
              "drain.timeout is over, what still came by the removed listener is cut",
              {"listener", record->live.name});
    drain->is_over = drain->is_cut = true;
    publish_listener_cut(steward, record);
}

static void look_at_listener(struct steward *steward, struct listener_record *record,
                             uint64_t now)
{
    struct drain *drain = &record->drain;

    if (record->is_current)
        return;
    if (!drain->since)
        drain->since = now;
    else if (now - drain->since >= (uint64_t)drain->timeout * 1000000)
        cut_listener(steward, record);
}

void drain_look(struct steward *steward)
{
    uint64_t now = steward->engine.loop.now;

    if (!steward->current)
        return;
    note_current_listeners(steward->current);
    list_each(node, &steward->registry.pools) {
        look_at_pool(steward, list_entry(node, struct pool_record, node), now);
    }
    list_each(node, &steward->registry.listeners) {
        look_at_listener(steward, list_entry(node, struct listener_record, node), now);
    }
}
