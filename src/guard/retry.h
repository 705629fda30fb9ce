/*
 * May this exchange be tried again at another server? And the budget that keeps retries
 * from finishing off a pool that is ill. Twice is only ever done what is the same as once
 * (RFC 9110 9.2.2), or what surely was not begun.
 */
#ifndef GUARD_RETRY_H
#define GUARD_RETRY_H

#include "base/rand.h"
#include "lb/live.h"
#include "lb/model.h"
#include "proto/head.h"

enum retry_cause {
    RETRY_CAUSE_CONNECT, /* no connection, or it broke before a byte was sent on it */
    RETRY_CAUSE_RESET,   /* it broke: closed, reset, write failed */
    RETRY_CAUSE_TIMEOUT, /* no response head in time */
    RETRY_CAUSE_STATUS,  /* the server has answered with `status` */
    RETRY_CAUSE_OTHER,   /* garbage, the client's fault, ours: never again */
};

struct retry_case {
    enum retry_cause cause;
    unsigned status; /* with RETRY_CAUSE_STATUS */
    enum http_method method;
    unsigned tries;        /* so far, the first included */
    bool is_request_begun; /* a byte of it was handed to the kernel */
    bool
        is_response_begun; /* a byte of it came (or, with a status, went to the client) */
    bool is_body_whole;    /* we can send the request's body again from its start */
    bool is_link_kept;     /* the connection had lain idle before */
    uint32_t asked_wait;   /* ms, by the Retry-After of that status; 0: none */
};

enum retry_verdict {
    RETRY_NOT,
    RETRY_FREE,  /* nothing was sent: any method, no budget */
    RETRY_COSTS, /* if retry_budget_take says so */
};

enum retry_verdict retry_judge(const struct retries *retries,
                               const struct retry_case *what);

/*
 * How long the next try must wait, in *ms. That is chance, up to the back-off doubled with
 * every try (full jitter: Brooker 2015), or what the server has asked for where that is
 * longer; a kept connection that was dead is replaced at once. `left`, in ms, is the time
 * that the request still has: a back-off is cut to it. False: the server wants to be left
 * alone for longer than that, so there is no use in trying again.
 */
MUST_CHECK bool retry_pause(const struct retries *retries, const struct retry_case *what,
                            uint32_t left, struct rand *rand, uint32_t *ms);

/* A Retry-After field in ms (RFC 9110 10.2.3). Its form as a date is not read: that is
 * UINT32_MAX, as is everything that is too long or no number. */
uint32_t retry_after_read(str value);

/*
 * One retry in flight at the pool, as long as there are fewer than budget_floor, or than
 * budget_share percent of its requests in flight; or else as long as the retries of the
 * last ten seconds are fewer than that share of the requests of ten seconds (Finagle's
 * RetryBudget). The first lets a quiet pool retry at all; the second lets all requests go
 * on elsewhere that a dying server takes along at once, which may well be more than the
 * share of what is in flight. Where ten seconds allow for ten retries, they alone count,
 * which keeps a storm to the share from its first second on. Any thread. now:
 * monotonic ns. Give back exactly once for each true, when that try has ended.
 */
MUST_CHECK bool retry_budget_take(struct pool_live *pool, const struct retries *retries,
                                  uint64_t now);

/* The same for a hedge, which can be left undone: it takes of the ten seconds only what the
 * retries have left and takes nothing away from them, so that hedges cannot use up what is
 * needed when a server dies. */
MUST_CHECK bool retry_budget_take_hedge(struct pool_live *pool,
                                        const struct retries *retries, uint64_t now);

void retry_budget_give(struct pool_live *pool);

#endif
