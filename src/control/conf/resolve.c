/*
 * From the draft to the snapshot: names are looked up, doubles found, arrays laid out.
 * Names are only looked up where every section that could hold them was readable; else
 * one mistake would be told twice.
 */
#include "control/conf/resolve.h"

#include "base/check.h"
#include "control/conf/address.h"
#include "lb/balance.h"
#include "proto/names.h"

#include <stdlib.h>

static int by_text(const void *a, const void *b)
{
    return str_compare(*(const str *)a, *(const str *)b);
}

void names_init(struct names *names)
{
    const uint64_t seed[2] = {0, 0};

    *names = (struct names){0};
    map_init(&names->map, seed);
}

void complain_name(struct reader *reader, struct names *names, const char *thing,
                   const char *label, const struct node *node)
{
    struct complaint *complaint =
        complain(reader->complaints, "C030", node->place, "there is no %s named '%s'",
                 thing, word_of(reader, node));
    str key;

    if (!names->sorted) {
        names->sorted = ARENA_ARRAY(&reader->complaints->arena, str, names->map.count);
        for (size_t slot = 0; map_next(&names->map, &slot, &key, NULL);)
            names->sorted[names->count++] = key;
        qsort(names->sorted, names->count, sizeof *names->sorted, by_text);
    }
    complaint_choices(complaint, label, names->sorted, names->count);
    if (names->count)
        complaint_suggest(complaint, node->text);
    else
        complaint_help(complaint, "no %s are configured", label);
}

static void complain_double(struct reader *reader, const char *code, const char *what,
                            const struct node *node, const struct node *first)
{
    complaint_note(complain_value(reader, code, node, what), "first given at %s",
                   complaint_where(reader->complaints, first->place));
}

/* Two sockets at one address share what comes: a part of it would reach the other one. */
static void check_admin(struct reader *reader, const struct addr *addr,
                        const struct node *node)
{
    const struct admin_settings *admin = &reader->draft->settings.admin;
    struct addr other, own;

    if (address_parse_listen(admin->address, &other))
        other = (struct addr){0};
    if (!admin->socket.n || addr_from_path(admin->socket, &own))
        own = (struct addr){0};
    if (addr_eq(addr, &other) || addr_eq(addr, &own))
        complaint_help(
            complain_value(reader, "C035", node, "is where the admin server listens"),
            "write another one here, or another '%s' in 'admin'",
            addr_eq(addr, &own) ? "socket" : "address");
}

static void check_addresses(struct reader *reader)
{
    struct draft *draft = reader->draft;
    const uint64_t seed[2] = {0, 0};
    struct map known;

    map_init(&known, seed);
    for (unsigned i = 0; i < draft->listener_count; i++) {
        struct draft_listener *listener = &draft->listeners[i];

        for (unsigned j = 0; j < listener->spec.address_count; j++) {
            char memory[ADDR_TEXT_MOST];
            const struct node *node = listener->addresses[j], *first;
            str text = arena_copy(
                &reader->complaints->arena,
                addr_print(&listener->spec.addresses[j], memory, sizeof memory));

            check_admin(reader, &listener->spec.addresses[j], node);
            first = map_get(&known, text);
            if (first)
                complain_double(reader, "C035",
                                "is given twice: each address is one "
                                "listener's",
                                node, first);
            else
                map_put(&known, text, (void *)node);
        }
    }
    map_close(&known);
}

static void try_address(struct reader *reader, const struct conf_world *world,
                        const struct addr *addr, const struct node *node)
{
    struct arena *arena = &reader->complaints->arena;
    char memory[ADDR_TEXT_MOST];
    str holder;

    if (world->find_holder(world->owner, addr, arena, &holder))
        complain(reader->complaints, "C033", node->place,
                 "address " STR_FMT " is already in use by " STR_FMT,
                 STR_ARG(addr_print(addr, memory, sizeof memory)), STR_ARG(holder));
}

void resolve_try_addresses(struct reader *reader, const struct conf_world *world)
{
    struct draft *draft = reader->draft;

    if (!world->find_holder)
        return;
    for (unsigned i = 0; i < draft->listener_count; i++) {
        struct draft_listener *listener = &draft->listeners[i];

        for (unsigned j = 0; j < listener->spec.address_count; j++)
            try_address(reader, world, &listener->spec.addresses[j],
                        listener->addresses[j]);
    }
}

static void check_route_names(struct reader *reader)
{
    struct draft *draft = reader->draft;
    const uint64_t seed[2] = {0, 0};
    struct map known;

    map_init(&known, seed);
    for (unsigned i = 0; i < draft->route_count; i++) {
        const struct node *name = draft->routes[i].name, *first;

        if (!name)
            continue;
        first = map_get(&known, name->text);
        if (first)
            complain_double(reader, "C038", "names two routes", name, first);
        else
            map_put(&known, name->text, (void *)name);
    }
    map_close(&known);
}

static void find_pool(struct reader *reader, struct names *pools, const struct node *name)
{
    if (!map_get(&pools->map, name->text))
        complain_name(reader, pools, "pool", "pools", name);
}

static void find_listener(struct reader *reader, struct names *listeners,
                          struct draft_route *route, const struct node *name)
{
    struct draft_listener *listener = map_get(&listeners->map, name->text);

    if (!listener)
        complain_name(reader, listeners, "listener", "listeners", name);
    else if (listener->spec.kind == LISTENER_TCP)
        complain_value(reader, "C012", name,
                       "is a tcp listener: routes are for http listeners");
    else
        match_add_listener(reader->arena, &route->match, listener->spec.index);
}

static void find_pools(struct reader *reader)
{
    struct draft *draft = reader->draft;
    struct names pools;

    names_init(&pools);
    for (unsigned i = 0; i < draft->pool_count; i++)
        map_put(&pools.map, draft->pools[i].key->text, &draft->pools[i]);
    for (unsigned i = 0; i < draft->listener_count; i++) {
        if (draft->listeners[i].to)
            find_pool(reader, &pools, draft->listeners[i].to);
    }
    for (unsigned i = 0; i < draft->route_count; i++) {
        for (size_t j = 0; j < draft->routes[i].uses.count; j++)
            find_pool(reader, &pools, draft->routes[i].uses.items[j].name);
    }
    map_close(&pools.map);
}

static void find_breakers(struct reader *reader)
{
    struct draft *draft = reader->draft;
    struct names breakers;

    names_init(&breakers);
    for (unsigned i = 0; i < draft->breaker_count; i++)
        map_put(&breakers.map, draft->breakers[i].key->text, &draft->breakers[i]);
    for (unsigned i = 0; i < draft->pool_count; i++) {
        const struct node *name = draft->pools[i].breaker;

        if (name && !map_get(&breakers.map, name->text))
            complain_name(reader, &breakers, "breaker", "breakers", name);
    }
    for (unsigned i = 0; i < draft->route_count; i++) {
        const struct node *name = draft->routes[i].breaker;

        if (name && !map_get(&breakers.map, name->text))
            complain_name(reader, &breakers, "breaker", "breakers", name);
    }
    map_close(&breakers.map);
}

static void find_listeners(struct reader *reader)
{
    struct draft *draft = reader->draft;
    struct names listeners;

    names_init(&listeners);
    for (unsigned i = 0; i < draft->listener_count; i++)
        map_put(&listeners.map, draft->listeners[i].key->text, &draft->listeners[i]);
    for (unsigned i = 0; i < draft->route_count; i++) {
        struct draft_route *route = &draft->routes[i];

        for (size_t j = 0; j < route->listeners.count; j++)
            find_listener(reader, &listeners, route, route->listeners.items[j]);
    }
    map_close(&listeners.map);
}

/* Near is what stands where we do: that must be known. */
static void check_zones(struct reader *reader)
{
    struct draft *draft = reader->draft;

    for (unsigned i = 0; i < draft->pool_count; i++) {
        const struct draft_pool *pool = &draft->pools[i];

        if (pool->spec.locality.is_on && !draft->settings.runtime.zone.n)
            complaint_help(complain(reader->complaints, "C013",
                                    pool->locality->key->place,
                                    "'zone' is missing in 'runtime': 'locality' prefers "
                                    "servers of the zone that weir stands in"),
                           "add 'runtime: {zone: NAME}'");
    }
}

void resolve_names(struct reader *reader)
{
    check_zones(reader);
    check_addresses(reader);
    check_route_names(reader);
    tcp_pools_check(reader);
    if (reader->draft->has_all_pools)
        find_pools(reader);
    if (reader->draft->has_all_breakers)
        find_breakers(reader);
    if (reader->draft->has_all_listeners)
        find_listeners(reader);
}

/* What is named while a snapshot is built. */
struct known {
    struct map pools;    /* struct pool */
    struct map breakers; /* struct breaker, in the snapshot */
};

static void build_breakers(struct reader *reader, struct known *known)
{
    struct draft *draft = reader->draft;
    struct breaker *breakers =
        ARENA_ARRAY(reader->arena, struct breaker, draft->breaker_count);

    for (unsigned i = 0; i < draft->breaker_count; i++) {
        breakers[i] = draft->breakers[i].spec;
        map_put(&known->breakers, draft->breakers[i].key->text, &breakers[i]);
    }
}

static const struct breaker *find_breaker(const struct known *known,
                                          const struct node *name)
{
    return name ? map_get(&known->breakers, name->text) : NULL;
}

static void build_pools(struct reader *reader, struct snapshot *snapshot,
                        struct known *known)
{
    struct draft *draft = reader->draft;

    snapshot->pools = ARENA_ARRAY(reader->arena, struct pool, draft->pool_count);
    snapshot->pool_count = draft->pool_count;
    for (unsigned i = 0; i < draft->pool_count; i++) {
        snapshot->pools[i] = draft->pools[i].spec;
        snapshot->pools[i].breaker = find_breaker(known, draft->pools[i].breaker);
        snapshot->pools[i].learns =
            snapshot->pools[i].breaker || snapshot->pools[i].passive.is_enabled;
        snapshot->pools[i].is_timed =
            snapshot->pools[i].balancer->learn || snapshot->pools[i].adaptive.is_enabled;
        snapshot->pools[i].locality.zone = draft->settings.runtime.zone;
        map_put(&known->pools, snapshot->pools[i].name, &snapshot->pools[i]);
    }
}

/* So that a request finds all of it in one word. */
static enum hedge_by hedges_of(const struct route *route, bool has_own)
{
    if (has_own)
        return route->hedge.is_enabled ? HEDGE_BY_ROUTE : HEDGE_NEVER;
    for (unsigned i = 0; i < route->share_count; i++)
        if (route->shares[i].pool->hedge.is_enabled)
            return HEDGE_BY_POOL;
    return HEDGE_NEVER;
}

static void build_route(struct reader *reader, const struct draft_route *draft,
                        struct route *route, const struct known *known)
{
    struct share *shares = ARENA_ARRAY(reader->arena, struct share, draft->uses.count);
    struct match *match = ARENA_NEW(reader->arena, struct match);

    *route = draft->spec;
    route->forwarded.request_id_known = name_find(route->forwarded.request_id);
    *match = draft->match;
    route->match = draft->has_match ? match : NULL;
    route->slow_client = reader->draft->settings.protect.slow_client;
    route->breaker = find_breaker(known, draft->breaker);
    route->shares = shares;
    route->share_count = (unsigned)draft->uses.count;
    for (unsigned i = 0; i < route->share_count; i++) {
        shares[i].pool = map_get(&known->pools, draft->uses.items[i].name->text);
        shares[i].weight = draft->uses.items[i].share;
        route->share_total += shares[i].weight;
        CHECK(shares[i].pool);
    }
    route->hedges = hedges_of(route, draft->hedge != NULL);
}

/* What an http listener with `to` sends there: all that no route has taken. */
static void build_last_route(struct reader *reader, const struct draft_listener *listener,
                             struct route *route, const struct known *known)
{
    struct draft_route last = {.has_match = true};
    unsigned index = route->index;
    const struct defaults *defaults = &reader->draft->settings.defaults;

    last.spec.timeouts = defaults->timeouts;
    last.spec.retries = defaults->retries;
    last.spec.sizes = defaults->sizes;
    last.spec.forwarded = defaults->forwarded;
    last.spec.name = listener->spec.name;
    last.spec.action = ROUTE_TO_POOL;
    match_add_listener(reader->arena, &last.match, listener->spec.index);
    *vec_add(&last.uses, &reader->complaints->arena) = (struct use){listener->to, 1};
    build_route(reader, &last, route, known);
    route->index = index;
}

static bool has_last_route(const struct draft_listener *listener)
{
    return listener->to && listener->spec.kind == LISTENER_HTTP;
}

static void build_routes(struct reader *reader, struct snapshot *snapshot,
                         const struct known *known)
{
    struct draft *draft = reader->draft;
    unsigned count = draft->route_count;

    for (unsigned i = 0; i < draft->listener_count; i++)
        count += has_last_route(&draft->listeners[i]);
    snapshot->routes = ARENA_ARRAY(reader->arena, struct route, count);
    snapshot->route_count = count;
    for (unsigned i = 0; i < draft->route_count; i++)
        build_route(reader, &draft->routes[i], &snapshot->routes[i], known);
    for (unsigned i = 0; i < draft->route_count; i++)
        if (snapshot->routes[i].request_headers.count > snapshot->most_request_edits)
            snapshot->most_request_edits = snapshot->routes[i].request_headers.count;
    count = draft->route_count;
    for (unsigned i = 0; i < draft->listener_count; i++) {
        if (!has_last_route(&draft->listeners[i]))
            continue;
        snapshot->routes[count].index = count;
        build_last_route(reader, &draft->listeners[i], &snapshot->routes[count], known);
        count++;
    }
}

static void build_listeners(struct reader *reader, struct snapshot *snapshot,
                            const struct known *known)
{
    struct draft *draft = reader->draft;

    snapshot->listeners =
        ARENA_ARRAY(reader->arena, struct listener, draft->listener_count);
    snapshot->listener_count = draft->listener_count;
    for (unsigned i = 0; i < draft->listener_count; i++) {
        struct listener *listener = &snapshot->listeners[i];

        *listener = draft->listeners[i].spec;
        listener->timeouts = draft->settings.defaults.timeouts;
        listener->sizes = draft->settings.defaults.sizes;
        if (draft->listeners[i].to)
            listener->to = map_get(&known->pools, draft->listeners[i].to->text);
    }
    routers_build(reader, snapshot);
}

void resolve_build(struct reader *reader, struct snapshot *snapshot)
{
    const struct settings *settings = &reader->draft->settings;
    const uint64_t seed[2] = {0, 0};
    struct known known;

    map_init(&known.pools, seed);
    map_init(&known.breakers, seed);
    snapshot->runtime = settings->runtime;
    snapshot->resolvers = settings->resolvers.spec;
    snapshot->trusted_proxies = settings->trusted;
    snapshot->access_log = settings->logs.access;
    snapshot->error_log = settings->logs.error;
    snapshot->metrics = settings->metrics;
    snapshot->admin = settings->admin;
    build_breakers(reader, &known);
    build_pools(reader, snapshot, &known);
    build_routes(reader, snapshot, &known);
    build_listeners(reader, snapshot, &known);
    map_close(&known.pools);
    map_close(&known.breakers);
}
