/* Whole numbers only: shares of 65,536, so that every machine computes the same. */
#include "lb/tier.h"

#include "base/hash.h"

static bool is_same(const struct server *a, const struct server *b)
{
    return a->tier == b->tier && a->is_backup == b->is_backup &&
           a->is_remote == b->is_remote;
}

void tiers_cut(struct tiers *tiers, struct arena *arena, const struct server *servers,
               unsigned count)
{
    struct tier_state *states;
    struct tier *tier = NULL;

    tiers->count = 0;
    for (unsigned i = 0; i < count; i++)
        tiers->count += i == 0 || !is_same(&servers[i - 1], &servers[i]);
    tiers->items = ARENA_ARRAY(arena, struct tier, tiers->count);
    states = ARENA_ARRAY(arena, struct tier_state, tiers->count);
    for (unsigned i = 0; i < count; i++) {
        if (i == 0 || !is_same(&servers[i - 1], &servers[i])) {
            tier = tier ? tier + 1 : tiers->items;
            *tier = (struct tier){
                .servers = &servers[i],
                .number = servers[i].tier,
                .is_backup = servers[i].is_backup,
                .is_remote = servers[i].is_remote,
                .state = &states[tier - tiers->items],
            };
            atomic_init(&tier->state->share, i == 0 ? SHARE_FULL : 0);
            atomic_init(&tier->state->panic, TIER_CALM);
        }
        tier->count++;
    }
}

/* ---- weighing ---- */

struct worth {
    uint64_t weight, usable;
};

static struct worth tier_worth(const struct tier *tier)
{
    struct worth worth = {0, 0};

    for (unsigned i = 0; i < tier->count; i++) {
        const struct server *server = &tier->servers[i];
        unsigned weight = server_weight(server, true);
        int health = atomic_load_explicit(&server->live->health, memory_order_relaxed);

        worth.weight += weight;
        if (health_is_usable((enum health)health))
            worth.usable += weight;
    }
    return worth;
}

/* usable / weight * factor / whole, of SHARE_FULL and not above. */
static unsigned part(struct worth worth, uint64_t factor, uint64_t whole)
{
    unsigned __int128 share;

    if (!worth.weight)
        return 0;
    share = (unsigned __int128)worth.usable * factor * SHARE_FULL / whole / worth.weight;
    return share < SHARE_FULL ? (unsigned)share : SHARE_FULL;
}

/* The tiers that bear one number: the near ones, then the remote ones, or only either. */
struct level {
    struct tier *near, *remote; /* NULL: none */
    struct worth near_worth, worth;
    unsigned full; /* what it could take, of SHARE_FULL */
};

static unsigned next_level(const struct tiers *tiers, unsigned at, struct level *level)
{
    const struct tier *first = &tiers->items[at];

    *level = (struct level){0};
    for (; at < tiers->count; at++) {
        struct tier *tier = &tiers->items[at];
        struct worth worth;

        if (tier->number != first->number || tier->is_backup != first->is_backup)
            break;
        worth = tier_worth(tier);
        level->worth.weight += worth.weight;
        level->worth.usable += worth.usable;
        if (tier->is_remote) {
            level->remote = tier;
        } else {
            level->near = tier;
            level->near_worth = worth;
        }
    }
    level->full = part(level->worth, tiers->settings.overprovision, 1000);
    return at;
}

static void set_share(struct tier *tier, unsigned share)
{
    if (tier)
        atomic_store_explicit(&tier->state->share, share, memory_order_relaxed);
}

static void set_panic(const struct level *level, enum tier_panic panic)
{
    if (level->near)
        atomic_store_explicit(&level->near->state->panic, (int)panic,
                              memory_order_relaxed);
    if (level->remote)
        atomic_store_explicit(&level->remote->state->panic, (int)panic,
                              memory_order_relaxed);
}

static void share_out(const struct tiers *tiers, const struct level *level,
                      unsigned share)
{
    unsigned near = SHARE_FULL;

    if (!level->near)
        near = 0;
    else if (level->remote && level->worth.usable > level->near_worth.usable)
        near = part(level->near_worth, 100, tiers->spill_at);
    near = (unsigned)((uint64_t)share * near / SHARE_FULL);
    set_share(level->near, near);
    set_share(level->remote, share - near);
}

static enum tier_panic panic_of(const struct tiers *tiers, const struct level *level)
{
    const struct tiering *settings = &tiers->settings;

    if (level->worth.usable * 100 >= level->worth.weight * settings->panic_below)
        return TIER_CALM;
    return settings->in_panic == PANIC_OPEN ? TIER_OPEN : TIER_REFUSES;
}

/* What all levels could take; backups, which take nothing as long as others can, count
 * only for whether there is a reason to panic. */
static uint64_t sum_up(const struct tiers *tiers, uint64_t *with_backups)
{
    struct level level;
    uint64_t sum = 0;

    *with_backups = 0;
    for (unsigned at = 0; at < tiers->count;) {
        bool is_backup = tiers->items[at].is_backup;

        at = next_level(tiers, at, &level);
        *with_backups += level.full;
        sum += is_backup ? 0 : level.full;
    }
    return sum;
}

struct tiers_standing tiers_weigh(const struct tiers *tiers)
{
    struct tiers_standing standing = {0};
    struct level level;
    uint64_t with_backups, sum, left = SHARE_FULL;

    if (tiers->count < 2 && !tiers->settings.panic_below)
        return standing; /* nothing to divide */
    sum = sum_up(tiers, &with_backups);
    for (unsigned at = 0; at < tiers->count;) {
        const struct tier *first = &tiers->items[at];
        enum tier_panic panic = TIER_CALM;
        uint64_t share;

        at = next_level(tiers, at, &level);
        share = sum >= SHARE_FULL ? level.full
                : sum             ? level.full * SHARE_FULL / sum
                                  : left;
        if (first->is_backup)
            share = 0;
        else if (share > left)
            share = left;
        left -= share;
        if (with_backups < SHARE_FULL)
            panic = panic_of(tiers, &level);
        share_out(tiers, &level, (unsigned)share);
        set_panic(&level, panic);
        standing.is_spilling |= share && first != tiers->items;
        if (panic > standing.panic)
            standing.panic = panic;
    }
    return standing;
}

/* ---- drawing ---- */

unsigned tiers_draw(const struct tiers *tiers, const struct ask *ask)
{
    unsigned share, drawn;

    if (tiers->count < 2)
        return 0;
    share = atomic_load_explicit(&tiers->items[0].state->share, memory_order_relaxed);
    if (share >= SHARE_FULL)
        return 0;
    /* The same key asks the same tier, and those that have left it come back in order. */
    drawn = ask->has_key ? (unsigned)(hash_u64(~ask->key) >> 48)
                         : (unsigned)rand_below(ask->rand, SHARE_FULL);
    for (unsigned i = 0; i < tiers->count; i++) {
        share = atomic_load_explicit(&tiers->items[i].state->share, memory_order_relaxed);
        if (drawn < share)
            return i;
        drawn -= share;
    }
    return 0; /* what rounding has left over */
}
