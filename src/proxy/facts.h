/* What an exchange knows, as routes, templates and logs ask for it. */
#ifndef PROXY_FACTS_H
#define PROXY_FACTS_H

#include "lb/template.h"
#include "proxy/exchange.h"

/* The facts as they stand now. */
struct template_facts exchange_facts(const struct exchange *x);

/* Draws what a worker's ids begin with. */
void id_source_init(struct id_source *source, struct rand *rand);

/* Gives the exchange an id of its own: 32 hexadecimal digits. */
void exchange_make_id(struct exchange *x);

/*
 * Settles who the client is: the peer, or where the peer is one of trusted_proxies the
 * last address of X-Forwarded-For that is not. Takes a trusted peer's request id over.
 */
void exchange_learn_client(struct exchange *x);

/* Takes off what an untrusted client claims about itself and adds what we know:
 * X-Forwarded-For, -Proto, -Host, Forwarded, the request id. */
void exchange_add_forwarded(struct exchange *x);

/* Carries out header edits on a head. False: not all found room in it, and those that did
 * not are left out. There is room for whatever is fixed; a value with facts may have 8 KiB,
 * and all of a head together HEADER_EDITS_BYTES. */
bool exchange_edit_head(struct exchange *x, struct head *head,
                        const struct header_edits *edits);

#endif
