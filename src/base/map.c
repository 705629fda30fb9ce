/*
 * Linear probing at a load of at most three quarters. Removing shifts the entries behind
 * back over the gap, as far as each may go towards its own place; so a search ends at the
 * first free slot, always. A key is hashed once: the slot keeps the hash, for growing and
 * to spare most comparisons.
 */
#include "base/map.h"

#include "base/check.h"
#include "base/hash.h"

#include <stdlib.h>

enum { FIRST_ROOM = 16 };

void map_init(struct map *map, const uint64_t seed[2])
{
    *map = (struct map){.seed = {seed[0], seed[1]}};
}

void map_close(struct map *map)
{
    free(map->slots);
    map_init(map, (const uint64_t[2]){map->seed[0], map->seed[1]});
}

/* The slot of the key, or the free one where it would go. Needs a free slot. */
static struct map_slot *find_slot(const struct map *map, str key, uint64_t hash)
{
    size_t at = hash & (map->room - 1);

    for (;; at = (at + 1) & (map->room - 1)) {
        struct map_slot *slot = &map->slots[at];

        if (!slot->value || (slot->hash == hash && str_eq(slot->key, key)))
            return slot;
    }
}

void *map_get(const struct map *map, str key)
{
    if (map->count == 0)
        return NULL;
    return find_slot(map, key, siphash13(map->seed, key))->value;
}

static void make_room(struct map *map)
{
    struct map_slot *old = map->slots;
    size_t old_room = map->room;

    if (map->count + 1 <= old_room - old_room / 4)
        return;
    map->room = old_room ? old_room * 2 : FIRST_ROOM;
    map->slots = calloc(map->room, sizeof *map->slots);
    if (!map->slots)
        check_failed(__FILE__, __LINE__, "the system has memory left");
    for (size_t i = 0; i < old_room; i++)
        if (old[i].value)
            *find_slot(map, old[i].key, old[i].hash) = old[i];
    free(old);
}

void *map_put(struct map *map, str key, void *value)
{
    uint64_t hash = siphash13(map->seed, key);
    struct map_slot *slot;
    void *before;

    CHECK(value != NULL);
    make_room(map);
    slot = find_slot(map, key, hash);
    before = slot->value;
    *slot = (struct map_slot){key, value, hash};
    map->count += !before;
    return before;
}

/* Frees the slot and closes the gap. */
static void shift_back(struct map *map, size_t gap)
{
    size_t mask = map->room - 1;

    for (size_t at = (gap + 1) & mask; map->slots[at].value; at = (at + 1) & mask) {
        size_t home = map->slots[at].hash & mask;

        /* It may move when its home does not lie between the gap and itself. */
        if (((at - home) & mask) < ((at - gap) & mask))
            continue;
        map->slots[gap] = map->slots[at];
        gap = at;
    }
    map->slots[gap] = (struct map_slot){0};
}

void *map_remove(struct map *map, str key)
{
    struct map_slot *slot;
    void *value;

    if (map->count == 0)
        return NULL;
    slot = find_slot(map, key, siphash13(map->seed, key));
    value = slot->value;
    if (!value)
        return NULL;
    shift_back(map, (size_t)(slot - map->slots));
    map->count--;
    return value;
}

bool map_next(const struct map *map, size_t *at, str *key, void **value)
{
    while (*at < map->room && !map->slots[*at].value)
        (*at)++;
    if (*at >= map->room)
        return false;
    if (key)
        *key = map->slots[*at].key;
    if (value)
        *value = map->slots[*at].value;
    (*at)++;
    return true;
}
