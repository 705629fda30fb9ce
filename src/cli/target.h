/* Where the daemon is asked about a server: from POOL/SERVER to a path of the API. */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include "base/text.h"

struct named {
    str pool, server;
};

/* "app/10.0.0.1:80"; a server's name may hold slashes, a pool's may not. False: it is no
 * such pair. */
bool target_cut(str name, struct named *named);

/* One part of a path: what could mean something there is written as %XX. */
void target_add_part(struct text *target, str part);

/* /v1/pools/POOL/servers/SERVER */
void target_add_server(struct text *target, const struct named *named);

#endif
