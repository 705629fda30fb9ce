/*
 * A small seedable generator (xoshiro256**, Blackman and Vigna 2018): fast, good for
 * choosing servers and jitter, worthless for secrets. Each engine has its own; the seed
 * comes from outside.
 */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include "base/compiler.h"

#include <stdint.h>

struct rand {
    uint64_t s[4];
};

/* Any seed will do, 0 too. */
void rand_seed(struct rand *rand, uint64_t seed);

static inline uint64_t rand_rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static inline uint64_t rand_u64(struct rand *rand)
{
    uint64_t *s = rand->s, result = rand_rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rand_rotate(s[3], 45);
    return result;
}

/* Uniform in [0, n) by multiplication (Lemire); n > 0. The bias of n/2^64 is ignored. */
static inline uint64_t rand_below(struct rand *rand, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)rand_u64(rand) * n) >> 64);
}

#endif
