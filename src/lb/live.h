/*
 * What we know at run time: health, load, counts. Live objects are found by identity
 * (pool name, server name and address, route name, listener name) when a new snapshot
 * or endpoint set is built, so a reload forgets nothing. They lie on the heap; the
 * steward makes and frees them. Atomics are shared words; everything in a `shard` is
 * written by one worker with plain adds and read by the steward, which sums.
 */
#ifndef LB_LIVE_H
#define LB_LIVE_H

#include "base/addr.h"
#include "base/counter.h"
#include "base/list.h"
#include "base/str.h"
#include "lb/circuit.h"

#include <stdatomic.h>

struct endpoint_set; /* lb/pool.h */
struct sticky_table; /* lb/sticky_table.h */
struct waiting_desk; /* proxy/waiting.h */
struct load_slip;    /* proxy/load_slip.h */

enum health {
    HEALTH_UNKNOWN, /* usable: weir has just begun, the first check decides */
    HEALTH_UP,
    HEALTH_STARTING, /* added later: not used before its first check has passed */
    HEALTH_DOWN,
    HEALTH_EJECTED,    /* its answers to requests were bad: it rests for a while */
    HEALTH_UNRESOLVED, /* its name has no address */
    HEALTH_DRAINING, /* as people see it; its checks go on and live->health says theirs */
    HEALTH_COUNT,
};

/* "up", "down", ...: the words of `weir status`. */
const char *health_text(enum health health);

static inline bool health_is_usable(enum health health)
{
    return health <= HEALTH_UP;
}

/* How much of its weight a server counts for: a part of it while it warms up (slow start)
 * or when it has asked for less. Never 0: who is to get nothing is draining. */
enum { RAMP_FULL = 1024 };

enum { CODE_CLASSES = 6 }; /* 1xx..5xx at [1]..[5]; [0]: no response at all */

enum server_failure {
    FAILURE_CONNECT_REFUSED,
    FAILURE_CONNECT_TIMEOUT,
    FAILURE_CONNECT_ERROR,
    FAILURE_CLOSED,  /* before or in the middle of a response */
    FAILURE_TIMEOUT, /* silent */
    FAILURE_INVALID, /* answered garbage */
    FAILURE_COUNT,
};

/* The label of weir_server_failures_total. */
const char *server_failure_text(enum server_failure failure);

/* What came of one attempt, for balancers that learn. Times are monotonic ns. */
struct outcome {
    uint64_t now;
    uint64_t latency;   /* connecting, and from the whole request to the first byte */
    unsigned in_flight; /* at the server when the attempt began, itself included */
    bool has_failed;    /* or answered that it cannot */
    bool is_unfinished; /* nobody waited for the end: latency is what it took at least */
};

enum { ESTIMATE_LEVELS = 8 }; /* in flight: 1, 2..3, 4..7, ... 128 and more */

/* What one worker has learnt of a server from outcomes (lb/estimate.h). */
struct estimate {
    uint64_t at;                 /* of the newest outcome; 0: none yet */
    uint64_t picked_at;          /* when this worker last chose it */
    float errors;                /* 0..1: the failures of late */
    float peak;                  /* ns: least_response_time */
    float near[ESTIMATE_LEVELS]; /* ns, by requests in flight: prequal */
};

/* What a worker has seen of how long a server's answers take (guard/capacity.h). */
struct capacity_counts {
    uint64_t answers, octaves;   /* and the sum of their times: log2 ns, in 1/1024 */
    uint64_t squares;            /* the sum of those, squared */
    uint64_t left, left_octaves; /* the same of those whose end nobody waited for */
    uint64_t failed;
    uint64_t in_flight; /* sum over all of them, each itself included */
    uint64_t crowded;   /* begun when most of the limit was used */
};

struct server_shard {
    CACHE_ALIGNED struct estimate estimate; /* its worker alone looks at it */
    uint64_t requests[CODE_CLASSES];
    uint64_t failures[FAILURE_COUNT];
    uint64_t joined; /* connections of tcp listeners that came to stand */
    uint64_t bad; /* tries that failed, bad statuses included; only where pool->learns */
    uint64_t bytes_sent, bytes_received; /* to and from the server */
    struct histogram response, connect;  /* time to first byte; connect */
    struct capacity_counts capacity;     /* only with adaptive concurrency */
};

/* A worker's own place at a server: its links (proxy/link) and connections of tcp listeners
 * there, and what it has read of the server's load (proxy/load_slip). */
struct server_desk {
    CACHE_ALIGNED struct list idle; /* links, the newest first */
    unsigned idle_count;
    _Atomic(uint64_t) load_heard_at; /* monotonic ns: an answer said the known again */
    struct load_slip *slip;          /* NULL: it has told the steward nothing yet */
    struct list links;               /* all of them, idle or not */
    struct list tcp;                 /* struct tcp_session, at it or on the way */
};

void server_desk_init(struct server_desk *desk);

struct server_live {
    CACHE_ALIGNED _Atomic(unsigned) in_flight; /* workers add and give back */
    struct pool_live *pool;                    /* it outlasts its servers */
    CACHE_ALIGNED _Atomic(int) health;         /* enum health; the steward writes */
    _Atomic(unsigned) ramp;                    /* of RAMP_FULL; the steward writes */
    _Atomic(unsigned)
        limit; /* requests in flight that it bears, as far as is known; 0: no
                                limit of this kind; the steward writes */
    _Atomic(bool) is_leaving;           /* its links are not kept; the steward writes */
    _Atomic(unsigned) connect_failures; /* in a row, over all workers */
    _Atomic(unsigned) holds;            /* sets, links and relays that point here */
    _Atomic(unsigned) bad_in_a_row;     /* tries, over all workers; with passive health */
    struct circuit circuit;             /* of its pool's breaker */
    _Atomic(uint64_t) load_said; /* what its answers said last; the steward writes */
    struct server_shard *shards; /* [worker] */
    struct server_desk *desks;   /* [worker] */
    str pool_name, name;         /* copies of its own */
    str addr_text;               /* addr, printed once */
    str authority;               /* what its own Host is: as the file names it */
    uint64_t id;                 /* server_identity of both, never 0 */
    str log_words;               /* its part of each line, see proxy/access_log */
    struct addr addr;
};

/* What a server is known by outside of this process: the same name and address are the
 * same number everywhere. */
uint64_t server_identity(str name, str addr_text);

/* How a hedge has ended (proxy/hedge). */
enum hedge_result { HEDGE_NONE, HEDGE_WON, HEDGE_LOST, HEDGE_FAILED, HEDGE_RESULTS };

/* The label of weir_pool_hedges_total; "none" has none. */
const char *hedge_result_text(enum hedge_result result);

enum { HEDGE_BUCKETS = 200 };

/* What a worker knows of when to hedge (guard/hedging.h). */
struct hedge_book {
    uint64_t delay, refresh_at; /* ns; 0: not known yet */
    uint32_t saved;             /* paid in by requests, for hedges */
    uint32_t samples;
    uint32_t buckets[HEDGE_BUCKETS];
};

struct pool_shard {
    CACHE_ALIGNED uint64_t requests;
    uint64_t retries;
    uint64_t no_server;    /* refused because nobody was usable */
    uint64_t breaker_open; /* refused because of the servers' breakers */
    uint64_t hedges[HEDGE_RESULTS];
    uint64_t sticky_hits, sticky_misses, sticky_rebalanced; /* answers */
    uint64_t queue_full, queue_timeout; /* refused because of the queue */
    struct histogram waited;            /* in the queue, whatever came of it */
};

/* A worker's own place at a pool. */
struct pool_desk {
    CACHE_ALIGNED struct endpoint_set *set; /* adopted by mailbox */
    void *scratch;                          /* the balancers' memory; made with the set */
    struct hedge_book hedges;
};

enum { RETRY_WINDOW_BITS = 24 }; /* for the retries in one */

/* Retries of the last seconds, for the budget (guard/retry). Touched by retries alone. */
struct retry_window {
    _Atomic(uint64_t) word;          /* when it began (retry_window_at) | retries in it */
    _Atomic(unsigned) hedges;        /* in it, counted apart */
    _Atomic(unsigned) allowed, used; /* in the one before it */
    _Atomic(uint64_t) requests;      /* of the pool, when it began */
};

/* The word of a window that begins now (monotonic ns): ms, in the upper bits. */
static inline uint64_t retry_window_at(uint64_t now)
{
    return now / 1000000 << RETRY_WINDOW_BITS;
}

struct pool_live {
    str name;
    _Atomic(unsigned) holds;                   /* tunnels that go to it */
    CACHE_ALIGNED _Atomic(unsigned) in_flight; /* requests, for the retry budget */
    _Atomic(unsigned) waiting;                 /* for a place, at all workers */
    _Atomic(unsigned) aside;                   /* of them: beside the queues */
    CACHE_ALIGNED _Atomic(unsigned) retries_in_flight;
    struct retry_window retry_window;
    struct pool_shard *shards;             /* [worker] */
    struct pool_desk *desks;               /* [worker] */
    struct sticky_table *sticky;           /* NULL: no snapshot has needed one yet */
    _Atomic(struct waiting_desk *) queues; /* [worker]; NULL: it never had a queue */
    unsigned worker_count;
};

/* Causes as in the access log (interface.md 2.10). */
enum cause {
    CAUSE_OK,
    CAUSE_CLIENT_CLOSED,
    CAUSE_CLIENT_TIMEOUT,
    CAUSE_NO_ROUTE,
    CAUSE_NO_SERVER,
    CAUSE_QUEUE_FULL,
    CAUSE_QUEUE_TIMEOUT,
    CAUSE_CONNECT_REFUSED,
    CAUSE_CONNECT_TIMEOUT,
    CAUSE_CONNECT_ERROR,
    CAUSE_SERVER_CLOSED,
    CAUSE_SERVER_TIMEOUT,
    CAUSE_SERVER_INVALID,
    CAUSE_TOO_LARGE,
    CAUSE_BAD_REQUEST,
    CAUSE_BREAKER_OPEN,
    CAUSE_DEGRADED,    /* given up as long as servers are missing */
    CAUSE_MAINTENANCE, /* closed for now, by the file or by hand */
    CAUSE_OVERLOADED,
    CAUSE_UNRESOLVED,
    CAUSE_UNSUPPORTED,
    CAUSE_INTERNAL,
    CAUSE_COUNT,
};

/* "ok", "client_closed", ...; static. */
const char *cause_text(enum cause cause);

struct route_shard {
    CACHE_ALIGNED struct histogram
        duration[CODE_CLASSES]; /* requests_total is its count */
    uint64_t causes[CAUSE_COUNT];
    int64_t in_flight;     /* may be below zero in one shard; the sum is right */
    uint64_t breaker_open; /* refused because of the route's breaker */
};

/* A worker's own place at a route. */
struct route_desk {
    CACHE_ALIGNED struct hedge_book hedges;
};

struct route_live {
    str name;
    str log_words;              /* its part of each line, see proxy/access_log */
    _Atomic(unsigned) holds;    /* tunnels that came by it */
    struct circuit circuit;     /* of the route's breaker */
    struct route_shard *shards; /* [worker] */
    struct route_desk *desks;   /* [worker]; NULL: it never had a hedge of its own */
};

struct ladder_live {
    str name;
    CACHE_ALIGNED _Atomic(unsigned) level; /* enum degrade_level; the steward writes */
};

enum reject_reason {
    REJECT_LISTENER_FULL,
    REJECT_IP_FULL,
    REJECT_PROCESS_FULL,
    REJECT_COUNT
};

const char *reject_reason_text(enum reject_reason reason);

struct listener_shard {
    CACHE_ALIGNED uint64_t accepted;
    uint64_t rejected[REJECT_COUNT];
    uint64_t bytes_received, bytes_sent;
    uint64_t requests[CODE_CLASSES];
    uint64_t causes[CAUSE_COUNT]; /* of requests that no route has taken */
};

struct listener_live {
    str name;
    str log_words; /* its part of each line, see proxy/access_log */
    CACHE_ALIGNED _Atomic(unsigned) connections; /* open now, over all workers */
    _Atomic(unsigned) holds;                     /* doors that point here */
    struct listener_shard *shards;               /* [worker] */
};

#endif
