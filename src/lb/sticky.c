/* Pure arithmetic. Numbers in a token are little-endian. */
#include "lb/sticky.h"

#include "base/hash.h"

#include <endian.h>

enum { PART = 8 }; /* of the idle time, after which being seen is noted */

static const uint64_t pool_seed = UINT64_C(0x7765697220706f6f);

static void put64(unsigned char *p, uint64_t value)
{
    value = htole64(value);
    memcpy(p, &value, sizeof value);
}

static void put32(unsigned char *p, uint32_t value)
{
    value = htole32(value);
    memcpy(p, &value, sizeof value);
}

static uint64_t get64(const unsigned char *p)
{
    uint64_t value;

    memcpy(&value, p, sizeof value);
    return le64toh(value);
}

static uint32_t get32(const unsigned char *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof value);
    return le32toh(value);
}

void sticky_token_write(const struct sticky_token *token,
                        unsigned char bytes[STICKY_TOKEN_SIZE])
{
    put64(bytes, token->server);
    put64(bytes + 8, token->pool);
    put32(bytes + 16, token->issued);
    put32(bytes + 20, token->seen);
}

void sticky_token_read(const unsigned char bytes[STICKY_TOKEN_SIZE],
                       struct sticky_token *token)
{
    token->server = get64(bytes);
    token->pool = get64(bytes + 8);
    token->issued = get32(bytes + 16);
    token->seen = get32(bytes + 20);
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
    uint64_t most = UINT64_MAX, left = 1; /* it may end while a request runs */

    if (sticky->idle)
        most = (uint64_t)sticky->idle + sticky->idle / PART;
    if (sticky->absolute > issued_ms)
        left = sticky->absolute - issued_ms;
    if (sticky->absolute && left < most)
        most = left;
    if (most == UINT64_MAX)
        return 0;
    return (uint32_t)((most + 999) / 1000);
}
