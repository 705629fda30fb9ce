/*
 * Drawing by weight; see draw.h. The pass over all is a weighted reservoir of one.
 */
#include "lb/draw.h"

enum { TRIES = 16 };

static bool weighs_the_same(const struct tier *tier, bool is_weighted)
{
    unsigned first = server_weight(&tier->servers[0], is_weighted);

    for (unsigned i = 1; i < tier->count; i++)
        if (server_weight(&tier->servers[i], is_weighted) != first)
            return false;
    return true;
}

/*
 * Each slot holds `total` units, each member has weight * count of them: who has less
 * than a slot full takes it with somebody who has more.
 */
static const struct draw_slot *slots_new(struct arena *arena, const struct draw *draw,
                                         const struct tier *tier, bool is_weighted)
{
    struct draw_slot *slots = ARENA_ARRAY(arena, struct draw_slot, tier->count);
    uint32_t *waiting = ARENA_ARRAY(arena, uint32_t, tier->count);
    unsigned poor = 0, rich = tier->count; /* two stacks in one array */

    for (unsigned i = 0; i < tier->count; i++) {
        slots[i].cut =
            (uint64_t)server_weight(&tier->servers[i], is_weighted) * tier->count;
        slots[i].other = i;
        if (slots[i].cut < draw->total)
            waiting[poor++] = i;
        else
            waiting[--rich] = i;
    }
    while (poor && rich < tier->count) {
        uint32_t taker = waiting[--poor], giver = waiting[rich];

        slots[taker].other = giver;
        slots[giver].cut -= draw->total - slots[taker].cut;
        if (slots[giver].cut < draw->total) {
            rich++;
            waiting[poor++] = giver;
        }
    }
    return slots;
}

const struct draw *draw_new(struct arena *arena, const struct tier *tier,
                            bool is_weighted)
{
    struct draw *draw = ARENA_NEW(arena, struct draw);

    draw->count = tier->count;
    for (unsigned i = 0; i < tier->count; i++)
        draw->total += server_weight(&tier->servers[i], is_weighted);
    if (draw->total && !weighs_the_same(tier, is_weighted))
        draw->slots = slots_new(arena, draw, tier, is_weighted);
    return draw;
}

static unsigned draw_one(const struct draw *draw, struct rand *rand)
{
    unsigned at = (unsigned)rand_below(rand, draw->count);

    if (!draw->slots || rand_below(rand, draw->total) < draw->slots[at].cut)
        return at;
    return draw->slots[at].other;
}

int draw_try(const struct draw *draw, const struct tier *tier, const struct ask *ask,
             int except)
{
    if (!draw->total)
        return -1;
    for (unsigned i = 0; i < TRIES; i++) {
        unsigned at = draw_one(draw, ask->rand);

        if ((int)at != except && ask_accepts(ask, &tier->servers[at]))
            return (int)at;
    }
    return -1;
}

int draw_scan(const struct tier *tier, const struct ask *ask, bool is_weighted)
{
    uint64_t total = 0;
    int chosen = -1;

    for (unsigned i = 0; i < tier->count; i++) {
        uint64_t weight = server_weight_now(&tier->servers[i], is_weighted);

        if (!ask_allows(ask, &tier->servers[i]))
            continue;
        total += weight;
        if (rand_below(ask->rand, total) < weight)
            chosen = (int)i;
    }
    return chosen;
}
