/*
 * The servers come in the order of their identities, not of the file, and take turns as
 * schedule.h deals them out. Everything but the slots is given back when they are full.
 */
#include "lb/maglev.h"

#include "base/hash.h"
#include "lb/schedule.h"

#include <stdlib.h>

enum { SLOTS_A_SERVER = 100, SLOT_FREE = UINT32_MAX };

/* A server's place in its own order of the slots. */
struct taker {
    uint64_t id;
    uint32_t server, weight;
    uint32_t next, step;
};

static uint32_t size_for(unsigned servers)
{
    static const uint32_t primes[] = {65537,   131101,  262147,  524309,
                                      1048583, 2097169, 4194319, 8388617};
    size_t i = 0;

    while (i + 1 < array_len(primes) && primes[i] / SLOTS_A_SERVER < servers)
        i++;
    return primes[i];
}

static int by_id(const void *a, const void *b)
{
    const struct taker *left = a, *right = b;

    return (left->id > right->id) - (left->id < right->id);
}

static unsigned takers_fill(struct taker *takers, const struct tier *tier,
                            const uint64_t *ids)
{
    unsigned count = 0;

    for (unsigned i = 0; i < tier->count; i++) {
        unsigned weight = server_weight(&tier->servers[i], true);

        if (weight)
            takers[count++] = (struct taker){ids[i], i, weight, 0, 0};
    }
    qsort(takers, count, sizeof *takers, by_id);
    return count;
}

static void takers_start(struct taker *takers, unsigned count, uint32_t size)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t h = hash_u64(takers[i].id);

        takers[i].next = (uint32_t)((h >> 32) * size >> 32);
        takers[i].step = 1 + (uint32_t)((h & UINT32_MAX) * (size - 1) >> 32);
    }
}

static uint32_t taker_next(struct taker *taker, const uint32_t *slots, uint32_t size)
{
    for (;;) {
        uint32_t slot = taker->next;
        uint64_t next = (uint64_t)slot + taker->step;

        taker->next = (uint32_t)(next < size ? next : next - size);
        if (slots[slot] == SLOT_FREE)
            return slot;
    }
}

static void slots_fill(uint32_t *slots, uint32_t size, struct taker *takers,
                       unsigned count, struct arena *scratch)
{
    uint32_t *weights = ARENA_ARRAY(scratch, uint32_t, count);
    const struct schedule *schedule;
    char *place;

    for (unsigned i = 0; i < count; i++)
        weights[i] = takers[i].weight;
    schedule = schedule_new(scratch, weights, count);
    place = arena_alloc(scratch, schedule_scratch_size(schedule));
    schedule_begin(schedule, place);
    memset(slots, 0xff, size * sizeof *slots); /* SLOT_FREE */
    for (uint32_t i = 0; i < size; i++) {
        struct taker *taker = &takers[schedule_next(schedule, place)];

        slots[taker_next(taker, slots, size)] = taker->server;
    }
}

const struct maglev *maglev_new(struct arena *arena, const struct tier *tier,
                                const uint64_t *ids)
{
    struct maglev *maglev = ARENA_NEW(arena, struct maglev);
    struct arena scratch;
    struct taker *takers;
    unsigned count;

    arena_init(&scratch, 0);
    takers = ARENA_ARRAY(&scratch, struct taker, tier->count);
    count = takers_fill(takers, tier, ids);
    if (count) {
        uint32_t *slots;

        maglev->size = size_for(count);
        slots = arena_alloc(arena, maglev->size * sizeof *slots);
        takers_start(takers, count, maglev->size);
        slots_fill(slots, maglev->size, takers, count, &scratch);
        maglev->slots = slots;
    }
    arena_reset(&scratch);
    return count ? maglev : NULL;
}
