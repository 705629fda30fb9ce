/*
 * Identity is by name: a listener, route or pool of the same name is the same thing, a
 * server the same while its name and address are. What is not in the current snapshot
 * any more is freed by registry_sweep once the last hold has gone.
 */
#include "control/carry.h"

#include "base/check.h"
#include "base/text.h"
#include "control/orders.h"
#include "io/sys.h"
#include "lb/model.h"
#include "lb/sticky_table.h"
#include "proxy/access_log.h"
#include "proxy/waiting.h"

#include <stdlib.h>

static void *new_zeroed(size_t size)
{
    size_t rounded = (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
    void *p = aligned_alloc(CACHE_LINE, rounded ? rounded : CACHE_LINE);

    CHECK(p != NULL);
    return memset(p, 0, rounded);
}

static str copy_str(str s)
{
    char *p = new_zeroed(s.n + 1);

    if (s.n)
        memcpy(p, s.p, s.n);
    return (str){p, s.n};
}

static void free_str(str s)
{
    free((void *)(uintptr_t)s.p);
}

/* What each line of the access log says of it. The pen there may read a few bytes more, and
 * new_zeroed gives whole cache lines. */
static str name_words(const char *key, str name)
{
    char memory[ACCESS_LOG_WORDS_MOST];
    struct text text = text_in(memory, sizeof memory);

    access_log_lay_name(&text, key, name);
    CHECK(!text.overflow);
    return copy_str(text_str(&text));
}

static str server_words(const struct server_live *server)
{
    char memory[ACCESS_LOG_WORDS_MOST];
    struct text text = text_in(memory, sizeof memory);

    access_log_lay_server(&text, server);
    CHECK(!text.overflow);
    return copy_str(text_str(&text));
}

void registry_init(struct registry *registry, unsigned worker_count,
                   const uint64_t seed[2])
{
    *registry = (struct registry){.worker_count = worker_count};
    list_init(&registry->pools);
    list_init(&registry->listeners);
    list_init(&registry->routes);
    map_init(&registry->pools_by_name, seed);
    map_init(&registry->listeners_by_name, seed);
    map_init(&registry->routes_by_name, seed);
}

/* ---- servers ---- */

enum { KEY_ROOM = ADDR_TEXT_MOST + 512, HTTP_PORT = 80 };

/* Name, host and address in one text. Names are shorter than this has room for. */
static str server_key(const struct server_entry *entry, const struct addr *addr,
                      char *memory)
{
    char printed[ADDR_TEXT_MOST];
    struct text text = text_in(memory, KEY_ROOM);

    text_add(&text, addr_print(addr, printed, sizeof printed));
    text_char(&text, ' ');
    text_add(&text, entry->host);
    text_char(&text, ' ');
    text_add(&text, str_upto(entry->name, KEY_ROOM - text.n));
    return text_str(&text);
}

/* What its Host is (RFC 9110 7.2); behind the path of a socket there is none. */
static str authority_of(const struct server_entry *entry)
{
    char memory[ADDR_TEXT_MOST + 256];
    struct text text = text_in(memory, sizeof memory);
    bool is_ip6 = entry->addr.family == ADDR_IP6;

    if (entry->addr.family == ADDR_UNIX)
        return copy_str(STR("localhost"));
    text_format(&text, "%s" STR_FMT "%s", is_ip6 ? "[" : "", STR_ARG(entry->host),
                is_ip6 ? "]" : "");
    if (entry->port != HTTP_PORT)
        text_format(&text, ":%u", entry->port);
    return copy_str(text_str(&text));
}

static struct server_record *server_new(struct registry *registry,
                                        struct pool_record *pool,
                                        const struct server_entry *entry,
                                        const struct addr *addr)
{
    char memory[KEY_ROOM], printed[ADDR_TEXT_MOST];
    struct server_record *record = new_zeroed(sizeof *record);
    unsigned workers = registry->worker_count;

    record->live.name = copy_str(entry->name);
    record->live.authority = authority_of(entry);
    record->live.pool_name = pool->live.name;
    record->live.pool = &pool->live;
    record->live.addr = *addr;
    record->live.addr_text = copy_str(addr_print(addr, printed, sizeof printed));
    record->live.id = server_identity(record->live.name, record->live.addr_text);
    record->live.log_words = server_words(&record->live);
    record->live.shards = new_zeroed(workers * sizeof(struct server_shard));
    record->live.desks = new_zeroed(workers * sizeof(struct server_desk));
    for (unsigned i = 0; i < workers; i++)
        server_desk_init(&record->live.desks[i]);
    record->pool = pool;
    record->agent.wish = record->header.voice.wish = LOAD_WISH_NONE;
    health_begin(&record->health,
                 addr->family == ADDR_NONE ? HEALTH_UNRESOLVED
                 : registry->has_begun     ? HEALTH_STARTING
                                           : HEALTH_UNKNOWN,
                 &pool->pool->check);
    atomic_store_explicit(&record->live.health, record->health.health,
                          memory_order_relaxed);
    atomic_store_explicit(&record->live.ramp, RAMP_FULL, memory_order_relaxed);
    list_init(&record->warm_node);
    record->is_cold = registry->has_begun;
    list_add(&pool->servers, &record->node);
    record->key = copy_str(server_key(entry, addr, memory));
    map_put(&pool->by_key, record->key, record);
    return record;
}

static void server_free(struct server_record *record)
{
    list_remove(&record->node);
    list_remove(&record->warm_node);
    map_remove(&record->pool->by_key, record->key);
    free_str(record->key);
    free_str(record->live.name);
    free_str(record->live.addr_text);
    free_str(record->live.authority);
    free_str(record->live.log_words);
    free(record->live.shards);
    for (unsigned i = 0; i < record->pool->live.worker_count; i++)
        free(record->live.desks[i].slip);
    free(record->live.desks);
    free(record->outlier);
    free(record);
}

/* ---- pools ---- */

static struct pool_record *pool_new(struct registry *registry, str name)
{
    struct pool_record *record = new_zeroed(sizeof *record);
    unsigned workers = registry->worker_count;

    record->live.name = copy_str(name);
    record->live.worker_count = workers;
    atomic_store_explicit(&record->live.retry_window.word, retry_window_at(sys_now()),
                          memory_order_relaxed);
    record->live.shards = new_zeroed(workers * sizeof(struct pool_shard));
    record->live.desks = new_zeroed(workers * sizeof(struct pool_desk));
    list_init(&record->servers);
    list_init(&record->names);
    list_init(&record->weigh_node);
    map_init(&record->by_key, registry->pools_by_name.seed);
    map_init(&record->by_host, registry->pools_by_name.seed);
    map_init(&record->orders, registry->pools_by_name.seed);
    list_add(&registry->pools, &record->node);
    map_put(&registry->pools_by_name, record->live.name, record);
    return record;
}

static void name_free(struct pool_record *pool, struct name_record *name)
{
    list_remove(&name->node);
    map_remove(&pool->by_host, name->host);
    free_str(name->host);
    free_str(name->why);
    free_str(name->refused);
    free_str(name->cut);
    free(name->addrs);
    free(name);
}

static void pool_free(struct registry *registry, struct pool_record *record)
{
    CHECK(list_is_empty(&record->servers));
    list_each_safe(node, &record->names) {
        name_free(record, list_entry(node, struct name_record, node));
    }
    list_remove(&record->node);
    list_remove(&record->weigh_node);
    map_remove(&registry->pools_by_name, record->live.name);
    map_close(&record->by_key);
    map_close(&record->by_host);
    orders_free(record);
    for (unsigned i = 0; i < record->live.worker_count; i++)
        free(record->live.desks[i].scratch);
    waiting_desks_free(&record->live);
    free_str(record->live.name);
    sticky_table_free(record->live.sticky);
    free(record->live.shards);
    free(record->live.desks);
    free(record);
}

struct pool_record *registry_pool(struct registry *registry, str name)
{
    return map_get(&registry->pools_by_name, name);
}

struct name_record *pool_name(struct pool_record *pool, str host)
{
    struct name_record *name = map_get(&pool->by_host, host);

    if (name)
        return name;
    name = new_zeroed(sizeof *name);
    name->host = copy_str(host);
    list_add(&pool->names, &name->node);
    map_put(&pool->by_host, name->host, name);
    return name;
}

static void note_borne(struct pool_record *pool)
{
    for (unsigned i = 0; pool->pool && i < pool->pool->server_count; i++) {
        const struct server_entry *entry = &pool->pool->servers[i];
        struct name_record *name =
            entry->addr.family == ADDR_NONE ? map_get(&pool->by_host, entry->host) : NULL;

        if (name)
            name->is_borne = true;
    }
}

void names_sweep(struct pool_record *pool)
{
    note_borne(pool);
    list_each_safe(node, &pool->names) {
        struct name_record *name = list_entry(node, struct name_record, node);

        if (!name->is_borne)
            name_free(pool, name);
        else
            name->is_borne = false;
    }
}

void name_learn(struct name_record *name, const struct addr *addrs, unsigned count)
{
    struct addr *copy = new_zeroed(sizeof *copy * (count + 1));

    if (count)
        memcpy(copy, addrs, sizeof *copy * count);
    free(name->addrs);
    name->addrs = copy;
    name->addr_count = count;
}

void name_explain(struct name_record *name, str why, str refused, str cut)
{
    free_str(name->why);
    free_str(name->refused);
    free_str(name->cut);
    name->cut = copy_str(cut);
    name->why = copy_str(why);
    name->refused = copy_str(refused);
}

/* ---- endpoint sets ---- */

struct listing {
    struct registry *registry;
    struct pool_record *pool;
    struct member *members;
    unsigned count;
    uint64_t wall;
};

/* 0 is no cap. */
static unsigned least_cap(unsigned one, unsigned other)
{
    return !one || (other && other < one) ? other : one;
}

/* Of the file, of the server's agent, and with adaptive concurrency its most: then what
 * counts is in live->limit, but for that it takes a cap to be looked at. */
static unsigned cap_of(const struct pool *pool, const struct server_entry *entry,
                       const struct load_wish *wish)
{
    unsigned cap = least_cap(entry->max_connections, wish->max_connections);

    return pool->adaptive.is_enabled ? least_cap(cap, pool->adaptive.max) : cap;
}

static void list_server(struct listing *listing, const struct server_entry *entry,
                        const struct addr *addr)
{
    struct pool_record *pool = listing->pool;
    const struct locality *locality = &pool->pool->locality;
    char memory[KEY_ROOM];
    const struct order *order;
    bool is_draining;
    struct server_record *record =
        map_get(&pool->by_key, server_key(entry, addr, memory));
    struct load_wish wish;

    if (!record) {
        record = server_new(listing->registry, pool, entry, addr);
        record->changed_at = listing->wall;
    }
    record->entry = entry;
    record->is_listed = true;
    wish = record_wish(record);
    order = order_of(pool, entry->name);
    is_draining = (order && order->is_draining) || load_wish_drains(&wish);
    atomic_store_explicit(&record->live.is_leaving, is_draining, memory_order_relaxed);
    if (addr->family == ADDR_NONE)
        return;
    listing->members[listing->count++] = (struct member){
        .name = record->live.name,
        .addr = *addr,
        .weight = record_weight(record),
        .is_draining = is_draining,
        .max_in_flight = cap_of(pool->pool, entry, &wish),
        .is_drained = order && order->is_draining && record->drain.is_over,
        .tier = entry->tier,
        .is_backup = entry->is_backup,
        .is_remote = locality->is_on && !str_eq(entry->zone, locality->zone),
        .live = &record->live,
    };
}

static void list_entry_servers(struct listing *listing, const struct server_entry *entry)
{
    static const struct addr nowhere;
    struct name_record *name;

    if (entry->addr.family != ADDR_NONE) {
        list_server(listing, entry, &entry->addr);
        return;
    }
    name = pool_name(listing->pool, entry->host);
    for (unsigned i = 0; i < name->addr_count; i++) {
        struct addr addr = name->addrs[i];

        addr.port = entry->port;
        list_server(listing, entry, &addr);
    }
    if (name->addr_count == 0)
        list_server(listing, entry, &nowhere);
}

static unsigned most_members(struct pool_record *pool)
{
    unsigned most = 0;

    for (unsigned i = 0; i < pool->pool->server_count; i++) {
        const struct server_entry *entry = &pool->pool->servers[i];

        most += entry->addr.family != ADDR_NONE
                    ? 1
                    : pool_name(pool, entry->host)->addr_count + 1;
    }
    return most;
}

struct endpoint_set *registry_build_set(struct registry *registry,
                                        struct pool_record *pool, uint64_t wall)
{
    struct listing listing = {.registry = registry, .pool = pool, .wall = wall};
    struct endpoint_set *set;

    pool->census.is_known = false;
    listing.members = new_zeroed(sizeof(struct member) * (most_members(pool) + 1));
    list_each(node, &pool->servers) {
        list_entry(node, struct server_record, node)->is_listed = false;
    }
    for (unsigned i = 0; i < pool->pool->server_count; i++)
        list_entry_servers(&listing, &pool->pool->servers[i]);
    list_each(node, &pool->servers) {
        struct server_record *record = list_entry(node, struct server_record, node);

        if (record->is_listed)
            continue;
        record->entry = NULL;
        atomic_store_explicit(&record->live.is_leaving, true, memory_order_relaxed);
    }
    set = endpoint_set_new(pool->pool, listing.members, listing.count);
    for (unsigned i = 0; i < listing.count; i++)
        atomic_fetch_add_explicit(&listing.members[i].live->holds, 1,
                                  memory_order_relaxed);
    free(listing.members);
    (void)tiers_weigh(&set->tiers); /* right from its first request on */
    return set;
}

void registry_free_set(struct endpoint_set *set)
{
    for (unsigned i = 0; i < set->count; i++)
        atomic_fetch_sub_explicit(&set->servers[i].live->holds, 1, memory_order_release);
    endpoint_set_free(set);
}

/* ---- attach ---- */

static struct listener_live *attach_listener(struct registry *registry, str name)
{
    struct listener_record *record = map_get(&registry->listeners_by_name, name);

    if (!record) {
        record = new_zeroed(sizeof *record);
        record->live.name = copy_str(name);
        record->live.log_words = name_words("listener", name);
        record->live.shards =
            new_zeroed(registry->worker_count * sizeof(struct listener_shard));
        list_add(&registry->listeners, &record->node);
        map_put(&registry->listeners_by_name, record->live.name, record);
    }
    record->is_current = true;
    return &record->live;
}

static struct route_live *attach_route(struct registry *registry,
                                       const struct route *route)
{
    str name = route->name;
    struct route_record *record = map_get(&registry->routes_by_name, name);

    if (!record) {
        record = new_zeroed(sizeof *record);
        record->live.name = copy_str(name);
        record->live.log_words = name_words("route", name);
        record->live.shards =
            new_zeroed(registry->worker_count * sizeof(struct route_shard));
        list_add(&registry->routes, &record->node);
        map_put(&registry->routes_by_name, record->live.name, record);
    }
    if (route->hedges == HEDGE_BY_ROUTE && !record->live.desks)
        record->live.desks =
            new_zeroed(registry->worker_count * sizeof(struct route_desk));
    record->is_current = true;
    return &record->live;
}

static struct pool_live *attach_pool(struct registry *registry, const struct pool *pool)
{
    struct pool_record *record = registry_pool(registry, pool->name);
    const struct sticky *sticky = pool->sticky;

    if (!record)
        record = pool_new(registry, pool->name);
    if (sticky && sticky_uses_table(sticky) && !record->live.sticky)
        record->live.sticky =
            sticky_table_new(sticky->entries, registry->pools_by_name.seed[0]);
    record->pool = pool;
    return &record->live;
}

/* Everything is out of use until the new snapshot names it. */
static void forget_current(struct registry *registry)
{
    list_each(node, &registry->pools) {
        struct pool_record *pool = list_entry(node, struct pool_record, node);

        pool->pool = NULL;
        pool->census.is_known = false;
        list_each(at, &pool->servers) {
            list_entry(at, struct server_record, node)->entry = NULL;
        }
    }
    list_each(node, &registry->listeners) {
        list_entry(node, struct listener_record, node)->is_current = false;
    }
    list_each(node, &registry->routes) {
        list_entry(node, struct route_record, node)->is_current = false;
    }
}

void registry_attach(struct registry *registry, struct snapshot *snapshot)
{
    forget_current(registry);
    for (unsigned i = 0; i < snapshot->listener_count; i++)
        snapshot->listeners[i].live =
            attach_listener(registry, snapshot->listeners[i].name);
    for (unsigned i = 0; i < snapshot->route_count; i++)
        snapshot->routes[i].live = attach_route(registry, &snapshot->routes[i]);
    for (unsigned i = 0; i < snapshot->pool_count; i++)
        snapshot->pools[i].live = attach_pool(registry, &snapshot->pools[i]);
}

/* ---- sweep ---- */

static bool is_zero(_Atomic(unsigned) *count)
{
    return atomic_load_explicit(count, memory_order_acquire) == 0;
}

static void sweep_servers(struct pool_record *pool)
{
    list_each_safe(node, &pool->servers) {
        struct server_record *record = list_entry(node, struct server_record, node);

        if (!record->entry && !record->is_watched && !record->farewells &&
            is_zero(&record->live.holds) && is_zero(&record->live.in_flight))
            server_free(record);
    }
}

static void sweep_pools(struct registry *registry)
{
    list_each_safe(node, &registry->pools) {
        struct pool_record *pool = list_entry(node, struct pool_record, node);

        sweep_servers(pool);
        if (!pool->pool && !pool->published && list_is_empty(&pool->servers) &&
            is_zero(&pool->live.holds) && is_zero(&pool->live.in_flight))
            pool_free(registry, pool);
    }
}

static void sweep_listeners(struct registry *registry)
{
    list_each_safe(node, &registry->listeners) {
        struct listener_record *record = list_entry(node, struct listener_record, node);

        if (record->is_current || !is_zero(&record->live.holds) ||
            !is_zero(&record->live.connections))
            continue;
        list_remove(&record->node);
        map_remove(&registry->listeners_by_name, record->live.name);
        free_str(record->live.name);
        free_str(record->live.log_words);
        free(record->live.shards);
        free(record);
    }
}

static void sweep_routes(struct registry *registry)
{
    list_each_safe(node, &registry->routes) {
        struct route_record *record = list_entry(node, struct route_record, node);

        if (record->is_current || !is_zero(&record->live.holds))
            continue;
        list_remove(&record->node);
        map_remove(&registry->routes_by_name, record->live.name);
        free_str(record->live.name);
        free_str(record->live.log_words);
        free(record->live.shards);
        free(record->live.desks);
        free(record);
    }
}

void registry_sweep(struct registry *registry)
{
    sweep_pools(registry);
    sweep_listeners(registry);
    sweep_routes(registry);
}

void registry_close(struct registry *registry)
{
    forget_current(registry);
    list_each(node, &registry->pools) {
        struct pool_record *pool = list_entry(node, struct pool_record, node);

        if (pool->published)
            registry_free_set(pool->published);
        pool->published = NULL;
        waiting_desks_stop(&pool->live);
        list_each(at, &pool->servers) {
            struct server_record *record = list_entry(at, struct server_record, node);

            record->is_watched = false; /* the prober has ended */
            record->farewells = 0;
        }
    }
    registry_sweep(registry);
    CHECK(list_is_empty(&registry->pools) && list_is_empty(&registry->listeners) &&
          list_is_empty(&registry->routes));
    map_close(&registry->pools_by_name);
    map_close(&registry->listeners_by_name);
    map_close(&registry->routes_by_name);
}
