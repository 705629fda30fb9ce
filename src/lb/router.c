/*
 * The index: a table of hosts, each with its own bucket, and a table of (bucket, path),
 * each entry with the routes that name it, in order. A request looks up its host, the
 * suffixes of its host, "any", and in each of these buckets its path, the prefixes of its
 * path, "any"; of each list it takes the first route that holds, and of these the first
 * in order. Only prefixes and suffixes of lengths that somebody named are looked up.
 *
 * The hash is not keyed: what is in the tables comes from the configuration, and a client
 * can only choose which slot to find empty.
 */
#include "lb/router.h"

#include "base/check.h"
#include "base/vec.h"

enum { NO_ROUTE = 0x7fffffff, LONG = 63, HASHED_MOST = 64 };

/* A route that is right in host and path, but for a regex on the path. */
struct candidate {
    uint32_t route;
    const struct path_match *regex;
};

struct candidates vec_of(struct candidate);

enum key_kind { KEY_PATH, KEY_PREFIX, KEY_HOST, KEY_SUFFIX, KEY_KINDS };

/* Lengths of keys that exist: bit n for n bytes, the last bit for all that are longer. */
struct lengths {
    uint64_t bits;
    size_t most;
};

/* What is known for one host name, for all below one, or (the first) for any. */
struct bucket {
    struct candidates any;   /* routes without a path, or with a regex */
    struct lengths paths[2]; /* KEY_PATH and KEY_PREFIX */
    uint32_t first;          /* the lowest route in it */
};

struct slot {
    str text; /* p NULL: free */
    uint32_t bucket;
    enum key_kind kind;
    union {
        struct candidates list; /* of a path */
        uint32_t value;         /* of a host: its bucket */
    };
};

struct router {
    const struct route *routes;
    uint32_t last;          /* takes what no other one does; NO_ROUTE: none is there */
    struct bucket *buckets; /* the first is for any host */
    unsigned bucket_count;
    struct slot *slots; /* hosts and paths alike */
    uint64_t mask;
    struct lengths hosts, suffixes;
};

/* One search: by a request, or (facts NULL) for a route that covers `narrow`. */
struct search {
    const struct router *router;
    const struct request_facts *facts;
    const struct match *narrow;
    str host, path;
    uint32_t best;
};

/* --- keys --- */

static inline uint64_t load_eight(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return word;
}

static inline uint64_t load_few(const char *p, size_t n) /* 0 to 7 bytes */
{
    uint32_t first, last;

    if (n < 4)
        return n ? (unsigned char)p[0] | (unsigned)(unsigned char)p[n / 2] << 8 |
                       (unsigned)(unsigned char)p[n - 1] << 16
                 : 0;
    memcpy(&first, p, sizeof first);
    memcpy(&last, p + n - 4, sizeof last);
    return first | (uint64_t)last << 32;
}

/* Both halves of the product: so each bit of the word moves the low bits, too. */
static inline uint64_t hash_step(uint64_t hash, uint64_t word)
{
    unsigned __int128 product = (unsigned __int128)(hash ^ word) * 0x9e3779b97f4a7c15u;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Of a long text its length, its beginning and its last eight bytes. */
static uint64_t hash_key(str text, uint32_t bucket, enum key_kind kind)
{
    uint64_t hash = hash_step(text.n, (uint64_t)bucket * KEY_KINDS + kind);

    if (text.n < 8)
        return hash_step(hash, load_few(text.p, text.n));
    for (size_t i = 0; i + 8 < text.n && i < HASHED_MOST; i += 8)
        hash = hash_step(hash, load_eight(text.p + i));
    return hash_step(hash, load_eight(text.p + text.n - 8));
}

static inline bool lengths_have(const struct lengths *lengths, size_t n)
{
    return lengths->bits >> (n < LONG ? n : LONG) & 1;
}

/* The first length from n on that may exist; SIZE_MAX: none. */
static inline size_t lengths_next(const struct lengths *lengths, size_t n)
{
    uint64_t bits;

    if (n >= LONG)
        return lengths->bits >> LONG && n <= lengths->most ? n : SIZE_MAX;
    bits = lengths->bits >> n;
    return bits ? n + (size_t)__builtin_ctzll(bits) : SIZE_MAX;
}

static void lengths_add(struct lengths *lengths, size_t n)
{
    lengths->bits |= (uint64_t)1 << (n < LONG ? n : LONG);
    if (n > lengths->most)
        lengths->most = n;
}

/* The slot of that key, or the free one where it would go. */
static struct slot *slot_find(const struct router *router, uint64_t hash, str text,
                              uint32_t bucket, enum key_kind kind)
{
    for (uint64_t at = hash & router->mask;; at = (at + 1) & router->mask) {
        struct slot *slot = &router->slots[at];

        if (!slot->text.p ||
            (slot->kind == kind && slot->bucket == bucket && str_eq(slot->text, text)))
            return slot;
    }
}

static struct slot *slot_of(const struct router *router, str text, uint32_t bucket,
                            enum key_kind kind)
{
    return slot_find(router, hash_key(text, bucket, kind), text, bucket, kind);
}

/* --- building --- */

static struct slot *slot_add(struct router *router, str text, uint32_t bucket,
                             enum key_kind kind)
{
    struct slot *slot = slot_of(router, text, bucket, kind);

    if (!slot->text.p) {
        slot->text = text;
        slot->bucket = bucket;
        slot->kind = kind;
    }
    return slot;
}

static uint32_t bucket_add(struct router *router, const struct host_match *host)
{
    enum key_kind kind = host->is_wildcard ? KEY_SUFFIX : KEY_HOST;
    struct slot *slot = slot_add(router, host->name, 0, kind);

    if (!slot->value) {
        slot->value = router->bucket_count++;
        router->buckets[slot->value].first = NO_ROUTE;
        lengths_add(host->is_wildcard ? &router->suffixes : &router->hosts, host->name.n);
    }
    return slot->value;
}

static void path_add(struct router *router, struct arena *arena, uint32_t number,
                     uint32_t route, const struct path_match *path)
{
    struct bucket *bucket = &router->buckets[number];
    struct candidates *list = &bucket->any;
    bool is_regex = path && path->kind == PATH_REGEX;

    if (path && !is_regex) {
        enum key_kind kind = path->kind == PATH_EXACT ? KEY_PATH : KEY_PREFIX;

        list = &slot_add(router, path->text, number, kind)->list;
        lengths_add(&bucket->paths[kind], path->text.n);
    }
    *vec_add(list, arena) = (struct candidate){route, is_regex ? path : NULL};
    if (route < bucket->first)
        bucket->first = route;
}

static void paths_add(struct router *router, struct arena *arena, uint32_t bucket,
                      uint32_t route)
{
    const struct match *match = router->routes[route].match;

    if (!match || !match->path_count)
        path_add(router, arena, bucket, route, NULL);
    else
        for (unsigned i = 0; i < match->path_count; i++)
            path_add(router, arena, bucket, route, &match->paths[i]);
}

static void route_add(struct router *router, struct arena *arena, uint32_t route)
{
    const struct match *match = router->routes[route].match;

    if (!match || !match->host_count)
        paths_add(router, arena, 0, route);
    else
        for (unsigned i = 0; i < match->host_count; i++)
            paths_add(router, arena, bucket_add(router, &match->hosts[i]), route);
}

/* Makes room for every key that the routes could bring. */
static void tables_new(struct router *router, struct arena *arena,
                       const uint32_t *numbers, unsigned count)
{
    size_t hosts = 0, keys = 0, room = 4;

    for (unsigned i = 0; i < count; i++) {
        const struct match *match = router->routes[numbers[i]].match;

        if (!match)
            continue;
        hosts += match->host_count;
        keys += match->host_count +
                (size_t)(match->host_count ? match->host_count : 1) * match->path_count;
    }
    while (room < keys * 2)
        room *= 2;
    router->slots = ARENA_ARRAY(arena, struct slot, room);
    router->mask = room - 1;
    router->buckets = ARENA_ARRAY(arena, struct bucket, hosts + 1);
    router->buckets[0].first = NO_ROUTE;
    router->bucket_count = 1;
}

struct router *router_of(struct arena *arena, const struct route *routes,
                         const uint32_t *numbers, unsigned count)
{
    struct router *router = ARENA_NEW(arena, struct router);

    router->routes = routes;
    router->last = NO_ROUTE;
    tables_new(router, arena, numbers, count);
    for (unsigned i = 0; i < count; i++) {
        CHECK(numbers[i] < NO_ROUTE);
        route_add(router, arena, numbers[i]);
    }
    return router;
}

struct router *router_new(struct arena *arena, const struct route *routes, unsigned count,
                          unsigned listener)
{
    struct arena scratch;
    struct router *router;
    uint32_t *numbers;
    unsigned held = 0;

    arena_init(&scratch, 0);
    numbers = ARENA_ARRAY(&scratch, uint32_t, count);
    for (unsigned i = 0; i < count; i++)
        if (listener == ROUTER_ANY_LISTENER ||
            match_has_listener(routes[i].match, listener))
            numbers[held++] = i;
    router = router_of(arena, routes, numbers, held);
    arena_reset(&scratch);
    return router;
}

struct router *router_ending_in(struct arena *arena, const struct router *router,
                                unsigned last)
{
    struct router *other = ARENA_NEW(arena, struct router);

    CHECK(last < NO_ROUTE);
    *other = *router;
    other->last = last;
    return other;
}

/* --- searching --- */

static NEVER_INLINE bool rest_fits(const struct search *search,
                                   const struct candidate *candidate)
{
    const struct match *match = search->router->routes[candidate->route].match;

    if (!search->facts)
        return match_covers(match, search->narrow);
    return match_rest_holds(match, search->facts) &&
           (!candidate->regex ||
            path_match_holds(candidate->regex, search->path, search->facts->scratch));
}

static bool search_fits(const struct search *search, const struct candidate *candidate)
{
    if (search->facts && !search->router->routes[candidate->route].match)
        return true;
    return rest_fits(search, candidate);
}

static void search_list(struct search *search, const struct candidates *list)
{
    for (size_t i = 0; i < list->count && list->items[i].route < search->best; i++)
        if (search_fits(search, &list->items[i]))
            search->best = list->items[i].route; /* which ends the loop */
}

static void search_bucket(struct search *search, uint32_t number)
{
    const struct router *router = search->router;
    const struct bucket *bucket = &router->buckets[number];
    const struct lengths *prefixes = &bucket->paths[KEY_PREFIX];
    str path = search->path;

    if (bucket->first >= search->best)
        return;
    search_list(search, &bucket->any);
    if (lengths_have(&bucket->paths[KEY_PATH], path.n))
        search_list(search, &slot_of(router, path, number, KEY_PATH)->list);
    for (size_t n = lengths_next(prefixes, 0); n <= path.n;
         n = lengths_next(prefixes, n + 1))
        if (n == path.n || path.p[n] == '/')
            search_list(search,
                        &slot_of(router, str_upto(path, n), number, KEY_PREFIX)->list);
}

static void search_host(struct search *search, str text, enum key_kind kind)
{
    const struct slot *slot = slot_of(search->router, text, 0, kind);

    if (slot->text.p)
        search_bucket(search, slot->value);
}

static void search_hosts(struct search *search)
{
    const struct router *router = search->router;
    str host = search->host;

    if (lengths_have(&router->hosts, host.n))
        search_host(search, host, KEY_HOST);
    for (size_t n = lengths_next(&router->suffixes, 1); n <= host.n;
         n = lengths_next(&router->suffixes, n + 1))
        if (host.p[host.n - n] == '.')
            search_host(search, str_from(host, host.n - n), KEY_SUFFIX);
}

const struct route *router_find(const struct router *router,
                                const struct request_facts *facts)
{
    struct search search = {
        .router = router,
        .facts = facts,
        .host = facts->host,
        .path = facts->path,
        .best = router->last,
    };

    search_bucket(&search, 0);
    search_hosts(&search);
    return search.best == NO_ROUTE ? NULL : &router->routes[search.best];
}

int router_shadowed_by(const struct router *router, unsigned index)
{
    const struct match *match = router->routes[index].match;
    struct search search = {.router = router,
                            .narrow = match,
                            .host = STR(""),
                            .path = STR(""),
                            .best = index};

    /* Who covers it covers its first host and path: so it is found under these. */
    if (match && match->path_count && match->paths[0].kind != PATH_REGEX)
        search.path = match->paths[0].text;
    if (match && match->host_count)
        search.host = match->hosts[0].name;
    search_bucket(&search, 0);
    search_hosts(&search);
    return search.best == index ? -1 : (int)search.best;
}
