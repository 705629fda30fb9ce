/*
 * client.ip and client.subnet are hashed as bytes, without being printed: they are what
 * most choices go by. A value longer than VALUE_MOST that has to be printed (req.uri
 * alone) counts up to there.
 */
#include "lb/key.h"

#include "base/hash.h"

enum { VALUE_MOST = 8192 };

static const uint64_t key_seed = 0x7765697220312030u; /* any would do, but for ever */

const struct key *key_of_client(struct arena *arena, unsigned prefix_ip4,
                                unsigned prefix_ip6)
{
    struct key *key = ARENA_NEW(arena, struct key);

    key->prefix_ip4 = prefix_ip4;
    key->prefix_ip6 = prefix_ip6;
    return key;
}

static const struct key *key_error(struct template_error *error, str name,
                                   const char *reason)
{
    *error = (struct template_error){0, name, reason};
    return NULL;
}

const struct key *key_of_fact(struct arena *arena, str name, struct template_error *error)
{
    struct key *key = ARENA_NEW(arena, struct key);

    if (str_find_char(name, '{') >= 0 || str_find_char(name, '}') >= 0)
        return key_error(error, name, "a fact is named without braces here");
    if (str_eq(name, STR("client.ip")))
        return key_of_client(arena, 32, 128);
    if (str_eq(name, STR("client.subnet")))
        return key_of_client(arena, SUBNET_BITS_IP4, SUBNET_BITS_IP6);
    key->fact =
        template_compile(arena, arena_printf(arena, "{" STR_FMT "}", STR_ARG(name)),
                         TEMPLATE_RESPONSE, error);
    if (!key->fact)
        return key_error(error, name, error->reason);
    if (template_known_at(key->fact) >= TEMPLATE_AT_CHOICE)
        return key_error(error, name, "known only when a server has been chosen");
    return key;
}

bool key_needs_request(const struct key *key)
{
    return key->fact && template_known_at(key->fact) > TEMPLATE_AT_ACCEPT;
}

static bool client_hash(const struct key *key, const struct addr *client, uint64_t *out)
{
    bool is_ip4 = client->family == ADDR_IP4;
    struct addr network;

    if (!is_ip4 && client->family != ADDR_IP6)
        return false;
    network = addr_network(client, is_ip4 ? key->prefix_ip4 : key->prefix_ip6);
    *out = hash_fast((str){(const char *)network.ip, is_ip4 ? 4 : 16}, key_seed);
    return true;
}

bool key_hash(const struct key *key, const struct template_facts *facts, uint64_t *out)
{
    char memory[VALUE_MOST];
    struct text text = text_in(memory, sizeof memory);
    str value;

    if (!key->fact)
        return facts->client && client_hash(key, facts->client, out);
    value = template_value(key->fact, facts, &text);
    if (!value.n)
        return false;
    *out = hash_fast(value, key_seed);
    return true;
}
