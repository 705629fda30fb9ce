/*
 * What a choice goes by: the client's address under a prefix, or any fact that is known
 * before a server is chosen. Compiled once with the configuration, hashed once a request.
 */
#ifndef LB_KEY_H
#define LB_KEY_H

#include "base/arena.h"
#include "lb/template.h"

struct key {
    const struct template *fact;     /* NULL: the client's address */
    unsigned prefix_ip4, prefix_ip6; /* how much of it */
};

/* The client's network; prefix lengths in bits, 1 to 32 and 1 to 128. */
const struct key *key_of_client(struct arena *arena, unsigned prefix_ip4,
                                unsigned prefix_ip6);

/*
 * A fact by its name, without braces ("req.header.x-user"). NULL and *error when there is
 * no such fact, or when it is known only after the choice.
 */
const struct key *key_of_fact(struct arena *arena, str name,
                              struct template_error *error);

/* Is there nothing to hash before a request was read? */
bool key_needs_request(const struct key *key);

/*
 * 64 bits that are the same for the same value in every worker, process and machine: two
 * weirs side by side, and the one after a restart, must send a key to the same server. So
 * the seed is fixed and known, and whoever may choose keys may aim at one server; bounded
 * load is the answer to that. False: there is no value, or an empty one.
 */
bool key_hash(const struct key *key, const struct template_facts *facts, uint64_t *out);

#endif
