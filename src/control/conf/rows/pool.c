/* The rows of pools: servers, keep-alive, draining; others have files of their own. */
#include "base/check.h"
#include "control/conf/address.h"
#include "control/conf/draft.h"
#include "proto/chars.h"

static void read_server_name(struct reader *reader, const struct conf_row *row,
                             const struct pair *pair, void *object)
{
    const struct node *node = word_wanted(reader, pair);

    if (node && name_check(reader, node))
        *CONF_FIELD(object, row, str) = str_keep(reader, node->text);
}

static const struct conf_form server_name_form = {
    .words = "a name",
    .schema = "{\"$ref\": \"#/definitions/name\"}",
    .read = read_server_name,
};

static void read_server_address(struct reader *reader, const struct conf_row *row,
                                const struct pair *pair, void *object)
{
    struct server_entry *server = object;
    const struct node *node = word_wanted(reader, pair);

    if (node && !address_read_server(reader, node, server))
        server->host = STR_NONE;
}

static const struct conf_form server_address_form = {
    .words = "HOST:PORT, [IPV6]:PORT or unix:/path",
    .schema = "{\"type\": \"string\"}",
    .read = read_server_address,
};

const struct conf_row server_rows[] = {
    {.name = "name",
     .type = CONF_OWN,
     CONF_AT(struct server_entry, name),
     .form = &server_name_form,
     .doc = "How it is called; without one, its address."},
    {.name = "address",
     .type = CONF_OWN,
     .offset = CONF_NO_FIELD,
     .flags = CONF_REQUIRED,
     .form = &server_address_form,
     .doc = "Where it listens. A host name stands for every address it resolves to."},
    {.name = "weight",
     .type = CONF_COUNT,
     CONF_AT(struct server_entry, weight),
     .fallback = "1",
     .max = 1000000,
     .doc = "Its share, with a balance that uses weights; 0 gets nothing."},
    {.name = "tier",
     .type = CONF_COUNT,
     CONF_AT(struct server_entry, tier),
     .fallback = "1",
     .min = 1,
     .max = 100,
     .doc = "Lower tiers are asked first; what they cannot take spills to the next one."},
    {.name = "zone",
     .type = CONF_OWN,
     CONF_AT(struct server_entry, zone),
     .form = &server_name_form,
     .doc = "Where it stands: see `locality`."},
    {.name = "backup",
     .type = CONF_FLAG,
     CONF_AT(struct server_entry, is_backup),
     .fallback = "false",
     .doc = "Used only when no other server can be."},
    {.name = "max_connections",
     .type = CONF_COUNT,
     CONF_AT(struct server_entry, max_connections),
     .fallback = "0",
     .max = UINT32_MAX,
     .doc = "Requests in flight at once; 0 is no limit."},
    {.name = NULL},
};

struct named_server {
    str address; /* as it is compared */
    const struct node *address_node, *name_node;
};

static void complain_double(struct reader *reader, const char *code, const char *what,
                            const struct node *node, const struct node *first)
{
    complaint_note(complain_value(reader, code, node, what), "first given at %s",
                   complaint_where(reader->complaints, first->place));
}

/* A name or an address of the pool that was read before; of a few each is looked at. */
struct known {
    struct map map;
    const struct named_server *few;
    unsigned count;
    str (*text_of)(const struct named_server *server); /* empty: none */
};

enum { FEW_SERVERS = 8 };

static str text_of_address(const struct named_server *server)
{
    return server->address;
}

static str text_of_name(const struct named_server *server)
{
    return server->name_node ? server->name_node->text : STR_NONE;
}

/* The one that has the text already; NULL: none had, and now `server` has it. */
static const struct named_server *known_put(struct known *known,
                                            const struct named_server *server)
{
    str text = known->text_of(server);
    const struct named_server *first;

    if (!text.n)
        return NULL;
    if (known->count <= FEW_SERVERS) {
        for (first = known->few; first < server; first++) {
            if (str_eq(known->text_of(first), text))
                return first;
        }
        return NULL;
    }
    first = map_get(&known->map, text);
    if (!first)
        map_put(&known->map, text, (void *)server);
    return first;
}

/* The same address, or the same name, twice in a pool. */
static void check_doubles(struct reader *reader, const struct named_server *servers,
                          unsigned count)
{
    const uint64_t seed[2] = {0, 0};
    struct known addresses = {.few = servers, .count = count, .text_of = text_of_address};
    struct known names = {.few = servers, .count = count, .text_of = text_of_name};

    map_init(&addresses.map, seed);
    map_init(&names.map, seed);
    for (unsigned i = 0; i < count; i++) {
        const struct named_server *server = &servers[i];
        const struct named_server *first = known_put(&addresses, server);

        if (first)
            complain_double(reader, "C035", "is given twice in this pool",
                            server->address_node, first->address_node);
        first = known_put(&names, server);
        if (first)
            complain_double(reader, "C038", "names two servers of this pool",
                            server->name_node, first->name_node);
    }
    map_close(&addresses.map);
    map_close(&names.map);
}

/* The bytes of an IP address with its port, which no text begins like. */
static str address_bytes(const struct addr *addr)
{
    return (str){(const char *)addr, offsetof(struct addr, ip) + sizeof addr->ip};
}

/* "app.example.com:80" in lower case; IP addresses in their one spelling. */
static str address_text(struct arena *arena, const struct server_entry *server)
{
    char memory[ADDR_TEXT_MOST], *lower;
    str text;

    if (server->addr.family != ADDR_NONE)
        return arena_copy(arena, addr_print(&server->addr, memory, sizeof memory));
    text = arena_printf(arena, STR_FMT ":%u", STR_ARG(server->host), server->port);
    lower = (char *)text.p;
    for (size_t i = 0; i < text.n; i++)
        lower[i] = char_lower(lower[i]);
    return text;
}

static void read_server(struct reader *reader, struct node *item,
                        struct server_entry *server, struct named_server *named)
{
    struct arena *scratch = &reader->complaints->arena;
    struct section section = {"servers", NULL, NULL};
    const struct pair *pair;

    if (!map_wanted(reader, &(struct pair){NULL, item}, server_rows))
        return;
    section_read(reader, &section, server_rows, item, server);
    pair = node_find(item, STR("address"));
    named->address_node = pair ? pair->value : NULL;
    if (!server->host.p)
        named->address = STR_NONE;
    else if (server->addr.family == ADDR_IP4 || server->addr.family == ADDR_IP6)
        named->address = address_bytes(&server->addr);
    else
        named->address = address_text(scratch, server);
    pair = node_find(item, STR("name"));
    if (pair && server->name.n)
        named->name_node = pair->value;
    if (!server->name.n && server->host.p)
        server->name = address_text(reader->arena, server);
}

static void read_servers(struct reader *reader, const struct conf_row *row,
                         const struct pair *pair, void *object)
{
    struct draft_pool *pool = object;
    struct node *list = pair->value;
    struct server_entry fresh = {0}, *servers;
    struct named_server *named;

    if (!list_wanted(reader, pair))
        return;
    if (list->count == 0)
        complain(reader->complaints, "C013", pair->key->place,
                 "pool '%s' has no servers: the list is empty",
                 word_of(reader, pool->key));
    rows_fill(reader, server_rows, &fresh);
    servers = ARENA_ARRAY(reader->arena, struct server_entry, list->count);
    named = ARENA_ARRAY(&reader->complaints->arena, struct named_server, list->count);
    for (unsigned i = 0; i < list->count; i++) {
        struct node *item = list->items[i];
        const struct pair *weight = node_find(item, STR("weight"));

        servers[i] = fresh;
        read_server(reader, item, &servers[i], &named[i]);
        if (weight && !pool->first_weight)
            pool->first_weight = weight->key;
    }
    check_doubles(reader, named, list->count);
    pool->spec.servers = servers;
    pool->spec.server_count = list->count;
}

static const struct conf_form servers_form = {
    .words = "a list of servers",
    .read = read_servers,
};

static const struct conf_row keepalive_rows[] = {
    {.name = "connections",
     .type = CONF_COUNT,
     CONF_AT(struct keepalive, connections),
     .fallback = "128",
     .max = 1000000,
     .doc = "Idle connections to servers that a worker keeps; 0 keeps none."},
    {.name = "idle",
     .type = CONF_DURATION,
     CONF_AT(struct keepalive, idle),
     .fallback = "60s",
     .min = 1,
     .max = DURATION_MOST,
     .doc = "How long one is kept."},
    {.name = "max_requests",
     .type = CONF_COUNT,
     CONF_AT(struct keepalive, max_requests),
     .fallback = "10000",
     .min = 1,
     .max = UINT32_MAX,
     .doc = "Requests that one connection is used for."},
    {.name = NULL},
};

static const struct conf_choice proxy_choices[] = {
    {"off", PROXY_PROTOCOL_OFF}, {"v2", PROXY_PROTOCOL_V2}, {NULL, 0}};
static const struct conf_choice then_choices[] = {{"close", 0}, {NULL, 0}};

static const struct conf_row drain_rows[] = {
    {.name = "timeout",
     .type = CONF_DURATION,
     CONF_AT(struct draft_pool, spec.drain_timeout),
     .fallback = "300s",
     .max = DURATION_MOST,
     .doc = "How long what runs on a removed server may go on."},
    {.name = "then",
     .type = CONF_CHOICE,
     .offset = CONF_NO_FIELD,
     .choices = then_choices,
     .fallback = "close",
     .doc = "What happens to the rest."},
    {.name = NULL},
};

const struct conf_row pool_rows[] = {
    {.name = "servers",
     .type = CONF_LIST,
     .also = "HOST:PORT",
     .offset = CONF_NO_FIELD,
     .flags = CONF_REQUIRED,
     .rows = server_rows,
     .form = &servers_form,
     .doc = "Who serves: addresses, or maps of the settings below."},
    {.name = "balance",
     .type = CONF_SECTION,
     .offset = 0,
     .rows = balance_rows,
     .word_offset = CONF_NO_FIELD,
     .form = &balance_form,
     .fallback = "weighted_round_robin",
     .also = "a map of one of them to its settings",
     .doc = "How one is chosen."},
    {.name = "keepalive",
     .type = CONF_SECTION,
     CONF_AT(struct draft_pool, spec.keepalive),
     .rows = keepalive_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "Connections to servers that are used again."},
    {.name = "health",
     .also = "off, a path, or a protocol",
     .type = CONF_SECTION,
     .offset = 0,
     .rows = health_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "How it is known whether a server is well: off, a path, a protocol "
            "(redis), or a map."},
    {.name = "slow_start",
     .also = "a duration",
     .type = CONF_SECTION,
     CONF_AT(struct draft_pool, spec.slow_start),
     .rows = slow_start_rows,
     .word = "off",
     .word_offset = offsetof(struct draft_pool, spec.slow_start.is_enabled),
     .fallback = "off",
     .doc = "A server that is new or has come back begins with a part of its weight."},
    {.name = "hedge",
     .also = "p95, or a duration",
     .type = CONF_SECTION,
     CONF_AT(struct draft_pool, spec.hedge),
     .rows = hedge_rows,
     .word = "off",
     .word_offset = offsetof(struct draft_pool, spec.hedge.is_enabled),
     .fallback = "off",
     .doc = "A request that may be sent twice is given to a second server when the first "
            "one takes long; a route may say otherwise."},
    {.name = "breaker",
     .type = CONF_OWN,
     CONF_AT(struct draft_pool, breaker),
     .form = &breaker_name_form,
     .doc = "One of 'breakers': each server of the pool gets one of its own."},
    {.name = "tiers",
     .type = CONF_SECTION,
     CONF_AT(struct draft_pool, spec.tiers),
     .rows = tiers_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "How much goes to the next tier when servers of one fail."},
    {.name = "locality",
     .type = CONF_SECTION,
     CONF_AT(struct draft_pool, spec.locality),
     .rows = locality_rows,
     .word = "off",
     .fallback = "off",
     .word_offset = offsetof(struct draft_pool, spec.locality.is_on),
     .doc = "Servers of our own zone (`runtime.zone`) before those of others."},
    {.name = "sticky",
     .also = "cookie, or ip",
     .type = CONF_SECTION,
     CONF_AT(struct draft_pool, sticky),
     .rows = sticky_rows,
     .choices = sticky_by_choices,
     .word = "off",
     .word_offset = CONF_NO_FIELD,
     .fallback = "off",
     .doc = "Clients are kept at the server that they had before."},
    {.name = "queue",
     .type = CONF_SECTION,
     CONF_AT(struct draft_pool, spec.queue),
     .rows = queue_rows,
     .word = "off",
     .fallback = "off",
     .word_offset = offsetof(struct draft_pool, spec.queue.is_on),
     .doc = "Requests for which no server has room wait, instead of being refused."},
    {.name = "adaptive_concurrency",
     .also = "true",
     .type = CONF_SECTION,
     CONF_AT(struct draft_pool, adaptive),
     .rows = adaptive_rows,
     .choices = adaptive_choices,
     .word = "off",
     .fallback = "off",
     .word_offset = offsetof(struct draft_pool, adaptive.is_on),
     .doc = "How many requests at once a server bears is learnt, and it gets no more."},
    {.name = "proxy_protocol",
     .type = CONF_CHOICE,
     CONF_AT(struct draft_pool, spec.proxy_protocol),
     .choices = proxy_choices,
     .fallback = "off",
     .doc = "Begin each connection with a PROXY header."},
    {.name = "drain",
     .type = CONF_SECTION,
     .offset = 0,
     .rows = drain_rows,
     .word_offset = CONF_NO_FIELD,
     .doc = "How a server leaves."},
    {.name = NULL},
};

static const struct node *active_of(const struct node *pool)
{
    const struct pair *pair = node_find(pool, STR("health"));

    pair = pair ? node_find(pair->value, STR("active")) : NULL;
    return pair ? pair->value : NULL;
}

static void read_one(struct reader *reader, const struct conf_row *row,
                     const struct pair *pair, struct draft_pool *pool)
{
    struct section section = {row->name, "pool", pair->key};
    const struct node *active;

    pool->key = pair->key;
    pool->settings = pair->value;
    name_check(reader, pair->key);
    pool->spec.name = str_keep(reader, pair->key->text);
    if (!map_wanted(reader, pair, row->rows))
        return;
    section_read(reader, &section, row->rows, pair->value, pool);
    pool->has_balance = node_find(pair->value, STR("balance")) != NULL;
    pool->locality = node_find(pair->value, STR("locality"));
    active = active_of(pair->value);
    adaptive_settle(reader, node_find(pair->value, STR("adaptive_concurrency")), pool);
    sticky_settle(reader, node_find(pair->value, STR("sticky")), pool);
    if (active)
        health_check_settle(reader, active, &pool->spec.check);
}

static void read_pools(struct reader *reader, const struct conf_row *row,
                       const struct pair *pair, void *object)
{
    struct draft *draft = reader->draft;
    struct draft_pool fresh = {0};
    struct node *map = pair->value;

    draft->has_all_pools = map_wanted(reader, pair, NULL);
    if (!draft->has_all_pools)
        return;
    rows_fill(reader, pool_rows, &fresh);
    fresh.spec.retries = draft->settings.defaults.retries;
    fresh.spec.timeouts = draft->settings.defaults.timeouts;
    draft->pools = ARENA_ARRAY(&reader->complaints->arena, struct draft_pool, map->count);
    draft->pool_count = map->count;
    for (unsigned i = 0; i < map->count; i++) {
        draft->pools[i] = fresh;
        draft->pools[i].spec.index = i;
        read_one(reader, row, &map->pairs[i], &draft->pools[i]);
    }
}

const struct conf_form pools_form = {
    .words = "a map of names to pools",
    .read = read_pools,
};
