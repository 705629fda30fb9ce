/* A heap of happenings, a generator, a running hash. */
#include "world.h"

#include "base/check.h"
#include "base/hash.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct happening {
    uint64_t when, serial;
    happen_fn *happen;
    void *who;
    uint64_t what;
};

struct world world;

void world_begin(uint64_t seed, bool prints)
{
    struct happening *heap = world.heap;
    size_t room = world.room;

    world = (struct world){.seed = seed, .prints = prints, .heap = heap, .room = room};
    rand_seed(&world.rand, hash_u64(seed));
    world.now = 1000 * SECOND + draw(SECOND);
    world.wall_offset = UINT64_C(1700000000) * SECOND;
    arena_init(&world.arena, 65536);
}

void world_end(void)
{
    arena_reset(&world.arena);
    free(world.heap);
    world.heap = NULL;
    world.count = world.room = 0;
}

/* ---- chance ---- */

uint64_t draw(uint64_t n)
{
    return rand_below(&world.rand, n);
}

uint64_t draw_between(uint64_t low, uint64_t high)
{
    return low + draw(high - low + 1);
}

bool draw_percent(unsigned percent)
{
    return draw(100) < percent;
}

/* ---- happenings ---- */

static bool is_before(const struct happening *a, const struct happening *b)
{
    return a->when < b->when || (a->when == b->when && a->serial < b->serial);
}

static void swap(size_t i, size_t j)
{
    struct happening kept = world.heap[i];

    world.heap[i] = world.heap[j];
    world.heap[j] = kept;
}

void world_at(uint64_t when, happen_fn *happen, void *who, uint64_t what)
{
    size_t i = world.count++;

    if (i == world.room) {
        world.room = world.room ? world.room * 2 : 256;
        world.heap = realloc(world.heap, world.room * sizeof *world.heap);
        CHECK(world.heap != NULL);
    }
    world.heap[i] = (struct happening){when, world.serial++, happen, who, what};
    for (; i && is_before(&world.heap[i], &world.heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(i, (i - 1) / 2);
}

void world_after(uint64_t delay, happen_fn *happen, void *who, uint64_t what)
{
    world_at(world.now + delay, happen, who, what);
}

uint64_t world_next(void)
{
    return world.count ? world.heap[0].when : UINT64_MAX;
}

void world_happen(void)
{
    struct happening first = world.heap[0];

    world.heap[0] = world.heap[--world.count];
    for (size_t i = 0;;) {
        size_t child = 2 * i + 1;

        if (child >= world.count)
            break;
        if (child + 1 < world.count &&
            is_before(&world.heap[child + 1], &world.heap[child]))
            child++;
        if (!is_before(&world.heap[child], &world.heap[i]))
            break;
        swap(i, child);
        i = child;
    }
    if (first.when > world.now)
        world.now = first.when;
    first.happen(first.who, first.what);
}

/* ---- the account ---- */

void trace(const char *word, uint64_t a, uint64_t b)
{
    uint64_t hash = world.trace_hash;

    for (const char *c = word; *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    hash = hash_u64(hash ^ world.now);
    hash = hash_u64(hash + a);
    world.trace_hash = hash_u64(hash + b);
    if (world.prints)
        printf("%12.6f %-14s %llu %llu\n", (double)world.now / 1e9, word,
               (unsigned long long)a, (unsigned long long)b);
}

void violation(const char *format, ...)
{
    va_list args;

    world.violations++;
    trace("VIOLATION", world.violations, 0);
    if (world.violations > 3 && !world.prints)
        return;
    printf("seed %llu at %.6f: ", (unsigned long long)world.seed,
           (double)world.now / 1e9);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("   (replay: sim --seed %llu)\n", (unsigned long long)world.seed);
}
