/*
 * `deny` is asked first and wins. IPv4 addresses can be written in IPv6 in several ways,
 * and a kernel or a gateway on the way takes them for what they mean; so does this. The
 * ways whose place for the address is fixed by a standard are known here; a NAT64 with a
 * prefix of its own is the business of who runs it, and of a line in `deny`.
 */
#include "control/discovery/dns_policy.h"

struct wrapping {
    unsigned char bytes[12]; /* what such an address begins with */
    unsigned char size;      /* so many of them; the IPv4 address follows */
    bool is_bare; /* nothing marks it: with 0.x.y.z it is ::, ::1 and the like */
};

static const struct wrapping wrappings[] = {
    {{[10] = 0xff, [11] = 0xff}, 12, false}, /* ::ffff:a.b.c.d: mapped */
    {{0x00, 0x64, 0xff, 0x9b}, 12, false},   /* 64:ff9b::a.b.c.d: NAT64 */
    {{0x20, 0x02}, 2, false},                /* 2002:aabb:ccdd::: 6to4 */
    {{0}, 12, true},                         /* ::a.b.c.d: compatible */
};

static bool unwrap(const struct addr *addr, struct addr *inner)
{
    if (addr->family != ADDR_IP6)
        return false;
    for (unsigned i = 0; i < array_len(wrappings); i++) {
        const struct wrapping *wrapping = &wrappings[i];

        if (memcmp(addr->ip, wrapping->bytes, wrapping->size) != 0 ||
            (wrapping->is_bare && addr->ip[wrapping->size] == 0))
            continue;
        *inner = (struct addr){.family = ADDR_IP4};
        memcpy(inner->ip, addr->ip + wrapping->size, 4);
        return true;
    }
    return false;
}

const char *dns_policy_refuses(const struct resolver_settings *settings,
                               const struct addr *addr)
{
    struct addr inner, unmapped = *addr;
    bool is_wrapped = unwrap(addr, &inner);

    if (prefixes_have(&settings->deny, addr) ||
        (is_wrapped && prefixes_have(&settings->deny, &inner)))
        return "in resolvers.deny";
    addr_unmap(&unmapped);
    if (settings->allow.count && !prefixes_have(&settings->allow, addr) &&
        !prefixes_have(&settings->allow, &unmapped))
        return "not in resolvers.allow";
    return NULL;
}
