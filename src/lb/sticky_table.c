/*
 * A bucket is two cache lines: a lock and five entries. Whoever needs both buckets of a
 * key takes the locks in the order of their addresses. Times are tenths of a second of
 * the monotonic clock, which 32 bits hold for 13 years.
 */
#include "lb/sticky_table.h"

#include "base/check.h"
#include "base/hash.h"

#include <stdlib.h>

/* With three keys for five places hardly a key finds both its buckets full. */
enum { PLACES = 5, FILLED = 3, TENTH_MS = 100, TENTH_NS = 100000000 };

struct entry {
    uint64_t key, server; /* server 0: the place is free */
    uint32_t issued, seen;
};

struct sticky_bucket {
    _Alignas(2 * CACHE_LINE) _Atomic(unsigned) is_locked;
    struct entry places[PLACES];
};

_Static_assert(sizeof(struct sticky_bucket) == (size_t)2 * CACHE_LINE, "two cache lines");

struct sticky_table *sticky_table_new(uint32_t entries, uint64_t seed)
{
    struct sticky_table *table = malloc(sizeof *table);
    size_t count = entries / FILLED + 2;

    CHECK(table != NULL);
    *table = (struct sticky_table){.count = count, .entries = entries, .seed = seed};
    /* Zeroed by the system, page by page as it is used; a lock of 0 is open. */
    table->buckets = calloc(count + 1, sizeof *table->buckets);
    CHECK(table->buckets != NULL);
    return table;
}

void sticky_table_free(struct sticky_table *table)
{
    if (!table)
        return;
    free(table->buckets);
    free(table);
}

static struct sticky_bucket *first_of(const struct sticky_table *table)
{
    uintptr_t at = (uintptr_t)table->buckets, line = sizeof *table->buckets;

    return (struct sticky_bucket *)((at + line - 1) & ~(line - 1));
}

/* The two buckets of a key, never the same, the lower address first. */
static void find_buckets(const struct sticky_table *table, uint64_t key,
                         struct sticky_bucket *buckets[2])
{
    uint64_t hash = hash_u64(key ^ table->seed);
    size_t one = (hash & UINT32_MAX) * table->count >> 32;
    size_t two = (hash >> 32) * table->count >> 32;

    if (one == two)
        two = two ? two - 1 : 1;
    buckets[0] = first_of(table) + (one < two ? one : two);
    buckets[1] = first_of(table) + (one < two ? two : one);
}

static void lock(struct sticky_bucket *bucket)
{
    while (atomic_exchange_explicit(&bucket->is_locked, 1, memory_order_acquire)) {
        while (atomic_load_explicit(&bucket->is_locked, memory_order_relaxed))
            CPU_RELAX();
    }
}

static void unlock(struct sticky_bucket *bucket)
{
    atomic_store_explicit(&bucket->is_locked, 0, memory_order_release);
}

static uint64_t age_ms(uint32_t since, uint32_t now)
{
    return (uint64_t)(now - since) * TENTH_MS;
}

static bool is_alive(const struct sticky *sticky, const struct entry *entry, uint32_t now)
{
    return entry->server &&
           sticky_is_alive(sticky, age_ms(entry->issued, now), age_ms(entry->seen, now));
}

static struct entry *find_in(struct sticky_bucket *bucket, uint64_t key)
{
    for (unsigned i = 0; i < PLACES; i++)
        if (bucket->places[i].server && bucket->places[i].key == key)
            return &bucket->places[i];
    return NULL;
}

uint64_t sticky_table_find(struct sticky_table *table, const struct sticky *sticky,
                           uint64_t key, uint64_t now_ns)
{
    struct sticky_bucket *buckets[2];
    uint32_t now = (uint32_t)(now_ns / TENTH_NS);
    uint64_t server = 0;

    find_buckets(table, key, buckets);
    for (unsigned i = 0; i < 2 && !server; i++) {
        struct entry *entry;

        lock(buckets[i]);
        entry = find_in(buckets[i], key);
        if (entry && is_alive(sticky, entry, now)) {
            server = entry->server;
            entry->seen = now;
        } else if (entry) {
            entry->server = 0;
        }
        unlock(buckets[i]);
    }
    return server;
}

/* How many of its places are taken; *best: the one to take next, a free one if there is. */
static unsigned look_for_place(struct sticky_bucket *bucket, const struct sticky *sticky,
                               uint32_t now, struct entry **best)
{
    unsigned taken = 0;

    *best = NULL;
    for (unsigned i = 0; i < PLACES; i++) {
        struct entry *entry = &bucket->places[i];

        if (!is_alive(sticky, entry, now))
            entry->server = 0;
        taken += entry->server != 0;
        if (!*best || ((*best)->server &&
                       (!entry->server || now - entry->seen > now - (*best)->seen)))
            *best = entry;
    }
    return taken;
}

/* Both buckets are locked. */
static struct entry *find_place(struct sticky_bucket *buckets[2],
                                const struct sticky *sticky, uint32_t now)
{
    struct entry *best[2];
    unsigned taken[2];

    for (unsigned i = 0; i < 2; i++)
        taken[i] = look_for_place(buckets[i], sticky, now, &best[i]);
    if (taken[0] != taken[1])
        return best[taken[1] < taken[0]];
    if (taken[0] < PLACES)
        return best[0];
    return best[now - best[1]->seen > now - best[0]->seen];
}

void sticky_table_put(struct sticky_table *table, const struct sticky *sticky,
                      uint64_t key, uint64_t server, uint64_t now_ns)
{
    struct sticky_bucket *buckets[2];
    uint32_t now = (uint32_t)(now_ns / TENTH_NS);
    struct entry *entry;

    find_buckets(table, key, buckets);
    lock(buckets[0]);
    lock(buckets[1]);
    entry = find_in(buckets[0], key);
    if (!entry)
        entry = find_in(buckets[1], key);
    if (!entry)
        entry = find_place(buckets, sticky, now);
    *entry = (struct entry){key, server, now, now};
    unlock(buckets[1]);
    unlock(buckets[0]);
}
