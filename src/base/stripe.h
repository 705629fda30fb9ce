/*
 * How many of a thing each address holds, over all workers: a table of fixed size that
 * any thread may use at any time, without locks. A stripe is a cache line of eight words;
 * a key belongs to two stripes, chosen by its keyed hash. A word holds 40 bits of that
 * hash and the count, so that one compare-and-swap does it all. Two keys that agree in
 * the hash would share a count: one chance in 2^40 for each pair in a stripe, and nobody
 * without the seed can aim at it. An entry goes when its count is back at zero.
 */
#ifndef BASE_STRIPE_H
#define BASE_STRIPE_H

#include "base/compiler.h"

#include <stdatomic.h>
#include <stdint.h>

enum { STRIPE_KEY_SIZE = 16, STRIPE_COUNT_MOST = (1 << 24) - 1 };

enum stripe_answer {
    STRIPE_ADDED,
    STRIPE_OVER,    /* the key holds `most` already */
    STRIPE_NO_ROOM, /* both stripes are full of other keys */
};

struct stripe {
    _Atomic(uint64_t) *words;
    size_t stripes; /* a power of two */
    uint64_t seed[2];
};

/* Room for `keys` different keys at once (16 bytes of memory each); with so many in it,
 * STRIPE_NO_ROOM is less likely than one in a million. seed: see siphash13. */
void stripe_init(struct stripe *stripe, size_t keys, const uint64_t seed[2]);

/* No thread may be using it. */
void stripe_close(struct stripe *stripe);

/*
 * One more for this key, unless that would be more than `most` (which counts as
 * STRIPE_COUNT_MOST when it is larger). Never goes beyond `most`. Where the key's first
 * entry is made by two threads at once, one of several that come at the limit in the same
 * moment may be refused though it would just have fitted.
 */
MUST_CHECK enum stripe_answer stripe_add(struct stripe *stripe,
                                         const unsigned char key[STRIPE_KEY_SIZE],
                                         uint32_t most);

/* One back. For each STRIPE_ADDED exactly once, by any thread. */
void stripe_give(struct stripe *stripe, const unsigned char key[STRIPE_KEY_SIZE]);

/* How many the key holds at this moment. */
uint32_t stripe_count(const struct stripe *stripe,
                      const unsigned char key[STRIPE_KEY_SIZE]);

#endif
