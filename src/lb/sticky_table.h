/*
 * Which server a client or a session belongs to, as one pool has learnt it, shared by all
 * workers. Its size is fixed when it is made. A key may stand in two buckets of five
 * places, chosen by a secret seed, each with a lock of its own that is held for a few
 * dozen instructions; nothing ever stops all of it. When both buckets are full the place
 * that was unused for longest is taken, so what goes is nearly the oldest of all.
 */
#ifndef LB_STICKY_TABLE_H
#define LB_STICKY_TABLE_H

#include "lb/sticky.h"

struct sticky_bucket;

struct sticky_table {
    struct sticky_bucket *buckets;
    size_t count;     /* of buckets */
    uint32_t entries; /* as it was asked for */
    uint64_t seed;
};

/* 43 bytes for each entry, which the system hands out as they are used. */
struct sticky_table *sticky_table_new(uint32_t entries, uint64_t seed);

/* No thread may be using it. NULL is fine. */
void sticky_table_free(struct sticky_table *table);

/*
 * The server that was put for this key, and notes that it was seen; 0: there is none, or
 * its time is over. now: monotonic ns.
 */
uint64_t sticky_table_find(struct sticky_table *table, const struct sticky *sticky,
                           uint64_t key, uint64_t now);

/* From now on the key belongs to this server (not 0), with all of its time before it. */
void sticky_table_put(struct sticky_table *table, const struct sticky *sticky,
                      uint64_t key, uint64_t server, uint64_t now);

#endif
