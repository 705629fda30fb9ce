/*
 * Socket addresses: IPv4, IPv6 and unix paths; and prefixes of them (CIDR). Parsing is
 * strict: no octal, no short forms, IPv6 with a port needs brackets. Host names are not
 * addresses; see addr_parse_host_port for telling them apart.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include "base/err.h"
#include "base/str.h"

enum addr_family { ADDR_NONE, ADDR_IP4, ADDR_IP6, ADDR_UNIX };

enum { ADDR_PATH_MOST = 107, ADDR_TEXT_MOST = 128 };

struct addr {
    unsigned char family; /* enum addr_family */
    unsigned char path_length;
    uint16_t port;  /* host order */
    uint32_t scope; /* IPv6 zone index */
    union {
        unsigned char ip[16]; /* network order; IPv4 uses the first four */
        char path[ADDR_PATH_MOST + 1];
    };
};

struct prefix {
    struct addr addr; /* bits behind `bits` are zero; port 0 */
    unsigned bits;
};

struct prefixes {
    const struct prefix *items;
    unsigned count;
};

/* "192.0.2.1" or "2001:db8::1" (no brackets, no port). */
MUST_CHECK enum err addr_parse_ip(str s, struct addr *out);

/* "192.0.2.1/24", "2001:db8::/32", or a single address. ERR_INVALID also when host bits
 * are set behind the prefix. */
MUST_CHECK enum err prefix_parse(str s, struct prefix *out);

/*
 * Cuts "host:port", "[v6]:port", ":port" or "host" in two; port is an empty str when there
 * is none. ERR_INVALID: no closing bracket, IPv6 without brackets, rubbish behind it.
 * Does not look into the two pieces.
 */
MUST_CHECK enum err addr_cut_host_port(str s, str *host, str *port);

/* 1..65535, digits only. */
MUST_CHECK enum err addr_parse_port(str s, uint16_t *out);

/* A unix socket path. ERR_TOO_LARGE over ADDR_PATH_MOST, ERR_INVALID empty or with NUL. */
MUST_CHECK enum err addr_from_path(str path, struct addr *out);

/* "192.0.2.1:80", "[2001:db8::1]:80", "unix:/path"; room (at least 1) is cut off
 * at; ADDR_TEXT_MOST always fits. ADDR_NONE gives empty text. */
str addr_print(const struct addr *addr, char *memory, size_t room);

/* Without the port and the brackets. */
str addr_print_ip(const struct addr *addr, char *memory, size_t room);

/* Family, address bytes, zone and port; for unix the path. */
bool addr_eq(const struct addr *a, const struct addr *b);

/* Total order by family, bytes, zone, port. */
int addr_compare(const struct addr *a, const struct addr *b);

bool prefix_has(const struct prefix *prefix, const struct addr *addr);

/* Is it in one of them? Not in an empty list. */
bool prefixes_search(const struct prefixes *prefixes, const struct addr *addr);

/* The same, for lists that mostly are empty. */
static inline bool prefixes_have(const struct prefixes *prefixes, const struct addr *addr)
{
    return prefixes->count > 0 && prefixes_search(prefixes, addr);
}

/* Does every prefix of `narrow` lie inside one of `wide`? */
bool prefixes_cover(const struct prefixes *wide, const struct prefixes *narrow);

/* The same networks in the same order. */
bool prefixes_eq(const struct prefixes *a, const struct prefixes *b);

/* Copies on the heap; give them back with prefixes_free. */
struct prefixes prefixes_copy(const struct prefixes *from);
void prefixes_free(struct prefixes *copy);

/* The network that an IP address is in, under a prefix of that length: host bits and the
 * port are zero. Bits beyond the family's length keep the whole address. */
struct addr addr_network(const struct addr *addr, unsigned bits);

/* An IPv4-mapped IPv6 address (::ffff:a.b.c.d) becomes IPv4; others stay as they are. */
void addr_unmap(struct addr *addr);

#endif
