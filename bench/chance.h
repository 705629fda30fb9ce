/* What the players of the benchmarks share: the time, and chance from a seed. */
#ifndef BENCH_CHANCE_H
#define BENCH_CHANCE_H

#include <stdint.h>
#include <time.h>

static uint64_t chance; /* begins with the seed */

/* Monotonic ns. */
static inline uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* In [0, 1): splitmix64 (Steele, Lea and Flood 2014). */
static inline double draw(void)
{
    uint64_t z = chance += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) / (double)(1ull << 53);
}

#endif
