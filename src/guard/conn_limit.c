/*
 * Three counts, taken in the order process, listener, address; what was taken before a
 * refusal is given back. An address is counted for each listener by itself: its key is
 * the address with bits of the listener's identity thrown in. When the table of addresses has no room (it is made for more than the process
 * may hold) the connection is let in uncounted: a table of ours that is full is no fault
 * of this client, and the other two caps still hold.
 */
#include "guard/conn_limit.h"

#include "base/hash.h"

enum { ROOM_DEFAULT = 65536 };

void conn_limit_init(struct conn_limit *limit, unsigned most, const uint64_t seed[2])
{
    atomic_init(&limit->open, 0);
    atomic_init(&limit->most, most);
    stripe_init(&limit->addresses, most ? most : ROOM_DEFAULT, seed);
}

void conn_limit_close(struct conn_limit *limit)
{
    stripe_close(&limit->addresses);
}

static bool count_take(_Atomic(unsigned) *count, unsigned most)
{
    unsigned now = atomic_load_explicit(count, memory_order_relaxed);

    do {
        if (most && now >= most)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(
        count, &now, now + 1, memory_order_relaxed, memory_order_relaxed));
    return true;
}

static void count_give(_Atomic(unsigned) *count)
{
    atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
}

/* IPv4 as IPv6 writes it (::ffff:a.b.c.d), so that the two families cannot meet. */
static void key_make(const struct listener_live *listener, const struct addr *client,
                     unsigned char *key)
{
    uint64_t identity[2];

    identity[0] = hash_u64((uint64_t)(uintptr_t)listener);
    identity[1] = hash_u64(identity[0]);
    memset(key, 0, STRIPE_KEY_SIZE);
    if (client->family == ADDR_IP6) {
        memcpy(key, client->ip, STRIPE_KEY_SIZE);
    } else {
        key[10] = key[11] = 0xff;
        memcpy(key + 12, client->ip, 4);
    }
    for (unsigned i = 0; i < STRIPE_KEY_SIZE; i++)
        key[i] ^= (unsigned char)(identity[i / 8] >> (i % 8 * 8));
}

/* False: the address has its share already. */
static bool address_take(struct conn_limit *limit, const struct listener *listener,
                         const struct addr *client, struct conn_permit *permit)
{
    if (!listener->max_connections_per_ip ||
        (client->family != ADDR_IP4 && client->family != ADDR_IP6))
        return true;
    key_make(listener->live, client, permit->key);
    switch (
        stripe_add(&limit->addresses, permit->key, listener->max_connections_per_ip)) {
    case STRIPE_ADDED:
        permit->has_address = true;
        return true;
    case STRIPE_OVER:
        return false;
    case STRIPE_NO_ROOM:
        break;
    }
    return true;
}

bool conn_limit_take(struct conn_limit *limit, const struct listener *listener,
                     const struct addr *client, struct conn_permit *permit,
                     enum reject_reason *why)
{
    *permit = (struct conn_permit){0};
    if (!count_take(&limit->open,
                    atomic_load_explicit(&limit->most, memory_order_relaxed))) {
        *why = REJECT_PROCESS_FULL;
        return false;
    }
    if (!count_take(&listener->live->connections, listener->max_connections)) {
        count_give(&limit->open);
        *why = REJECT_LISTENER_FULL;
        return false;
    }
    permit->listener = listener->live;
    if (!address_take(limit, listener, client, permit)) {
        conn_limit_give(limit, permit);
        *why = REJECT_IP_FULL;
        return false;
    }
    return true;
}

void conn_limit_give(struct conn_limit *limit, struct conn_permit *permit)
{
    if (!permit->listener)
        return;
    if (permit->has_address)
        stripe_give(&limit->addresses, permit->key);
    count_give(&permit->listener->connections);
    count_give(&limit->open);
    *permit = (struct conn_permit){0};
}
