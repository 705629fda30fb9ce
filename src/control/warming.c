/*
 * Slow start: servers that come into a pool, or come back, count for little at first
 * (guard/slow_start.h). One timer runs while somebody warms up and looks only at those; at
 * weir's own start nobody does, since there is nobody else to take the load meanwhile.
 */
#include "control/publish.h"
#include "guard/slow_start.h"

enum { TICK_MS = 100 };

static void set_timer(struct steward *steward)
{
    struct loop *loop = &steward->engine.loop;

    timer_set(&loop->timers, &steward->warming.timer,
              loop->now + (uint64_t)TICK_MS * 1000000);
}

void wellness_apply(struct steward *steward, struct server_record *record)
{
    const struct pool *pool = record->pool->pool;
    uint64_t elapsed = steward->engine.loop.now - record->warm_since;
    unsigned ramp = RAMP_FULL;

    if (record->warm_since && pool)
        ramp = slow_start_ramp(&pool->slow_start, elapsed / 1000000);
    ramp = (unsigned)((uint64_t)ramp * record_wish(record).share / RAMP_FULL);
    if (!ramp)
        ramp = 1; /* who wants nothing at all is draining */
    atomic_store_explicit(&record->live.ramp, ramp, memory_order_relaxed);
}

static void end(struct steward *steward, struct server_record *record)
{
    list_remove(&record->warm_node);
    record->warm_since = 0;
    wellness_apply(steward, record);
}

static bool is_warm(const struct server_record *record, uint64_t now)
{
    const struct slow_start *settings = &record->pool->pool->slow_start;

    return !settings->is_enabled ||
           now - record->warm_since >= (uint64_t)settings->window * 1000000;
}

static void look_at(struct steward *steward, struct server_record *record)
{
    if (!record->entry || !record->pool->pool) {
        end(steward, record); /* removed: what is left there drains */
    } else if (is_warm(record, steward->engine.loop.now)) {
        end(steward, record);
        EVENT(&steward->events, LOG_INFO, "server has warmed up",
              {"pool", record->live.pool_name}, {"server", record->live.name},
              {"address", record->live.addr_text});
    } else {
        wellness_apply(steward, record);
    }
}

static void tick(struct timer *timer)
{
    struct steward *steward = container_of(timer, struct steward, warming.timer);

    list_each_safe(node, &steward->warming.servers) {
        look_at(steward, list_entry(node, struct server_record, warm_node));
    }
    if (!list_is_empty(&steward->warming.servers))
        set_timer(steward);
}

void warming_init(struct warming *warming)
{
    list_init(&warming->servers);
    timer_init(&warming->timer, tick);
}

void warming_look(struct steward *steward, struct server_record *record)
{
    const struct pool *pool = record->pool->pool;

    if (!health_is_usable(record_health(record))) {
        record->is_cold = true;
        end(steward, record);
        return;
    }
    if (!record->is_cold || !record->entry || !pool)
        return;
    record->is_cold = false;
    if (!pool->slow_start.is_enabled)
        return;
    if (list_is_empty(&steward->warming.servers))
        set_timer(steward);
    list_remove(&record->warm_node);
    list_add(&steward->warming.servers, &record->warm_node);
    record->warm_since = steward->engine.loop.now;
    wellness_apply(steward, record);
}
