/*
 * Which addresses the DNS may give to a server: who can write a zone, or forge an answer,
 * must not be able to point weir at what only weir can reach. A pure question; what
 * becomes of the answer is dns.c.
 */
#ifndef CONTROL_DISCOVERY_DNS_POLICY_H
#define CONTROL_DISCOVERY_DNS_POLICY_H

#include "lb/model.h"

/*
 * NULL: the address may be used. Otherwise the setting that is against it, in words
 * ("in resolvers.deny"). An IPv6 address that leads to an IPv4 one (mapped, compatible, NAT64,
 * 6to4) is denied under both names; to be allowed, the mapped one needs either, the others
 * their own.
 */
const char *dns_policy_refuses(const struct resolver_settings *settings,
                               const struct addr *addr);

#endif
