/*
 * Two hashes of bytes. siphash13 (Aumasson and Bernstein 2012, with 1 and 3 rounds) is
 * keyed: for every table whose keys a peer chooses, so that nobody can aim at one slot.
 * hash_fast is not: for our own data, and where two processes must come to the same
 * choice. Neither is for secrets. Both read bytes, so a result is the same on any machine.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

/* The 128 bits of the key come from chance (io/sys), once per process. */
uint64_t siphash13(const uint64_t key[2], str bytes);

/* Every bit of the result depends on every bit of the input and of the seed; any seed will
 * do. Stable for ever: choices that must survive a restart may lean on it. */
uint64_t hash_fast(str bytes, uint64_t seed);

/* The finaliser of splitmix64 (Steele, Lea and Flood 2014): a bijection that mixes well. */
static inline uint64_t hash_u64(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

#endif
