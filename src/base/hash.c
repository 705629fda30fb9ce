/*
 * SipHash with one round for each word and three at the end: the variant that is meant
 * for hash tables (its authors advise 2 and 4 for authentication). hash_fast is the
 * splitmix64 finaliser run over the words one after the other: each step is a bijection of
 * what came before, so no word can undo another without knowing it.
 */
#include "base/hash.h"

#include <endian.h>

static uint64_t load64(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return le64toh(word);
}

/* The last bytes, fewer than eight; the rest zero. */
static uint64_t load_tail(str tail)
{
    uint64_t word = 0;

    if (tail.n)
        memcpy(&word, tail.p, tail.n);
    return le64toh(word);
}

static uint64_t rotate(uint64_t x, unsigned k)
{
    return (x << k) | (x >> (64 - k));
}

static ALWAYS_INLINE void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static ALWAYS_INLINE void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

uint64_t siphash13(const uint64_t key[2], str bytes)
{
    uint64_t v[4] = {
        key[0] ^ 0x736f6d6570736575u, /* "somepseudorandomlygeneratedbytes" */
        key[1] ^ 0x646f72616e646f6du,
        key[0] ^ 0x6c7967656e657261u,
        key[1] ^ 0x7465646279746573u,
    };
    size_t at = 0;

    for (; bytes.n - at >= 8; at += 8)
        sip_word(v, load64(bytes.p + at));
    sip_word(v, load_tail(str_from(bytes, at)) | (uint64_t)bytes.n << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static const uint64_t golden = 0x9e3779b97f4a7c15u; /* 2^64 over the golden ratio */

uint64_t hash_fast(str bytes, uint64_t seed)
{
    uint64_t h = hash_u64(seed + golden * (bytes.n + 1));
    size_t at = 0;

    for (; bytes.n - at >= 8; at += 8)
        h = hash_u64((h ^ load64(bytes.p + at)) + golden);
    if (at < bytes.n)
        h = hash_u64((h ^ load_tail(str_from(bytes, at))) + golden);
    return h;
}
