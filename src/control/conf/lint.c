/*
 * What is allowed and yet surely not meant: pools that nobody uses, routes that nothing
 * reaches, weights that count for nothing.
 */
#include "control/conf/resolve.h"
#include "lb/balance.h"
#include "lb/router.h"

#include <stdio.h>

static const char *word(struct reader *reader, str text)
{
    return complaint_word(reader->complaints, text);
}

/* What a route takes, in a few words. */
static const char *taken_by(struct reader *reader, const struct match *match)
{
    struct arena *arena = &reader->complaints->arena;
    str host = STR(""), path = STR("");

    if (match && match->host_count)
        host = match->hosts[0].name;
    if (match && match->path_count) {
        const struct path_match *first = &match->paths[0];

        path =
            arena_printf(arena, "%s" STR_FMT "%s", first->kind == PATH_REGEX ? "~" : "",
                         STR_ARG(first->text), first->kind == PATH_PREFIX ? "/*" : "");
    }
    if (!host.n && !path.n)
        return match && (match->methods || match->other_method_count) ? "these methods"
                                                                      : "everything";
    return word(reader, arena_printf(arena, "%s" STR_FMT STR_FMT,
                                     host.n && match->hosts[0].is_wildcard ? "*" : "",
                                     STR_ARG(host), STR_ARG(path)));
}

/* Does no route of the file look at the listener, so that the router of each holds all? */
static bool are_for_all(const struct route *routes, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (routes[i].match && routes[i].match->listeners)
            return false;
    }
    return true;
}

/* A router that holds every route; that of a listener, where it can be. */
static const struct router *whole_router(const struct snapshot *snapshot, unsigned count,
                                         struct arena *scratch)
{
    bool is_shared = are_for_all(snapshot->routes, count);

    for (unsigned i = 0; is_shared && i < snapshot->listener_count; i++) {
        if (snapshot->listeners[i].router)
            return snapshot->listeners[i].router;
    }
    return router_new(scratch, snapshot->routes, count, ROUTER_ANY_LISTENER);
}

static void check_routes(struct reader *reader, const struct snapshot *snapshot)
{
    struct arena scratch;
    const struct router *router;

    arena_init(&scratch, 0);
    router = whole_router(snapshot, reader->draft->route_count, &scratch);
    for (unsigned i = 0; i < reader->draft->route_count; i++) {
        int by = router_shadowed_by(router, i);
        const struct draft_route *wide;

        if (by < 0)
            continue;
        wide = &reader->draft->routes[by];
        complain(reader->complaints, "W101", reader->draft->routes[i].item->place,
                 "route '%s' can never match: route '%s' (line %u) already takes %s",
                 word(reader, snapshot->routes[i].name),
                 word(reader, snapshot->routes[by].name), wide->item->place.line,
                 taken_by(reader, snapshot->routes[by].match));
    }
    arena_reset(&scratch);
}

/* The balancer that is like this one, but counts weights; NULL when there is none. */
static const struct balancer *weighted(const struct balancer *balancer)
{
    char name[64];

    snprintf(name, sizeof name, "weighted_%s", balancer->name);
    return balancer_find(str_of(name));
}

static void check_weights(struct reader *reader, const struct draft_pool *pool)
{
    const struct pool *spec = &pool->spec;
    bool has_weights = false, has_any = false;
    const struct balancer *better;
    struct complaint *complaint;

    for (unsigned i = 0; i < spec->server_count; i++) {
        has_weights |= spec->servers[i].weight > 1;
        has_any |= spec->servers[i].weight > 0;
    }
    if (!has_any)
        complain(reader->complaints, "W109", pool->key->place,
                 "pool '%s' sends nothing anywhere: every weight is 0",
                 word(reader, spec->name));
    if (!has_weights || !pool->first_weight || spec->balancer->uses_weight)
        return;
    complaint = complain(reader->complaints, "W102", pool->first_weight->place,
                         "weights have no effect with balance: %s", spec->balancer->name);
    better = weighted(spec->balancer);
    complaint_help(complaint, "use %s", better ? better->name : "weighted_round_robin");
}

static void check_zones(struct reader *reader, const struct draft_pool *pool)
{
    const struct pool *spec = &pool->spec;
    str zone = reader->draft->settings.runtime.zone;

    if (!spec->locality.is_on)
        return;
    for (unsigned i = 0; i < spec->server_count; i++)
        if (str_eq(spec->servers[i].zone, zone))
            return;
    complaint_help(complain(reader->complaints, "W111", pool->locality->key->place,
                            "no server of pool '%s' stands in zone '%s', where weir "
                            "stands: none is preferred",
                            word(reader, spec->name), word(reader, zone)),
                   "write 'zone: %s' at those that do", word(reader, zone));
}

enum { RENDEZVOUS_MOST = 100 };

static void check_rendezvous(struct reader *reader, const struct draft_pool *pool)
{
    const struct pool *spec = &pool->spec;

    if (spec->balancer != &balancer_consistent_hash ||
        spec->balance.table != TABLE_RENDEZVOUS || spec->server_count <= RENDEZVOUS_MOST)
        return;
    complaint_help(complain(reader->complaints, "W112", pool->key->place,
                            "'rendezvous' looks at each of the %u servers of pool '%s' "
                            "for every request",
                            spec->server_count, word(reader, spec->name)),
                   "use table: maglev");
}

static void check_pools(struct reader *reader, const struct snapshot *snapshot)
{
    struct arena *arena = &reader->complaints->arena;
    bool *is_used = ARENA_ARRAY(arena, bool, snapshot->pool_count);

    for (unsigned i = 0; i < snapshot->listener_count; i++) {
        if (snapshot->listeners[i].to)
            is_used[snapshot->listeners[i].to->index] = true;
    }
    for (unsigned i = 0; i < snapshot->route_count; i++) {
        for (unsigned j = 0; j < snapshot->routes[i].share_count; j++)
            is_used[snapshot->routes[i].shares[j].pool->index] = true;
    }
    for (unsigned i = 0; i < snapshot->pool_count; i++) {
        const struct draft_pool *pool = &reader->draft->pools[i];

        if (!is_used[i])
            complain(reader->complaints, "W103", pool->key->place,
                     "pool '%s' is not used by any route or listener; did you forget it?",
                     word(reader, pool->spec.name));
        check_weights(reader, pool);
        check_zones(reader, pool);
        check_rendezvous(reader, pool);
    }
}

/* The listeners that routes name; false: one route is for all. */
static bool find_named(const struct snapshot *snapshot, struct arena *arena,
                       struct match *named)
{
    for (unsigned i = 0; i < snapshot->route_count; i++) {
        const struct match *match = snapshot->routes[i].match;

        if (!match || !match->listeners)
            return false;
        for (unsigned word = 0; word < match->listener_words; word++)
            for (uint64_t left = match->listeners[word]; left; left &= left - 1)
                match_add_listener(arena, named,
                                   word * 64 + (unsigned)__builtin_ctzll(left));
    }
    return true;
}

static void check_listeners(struct reader *reader, const struct snapshot *snapshot)
{
    struct match named = {0};

    if (!find_named(snapshot, &reader->complaints->arena, &named))
        return;
    for (unsigned i = 0; i < snapshot->listener_count; i++) {
        const struct listener *listener = &snapshot->listeners[i];

        if (listener->kind == LISTENER_HTTP &&
            (!named.listeners || !match_has_listener(&named, i)))
            complain(reader->complaints, "W108", reader->draft->listeners[i].key->place,
                     "listener '%s' has no route: every request there gets 404",
                     word(reader, listener->name));
    }
}

/* One of resolvers.allow that deny takes away again. */
static void check_answers(struct reader *reader)
{
    const struct draft_resolvers *resolvers = &reader->draft->settings.resolvers;
    const struct node *item;
    unsigned at = 0;

    if (!resolvers->allow)
        return;
    while ((item = words_next(reader, resolvers->allow, &at))) {
        const struct prefixes *kind = address_kind_find(item->text);
        struct prefix one;
        struct prefixes networks = kind ? *kind : (struct prefixes){&one, 1};

        if (!kind && prefix_parse(item->text, &one))
            continue;
        if (prefixes_cover(&resolvers->spec.deny, &networks))
            complaint_help(
                complain(reader->complaints, "W113", item->place,
                         "'%s' in 'allow' has no effect: 'deny' refuses all of it",
                         word_of(reader, item)),
                resolvers->deny ? "take it out of one of them"
                                : "write a 'deny' without it; the default is "
                                  "deny: [special]");
    }
}

void lint(struct reader *reader, const struct snapshot *snapshot)
{
    check_routes(reader, snapshot);
    check_pools(reader, snapshot);
    check_listeners(reader, snapshot);
    check_answers(reader);
}
