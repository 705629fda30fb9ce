/*
 * Pools behind tcp listeners: what goes by requests and answers can not be done for streams
 * of bytes. Where a setting decides who serves, or is all that a pool was to be, it is
 * refused with any tcp listener; where it only adds something for requests, it is refused
 * when no request ever comes, and would otherwise be believed to work.
 */
#include "control/conf/resolve.h"
#include "lb/key.h"

/* Pools by name, and what leads to them. */
struct users {
    struct map tcp;      /* to the first struct draft_listener that sends there */
    struct map requests; /* where requests come: to anything */
    bool is_any;         /* requests may come to each pool */
};

static void note_listener(struct users *users, struct draft_listener *listener)
{
    struct map *map =
        listener->spec.kind == LISTENER_TCP ? &users->tcp : &users->requests;

    if (listener->to && !map_get(map, listener->to->text))
        map_put(map, listener->to->text, listener);
}

/* A route without a target has a mistake, and may have been meant for any pool. */
static void note_route(struct users *users, struct draft_route *route)
{
    for (size_t i = 0; i < route->uses.count; i++)
        map_put(&users->requests, route->uses.items[i].name->text, route);
    users->is_any |= route->spec.action == ROUTE_TO_POOL && !route->uses.count;
}

static void find_users(struct draft *draft, struct users *users)
{
    const uint64_t seed[2] = {0, 0};

    map_init(&users->tcp, seed);
    map_init(&users->requests, seed);
    users->is_any = !draft->has_all_listeners || !draft->has_all_routes;
    for (unsigned i = 0; i < draft->listener_count; i++)
        note_listener(users, &draft->listeners[i]);
    for (unsigned i = 0; i < draft->route_count; i++)
        note_route(users, &draft->routes[i]);
}

/* ---- with any tcp listener ---- */

/* Connections have no request whose facts a pool could choose by. */
static void check_key(struct reader *reader, const struct draft_pool *pool,
                      const struct draft_listener *user)
{
    if (!pool->spec.key || !key_needs_request(pool->spec.key))
        return;
    complaint_help(
        complain(reader->complaints, "C012", pool->balance.key_node->place,
                 "'%s' is a fact of requests, but tcp listener '%s' sends "
                 "connections to pool '%s'",
                 word_of(reader, pool->balance.key_node), word_of(reader, user->key),
                 word_of(reader, pool->key)),
        "choose by client.ip, client.subnet, client.port, peer.ip or listener, or "
        "give the listener a pool of its own");
}

/* Connections bring no cookie and no session. */
static void check_sticky(struct reader *reader, const struct draft_pool *pool,
                         const struct draft_listener *user)
{
    if (!pool->spec.sticky || pool->spec.sticky->by == STICKY_IP)
        return;
    complaint_help(complain(reader->complaints, "C012", pool->sticky_by->place,
                            "'%s' is part of requests, but tcp listener '%s' "
                            "sends connections to pool '%s'",
                            word_of(reader, pool->sticky_by), word_of(reader, user->key),
                            word_of(reader, pool->key)),
                   "use sticky: ip, or give the listener a pool of its own");
}

/* Nothing of a stream of bytes says how long its server takes. */
static void check_adaptive(struct reader *reader, const struct draft_pool *pool,
                           const struct draft_listener *user)
{
    if (!pool->spec.adaptive.is_enabled)
        return;
    complaint_help(
        complain(reader->complaints, "C012", pool->adaptive_at->place,
                 "'adaptive_concurrency' goes by the time of answers, but tcp "
                 "listener '%s' sends connections to pool '%s'",
                 word_of(reader, user->key), word_of(reader, pool->key)),
        "set max_connections of the servers, or give the listener a pool of its own");
}

/* ---- where no request comes ---- */

static bool has_hedge(const struct pool *pool, const struct pool *fresh)
{
    (void)fresh;
    return pool->hedge.is_enabled;
}

static bool has_load_header(const struct pool *pool, const struct pool *fresh)
{
    (void)fresh;
    return pool->load_header.n > 0;
}

static bool has_latency(const struct pool *pool, const struct pool *fresh)
{
    (void)fresh;
    return pool->passive.is_enabled && pool->passive.latency;
}

/* It has no word for off, and `weir expand` writes it out: the defaults say nothing. */
static bool has_keepalive(const struct pool *pool, const struct pool *fresh)
{
    return pool->keepalive.connections != fresh->keepalive.connections ||
           pool->keepalive.idle != fresh->keepalive.idle ||
           pool->keepalive.max_requests != fresh->keepalive.max_requests;
}

static const struct idle_setting {
    const char *path[3]; /* where it stands in a pool */
    bool (*is_there)(const struct pool *pool, const struct pool *fresh);
    const char *about, *help;
} idle_settings[] = {
    {{"hedge"},
     has_hedge,
     "requests",
     "leave it out: bytes that went to one server can not go to a second one"},
    {{"health", "load_header"},
     has_load_header,
     "answers",
     "leave it out; servers can say what they can take by an agent: "
     "health: {agent: {port: 9777}}"},
    {{"health", "passive", "latency"},
     has_latency,
     "answers",
     "leave it out: of connections 'failures' and 'error_rate' count those that do not "
     "come to be"},
    {{"keepalive"},
     has_keepalive,
     "requests",
     "leave it out: each connection of a client has one of its own to a server"},
};

/* The key of such a setting, where it is written. */
static const struct node *find_key(const struct node *pool, const char *const path[3])
{
    const struct pair *pair = node_find(pool, str_of(path[0]));

    for (unsigned i = 1; pair && i < 3 && path[i]; i++)
        pair = node_find(pair->value, str_of(path[i]));
    return pair ? pair->key : NULL;
}

static const char *last_of(const char *const path[3])
{
    return path[2] ? path[2] : path[1] ? path[1] : path[0];
}

static void check_idle(struct reader *reader, const struct draft_pool *pool,
                       const struct draft_listener *user)
{
    struct draft_pool fresh = {0};

    rows_fill(reader, pool_rows, &fresh);
    for (unsigned i = 0; i < array_len(idle_settings); i++) {
        const struct idle_setting *setting = &idle_settings[i];
        const struct node *key = find_key(pool->settings, setting->path);

        if (!key || !setting->is_there(&pool->spec, &fresh.spec))
            continue;
        complaint_help(complain(reader->complaints, "C012", key->place,
                                "'%s' is about %s, but pool '%s' only gets connections, "
                                "from tcp listener '%s'",
                                last_of(setting->path), setting->about,
                                word_of(reader, pool->key), word_of(reader, user->key)),
                       "%s", setting->help);
    }
}

void tcp_pools_check(struct reader *reader)
{
    struct draft *draft = reader->draft;
    struct users users;

    find_users(draft, &users);
    for (unsigned i = 0; i < draft->pool_count; i++) {
        const struct draft_pool *pool = &draft->pools[i];
        const struct draft_listener *user = map_get(&users.tcp, pool->spec.name);

        if (!user)
            continue;
        check_key(reader, pool, user);
        check_sticky(reader, pool, user);
        check_adaptive(reader, pool, user);
        if (!users.is_any && !map_get(&users.requests, pool->spec.name))
            check_idle(reader, pool, user);
    }
    map_close(&users.tcp);
    map_close(&users.requests);
}
