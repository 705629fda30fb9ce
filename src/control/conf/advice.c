/*
 * Advice: what is right, and yet seldom the best choice for what the file itself says of
 * its traffic (docs/which-balance.md). Only `weir check` asks for it, and it is never an
 * error. What traffic there will be is not in a file, so there are few pieces, each from
 * settings that do not fit each other.
 */
#include "control/conf/resolve.h"
#include "lb/balance.h"

enum { SHORT_MS = 1000 };

/* What leads to a pool. */
struct traffic {
    bool is_tcp, is_http;
    bool is_far; /* somebody who is not on this machine may come */
    uint32_t
        longest; /* ms that one of its routes waits for an answer; UINT32_MAX: ever */
};

static bool is_far(const struct addr *addr)
{
    if (addr->family == ADDR_IP4)
        return addr->ip[0] != 127;
    return addr->family == ADDR_IP6 &&
           memcmp(addr->ip, &(const unsigned char[16]){[15] = 1}, 16) != 0;
}

static void come_from(struct traffic *traffic, const struct listener *listener)
{
    traffic->is_tcp |= listener->kind == LISTENER_TCP;
    traffic->is_http |= listener->kind == LISTENER_HTTP;
    for (unsigned i = 0; i < listener->address_count; i++)
        traffic->is_far |= is_far(&listener->addresses[i]);
}

/* From the listeners that the route names; without any, from all for http. */
static struct traffic from_all(const struct snapshot *snapshot)
{
    struct traffic all = {0};

    for (unsigned i = 0; i < snapshot->listener_count; i++)
        if (snapshot->listeners[i].kind == LISTENER_HTTP)
            come_from(&all, &snapshot->listeners[i]);
    return all;
}

static struct traffic from_named(const struct snapshot *snapshot,
                                 const struct match *match)
{
    struct traffic named = {0};

    for (unsigned word = 0; word < match->listener_words; word++)
        for (uint64_t left = match->listeners[word]; left; left &= left - 1)
            come_from(&named,
                      &snapshot->listeners[word * 64 + (unsigned)__builtin_ctzll(left)]);
    return named;
}

static void come_by(struct traffic *traffic, const struct route *route,
                    const struct traffic *from)
{
    uint32_t wait = route->timeouts.response;

    if (!wait)
        wait = UINT32_MAX;
    if (wait > traffic->longest)
        traffic->longest = wait;
    traffic->is_tcp |= from->is_tcp;
    traffic->is_http |= from->is_http;
    traffic->is_far |= from->is_far;
}

/* [pool] */
static struct traffic *find_traffic(const struct snapshot *snapshot, struct arena *arena)
{
    struct traffic *all = ARENA_ARRAY(arena, struct traffic, snapshot->pool_count);
    const struct traffic everywhere = from_all(snapshot);

    for (unsigned i = 0; i < snapshot->listener_count; i++)
        if (snapshot->listeners[i].to)
            come_from(&all[snapshot->listeners[i].to->index], &snapshot->listeners[i]);
    for (unsigned i = 0; i < snapshot->route_count; i++) {
        const struct route *route = &snapshot->routes[i];
        bool is_named = route->match && route->match->listeners;
        struct traffic from = is_named ? from_named(snapshot, route->match) : everywhere;

        for (unsigned j = 0; j < route->share_count; j++)
            come_by(&all[route->shares[j].pool->index], route, &from);
    }
    return all;
}

static const char *name_of(struct reader *reader, const struct draft_pool *pool)
{
    return complaint_word(reader->complaints, pool->spec.name);
}

/* ---- one piece each ---- */

static void advise_on_address(struct reader *reader, const struct draft_pool *pool,
                              const struct traffic *traffic)
{
    bool is_by_address = pool->spec.balancer == &balancer_ip_hash ||
                         (pool->spec.sticky && pool->spec.sticky->by == STICKY_IP);
    bool is_behind = traffic->is_tcp && reader->draft->settings.trusted.count;
    bool is_near = (traffic->is_tcp || traffic->is_http) && !traffic->is_far &&
                   !reader->draft->settings.trusted.count;

    if (!is_by_address || (!is_behind && !is_near))
        return;
    complaint_help(
        complain(reader->complaints, "H201", pool->key->place,
                 "pool '%s' chooses by the client's address, and %s: they all look like "
                 "one client, and one server gets everything",
                 name_of(reader, pool),
                 is_behind ? "a tcp listener sees only that of the proxy before it"
                           : "clients of its listeners can come from this machine only"),
        is_behind ? "use least_connections, or let the clients come straight to weir"
                  : "name the proxy in trusted_proxies, or use another balance");
}

static bool goes_by_turns(const struct balancer *balancer)
{
    return balancer == &balancer_round_robin ||
           balancer == &balancer_weighted_round_robin;
}

static bool goes_by_connections(const struct balancer *balancer)
{
    return balancer == &balancer_least_connections ||
           balancer == &balancer_weighted_least_connections;
}

static void advise_on_length(struct reader *reader, const struct draft_pool *pool,
                             const struct traffic *traffic)
{
    const struct pool *spec = &pool->spec;

    if (spec->server_count < 2)
        return;
    if (traffic->is_tcp && !pool->has_balance && goes_by_turns(spec->balancer))
        complaint_help(complain(reader->complaints, "H202", pool->key->place,
                                "connections of a tcp listener may last long, and pool "
                                "'%s' gives them out by turns, which count beginnings "
                                "and not what is still there",
                                name_of(reader, pool)),
                       "use balance: least_connections, or write down the one you want");
    if (traffic->is_http && !traffic->is_tcp && traffic->longest <= SHORT_MS &&
        goes_by_connections(spec->balancer))
        complaint_help(complain(reader->complaints, "H203", pool->key->place,
                                "no answer of pool '%s' takes longer than %ums: for "
                                "requests so short and alike the count of connections "
                                "says little",
                                name_of(reader, pool), traffic->longest),
                       "use weighted_round_robin, whose shares are exact");
}

/* Caps that differ say that the servers do. */
static void advise_on_size(struct reader *reader, const struct draft_pool *pool)
{
    const struct pool *spec = &pool->spec;
    uint32_t least = UINT32_MAX, most = 0;

    for (unsigned i = 0; i < spec->server_count; i++) {
        uint32_t cap = spec->servers[i].max_connections;

        least = cap < least ? cap : least;
        most = cap > most ? cap : most;
    }
    if (!least || most / least < 2 || pool->first_weight ||
        (!goes_by_turns(spec->balancer) && !goes_by_connections(spec->balancer)))
        return;
    complaint_help(complain(reader->complaints, "H204", pool->key->place,
                            "servers of pool '%s' may hold from %u to %u requests and "
                            "all have the same weight",
                            name_of(reader, pool), least, most),
                   "give them weights, with weighted_least_connections or "
                   "weighted_round_robin");
}

static void advise_on_checks(struct reader *reader, const struct draft_pool *pool)
{
    const struct pool *spec = &pool->spec;

    if (spec->server_count < 2 || spec->check.is_enabled || spec->passive.is_enabled ||
        pool->breaker)
        return;
    complaint_help(complain(reader->complaints, "H205", pool->key->place,
                            "nothing tells whether the servers of pool '%s' are well: a "
                            "dead one is found anew by each request",
                            name_of(reader, pool)),
                   "write health: /path, health: {passive: {}} or a breaker");
}

/* A list of one's own in the place of the default, which is easily forgotten. */
static void advise_on_answers(struct reader *reader)
{
    const struct draft_resolvers *resolvers = &reader->draft->settings.resolvers;
    const struct prefixes *link_local = address_kind_find(STR("link_local"));

    if (!resolvers->deny || !resolvers->spec.deny.count || resolvers->spec.allow.count ||
        prefixes_cover(&resolvers->spec.deny, link_local))
        return;
    complaint_help(complain(reader->complaints, "H206", resolvers->deny->key->place,
                            "'deny' replaces its default, and now lets the DNS lead to "
                            "link-local addresses (169.254.169.254)"),
                   "write special beside the others: deny: [special, ...]");
}

void advise(struct reader *reader, const struct snapshot *snapshot)
{
    struct traffic *traffic = find_traffic(snapshot, &reader->complaints->arena);

    advise_on_answers(reader);
    for (unsigned i = 0; i < snapshot->pool_count; i++) {
        const struct draft_pool *pool = &reader->draft->pools[i];

        advise_on_address(reader, pool, &traffic[i]);
        advise_on_length(reader, pool, &traffic[i]);
        advise_on_size(reader, pool);
        advise_on_checks(reader, pool);
    }
}
