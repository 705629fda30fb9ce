/* Orders are few: one for each server that somebody has laid hands on. */
#include "control/orders.h"

#include "base/check.h"
#include "control/publish.h"

#include <stdio.h>
#include <stdlib.h>

static void order_free(struct order *order)
{
    str_disown(order->server);
    str_disown(order->reason);
    free(order);
}

static void drop(struct pool_record *pool, struct order *order)
{
    map_remove(&pool->orders, order->server);
    order_free(order);
}

void orders_free(struct pool_record *pool)
{
    void *order;

    for (size_t at = 0; map_next(&pool->orders, &at, NULL, &order);)
        order_free(order);
    map_close(&pool->orders);
}

/* ---- giving one ---- */

static const struct server_entry *find_entry(const struct pool_record *pool, str server)
{
    for (unsigned i = 0; i < pool->pool->server_count; i++)
        if (str_eq(pool->pool->servers[i].name, server))
            return &pool->pool->servers[i];
    return NULL;
}

static struct order *order_get(struct pool_record *pool, const struct server_entry *entry)
{
    struct order *order = order_of(pool, entry->name);

    if (order)
        return order;
    order = calloc(1, sizeof *order);
    CHECK(order != NULL);
    order->server = str_own(entry->name);
    order->reason = str_own(STR(""));
    map_put(&pool->orders, order->server, order);
    return order;
}

static void tell(struct steward *steward, const struct pool_record *pool,
                 const struct order *order, const char *what)
{
    char by[24];

    snprintf(by, sizeof by, "uid %u", order->by);
    EVENT(&steward->events, LOG_INFO, "server was given an order",
          {"pool", pool->live.name}, {"server", order->server}, {"order", str_of(what)},
          {"by", str_of(by)}, {"reason", order->reason});
}

static void carry_out(struct steward *steward, struct pool_record *pool,
                      const struct server_entry *entry, const struct server_patch *patch)
{
    struct order *order = order_get(pool, entry);
    char what[48];

    str_disown(order->reason);
    order->reason = str_own(patch->reason);
    order->by = patch->by;
    order->since = sys_wall();
    if (patch->has_weight) {
        order->weight = patch->weight;
        order->file_weight = entry->weight;
        order->has_weight = patch->weight != entry->weight;
        snprintf(what, sizeof what, "weight %u", patch->weight);
        tell(steward, pool, order, what);
    }
    if (patch->state != PATCH_STATE_KEEP) {
        order->is_draining = patch->state == PATCH_DRAIN;
        tell(steward, pool, order, order->is_draining ? "drain" : "enable");
    }
    if (patch->state == PATCH_UP && !patch->has_weight)
        order->has_weight = false; /* all as the file says */
    if (!order->is_draining && !order->has_weight)
        drop(pool, order);
}

/* Its time begins now, and its idle links end. */
static void begin_drain(struct steward *steward, struct pool_record *pool, str server)
{
    list_each(node, &pool->servers) {
        struct server_record *record = list_entry(node, struct server_record, node);

        if (!record->entry || !str_eq(record->live.name, server))
            continue;
        if (!record->drain.since)
            record->drain = (struct drain){.since = steward->engine.loop.now,
                                           .timeout = pool->pool->drain_timeout};
        publish_idle_links_end(steward, record);
    }
}

/* It comes back as one that was ill does: by a slow start, where the pool has one. */
static void end_drain(struct steward *steward, struct pool_record *pool, str server)
{
    list_each(node, &pool->servers) {
        struct server_record *record = list_entry(node, struct server_record, node);

        if (!record->entry || !str_eq(record->live.name, server))
            continue;
        record->is_cold = true;
        record->drain = (struct drain){.timeout = record->drain.timeout};
        warming_look(steward, record);
    }
}

static void answer_with(const struct pool_record *pool, str server, struct scroll *answer)
{
    unsigned connections = 0;
    const struct order *order = order_of(pool, server);

    list_each(node, &pool->servers) {
        const struct server_record *record = list_entry(node, struct server_record, node);

        if (record->entry && str_eq(record->live.name, server))
            connections +=
                atomic_load_explicit(&record->live.in_flight, memory_order_relaxed);
    }
    scroll_add(answer, STR("{\"name\":"));
    scroll_json(answer, server);
    scroll_format(answer, ",\"draining\":%s,\"weight\":%u,\"connections\":%u}\n",
                  order && order->is_draining ? "true" : "false",
                  order && order->has_weight ? order->weight
                                             : find_entry(pool, server)->weight,
                  connections);
}

unsigned orders_patch(struct steward *steward, str pool_name_text, str server,
                      const struct server_patch *patch, struct scroll *answer)
{
    struct pool_record *pool = registry_pool(&steward->registry, pool_name_text);
    const struct server_entry *entry;
    const struct order *before;

    if (!pool || !pool->pool) {
        scroll_format(answer, "there is no pool '" STR_FMT "'", STR_ARG(pool_name_text));
        return 404;
    }
    entry = find_entry(pool, server);
    if (!entry) {
        scroll_format(answer, "pool '" STR_FMT "' has no server '" STR_FMT "'",
                      STR_ARG(pool_name_text), STR_ARG(server));
        return 404;
    }
    before = order_of(pool, server);
    if (patch->state == PATCH_UP && before && before->is_draining)
        end_drain(steward, pool, server);
    carry_out(steward, pool, entry, patch);
    reload_members(steward, pool);
    if (patch->state == PATCH_DRAIN)
        begin_drain(steward, pool, server);
    answer_with(pool, server, answer);
    return 200;
}

/* ---- when the file changes ---- */

static void file_wins(struct steward *steward, struct pool_record *pool,
                      struct order *order, uint32_t weight)
{
    char was[16], is[16];

    snprintf(was, sizeof was, "%u", order->weight);
    snprintf(is, sizeof is, "%u", weight);
    EVENT(&steward->events, LOG_WARN,
          "the file has a new weight for a server: it replaces the ordered one",
          {"pool", pool->live.name}, {"server", order->server}, {"ordered", str_of(was)},
          {"weight", str_of(is)});
    order->has_weight = false;
}

static void review(struct steward *steward, struct pool_record *pool, struct order *order)
{
    const struct server_entry *entry = order->entry;

    order->entry = NULL;
    if (!entry)
        EVENT(&steward->events, LOG_INFO, "an order ends with its server",
              {"pool", pool->live.name}, {"server", order->server});
    else if (order->has_weight && order->file_weight != entry->weight)
        file_wins(steward, pool, order, entry->weight);
    if (!entry || (!order->is_draining && !order->has_weight))
        drop(pool, order);
}

static void find_entries(struct pool_record *pool)
{
    for (unsigned i = 0; i < pool->pool->server_count; i++) {
        const struct server_entry *entry = &pool->pool->servers[i];
        struct order *order = order_of(pool, entry->name);

        if (order && !order->entry)
            order->entry = entry;
    }
}

void orders_review(struct steward *steward, struct pool_record *pool)
{
    struct order **all;
    size_t count = 0;
    void *order;

    if (!pool->orders.count)
        return;
    all = calloc(pool->orders.count, sizeof(struct order *));
    CHECK(all != NULL);
    find_entries(pool);
    for (size_t at = 0; map_next(&pool->orders, &at, NULL, &order);)
        all[count++] = order;
    for (size_t i = 0; i < count; i++)
        review(steward, pool, all[i]);
    free(all);
}

/* ---- saying why ---- */

static void add_by(const struct order *order, struct scroll *out)
{
    scroll_format(out, " by uid %u", order->by);
    if (order->reason.n)
        scroll_format(out, " \"" STR_FMT "\"", STR_ARG(order->reason));
}

bool orders_reason(const struct server_record *record, uint64_t now, struct scroll *out)
{
    const struct order *order = order_of(record->pool, record->live.name);
    const struct drain *drain = &record->drain;
    uint64_t timeout = (uint64_t)drain->timeout * 1000000;
    unsigned left = atomic_load_explicit(&record->live.in_flight, memory_order_relaxed);

    if (!order)
        return false;
    if (order->has_weight) {
        scroll_format(out, "weight %u (file: %u)", order->weight, order->file_weight);
        add_by(order, out);
    }
    if (!order->is_draining)
        return true;
    if (order->has_weight)
        scroll_add(out, STR("; "));
    scroll_add(out, STR("drain"));
    add_by(order, out);
    if (!left)
        scroll_add(out, STR(", nothing left: safe to stop"));
    else if (drain->since && now - drain->since < timeout)
        scroll_format(out, ", %u left, closes in %lus", left,
                      (unsigned long)((timeout - (now - drain->since)) / 1000000000));
    else
        scroll_format(out, ", %u left", left);
    return true;
}
