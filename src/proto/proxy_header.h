/*
 * The PROXY protocol: tells a server who the client was, before the first byte of the
 * connection. Writes version 2 (binary). Reads versions 1 and 2, strictly. Carries no
 * TLVs of its own; reading, they are checked for their lengths and passed over.
 * (haproxy.org/download/2.6/doc/proxy-protocol.txt)
 */
#ifndef PROTO_PROXY_HEADER_H
#define PROTO_PROXY_HEADER_H

#include "base/addr.h"
#include "base/err.h"
#include "base/text.h"

enum { PROXY_HEADER_MOST = 16 + 216 }; /* bytes that the writers take at the most */

struct proxy_header {
    bool
        is_local; /* spoken by the proxy itself (a health check) or unknown: no addresses */
    struct addr from, to; /* the client, and the address that it spoke to */
    size_t bytes;         /* length of the header on the wire */
};

/*
 * Version 2 for a stream of bytes. Both addresses of one family; when they are not, the
 * IPv4 one is written as IPv4-mapped IPv6; a mix with unix or none is written as local.
 */
void proxy_header_write(struct text *out, const struct addr *from, const struct addr *to);

/* Version 2, LOCAL: a connection of the proxy's own, such as a health check. */
void proxy_header_write_local(struct text *out);

/*
 * `bytes` from the connection's first byte on. ERR_AGAIN: not complete, call again with
 * more behind. ERR_INVALID: not a PROXY header, or a broken one.
 */
MUST_CHECK enum err proxy_header_read(str bytes, struct proxy_header *out);

#endif
