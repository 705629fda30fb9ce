/*
 * One request and its response, and the steps of its life (exchange.c: read that first).
 * What belongs to one try at one server lies in the attempt.
 */
#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H

#include "guard/breaker.h"
#include "guard/pace.h"
#include "lb/balance.h"
#include "lb/match.h"
#include "proxy/body.h"
#include "proxy/link.h"
#include "proxy/session.h"
#include "proxy/waiting.h"

struct hedge;
struct server_outcome; /* proxy/outcome.h */
struct relay;
struct stick; /* proxy/stick.h */

enum step {
    STEP_ROUTE,
    STEP_REQUEST,
    STEP_PICK,
    STEP_CONNECT,
    STEP_SEND,
    STEP_RECEIVE,
    STEP_RESPONSE,
    STEP_DELIVER,
    STEP_FINISH,
};

enum flow {
    FLOW_NEXT,  /* on to the next step */
    FLOW_HEDGE, /* the second try goes on alone: back to receive */
    FLOW_RETRY, /* another server may do better: back to pick */
    FLOW_REPLY, /* somebody above has answered: on to response */
    FLOW_WAIT,  /* an event will run us again, from this step */
    FLOW_END,   /* the exchange is gone */
};

/* What may be late. */
enum due {
    DUE_CONNECT,
    DUE_SERVER_TAKES, /* the server does not take the request's body */
    DUE_RESPONSE,     /* no response head */
    DUE_RETRY,        /* not late: the wait before the next attempt is over */
    DUE_UPLOAD,       /* the client sends no more of the body, or too slowly */
    DUE_DOWNLOAD,     /* the server falls silent in the middle */
    DUE_CLIENT_TAKES, /* the client does not read */
    DUE_CLIENT_STAYS, /* it has closed its side: perhaps it waits, perhaps it has left */
    DUE_QUEUE,        /* no server has had room */
    DUE_HEDGE,        /* time for a second try beside the first; then that one is late */
    DUE_LOOK,         /* time to watch the client, who has not been registered yet */
    DUE_COUNT,
};

/* One try at one server, and exactly what it has counted there. */
struct attempt {
    struct server_live *server; /* NULL: none is under way */
    struct link *link;
    struct pool_live *retry_of; /* a retry's or a probe's budget was taken there */
    uint64_t began, connected, sent;
    uint64_t asked;        /* when the whole request had been handed over; 0: not yet */
    unsigned in_flight;    /* at the server when it began, itself included */
    breaker_permit permit; /* of the server's breaker; 0: none, or judged already */
    bool is_reused;        /* the link was idle before */
    bool is_at_home;       /* a server that was tried before, on a new link */
    bool is_head_sent;     /* the request was handed to the link */
    uint64_t sent_before;  /* bytes that had left on the link before it */
};

enum {
    EXCHANGE_MAGIC = 0x45584348,
    EXCHANGE_MEMORY = 11 * 1024, /* enough for two usual heads without the heap */
    EXTRA_FIELDS = 12,     /* what we add to a head by ourselves: forwarded, id, ... */
    LOOK_AFTER_MS = 50,    /* then a client is worth an epoll_ctl */
    HALF_CLOSED_MS = 5000, /* how long we believe that a silent client waits */
    INTERIM_MOST = 16,     /* 1xx heads that a server may send before the final one */
};

/* What the log wants to know of the last attempt that failed. */
struct served {
    struct server_live *by; /* held; NULL: none has failed */
    uint64_t began, connected;
    bool is_reused;
};

/* Flags that are facts about the exchange as a whole. */
enum exchange_flag {
    EXCHANGE_KEEP_FRONT = 1 << 0, /* the client's connection goes on afterwards */
    EXCHANGE_OWN_REPLY = 1 << 1,  /* the response is ours */
    EXCHANGE_HEAD_SENT = 1 << 2,  /* the final head has gone to the client */
    EXCHANGE_COUNTED = 1 << 3,    /* in flight at the pool */
    EXCHANGE_UPLOADING = 1 << 4,  /* the upload pump is to be run */
    EXCHANGE_TUNNEL = 1 << 5,     /* a relay has its two ends */
    EXCHANGE_TRUSTED = 1 << 7,    /* the peer is one of trusted_proxies */
    EXCHANGE_HAS_WAITED = 1 << 8, /* its `wait` was begun */
};

/* Rule zero: an exchange joins everything; parts that belong together are structs. */
struct exchange {
    unsigned magic;
    enum step step;
    unsigned flags; /* enum exchange_flag */
    enum cause cause;
    const struct route *route;
    const struct pool *pool;
    str request_id;
    struct hedge *hedge; /* a second one beside it: proxy/hedge.h */
    enum hedge_result hedged;
    const struct server_live *hedged_at; /* tried as well; NULL: nobody */
    unsigned tries;
    unsigned interim_count;      /* 1xx passed on */
    enum degrade_level level;    /* of the route's ladder, when it came */
    breaker_permit route_permit; /* of the route's breaker; 0: none, or judged */
    struct relay *relay;
    struct stick *stick; /* NULL: the pool is not sticky, or none was chosen */
    uint64_t first_byte;
    struct served served;
    struct attempt attempt;
    /* What stands before this is cleared for a new exchange; the rest is written before
     * it is looked at. */
    struct session *session;
    struct worker *worker;
    struct snapshot *snapshot; /* pinned; NULL once it is a tunnel */
    const struct listener *listener;
    uint64_t began;
    uint64_t sent_before; /* bytes that went to the client before this exchange */
    str client_text;
    str target;            /* what the server sees */
    str reply;             /* body of an answer of ours */
    struct deferred again; /* a pump's turn was over */
    struct head request, response;
    struct body upload, download;
    struct addr client, peer;
    struct request_facts facts;
    struct wait wait; /* in the pool's queue; with EXCHANGE_HAS_WAITED */
    const struct server_live *tried[TRIED_MOST];
    struct pace pace;
    uint64_t due[DUE_COUNT]; /* monotonic ns; TIMER_NEVER: not waited for */
    struct arena arena;
    _Alignas(16) char memory[EXCHANGE_MEMORY];
};

/* For a session whose first bytes of a request have come. Its listener's limits are
 * those of the snapshot that is pinned here. */
struct exchange *exchange_new(struct session *session);

/* Room for the fields of an answer, and for those that we add. */
void exchange_make_room(struct exchange *x, struct head *response);

/* The request's head is there (in x->request): go. */
void exchange_begin(struct exchange *x);

/* The request cannot be read: answer `status`, then close. `why` is for the page. */
void exchange_refuse(struct exchange *x, unsigned status, const char *why);

/* Something happened at one of its ends. May end it. */
void exchange_wake(struct exchange *x);

/* The session's timer, which is the exchange's while that runs, has fired. May end it. */
void exchange_look_at_clock(struct exchange *x);

/* Ends it from outside: what the client has not got yet it will not get. */
void exchange_abort(struct exchange *x, enum cause cause);

/* The server behind that link of its must be left now: once more elsewhere where that is safe, an answer of ours,
 * or, when an answer or a tunnel has begun, the end. */
void exchange_lose_server(struct exchange *x, const struct link *link);

/* Gives everything back. Only for an exchange that has not begun, or from its last step. */
void exchange_free(struct exchange *x);

/* Monotonic ns of this turn. */
static inline uint64_t exchange_now(const struct exchange *x)
{
    return x->worker->engine.loop.now;
}

/* Of the response's status: where it is counted. */
static inline unsigned exchange_class(const struct exchange *x)
{
    unsigned class = x->response.status / 100;

    return class < CODE_CLASSES ? class : 0;
}

/* ---- shared by the steps ---- */

enum flow step_route(struct exchange *x);
enum flow step_request(struct exchange *x);
enum flow step_pick(struct exchange *x);
enum flow step_connect(struct exchange *x);
enum flow step_send(struct exchange *x);
enum flow step_receive(struct exchange *x);
enum flow step_response(struct exchange *x);
enum flow step_deliver(struct exchange *x);
enum flow step_finish(struct exchange *x);

/* Starts to wait for something that must happen within `ms` (0: for ever). */
void exchange_due(struct exchange *x, enum due which, uint32_t ms);
static inline void exchange_done_with(struct exchange *x, enum due which)
{
    x->due[which] = TIMER_NEVER;
}

/* Runs the upload, which is EXCHANGE_UPLOADING, as far as it goes. FLOW_NEXT: go on; FLOW_REPLY: it failed because of
 * the client and x->response says so; FLOW_RETRY: the server's side broke. */
enum flow exchange_upload(struct exchange *x);

/* The request's body is about to be read from its first byte. */
void exchange_expect_upload(struct exchange *x);

/* ---- where the pool has a queue (steps_wait.c) ---- */

/* May a server be chosen for it now? Otherwise, or when none had room: exchange_queue. */
bool exchange_may_pick(struct exchange *x);

/* Is there a server, well if full, that it has not tried yet? */
bool exchange_has_other_server(struct exchange *x);

/* No place was found for it, and it is to take one at a server that it has tried. */
bool exchange_must_settle(const struct exchange *x);

/* FLOW_WAIT: it stands in the queue. FLOW_NEXT: no server is there to wait for; tried_too:
 * not even those that it has tried. Or an answer of ours. */
enum flow exchange_queue(struct exchange *x, bool tried_too);

/* A server was chosen. */
void exchange_has_place(struct exchange *x);

enum flow exchange_queue_timeout(struct exchange *x);

/* x->response is the final head that x->attempt has got. FLOW_NEXT: on to response. */
enum flow exchange_take_answer(struct exchange *x);

/* Where this worker counts what x->attempt does at its server. */
static inline struct server_shard *attempt_shard(const struct exchange *x)
{
    return &x->attempt.server->shards[x->worker->index];
}

/* What the attempt has counted is given back; its link is kept or closed. */
void attempt_end(struct exchange *x, bool is_clean);

/* Our own lack, not the server's fault: no other one would help. Ends the attempt. */
#define NO_CONNECTION "no connection can be opened at the moment"
#define NO_MEMORY_LEFT "no memory is left for now"
enum flow attempt_overloaded(struct exchange *x, const char *why);

/* As attempt_failed for a connection that could not be established. */
enum flow attempt_connect_failed(struct exchange *x, enum err why);

/* Whom it has tried, a hedge's server included, is not to be chosen. */
void attempt_add_tried(const struct exchange *x, struct ask *ask);

/* A server for it with its request counted in, not one of those tried unless `tried_too`;
 * NULL: nobody may be chosen. */
struct server_live *attempt_pick(struct exchange *x, struct attempt *attempt,
                                 bool tried_too);

/* Connects it to its server, or goes on with that: `due` is when it is late. ERR_AGAIN:
 * not yet. */
MUST_CHECK enum err attempt_connect(struct exchange *x, struct attempt *attempt,
                                    enum due due);

/* Hands the request's head to its link. */
void attempt_send(struct exchange *x, struct attempt *attempt);

/* Gives the hold on x->served.by back; harmless when there is none. */
void exchange_forget_server(struct exchange *x);

/* Tells what came of the attempt (proxy/outcome); where the pool has somebody who wants
 * to know: pool->learns. Harmless when it was told before. */
void attempt_outcome(struct exchange *x, const struct server_outcome *outcome);

/* No connection to the attempt's server: the steward hears when it is the last straw. */
void attempt_note_connect_failure(struct exchange *x, const struct attempt *attempt,
                                  enum err why);

/* Tells the route's breaker what came of the exchange, if it has let it in. */
void exchange_tell_route(struct exchange *x, const struct server_outcome *outcome);

/* Its link was kept and broke soon after the request was sent, before a byte of an answer
 * came: the server has most likely closed it, as it lay idle, in the moment in which it was
 * used. Where the request is tried again, that counts against nobody; a server that is
 * truly ill fails on a new link as well. One that had the request for longer has failed. */
bool attempt_broke_kept(const struct exchange *x, const struct attempt *attempt,
                        enum server_failure failure);

/* The attempt failed: another server, or an answer of ours. */
enum flow attempt_failed(struct exchange *x, enum cause cause,
                         enum server_failure failure);

/* The same where we leave the server by ourselves, which says nothing against it. */
enum flow attempt_leave_server(struct exchange *x);

/* The server has answered with a status in x->response. True: another one may do better,
 * and the attempt has ended. */
bool attempt_retry_status(struct exchange *x);

#endif
