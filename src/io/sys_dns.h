/*
 * The door to the domain name system, beside sys.h and for the same reason: the daemon
 * links sys_dns.c (c-ares on the caller's loop), the simulation its own twin. A question
 * is about one family, so that the asker can tell "no such address" in one from "nobody
 * could tell" in the other. It keeps nothing and decides nothing; policy is io/resolver.
 */
#ifndef IO_SYS_DNS_H
#define IO_SYS_DNS_H

#include "io/loop.h"

struct sys_dns;
struct sys_dns_question;

/*
 * ERR_OK: count > 0 addresses (port 0, any order, perhaps some twice), which hold for
 * `ttl` seconds. ERR_NOT_FOUND: the name, or the name in this family, is known to have
 * none. Anything else: nobody could tell (ERR_TIMEOUT silence, ERR_INVALID garbage,
 * ERR_IO the servers fail, refuse or cannot be reached).
 */
typedef void sys_dns_fn(void *owner, enum err e, const struct addr *addrs, unsigned count,
                        uint32_t ttl);

/* servers: asked in this order, each twice (port 0 means 53), timeout_ms for the first
 * try; none: what the system says (resolv.conf and hosts, read anew now and then). One
 * owner thread, that of the loop. */
MUST_CHECK enum err sys_dns_new(struct sys_dns **dns, struct loop *loop,
                                const struct addr *servers, unsigned server_count,
                                uint32_t timeout_ms);

/* Questions that are open are dropped silently. Not from within a done function. */
void sys_dns_free(struct sys_dns *dns);

/* family: ADDR_IP4 or ADDR_IP6. `host` is copied. done is called later, from the loop,
 * exactly once, unless the question is cancelled; then the question is gone. */
struct sys_dns_question *sys_dns_ask(struct sys_dns *dns, str host,
                                     enum addr_family family, sys_dns_fn *done,
                                     void *owner);
void sys_dns_cancel(struct sys_dns_question *question);

#endif
