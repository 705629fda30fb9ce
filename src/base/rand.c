/* Seeding by splitmix64, as the generator's authors advise. */
#include "base/rand.h"

#include "base/hash.h"

void rand_seed(struct rand *rand, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15u;
        rand->s[i] = hash_u64(seed);
    }
}
