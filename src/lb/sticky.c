/* Pure arithmetic. Numbers in a token are little-endian. */
#include "lb/sticky.h"

#include "base/hash.h"

enum { PART = 8 }; /* of the idle time, after which being seen is noted */

static const uint64_t pool_seed = UINT64_C(0x7765697220706f6f);

static void put(unsigned char *p, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        p[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get(const unsigned char *p, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)p[i] << 8 * i;
    return value;
}

void sticky_token_write(const struct sticky_token *token,
                        unsigned char bytes[STICKY_TOKEN_SIZE])
{
    put(bytes, token->server, 8);
    put(bytes + 8, token->pool, 8);
    put(bytes + 16, token->issued, 4);
    put(bytes + 20, token->seen, 4);
}

void sticky_token_read(const unsigned char bytes[STICKY_TOKEN_SIZE],
                       struct sticky_token *token)
{
    token->server = get(bytes, 8);
    token->pool = get(bytes + 8, 8);
    token->issued = (uint32_t)get(bytes + 16, 4);
    token->seen = (uint32_t)get(bytes + 20, 4);
}

uint64_t sticky_pool_id(str name)
{
    return hash_fast(name, pool_seed);
}

bool sticky_is_alive(const struct sticky *sticky, uint64_t issued_ms, uint64_t seen_ms)
{
    uint64_t idle = (uint64_t)sticky->idle + sticky->idle / PART;

    if (sticky->absolute && issued_ms >= sticky->absolute)
        return false;
    return !sticky->idle || seen_ms < idle;
}

bool sticky_is_due(const struct sticky *sticky, uint64_t seen_ms)
{
    return sticky->idle && seen_ms >= sticky->idle / PART;
}

uint32_t sticky_max_age(const struct sticky *sticky, uint64_t issued_ms)
{
    uint64_t most = UINT64_MAX;

    if (sticky->idle)
        most = (uint64_t)sticky->idle + sticky->idle / PART;
    if (sticky->absolute && sticky->absolute - issued_ms < most)
        most = sticky->absolute - issued_ms;
    if (most == UINT64_MAX)
        return 0;
    return (uint32_t)((most + 999) / 1000);
}
