/*
 * What an attempt teaches the balancer of its pool (balancer->learn) and, with adaptive
 * concurrency, its server's limit (guard/capacity): how long the server took, or that it
 * failed. Where neither is there, each of these is one test.
 *
 * The time is that of connecting and that from the whole request to the first byte of the
 * final head. Connecting counts, because a server that is too busy to accept is slow for
 * whoever waits; the upload does not, because its speed is the client's, and so an answer
 * that comes before the request is whole teaches nothing but success or failure.
 */
#ifndef PROXY_LEARN_H
#define PROXY_LEARN_H

#include "lb/balance.h"
#include "proxy/exchange.h"

/* x->response is a final head. 500, 502, 503 and 504 say that the server cannot. */
void learn_answer_always(struct exchange *x);

/* No answer, or only a part of it: x->attempt, or a hedge. */
void learn_failure_always(struct exchange *x, const struct attempt *attempt);

/* The client has left while the server had the request: it took this long at least. */
void learn_departure_always(struct exchange *x);

/* Does anybody want to know? */
static inline bool learn_is_wanted(const struct pool *pool)
{
    return pool->is_timed;
}

static inline void learn_answer(struct exchange *x)
{
    if (learn_is_wanted(x->pool))
        learn_answer_always(x);
}

static inline void learn_failure(struct exchange *x, const struct attempt *attempt)
{
    if (learn_is_wanted(x->pool))
        learn_failure_always(x, attempt);
}

#endif
