/* Answers of our own: small pages that say what was wrong, in text or in JSON. */
#ifndef PROXY_REPLY_H
#define PROXY_REPLY_H

#include "proxy/exchange.h"

/*
 * Puts an answer into x->response and x->reply: `status`, Weir-Cause and the request id,
 * and `why` in the body, unless the user has a page for the status. JSON where the client
 * prefers it. Always FLOW_REPLY.
 */
enum flow reply_error(struct exchange *x, unsigned status, enum cause cause,
                      const char *why);

/* 503, and when to come again. */
enum flow reply_later(struct exchange *x, enum cause cause, const char *why,
                      uint32_t seconds);

/* As the page of that name says, with its status; without one (it may have left with a
 * reload) a plain 503. */
enum flow reply_page(struct exchange *x, str name, enum cause cause, const char *why);

/* As the route's `respond` says. */
enum flow reply_respond(struct exchange *x, const struct respond *respond);

/* As the route's `redirect` says. */
enum flow reply_redirect(struct exchange *x, const struct redirect *redirect);

#endif
