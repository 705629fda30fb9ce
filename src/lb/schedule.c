/*
 * The heap of turns, a binary heap in an array, is the same code for writing the table
 * and for running without one. Equal deadlines go by the order of the servers. (Middles
 * of parts rather than their ends: that is Webster's method of apportionment, and gives
 * 3/2/1 as A B A C B A instead of A B A A B C.)
 */
#include "lb/schedule.h"

#include "base/check.h"

enum { TABLE_MOST = 1 << 16 };

static bool turn_is_before(const struct turn *a, const struct turn *b)
{
    unsigned __int128 left, right;

    if (a->round != b->round)
        return a->round < b->round;
    left = (unsigned __int128)(2 * (uint64_t)a->step + 1) * b->weight;
    right = (unsigned __int128)(2 * (uint64_t)b->step + 1) * a->weight;
    return left != right ? left < right : a->server < b->server;
}

static void turn_sift(struct turn *heap, unsigned count, unsigned at)
{
    struct turn moved = heap[at];

    for (;;) {
        unsigned child = 2 * at + 1;

        if (child >= count)
            break;
        if (child + 1 < count && turn_is_before(&heap[child + 1], &heap[child]))
            child++;
        if (!turn_is_before(&heap[child], &moved))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

static void turns_order(struct turn *heap, unsigned count)
{
    for (unsigned i = count / 2; i-- > 0;)
        turn_sift(heap, count, i);
}

static uint32_t turns_next(struct turn *heap, unsigned count)
{
    uint32_t server = heap[0].server;

    if (++heap[0].step == heap[0].weight) {
        heap[0].step = 0;
        heap[0].round++;
    }
    turn_sift(heap, count, 0);
    return server;
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b) {
        uint32_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

static const uint32_t *table_new(struct arena *arena, const struct schedule *schedule)
{
    uint32_t *table = ARENA_ARRAY(arena, uint32_t, schedule->total);
    struct turn *heap = ARENA_ARRAY(arena, struct turn, schedule->count);

    memcpy(heap, schedule->turns, schedule->count * sizeof *heap);
    for (uint64_t i = 0; i < schedule->total; i++)
        table[i] = turns_next(heap, schedule->count);
    return table;
}

const struct schedule *schedule_new(struct arena *arena, const uint32_t *weights,
                                    unsigned count)
{
    struct schedule *schedule = ARENA_NEW(arena, struct schedule);
    struct turn *turns = ARENA_ARRAY(arena, struct turn, count);
    uint32_t divisor = 0;

    for (unsigned i = 0; i < count; i++)
        divisor = common_divisor(weights[i], divisor);
    for (unsigned i = 0; i < count; i++) {
        if (!weights[i])
            continue;
        turns[schedule->count++] =
            (struct turn){.server = i, .weight = weights[i] / divisor};
        schedule->total += weights[i] / divisor;
    }
    turns_order(turns, schedule->count);
    schedule->turns = turns;
    if (schedule->total <= TABLE_MOST)
        schedule->table = table_new(arena, schedule);
    return schedule;
}

size_t schedule_scratch_size(const struct schedule *schedule)
{
    if (schedule->table)
        return sizeof(uint64_t);
    return schedule->count * sizeof(struct turn);
}

/* The heap as it stands when `phase` / 2^32 of a round have gone by. */
static void turns_start(const struct schedule *schedule, struct turn *heap,
                        uint32_t phase)
{
    memcpy(heap, schedule->turns, schedule->count * sizeof *heap);
    for (unsigned i = 0; i < schedule->count; i++) {
        uint64_t step = ((uint64_t)phase * heap[i].weight + (1u << 31)) >> 32;

        heap[i].round = step == heap[i].weight;
        heap[i].step = heap[i].round ? 0 : (uint32_t)step;
    }
    turns_order(heap, schedule->count);
}

void schedule_begin(const struct schedule *schedule, char *scratch)
{
    if (schedule->table)
        *(uint64_t *)(void *)scratch = 0;
    else
        memcpy(scratch, schedule->turns, schedule->count * sizeof *schedule->turns);
}

void schedule_start(const struct schedule *schedule, char *scratch, struct rand *rand)
{
    if (!schedule->table)
        turns_start(schedule, (struct turn *)(void *)scratch, (uint32_t)rand_u64(rand));
    else if (schedule->total)
        *(uint64_t *)(void *)scratch = rand_below(rand, schedule->total);
}

uint32_t schedule_next(const struct schedule *schedule, char *scratch)
{
    uint64_t *at = (uint64_t *)(void *)scratch;
    uint32_t server;

    if (!schedule->table)
        return turns_next((struct turn *)(void *)scratch, schedule->count);
    server = schedule->table[*at];
    *at = *at + 1 == schedule->total ? 0 : *at + 1;
    return server;
}
