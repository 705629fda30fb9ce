/*
 * An exchange whose answer is 101: from now on bytes go both ways and HTTP has nothing
 * to say. The exchange stays as the owner of the two ends and for the log, but gives its
 * snapshot back, so that a thousand reloads under open tunnels keep none alive.
 */
#ifndef PROXY_TUNNEL_H
#define PROXY_TUNNEL_H

#include "proxy/exchange.h"

/* The 101 is in x->response: sends it and begins to relay. FLOW_END. */
enum flow tunnel_begin(struct exchange *x);

#endif
