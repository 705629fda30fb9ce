/* The forms of addresses in a configuration, and what is wrong with one that is not right. */
#ifndef CONTROL_CONF_ADDRESS_H
#define CONTROL_CONF_ADDRESS_H

#include "control/conf/schema.h"
#include "lb/model.h"

/* "host:port", "[v6]:port", "unix:/path" of a server: fills host, addr, port. */
bool address_read_server(struct reader *reader, const struct node *node,
                         struct server_entry *out);

/* An address to listen on: ":80" is all of IPv6 and IPv4 (family IPv6, no address). */
bool address_read_listen(struct reader *reader, const struct node *node,
                         struct addr *out);

/* The same without complaints, of a text that was checked; of an empty one: no address. */
MUST_CHECK enum err address_parse_listen(str text, struct addr *out);

/* "10.0.0.0/8" or a single address. */
bool address_read_prefix(struct reader *reader, const struct node *node,
                         struct prefix *out);

/* A list of such, or one. */
struct prefixes address_read_prefixes(struct reader *reader, const struct pair *pair);

/* A DNS server: an IP address with or without a port (53). */
bool address_read_resolver(struct reader *reader, const struct node *node,
                           struct addr *out);

/* An absolute path that fits into a unix socket's address. */
bool address_read_socket(struct reader *reader, const struct node *node, str path);

#endif
