/*
 * Tiers: who is asked first, and how much goes to whom when the first ones fail. What the
 * well servers of a tier are worth, times an overprovisioning factor, is what it takes;
 * the rest spills to the next tier, and so on (the priority levels of Envoy: at 1.4, a
 * tier keeps everything until less than 72 % of it are well). Inside a tier the servers of
 * our own zone take all as long as `spill_at` of them are well, and in proportion below
 * that. When all tiers together are worth less than the whole, a tier with fewer well
 * servers than `panic_below` is in panic: health is ignored there, so that the few that are
 * left do not carry everybody's load -- or the tier refuses, by choice.
 *
 * The steward weighs when health or members change, in one pass; a choice reads one word.
 */
#ifndef LB_TIER_H
#define LB_TIER_H

#include "lb/balance.h"
#include "lb/model.h"

enum { SHARE_FULL = 1 << 16 };

enum tier_panic {
    TIER_CALM,
    TIER_OPEN,    /* health is ignored */
    TIER_REFUSES, /* nobody of it is chosen */
};

/* The only words of an endpoint set that change; the steward writes them. */
struct tier_state {
    _Atomic(unsigned) share; /* of SHARE_FULL: of the requests, that ask here first */
    _Atomic(int) panic;      /* enum tier_panic */
};

struct tiers {
    struct tier *items;
    unsigned count;
    struct tiering settings;
    uint32_t spill_at; /* percent of the near servers */
};

/* What may be said of it to people. */
struct tiers_standing {
    bool is_spilling;      /* a tier behind the first takes a share */
    enum tier_panic panic; /* the worst */
};

/*
 * Cuts the servers of a set into tiers. They stand in the order in which they are asked:
 * backups last, by number, the near ones first.
 */
void tiers_cut(struct tiers *tiers, struct arena *arena, const struct server *servers,
               unsigned count);

/* Computes the shares anew from the health of the servers: O(n), O(1) where there is one
 * tier and no panic. The steward's. */
struct tiers_standing tiers_weigh(const struct tiers *tiers);

/* The index of the tier that this request asks first. */
unsigned tiers_draw(const struct tiers *tiers, const struct ask *ask);

static inline enum tier_panic tier_panic(const struct tier *tier)
{
    return (enum tier_panic)atomic_load_explicit(&tier->state->panic,
                                                 memory_order_relaxed);
}

#endif
