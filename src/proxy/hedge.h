/*
 * A second try that runs beside the first: x->hedge. It begins when the first is late
 * (guard/hedging), for requests that may be sent twice and have no body, once for each.
 * The first head of an answer wins and the other connection is closed, which is nobody's
 * failure. When one of the two fails, the other goes on alone.
 */
#ifndef PROXY_HEDGE_H
#define PROXY_HEDGE_H

#include "proxy/exchange.h"

struct hedge {
    struct attempt attempt;
    struct head response; /* the first try is still reading into the exchange's */
};

/* The request is out: a hedge may follow when no head comes. */
void hedge_expect_always(struct exchange *x);
static inline void hedge_expect(struct exchange *x)
{
    if (unlikely(x->route->hedges != HEDGE_NEVER))
        hedge_expect_always(x);
}

/* The first try has a final head: it teaches how long that takes, and it has won. */
void hedge_first_answers_always(struct exchange *x);
static inline void hedge_first_answers(struct exchange *x)
{
    if (unlikely(x->route->hedges != HEDGE_NEVER))
        hedge_first_answers_always(x);
}

/* DUE_HEDGE has come: begins it, or it is late itself. FLOW_WAIT: nothing to do. */
enum flow hedge_due(struct exchange *x);

/* Goes on with it; only when there is one. FLOW_NEXT: it has won and is x->attempt now,
 * its final head x->response. */
enum flow hedge_run(struct exchange *x);

/* Its connection must be left. */
enum flow hedge_lose_server(struct exchange *x);

/* Gives up what it has taken. */
void hedge_end(struct exchange *x, enum hedge_result result);

/* Ends the first try, which has failed, and leaves the second. */
enum flow hedge_alone(struct exchange *x);

#endif
