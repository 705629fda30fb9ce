/*
 * Who is turned away although a route would take it: what is closed for maintenance, and
 * what the route's ladder gives up at its level. Servers and clients are told the level
 * (Weir-Degrade), so that they may do less, too.
 */
#ifndef PROXY_SHED_H
#define PROXY_SHED_H

#include "proxy/exchange.h"

/* For an exchange that has its route; only where the worker has curbs or the route a
 * ladder. FLOW_REPLY: it is turned away, and x->response says so. */
enum flow shed_look(struct exchange *x);

/* For the answer of a route with a ladder. */
void shed_tell_client(struct exchange *x);

#endif
