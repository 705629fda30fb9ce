/*
 * The short forms: listen/to for a whole configuration, an address for a server, off, a
 * path, a protocol or the settings of `active` for `health`, a word for `balance`.
 */
#include "control/conf/draft.h"
#include "control/conf/shorthand.h"

static bool is_row(const struct conf_row *row, str key, unsigned flag)
{
    return row && (row->flags & flag) && str_eq(key, str_of(row->name));
}

static bool is_short(str key)
{
    return is_row(rows_find(top_rows, key), key, CONF_SHORT);
}

static bool is_long(str key)
{
    return str_eq(key, STR("listeners")) || str_eq(key, STR("routes")) ||
           str_eq(key, STR("pools"));
}

static struct node *word_at(struct arena *arena, const struct node *like, str text)
{
    return node_word(arena, like->place, text);
}

static struct node *map_of(struct arena *arena, const struct node *like, str key,
                           struct node *value)
{
    struct node *map = node_map(arena, like->place, 1);

    node_add(arena, map, word_at(arena, like, key), value);
    return map;
}

static struct node *list_of(struct arena *arena, struct node *item)
{
    struct node *list = ARENA_NEW(arena, struct node);

    list->kind = NODE_LIST;
    list->is_made = true;
    list->place = item->place;
    list->items = ARENA_ARRAY(arena, struct node *, 1);
    list->items[0] = item;
    list->count = 1;
    return list;
}

static void complain_beside(struct complaints *complaints, const struct node *key,
                            const struct node *other)
{
    complaint_help(complain(complaints, "C012", key->place,
                            "'" STR_FMT "' can not stand beside '" STR_FMT "'",
                            STR_ARG(key->text), STR_ARG(other->text)),
                   "it is the short form of listeners, routes and pools: use one or the "
                   "other");
}

/* The three sections that listen, to, balance and health stand for. */
static void make_sections(struct arena *arena, struct node *root,
                          const struct pair *listen, const struct pair *to,
                          const struct pair *balance, const struct pair *health)
{
    struct node *pool = node_map(arena, to->key->place, 3), *route, *servers = to->value;

    if (servers->kind == NODE_WORD)
        servers = list_of(arena, servers);
    node_add(arena, pool, word_at(arena, to->key, STR("servers")), servers);
    if (balance)
        node_add(arena, pool, balance->key, balance->value);
    if (health)
        node_add(arena, pool, health->key, health->value);
    route = map_of(arena, to->key, STR("name"), word_at(arena, to->key, STR("main")));
    node_add(arena, route, word_at(arena, to->key, STR("to")),
             word_at(arena, to->key, STR("main")));
    node_add(arena, root, word_at(arena, listen->key, STR("listeners")),
             map_of(arena, listen->key, STR("main"),
                    map_of(arena, listen->key, STR("address"), listen->value)));
    node_add(arena, root, word_at(arena, to->key, STR("routes")), list_of(arena, route));
    node_add(arena, root, word_at(arena, to->key, STR("pools")),
             map_of(arena, to->key, STR("main"), pool));
}

/* Takes the short forms out of the root. */
static void drop_short(struct node *root)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < root->count; i++) {
        if (!is_short(root->pairs[i].key->text))
            root->pairs[kept++] = root->pairs[i];
    }
    root->count = kept;
}

/* A word that is not ours may have been meant as the one that is missing. */
static bool has_unknown(const struct node *root)
{
    for (unsigned i = 0; i < root->count; i++) {
        if (!rows_find(top_rows, root->pairs[i].key->text))
            return true;
    }
    return false;
}

static void expand_top(struct complaints *complaints, struct node *root)
{
    const struct node *first_long = NULL;
    struct pair given[4] = {{NULL, NULL}};
    static const char *const names[] = {"listen", "to", "balance", "health"};
    const struct pair *any = NULL;

    for (unsigned i = 0; i < root->count && !first_long; i++) {
        if (is_long(root->pairs[i].key->text))
            first_long = root->pairs[i].key;
    }
    for (unsigned i = 0; i < array_len(names); i++) {
        const struct pair *pair = node_find(root, str_of(names[i]));

        if (pair && first_long)
            complain_beside(complaints, pair->key, first_long);
        if (pair) {
            given[i] = *pair;
            any = any ? any : &given[i];
        }
    }
    if (!any)
        return;
    drop_short(root);
    if (first_long || has_unknown(root))
        return;
    if (!given[0].key)
        complaint_help(complain(complaints, "C013", any->key->place,
                                "'listen' is missing: where do requests come in?"),
                       "add listen: \":8080\"");
    else if (!given[1].key)
        complaint_help(complain(complaints, "C013", any->key->place,
                                "'to' is missing: which servers are behind it?"),
                       "add to: [10.0.0.1:8080]");
    else
        make_sections(&complaints->arena, root, &given[0], &given[1],
                      given[2].key ? &given[2] : NULL, given[3].key ? &given[3] : NULL);
}

/* Settings of `active` that stand in `health` directly go below an `active` of their own. */
static void gather_active(struct complaints *complaints, struct node *health)
{
    struct arena *arena = &complaints->arena;
    const struct pair *given = node_find(health, STR("active"));
    struct node *active = NULL, *key = NULL;
    unsigned kept = 0;

    for (unsigned i = 0; i < health->count; i++) {
        struct pair pair = health->pairs[i];

        if (!rows_find(active_rows, pair.key->text)) {
            health->pairs[kept++] = pair;
            continue;
        }
        if (given) {
            complaint_help(complain(complaints, "C012", pair.key->place,
                                    "'" STR_FMT "' can not stand beside 'active'",
                                    STR_ARG(pair.key->text)),
                           "write it below 'active'");
            continue;
        }
        if (!active) {
            active = node_map(arena, pair.key->place, health->count);
            key = word_at(arena, pair.key, STR("active"));
        }
        active->pairs[active->count++] = pair;
    }
    health->count = kept;
    if (active)
        node_add(arena, health, key, active);
}

/* "redis": the name of a protocol in the place of a path. */
static bool is_check_kind(str word)
{
    for (const struct conf_choice *kind = check_kind_choices; kind->name; kind++)
        if (str_eq(word, str_of(kind->name)))
            return true;
    return false;
}

static void expand_health(struct complaints *complaints, struct pair *pair)
{
    struct arena *arena = &complaints->arena;
    struct node *value = pair->value;

    if (value->is_bad)
        return;
    if (value->kind == NODE_MAP) {
        gather_active(complaints, value);
    } else if (value->kind == NODE_WORD) {
        if (!word_is_off(value->text))
            value = map_of(arena, value,
                           is_check_kind(value->text) ? STR("kind") : STR("path"), value);
        pair->value = map_of(arena, pair->value, STR("active"), value);
    }
}

static void expand_slow_start(struct arena *arena, struct pair *pair)
{
    struct node *value = pair->value;

    if (value->kind == NODE_WORD && !value->is_bad && !word_is_off(value->text))
        pair->value = map_of(arena, value, STR("window"), value);
}

static void expand_hedge(struct arena *arena, struct pair *pair)
{
    struct node *value = pair->value;

    if (value->kind == NODE_WORD && !value->is_bad && !word_is_off(value->text))
        pair->value = map_of(arena, value, STR("after"), value);
}

/* A word of the section's choices is one setting of it. Any other word stays where it is,
 * so that it is told by the section's name. */
static void expand_choice(struct arena *arena, const char *name, str setting,
                          struct pair *pair)
{
    const struct conf_row *row = rows_find(pool_rows, str_of(name));
    struct node *value = pair->value;

    for (const struct conf_choice *one = row->choices; one->name; one++)
        if (value->kind == NODE_WORD && str_eq(value->text, str_of(one->name)))
            pair->value = map_of(arena, value, setting, value);
}

static void expand_servers(struct arena *arena, struct node *list)
{
    for (unsigned i = 0; i < list->count; i++) {
        struct node *item = list->items[i];

        if (item->kind == NODE_WORD && !item->is_bad)
            list->items[i] = map_of(arena, item, STR("address"), item);
    }
}

/* A word that has settings is a map of it to none of them, so that `expand` can tell what
 * they are without being given. */
static void expand_balance(struct arena *arena, struct pair *pair)
{
    struct node *value = pair->value;

    if (value->kind == NODE_WORD && rows_find(balance_rows, value->text))
        pair->value = map_of(arena, value, value->text, node_map(arena, value->place, 0));
}

static void expand_pools(struct complaints *complaints, struct node *pools)
{
    for (unsigned i = 0; i < pools->count; i++) {
        struct node *pool = pools->pairs[i].value;
        struct pair *pair;

        if (pool->kind != NODE_MAP)
            continue;
        pair = node_find(pool, STR("servers"));
        if (pair && pair->value->kind == NODE_LIST)
            expand_servers(&complaints->arena, pair->value);
        pair = node_find(pool, STR("health"));
        if (pair)
            expand_health(complaints, pair);
        pair = node_find(pool, STR("slow_start"));
        if (pair)
            expand_slow_start(&complaints->arena, pair);
        pair = node_find(pool, STR("hedge"));
        if (pair)
            expand_hedge(&complaints->arena, pair);
        pair = node_find(pool, STR("adaptive_concurrency"));
        if (pair)
            expand_choice(&complaints->arena, "adaptive_concurrency", STR("enabled"),
                          pair);
        pair = node_find(pool, STR("balance"));
        if (pair)
            expand_balance(&complaints->arena, pair);
        pair = node_find(pool, STR("sticky"));
        if (pair)
            expand_choice(&complaints->arena, "sticky", STR("by"), pair);
    }
}

static void expand_routes(struct complaints *complaints, struct node *routes)
{
    for (unsigned i = 0; i < routes->count; i++) {
        struct node *route = routes->items[i];
        struct pair *hedge =
            route->kind == NODE_MAP ? node_find(route, STR("hedge")) : NULL;

        if (hedge)
            expand_hedge(&complaints->arena, hedge);
    }
}

void shorthand_expand(struct complaints *complaints, struct node *root)
{
    struct pair *pools, *routes;

    expand_top(complaints, root);
    routes = node_find(root, STR("routes"));
    if (routes && routes->value->kind == NODE_LIST)
        expand_routes(complaints, routes->value);
    pools = node_find(root, STR("pools"));
    if (pools && pools->value->kind == NODE_MAP)
        expand_pools(complaints, pools->value);
}
