/*
 * Parsing and printing lean on inet_pton and inet_ntop, which are strict enough
 * (no octal, no "1.2") and print IPv6 in the form of RFC 5952.
 */
#include "base/addr.h"

#include "base/check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned ip_size(const struct addr *addr)
{
    return addr->family == ADDR_IP4 ? 4 : addr->family == ADDR_IP6 ? 16 : 0;
}

enum err addr_parse_ip(str s, struct addr *out)
{
    char z[INET6_ADDRSTRLEN];
    struct addr addr = {0};

    if (s.n == 0 || s.n >= sizeof z || memchr(s.p, '\0', s.n))
        return ERR_INVALID;
    memcpy(z, s.p, s.n);
    z[s.n] = '\0';
    if (inet_pton(AF_INET, z, addr.ip) == 1)
        addr.family = ADDR_IP4;
    else if (inet_pton(AF_INET6, z, addr.ip) == 1)
        addr.family = ADDR_IP6;
    else
        return ERR_INVALID;
    *out = addr;
    return ERR_OK;
}

/* Clears the bits from `bits` on; true when some were set. */
static bool clear_host_bits(struct addr *addr, unsigned bits)
{
    bool were_set = false;

    for (unsigned i = 0; i < ip_size(addr); i++) {
        unsigned keep = bits > i * 8 ? bits - i * 8 : 0;
        unsigned char mask = (unsigned char)(keep >= 8 ? 0xff : 0xff << (8 - keep));

        were_set |= (addr->ip[i] & ~mask) != 0;
        addr->ip[i] &= mask;
    }
    return were_set;
}

enum err prefix_parse(str s, struct prefix *out)
{
    long slash = str_find_char(s, '/');
    struct prefix prefix = {0};
    uint64_t bits;

    if (addr_parse_ip(slash < 0 ? s : str_upto(s, (size_t)slash), &prefix.addr))
        return ERR_INVALID;
    bits = ip_size(&prefix.addr) * 8;
    if (slash >= 0) {
        uint64_t most = bits;

        if (!str_to_u64(str_from(s, (size_t)slash + 1), &bits) || bits > most)
            return ERR_INVALID;
    }
    prefix.bits = (unsigned)bits;
    if (clear_host_bits(&prefix.addr, prefix.bits))
        return ERR_INVALID;
    *out = prefix;
    return ERR_OK;
}

enum err addr_cut_host_port(str s, str *host, str *port)
{
    long at;

    *port = STR("");
    if (s.n && s.p[0] == '[') {
        at = str_find_char(s, ']');
        if (at < 0)
            return ERR_INVALID;
        *host = str_slice(s.p + 1, s.p + at);
        s = str_from(s, (size_t)at + 1);
        if (s.n == 0)
            return ERR_OK;
        if (s.p[0] != ':' || s.n < 2)
            return ERR_INVALID;
        *port = str_from(s, 1);
        return ERR_OK;
    }
    at = str_find_char(s, ':');
    *host = s;
    if (at < 0)
        return s.n ? ERR_OK : ERR_INVALID;
    *host = str_upto(s, (size_t)at);
    *port = str_from(s, (size_t)at + 1);
    return port->n && str_find_char(*port, ':') < 0 ? ERR_OK : ERR_INVALID;
}

enum err addr_parse_port(str s, uint16_t *out)
{
    uint64_t port;

    if (!str_to_u64(s, &port) || port < 1 || port > 65535)
        return ERR_INVALID;
    *out = (uint16_t)port;
    return ERR_OK;
}

enum err addr_from_path(str path, struct addr *out)
{
    if (path.n == 0 || memchr(path.p, '\0', path.n))
        return ERR_INVALID;
    if (path.n > ADDR_PATH_MOST)
        return ERR_TOO_LARGE;
    *out = (struct addr){.family = ADDR_UNIX, .path_length = (unsigned char)path.n};
    memcpy(out->path, path.p, path.n);
    return ERR_OK;
}

static str printed(char *memory, size_t room, int n)
{
    return (str){memory, (size_t)n < room ? (size_t)n : room - 1};
}

str addr_print_ip(const struct addr *addr, char *memory, size_t room)
{
    int family = addr->family == ADDR_IP4 ? AF_INET : AF_INET6;

    if (addr->family == ADDR_UNIX)
        return printed(memory, room, snprintf(memory, room, "unix:%s", addr->path));
    if (addr->family == ADDR_NONE ||
        !inet_ntop(family, addr->ip, memory, (socklen_t)room))
        return STR("");
    return str_of(memory);
}

str addr_print(const struct addr *addr, char *memory, size_t room)
{
    char ip[ADDR_TEXT_MOST];
    str host = addr_print_ip(addr, ip, sizeof ip);
    int n;

    if (addr->family == ADDR_UNIX || addr->family == ADDR_NONE)
        n = snprintf(memory, room, STR_FMT, STR_ARG(host));
    else if (addr->family == ADDR_IP6)
        n = snprintf(memory, room, "[" STR_FMT "]:%u", STR_ARG(host), addr->port);
    else
        n = snprintf(memory, room, STR_FMT ":%u", STR_ARG(host), addr->port);
    return printed(memory, room, n);
}

int addr_compare(const struct addr *a, const struct addr *b)
{
    int order;

    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    if (a->family == ADDR_UNIX)
        return strcmp(a->path, b->path);
    order = memcmp(a->ip, b->ip, ip_size(a));
    if (order)
        return order;
    if (a->scope != b->scope)
        return a->scope < b->scope ? -1 : 1;
    return a->port < b->port ? -1 : a->port > b->port;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
    return addr_compare(a, b) == 0;
}

bool prefix_has(const struct prefix *prefix, const struct addr *addr)
{
    struct addr masked = *addr;

    if (addr->family != prefix->addr.family)
        return false;
    clear_host_bits(&masked, prefix->bits);
    return memcmp(masked.ip, prefix->addr.ip, ip_size(addr)) == 0;
}

NEVER_INLINE bool prefixes_search(const struct prefixes *prefixes,
                                  const struct addr *addr)
{
    for (unsigned i = 0; i < prefixes->count; i++)
        if (prefix_has(&prefixes->items[i], addr))
            return true;
    return false;
}

bool prefixes_cover(const struct prefixes *wide, const struct prefixes *narrow)
{
    for (unsigned i = 0; i < narrow->count; i++) {
        const struct prefix *inner = &narrow->items[i];
        unsigned j = 0;

        while (j < wide->count && (wide->items[j].bits > inner->bits ||
                                   !prefix_has(&wide->items[j], &inner->addr)))
            j++;
        if (j == wide->count)
            return false;
    }
    return true;
}

bool prefixes_eq(const struct prefixes *a, const struct prefixes *b)
{
    bool is_same = a->count == b->count;

    for (unsigned i = 0; is_same && i < a->count; i++)
        is_same = a->items[i].bits == b->items[i].bits &&
                  addr_eq(&a->items[i].addr, &b->items[i].addr);
    return is_same;
}

struct prefixes prefixes_copy(const struct prefixes *from)
{
    struct prefix *copy = calloc(from->count + 1, sizeof *copy);

    CHECK(copy != NULL);
    if (from->count)
        memcpy(copy, from->items, from->count * sizeof *copy);
    return (struct prefixes){copy, from->count};
}

void prefixes_free(struct prefixes *copy)
{
    free((void *)(uintptr_t)copy->items);
    *copy = (struct prefixes){0};
}

struct addr addr_network(const struct addr *addr, unsigned bits)
{
    struct addr network = *addr;

    network.port = 0;
    clear_host_bits(&network, bits);
    return network;
}

void addr_unmap(struct addr *addr)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (addr->family != ADDR_IP6 || memcmp(addr->ip, mapped, sizeof mapped) != 0)
        return;
    addr->family = ADDR_IP4;
    addr->scope = 0;
    memmove(addr->ip, addr->ip + 12, 4);
    memset(addr->ip + 4, 0, 12);
}
