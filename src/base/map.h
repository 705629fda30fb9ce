/*
 * Bytes -> pointer: open addressing with linear probing over a table on the heap, keyed
 * hash (base/hash.h), deletion by shifting back, so that no tombstones pile up. It owns
 * neither keys nor values: the key's bytes must live and stay as they are while they are
 * in (put them beside the value). One owner thread. For the configuration and the steward;
 * the request path has better-fitting tables.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_slot {
    str key;
    void *value; /* NULL: free */
    uint64_t hash;
};

struct map {
    struct map_slot *slots; /* NULL until the first put */
    size_t count;
    size_t room; /* a power of two, or 0 */
    uint64_t seed[2];
};

/* Takes no memory yet. seed: see siphash13. */
void map_init(struct map *map, const uint64_t seed[2]);

/* Gives the table back; the map is then empty and may be used again. */
void map_close(struct map *map);

/* NULL when it is not there. */
void *map_get(const struct map *map, str key);

/*
 * Puts or replaces; value is never NULL. Returns the value that it replaces, or NULL. On
 * replacing, the new key's bytes stand in place of the old one's.
 */
void *map_put(struct map *map, str key, void *value);

/* The value that was there, or NULL. Never shrinks the table. */
void *map_remove(struct map *map, str key);

/*
 * Walks all entries in the table's order, which depends on the seed:
 *     for (size_t at = 0; map_next(&map, &at, &key, &value);)
 * The map must not change meanwhile. key or value may be NULL when they are not wanted.
 */
bool map_next(const struct map *map, size_t *at, str *key, void **value);

#endif
