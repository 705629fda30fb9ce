/*
 * Who takes a try: the pool's choice, with a place under the server's cap and, where its
 * breaker is half open, one of the few permits. What was taken goes back by server_give
 * and outcome_report.
 */
#ifndef PROXY_CHOOSE_H
#define PROXY_CHOOSE_H

#include "lb/pool.h"
#include "proxy/outcome.h"

/*
 * NULL: nobody may be chosen. A probe of a half-open server draws on the pool's retry
 * budget: *budget becomes the pool, and is to be given back, unless it is set already.
 * Without budget it waits until no server whose breaker is closed can be chosen: then it
 * goes all the same, or a pool that is ill as a whole would never be well again.
 * budget NULL: none is needed.
 */
struct server_live *choose_server(struct worker *worker, const struct pool *pool,
                                  struct ask *ask, breaker_permit *permit,
                                  struct pool_live **budget);

/*
 * Nobody could be chosen: is that because of the breakers of all servers that are well?
 * *seconds: until the first of them may be tried, for Retry-After.
 */
bool choose_is_broken(struct worker *worker, const struct pool *pool, uint32_t *seconds);

/* Is it because no name of the pool's servers has an address? */
bool choose_is_unresolved(const struct worker *worker, const struct pool *pool);

/* Seconds until that one breaker may be tried, at least 1. */
uint32_t choose_retry_after(const struct circuit *circuit, const struct breaker *breaker,
                            uint64_t now);

#endif
