/*
 * Who is turned away although a route would take it: what is closed for maintenance.
 */
#ifndef PROXY_SHED_H
#define PROXY_SHED_H

#include "proxy/exchange.h"

/* For an exchange that has its route; only where the worker has curbs. FLOW_REPLY: it is
 * turned away, and x->response says so. */
enum flow shed_look(struct exchange *x);

#endif
