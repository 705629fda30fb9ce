/*
 * The steward with all its threads, as `weir run` begins it; signals come by the same
 * descriptor that the kernel would use.
 */
#include "house.h"

#include "base/check.h"
#include "control/steward_inside.h"
#include "disk.h"
#include "files.h"
#include "names.h"
#include "origin.h"
#include "lb/pool.h"
#include "proxy/exchange.h"
#include "setup.h"
#include "threads.h"

#include <stdio.h>

static struct house {
    struct steward *steward;
    struct ports *ports;
    struct sys_thread thread;
    int signals;
    uint64_t ends_by; /* after a drain has begun */
} house;

/* ---- files ---- */

static enum err read_file(void *owner, str path, struct arena *arena, str *out)
{
    (void)owner;
    return sys_file_read(disk_name_of(path), 1 << 20, arena, out);
}

static enum err list_directory(void *owner, str path, struct arena *arena, str **names,
                               unsigned *count)
{
    (void)owner;
    (void)path;
    (void)arena;
    (void)names;
    *count = 0;
    return ERR_NOT_FOUND;
}

static bool get_variable(void *owner, str name, str *out)
{
    (void)owner;
    (void)name;
    (void)out;
    return false;
}

static const struct conf_world files_of_world = {
    .read_file = read_file,
    .list_directory = list_directory,
    .get_variable = get_variable,
};

/* ---- the beginning ---- */

static void origins_open(void)
{
    for (unsigned i = 0; i < SETUP_ORIGINS; i++)
        origin_live(origin_new(i, setup_is_echo(i)));
    setup_live_names();
}

static void say_complaints(struct complaints *complaints)
{
    for (uint32_t i = 0; i < complaints->items.count; i++) {
        const struct complaint *one = complaints->items.items[i];

        printf("line %u: " STR_FMT "\n", one->place.line, STR_ARG(one->message));
    }
}

bool house_open(void)
{
    struct steward_options options = {.world = &files_of_world, .file = STR(SETUP_FILE)};
    struct complaints complaints;
    struct scroll why = {0};
    enum err e;

    memset(&house, 0, sizeof house);
    rules.half_closed = HALF_CLOSED_MS;
    origins_open();
    setup_write();
    complaints_init(&complaints, false);
    options.ports = house.ports = ports_direct();
    CHECK(sys_signals_open(&house.signals) == ERR_OK);
    options.signals = house.signals;
    e = steward_new(&house.steward, &options, &complaints, &why);
    if (e) {
        violation("the daemon does not begin: %s", err_text(e));
        say_complaints(&complaints);
    } else {
        e = sys_thread_start(&house.thread, "steward", steward_turn, house.steward);
    }
    complaints_close(&complaints);
    scroll_close(&why);
    return e == ERR_OK;
}

/* ---- bothering it ---- */

static void send_signal(enum sys_signal which)
{
    struct file *file = file_get(house.signals);

    trace("signal", which, 0);
    file->count = which;
    file_wake(file);
}

static void reload(void *who, uint64_t left)
{
    (void)who;
    if (world.now >= rules.drain_begins)
        return;
    if (draw_percent(15))
        setup_write_wrong();
    else
        setup_write();
    send_signal(SYS_SIGNAL_RELOAD);
    if (left)
        world_after(draw(rules.lasts / left), reload, NULL, left - 1);
}

static void must_have_ended(void *who, uint64_t what)
{
    (void)who;
    (void)what;
    if (!thread_has_ended(&house.thread))
        violation("the drain did not end within shutdown_grace");
}

static void drain(void *who, uint64_t what)
{
    (void)who;
    (void)what;
    if (house.ends_by)
        return;
    house.ends_by = world.now + ns_of(rules.grace) + SLACK;
    send_signal(SYS_SIGNAL_STOP);
    world_at(house.ends_by, must_have_ended, NULL, 0);
}

static void step_clock(void *who, uint64_t what)
{
    (void)who;
    (void)what;
    world.wall_offset += draw_percent(50) ? draw(7200 * SECOND) : -draw(7200 * SECOND);
    trace("clock", world.wall_offset, 0);
}

/* Above its mark a worker takes nothing new; what it has taken is bounded by itself: the
 * read that went over the mark, what its slow receiver left of that, and small buffers. */
static void check_memory(void *who, uint64_t until)
{
    (void)who;
    if (thread_has_ended(&house.thread))
        return;
    for (unsigned i = 0; i < house.steward->worker_count; i++) {
        const struct worker *worker = &house.steward->workers[i];
        const struct engine *engine = &worker->engine;
        uint64_t used = (uint64_t)engine->small.in_use * CHUNK_SMALL +
                        (uint64_t)engine->large.in_use * CHUNK_LARGE;
        uint64_t taken = worker->exchange_slab.in_use + worker->relay_slab.in_use;

        if (used > engine->memory_most + 2 * CHUNK_LARGE + taken * 4 * CHUNK_SMALL)
            violation("worker %u holds %llu bytes, its budget is %llu", i,
                      (unsigned long long)used, (unsigned long long)engine->memory_most);
    }
    if (world.now < until)
        world_after(10 * MS, check_memory, NULL, until);
}

/* With breakers the first in line may be right not to take what is free, and after a
 * reload without them those who came before it still heed what is open. */
static bool must_take_places(const struct pool_record *pool)
{
    if (!pool->pool || pool->pool->breaker || !pool->published)
        return false;
    for (unsigned i = 0; i < pool->published->count; i++)
        if (circuit_state_of(pool->published->servers[i].live->circuit.word) !=
            CIRCUIT_CLOSED)
            return false;
    return true;
}

/* For whoever has tried those; NULL: nobody. */
static bool has_room(const struct pool_record *pool, const struct aside_kind *kind)
{
    struct ask ask = {.now = world.now};

    for (unsigned i = 0; kind && i < kind->tried_count; i++)
        ask_add_tried(&ask, kind->tried[i]);
    return pool_look_for_room(pool->published, &ask) == POOL_HAS_ROOM;
}

/* Who stands in the queue waits for any place, who stands aside for one that he has not
 * tried. */
static bool is_place_missed(const struct pool_record *pool,
                            const struct waiting_desk *desk)
{
    if (desk->queue.count && has_room(pool, NULL))
        return true;
    for (unsigned i = 0; i < ASIDE_GROUPS; i++)
        if (aside_oldest(&desk->aside, i) && has_room(pool, &desk->aside.groups[i].kind))
            return true;
    return false;
}

static bool has_tried(const struct aside_kind *kind, const struct server_live *server)
{
    for (unsigned i = 0; i < kind->tried_count; i++)
        if (kind->tried[i] == server)
            return true;
    return false;
}

/* Nobody there is kept from hearing of a place that he may take. */
static void check_unwanted(const struct waiting_desk *desk)
{
    for (unsigned i = 0; i < TRIED_MOST; i++)
        for (unsigned k = 0; desk->unwanted[i] && k < ASIDE_GROUPS; k++)
            if (aside_oldest(&desk->aside, k) &&
                !has_tried(&desk->aside.groups[k].kind, desk->unwanted[i]))
                violation("who stands aside does not hear of a server that is new to it");
}

/* What the workers share of who waits is what they have. */
static void check_waiting(const struct pool_live *pool)
{
    unsigned queued = 0, aside = 0;

    for (unsigned i = 0; pool->queues && i < pool->worker_count; i++) {
        check_unwanted(&pool->queues[i]);
        queued += pool->queues[i].queue.count;
        for (unsigned k = 0; k < RANK_COUNT; k++)
            aside += pool->queues[i].aside.counts[k];
    }
    if (pool->waiting != queued + aside || pool->aside != aside)
        violation("%u wait and %u of them aside, not %u and %u", pool->waiting,
                  pool->aside, queued + aside, aside);
}

/* Nobody waits for longer than a turn takes while a place is free. */
static void check_queues(void *who, uint64_t since)
{
    bool is_idle = false;

    (void)who;
    if (thread_has_ended(&house.thread))
        return;
    list_each(node, &house.steward->registry.pools) {
        const struct pool_record *pool = list_entry(node, struct pool_record, node);

        check_waiting(&pool->live);
        for (unsigned i = 0; pool->live.waiting && i < pool->live.worker_count; i++)
            is_idle |=
                must_take_places(pool) && is_place_missed(pool, &pool->live.queues[i]);
    }
    since = is_idle ? since : world.now;
    if (world.now - since > SLACK) {
        violation("a request waits while a place is free");
        return;
    }
    world_after(20 * MS, check_queues, NULL, since);
}

static bool is_right_limit(const struct server_record *record)
{
    const struct pool *pool = record->pool->pool;
    unsigned limit = record->live.limit;

    if (!pool || !record->entry)
        return true;
    if (!pool->adaptive.is_enabled)
        return limit == 0;
    return limit >= pool->adaptive.min && limit <= pool->adaptive.max;
}

/* Whatever is reloaded: limits keep to their bounds, and are there with the setting only. */
static void check_limits(void *who, uint64_t until)
{
    (void)who;
    if (thread_has_ended(&house.thread))
        return;
    list_each(node, &house.steward->registry.pools) {
        struct pool_record *pool = list_entry(node, struct pool_record, node);

        list_each(at, &pool->servers) {
            if (!is_right_limit(list_entry(at, struct server_record, node)))
                violation("a server's limit is not what its pool says");
        }
    }
    if (world.now < until)
        world_after(50 * MS, check_limits, NULL, until);
}

void house_live(void)
{
    if (rules.adaptive)
        check_limits(NULL, world.now + 2 * rules.lasts);
    if (rules.queues)
        check_queues(NULL, world.now);
    if (rules.memory < (uint64_t)1 << 30)
        check_memory(NULL, world.now + 2 * rules.lasts);
    if (rules.reloads)
        world_after(draw(SECOND), reload, NULL, rules.reloads - 1);
    if (draw_percent(30))
        world_after(draw(rules.lasts), step_clock, NULL, 0);
    if (rules.drain_begins != UINT64_MAX)
        world_at(rules.drain_begins, drain, NULL, 0);
}

/* ---- what is left ---- */

static void must_be(const char *what, uint64_t is, uint64_t should_be)
{
    if (is != should_be)
        violation("%s: %lld left, not %lld", what, (long long)is, (long long)should_be);
}

static void check_worker(const struct worker *worker)
{
    const struct engine *engine = &worker->engine;

    must_be("sessions", worker->session_count, 0);
    must_be("session memory", worker->session_slab.in_use, 0);
    must_be("exchanges", worker->exchange_slab.in_use, 0);
    must_be("links", worker->link_slab.in_use, 0);
    must_be("relays", worker->relay_slab.in_use, 0);
    must_be("tcp sessions", worker->tcp_slab.in_use, 0);
    must_be("small chunks", engine->small.in_use, 0);
    must_be("large chunks", engine->large.in_use, 0);
}

static void check_pools(const struct registry *registry)
{
    list_each(node, &registry->pools) {
        struct pool_record *pool = list_entry(node, struct pool_record, node);

        must_be("requests in flight at a pool", pool->live.in_flight, 0);
        must_be("retries in flight", pool->live.retries_in_flight, 0);
        must_be("requests that wait", pool->live.waiting, 0);
        must_be("requests that stand aside", pool->live.aside, 0);
        if (!pool->pool)
            violation("a removed pool is still there");
        list_each(inner, &pool->servers) {
            struct server_record *server = list_entry(inner, struct server_record, node);

            must_be("requests in flight at a server", server->live.in_flight, 0);
            must_be("probes of a breaker",
                    circuit_unpack(server->live.circuit.word).probes, 0);
            if (!server->entry)
                violation("a removed server is still there");
        }
    }
}

static void check_routes(const struct registry *registry)
{
    list_each(node, &registry->routes) {
        struct route_record *route = list_entry(node, struct route_record, node);
        int64_t sum = 0;

        for (unsigned k = 0; k < rules.workers; k++)
            sum += route->live.shards[k].in_flight;
        must_be("requests in flight on a route", (uint64_t)sum, 0);
        must_be("probes of a route's breaker",
                circuit_unpack(route->live.circuit.word).probes, 0);
        if (!route->is_current && !house.ends_by)
            violation("a removed route is still there");
    }
    list_each(node, &registry->listeners) {
        struct listener_record *listener = list_entry(node, struct listener_record, node);

        must_be("connections at a listener", listener->live.connections, 0);
        if (!listener->is_current && !house.ends_by)
            violation("a removed listener is still there");
    }
}

static void check_generations(const struct steward *steward)
{
    unsigned count = 0;

    list_each(node, &steward->generations)
        count++;
    must_be("snapshots", count, 1);
    for (unsigned i = 0; i < rules.workers; i++)
        must_be("pins", steward->current->pins[i].count, 0);
}

void house_check_rest(void)
{
    const struct steward *steward = house.steward;

    for (unsigned i = 0; i < steward->worker_count; i++)
        check_worker(&steward->workers[i]);
    must_be("connections", steward->conn_limit.open, 0);
    check_routes(&steward->registry);
    if (house.ends_by)
        return; /* it has drained: what was current then stays current */
    check_pools(&steward->registry);
    check_generations(steward);
}

/* ---- the end ---- */

void house_close(void)
{
    drain(NULL, 0);
    if (!thread_join(&house.thread))
        violation("the daemon does not end");
    steward_free(house.steward);
    ports_direct_free(house.ports);
    sys_close(house.signals);
    must_be("descriptors at the end", files_open(), 0);
    if (files_open() && world.prints)
        files_print();
}
