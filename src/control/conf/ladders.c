/* Ladders: their names and those that they name, and steps that could never be reached. */
#include "control/conf/resolve.h"

#include "base/check.h"

/* ---- names ---- */

static void check_pools(struct reader *reader)
{
    struct draft *draft = reader->draft;
    struct names pools;

    names_init(&pools);
    for (unsigned i = 0; i < draft->pool_count; i++)
        map_put(&pools.map, draft->pools[i].key->text, &draft->pools[i]);
    for (unsigned i = 0; i < draft->ladders.count; i++) {
        const struct node *name = draft->ladders.items[i].pool;

        if (name && !map_get(&pools.map, name->text))
            complain_name(reader, &pools, "pool", "pools", name);
    }
    map_close(&pools.map);
}

static void check_routes(struct reader *reader)
{
    struct draft *draft = reader->draft;
    struct names ladders;

    names_init(&ladders);
    for (unsigned i = 0; i < draft->ladders.count; i++)
        map_put(&ladders.map, draft->ladders.items[i].key->text,
                &draft->ladders.items[i]);
    for (unsigned i = 0; i < draft->route_count; i++) {
        const struct node *name = draft->routes[i].ladder;

        if (name && !map_get(&ladders.map, name->text))
            complain_name(reader, &ladders, "ladder", "ladders", name);
    }
    map_close(&ladders.map);
}

/* A route is dropped by the ladder that it names, not by others. */
static void check_dropped(struct reader *reader, struct names *routes,
                          const struct draft_ladder *ladder, const struct node *name)
{
    const struct draft_route *route = map_get(&routes->map, name->text);

    if (!route)
        complain_name(reader, routes, "priority or route", "priorities and routes", name);
    else if (!route->ladder || !str_eq(route->ladder->text, ladder->key->text))
        complaint_help(complain(reader->complaints, "C012", name->place,
                                "route '%s' does not go by this ladder",
                                word_of(reader, name)),
                       "add 'degrade: %s' to the route", word_of(reader, ladder->key));
}

static void check_drops(struct reader *reader)
{
    static struct draft_route any; /* stands for a priority, which is read before */
    struct draft *draft = reader->draft;
    struct names routes;

    names_init(&routes);
    for (unsigned i = 0; i < PRIORITY_COUNT; i++)
        map_put(&routes.map, str_of(priority_text(i)), &any);
    for (unsigned i = 0; i < draft->route_count; i++)
        if (draft->routes[i].name)
            map_put(&routes.map, draft->routes[i].name->text, &draft->routes[i]);
    for (unsigned i = 0; i < draft->ladders.count; i++) {
        const struct draft_ladder *ladder = &draft->ladders.items[i];

        for (unsigned level = 0; level < DEGRADE_COUNT; level++)
            for (size_t j = 0; j < ladder->steps[level].routes.count; j++)
                check_dropped(reader, &routes, ladder,
                              ladder->steps[level].routes.items[j]);
    }
    map_close(&routes.map);
}

/* ---- order ---- */

/* Does every count that fits the lower step fit the upper one, too? */
static bool hides(const struct degrade_rule *upper, const struct degrade_rule *lower)
{
    if (upper->is_share != lower->is_share)
        return false; /* it depends on how many there are */
    return lower->least > upper->least ||
           (lower->least == upper->least && (!upper->is_beyond || lower->is_beyond));
}

static void check_order(struct reader *reader, const struct draft_ladder *ladder)
{
    const struct draft_step *upper = &ladder->steps[DEGRADE_FULL];

    for (unsigned level = DEGRADE_REDUCED; level < DEGRADE_MAINTENANCE; level++) {
        const struct draft_step *step = &ladder->steps[level];

        if (!step->rule.is_there || !step->when)
            continue;
        if (hides(&upper->rule, &step->rule))
            complaint_help(complain(reader->complaints, "C012", step->when->place,
                                    "'%s' can never be reached: the level above it takes "
                                    "all of that",
                                    degrade_level_text(level)),
                           "each level needs fewer healthy servers than the one above");
        upper = step;
    }
}

static void check_page_names(struct reader *reader)
{
    const struct draft_ladders *ladders = &reader->draft->ladders;
    struct names pages;

    page_names(reader, &pages);
    for (unsigned i = 0; i < ladders->count; i++)
        for (unsigned level = 0; level < DEGRADE_COUNT; level++)
            page_name_check(reader, &pages, ladders->items[i].steps[level].page);
    map_close(&pages.map);
}

void ladders_resolve(struct reader *reader)
{
    const struct draft_ladders *ladders = &reader->draft->ladders;
    unsigned before = reader->complaints->errors;

    if (!ladders->has_all)
        return;
    check_routes(reader);
    if (reader->draft->has_all_pools)
        check_pools(reader);
    check_drops(reader);
    check_page_names(reader);
    for (unsigned i = 0; reader->complaints->errors == before && i < ladders->count; i++)
        check_order(reader, &ladders->items[i]);
}

/* ---- building ---- */

/* All that ladders and routes name of each other, by name. */
struct known {
    struct map pools, routes, ladders;
};

static void know(struct known *known, const struct draft *draft,
                 const struct snapshot *snapshot)
{
    const uint64_t seed[2] = {0, 0};

    map_init(&known->pools, seed);
    map_init(&known->routes, seed);
    map_init(&known->ladders, seed);
    for (unsigned i = 0; i < snapshot->pool_count; i++)
        map_put(&known->pools, snapshot->pools[i].name, &snapshot->pools[i]);
    for (unsigned i = 0; i < draft->route_count; i++)
        if (draft->routes[i].name)
            map_put(&known->routes, snapshot->routes[i].name, &snapshot->routes[i]);
}

static void forget(struct known *known)
{
    map_close(&known->pools);
    map_close(&known->routes);
    map_close(&known->ladders);
}

static void build_ladder(struct reader *reader, const struct draft_ladder *draft,
                         const struct known *known, struct ladder *ladder)
{
    *ladder = draft->spec;
    ladder->pool = map_get(&known->pools, draft->pool->text);
    CHECK(ladder->pool);
    for (unsigned level = 0; level < DEGRADE_COUNT; level++) {
        const struct draft_step *step = &draft->steps[level];

        ladder->rules[level] = step->rule;
        ladder->rules[level].page =
            step->page ? str_keep(reader, step->page->text) : STR("");
        for (size_t i = 0; i < step->routes.count; i++) {
            struct route *route = map_get(&known->routes, step->routes.items[i]->text);

            if (route)
                route->dropped_at |= 1u << level;
        }
    }
}

void ladders_build(struct reader *reader, struct snapshot *snapshot)
{
    const struct draft *draft = reader->draft;
    unsigned count = draft->ladders.count;
    struct known known;

    if (!count)
        return;
    know(&known, draft, snapshot);
    snapshot->ladders = ARENA_ARRAY(reader->arena, struct ladder, count);
    snapshot->ladder_count = count;
    for (unsigned i = 0; i < count; i++) {
        build_ladder(reader, &draft->ladders.items[i], &known, &snapshot->ladders[i]);
        map_put(&known.ladders, snapshot->ladders[i].name, &snapshot->ladders[i]);
    }
    for (unsigned r = 0; r < draft->route_count; r++)
        if (draft->routes[r].ladder)
            snapshot->routes[r].ladder =
                map_get(&known.ladders, draft->routes[r].ladder->text);
    forget(&known);
}
