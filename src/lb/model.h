/*
 * What a configuration says, compiled: the vocabulary of the house. A snapshot and all
 * it points to lies in one arena and never changes once published; it is replaced as a
 * whole. What changes at run time hangs on the `live` pointers (lb/live.h), which outlast
 * snapshots. Durations are milliseconds, sizes bytes, unless a name says otherwise.
 */
#ifndef LB_MODEL_H
#define LB_MODEL_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/str.h"
#include "lb/health_check.h"
#include "proto/head.h"

#include <stdatomic.h>

struct balancer; /* lb/balance.h */
struct key;      /* lb/key.h */
struct listener_live;
struct match;     /* lb/match.h */
struct pool_live; /* lb/live.h */
struct route_live;
struct router;    /* lb/router.h */
struct seal_ring; /* net/seal.h */
struct template;  /* lb/template.h */

enum { DURATION_NONE = 0 }; /* no deadline: only where the configuration says `off` */

struct timeouts {
    uint32_t connect, request_header, request_body, response, response_body;
    uint32_t client_write, idle, tunnel, half_closed;
};

struct sizes {
    uint32_t header_size; /* a whole head */
    uint32_t headers;     /* fields in a head */
    uint32_t uri;         /* a request target */
    uint32_t buffer;      /* of a body, held in memory per direction */
    uint64_t body;        /* a request's body; UINT64_MAX: no limit */
};

enum retry_on {
    RETRY_CONNECT_ERROR = 1 << 0,
    RETRY_RESET_BEFORE_RESPONSE = 1 << 1,
    RETRY_RESPONSE_TIMEOUT = 1 << 2,
    RETRY_500 = 1 << 3, /* statuses a server answered: only when the file names them */
    RETRY_502 = 1 << 4,
    RETRY_503 = 1 << 5,
    RETRY_504 = 1 << 6,
    RETRY_429 = 1 << 7,
};

struct retries {
    uint32_t count;        /* tries after the first */
    uint32_t on_errors;    /* enum retry_on */
    bool all_methods;      /* false: idempotent ones only */
    uint32_t budget_share; /* percent of the requests in flight */
    uint32_t budget_floor; /* retries at once that are always allowed */
    uint32_t backoff;      /* before the first of them, at most; 0: at once */
};

struct slow_client {
    uint32_t min_rate; /* bytes a second, once `grace` is over */
    uint32_t grace;
};

struct forwarded {
    bool x_forwarded;
    bool forwarded; /* RFC 7239 */
    str request_id; /* the header's name; empty: off */
    enum field_name request_id_known;
};

/* When a server or a route is left alone for a while. */
struct breaker {
    str name;
    uint32_t failures, window; /* so many within so long open it */
    uint32_t open, open_max;   /* for so long; open_max 0: always the same */
    uint32_t half_open;        /* requests at once that then try */
    uint32_t close_after;      /* of them that must go well */
};

enum listener_kind { LISTENER_HTTP, LISTENER_TCP };

struct listener {
    str name;
    enum listener_kind kind;
    const struct addr *addresses;
    unsigned address_count;
    unsigned index;           /* in snapshot->listeners */
    uint32_t max_connections; /* 0: only the process's limit */
    uint32_t max_connections_per_ip;
    const struct pool *to;    /* tcp: where it goes */
    struct router *router;    /* http: the routes that this listener may take */
    struct timeouts timeouts; /* before a route is known, and for tcp */
    struct sizes sizes;
    struct listener_live *live;
};

/* Bounds of what one route may do to heads of one direction: see header_edits. */
enum {
    HEADER_EDITS_MOST = 256,
    HEADER_EDITS_BYTES = 32 * 1024, /* names and fixed values; and facts, once more */
};

/* Fields to set, add and remove in a head. Values may hold facts in braces. */
struct header_edit {
    enum header_verb { HEADER_SET, HEADER_ADD, HEADER_REMOVE } verb;
    str name;
    str value;                       /* a template: see lb/template.h */
    const struct template *compiled; /* of the value; NULL with HEADER_REMOVE */
};

struct header_edits {
    const struct header_edit *items;
    unsigned count;
};

struct redirect {
    str to; /* a template */
    const struct template *compiled;
    unsigned status;
};

struct respond {
    unsigned status;
    str body;
    str content_type;
};

/* An answer of ours with a text of the user's. */
struct page {
    str name; /* empty: of a class of errors */
    unsigned status;
    uint32_t retry_after; /* seconds; 0: nothing is said, but with 503 */
    str body;             /* empty: the built-in text */
    str content_type;
    bool is_json;
};

enum { ERROR_FIRST = 400, ERROR_COUNT = 200 };

struct page_book {
    const struct page *items; /* with names */
    unsigned count;
    const struct page **errors; /* [status - ERROR_FIRST]; NULL: all are built in */
};

/* The file's own word; people may order another one live (control/maintenance). */
struct maintenance {
    bool is_enabled;
    str page; /* empty: the built-in text */
    struct prefixes except;
};

/* Who is turned away first, when not all can be served. */
enum priority { PRIORITY_NORMAL, PRIORITY_LOW, PRIORITY_CRITICAL, PRIORITY_COUNT };

/* "normal", "low", "critical". */
const char *priority_text(enum priority priority);

enum degrade_level {
    DEGRADE_FULL,
    DEGRADE_REDUCED,
    DEGRADE_CRITICAL,
    DEGRADE_MAINTENANCE,
    DEGRADE_COUNT,
};

/* "full", "reduced", ... */
const char *degrade_level_text(enum degrade_level level);

/* One step of a ladder. */
struct degrade_rule {
    bool is_there;
    bool is_share;  /* `least` is percent of the pool's servers, not a count */
    bool is_beyond; /* more than that, not as many as that */
    uint32_t least; /* healthy servers, to stand here */
    uint32_t drops; /* 1 << enum priority */
    str page;       /* for those it drops; empty: the built-in text */
};

struct ladder_live; /* lb/live.h */

/* What is given up, step by step, as a pool's servers fail. */
struct ladder {
    str name;
    const struct pool *pool;
    struct degrade_rule rules[DEGRADE_COUNT];
    uint32_t hold; /* what is better must last so long */
    struct ladder_live *live;
};

struct share {
    const struct pool *pool;
    unsigned weight;
};

/* When a second server is asked too (guard/hedging.h). */
struct hedging {
    bool is_enabled;
    uint32_t quantile;  /* percent of the answers of late; 0: after a fixed time */
    uint32_t after;     /* ms, with quantile 0 */
    uint32_t max_share; /* percent of the requests */
};

/* Whose word counts for a route: its own, or that of the pool. */
enum hedge_by { HEDGE_NEVER, HEDGE_BY_POOL, HEDGE_BY_ROUTE };

enum route_action { ROUTE_TO_POOL, ROUTE_SPLIT, ROUTE_REDIRECT, ROUTE_RESPOND };

enum host_header { HOST_KEEP, HOST_SERVER, HOST_FIXED };

struct route {
    str name;
    unsigned index;            /* in snapshot->routes: the order of the file */
    const struct match *match; /* NULL takes everything */
    enum route_action action;
    const struct share *shares; /* one for `to`, several for `split` */
    unsigned share_count, share_total;
    struct redirect redirect;
    struct respond respond;
    str strip_prefix;
    enum host_header host_header;
    str host_name; /* with HOST_FIXED */
    struct header_edits request_headers, response_headers;
    struct timeouts timeouts;
    struct retries retries;
    enum hedge_by hedges; /* NEVER, too, when none of its pools does */
    struct hedging hedge; /* with HEDGE_BY_ROUTE */
    struct sizes sizes;
    struct forwarded forwarded;
    struct slow_client slow_client;
    const struct breaker *breaker; /* NULL: none */
    const struct ladder *ladder;   /* NULL: none */
    uint32_t dropped_at;           /* 1 << enum degrade_level: by its name */
    enum priority priority;
    struct route_live *live;
};

/* A server as the file names it. A host name stands for every address it resolves to. */
struct server_entry {
    str name;
    str host;         /* an IP, a host name, or a path with is_unix */
    struct addr addr; /* family ADDR_NONE: host must be resolved */
    uint16_t port;
    str zone; /* where it stands; empty: nobody said */
    uint32_t tier;
    bool is_backup;
    uint32_t weight;          /* 0: gets nothing */
    uint32_t max_connections; /* requests in flight; 0: no cap */
};

struct keepalive {
    uint32_t connections;  /* idle ones kept, per worker */
    uint32_t idle;         /* how long one is kept */
    uint32_t max_requests; /* one connection is used for */
};

/* How a server comes to its whole weight. */
struct slow_start {
    bool is_enabled;
    uint32_t window;
    uint32_t aggression; /* thousandths */
    uint32_t min_weight; /* percent */
};

/* When servers of the first tier fail, how much goes to the next ones (lb/tier.h). */
enum in_panic { PANIC_OPEN, PANIC_FAIL };

struct tiering {
    uint32_t overprovision; /* thousandths of what a tier's well servers are worth */
    uint32_t panic_below;   /* percent of a tier; 0: never */
    enum in_panic in_panic;
};

struct locality {
    bool is_on;
    uint32_t spill_at; /* percent of the near servers */
    str zone;          /* our own */
};

enum sticky_by { STICKY_COOKIE, STICKY_IP, STICKY_SESSION_ID };
enum sticky_on_down { ON_DOWN_REBALANCE, ON_DOWN_FAIL };
enum same_site { SAME_SITE_LAX, SAME_SITE_STRICT, SAME_SITE_NONE };

/* How a pool keeps its clients where they were. */
struct sticky {
    enum sticky_by by;
    enum sticky_on_down on_down;
    uint32_t idle, absolute; /* 0: for ever */
    /* by cookie: what is set */
    str name, path;
    enum same_site same_site;
    bool http_only, secure;
    const str *keys; /* secrets, the first one seals; none: keys of our own */
    unsigned key_count;
    uint64_t pool_id;
    const struct seal_ring *ring; /* net/seal; made of them */
    /* by ip */
    uint32_t prefix_ip4, prefix_ip6;
    const struct key *key; /* made of them */
    /* by session_id: where it stands; empty: not there */
    str cookie, header, query;
    uint32_t entries; /* of the table */
};

/* Passive health: servers that differ from their fellows rest (guard/outlier). */
struct passive {
    bool is_enabled;
    uint32_t failures;         /* in a row */
    uint32_t within;           /* the window of the next three */
    uint32_t error_rate;       /* percent; 0: not asked */
    uint32_t latency;          /* median deviations above the median; 0: not asked */
    uint32_t samples;          /* requests below which those two say nothing */
    uint32_t eject, eject_max; /* how long, times how often */
    uint32_t max_ejected;      /* percent of the servers */
};

/* Requests that wait for a place when all servers are at their caps. */
struct queueing {
    bool is_on;
    uint32_t size;    /* how many at most, over all workers; as many stand aside */
    uint32_t timeout; /* how long one waits at most */
    uint32_t slo;     /* past it the newest are served first; 0: never */
};

/* How many requests at once a server bears is learnt (guard/capacity.h). */
struct adaptive_concurrency {
    bool is_enabled;
    uint32_t min, max; /* what the limit may be */
};

enum when_all_down { ALL_DOWN_FAIL, ALL_DOWN_OPEN };
enum proxy_protocol { PROXY_PROTOCOL_OFF, PROXY_PROTOCOL_V2 };

enum hash_table { TABLE_RING, TABLE_MAGLEV, TABLE_RENDEZVOUS };

/* What a balancer can be told; each looks at its own. */
struct balance_settings {
    enum hash_table table;
    uint32_t virtual_nodes; /* points on the ring for a unit of weight */
    uint32_t q_rif;         /* prequal: thousandths */
    uint32_t bound; /* a server's load, in thousandths of its fair share; 0: any */
};

struct pool {
    str name;
    unsigned index;
    const struct balancer *balancer;
    struct balance_settings balance;
    const struct server_entry *servers;
    unsigned server_count;
    struct keepalive keepalive;
    struct health_check check;
    struct slow_start slow_start;
    enum when_all_down when_all_down;
    struct tiering tiers;
    struct locality locality;
    struct queueing queue;
    struct adaptive_concurrency adaptive;
    enum proxy_protocol proxy_protocol;
    uint32_t drain_timeout;
    struct sticky *sticky;         /* NULL: clients go where they may */
    struct retries retries;        /* the budget is the pool's */
    struct timeouts timeouts;      /* connect, for tcp */
    const struct breaker *breaker; /* of each server; NULL: none */
    bool learns; /* from what comes of requests: there is a breaker, or passive health */
    bool is_timed; /* how long they take: for the balancer, or adaptive concurrency */
    struct passive passive;
    struct hedging hedge;
    str load_header;       /* in which servers say their load; empty: none */
    const struct key *key; /* what the balancer chooses by; NULL: not by a key */
    struct pool_live *live;
};

struct runtime {
    unsigned workers; /* 0: one per CPU this process may use */
    str user;
    uint32_t max_connections; /* 0: from the limit of open files */
    uint32_t shutdown_grace;
    str state_dir;
    str zone; /* where we stand; empty: nobody said */
};

struct resolver_settings {
    const struct addr *servers; /* none: what the system says */
    unsigned server_count;
    uint32_t timeout, min_ttl, max_ttl;
    struct prefixes allow, deny; /* of answers; allow empty: what deny does not name */
};

struct log_settings {
    bool is_enabled;
    str to; /* a path, "stdout", "stderr", "syslog" */
    enum log_format format;
    enum log_level level; /* error log */
};

struct metrics_settings {
    bool is_enabled;
    str path;
    enum { PER_SERVER_AUTO, PER_SERVER_ON, PER_SERVER_OFF } per_server;
};

struct admin_settings {
    str socket;  /* empty: none */
    str address; /* empty: none */
};

enum { SNAPSHOT_MAGIC = 0x534e4150 };

/* How many of a worker's exchanges stand on a snapshot; that worker alone writes it. */
struct snapshot_pin {
    CACHE_ALIGNED uint64_t count;
};

struct snapshot {
    unsigned magic;
    struct arena arena;
    uint64_t number; /* counts up with every accepted configuration */
    struct runtime runtime;
    struct resolver_settings resolvers;
    struct prefixes trusted_proxies;
    struct listener *listeners;
    unsigned listener_count;
    struct route *routes;
    unsigned route_count;
    struct pool *pools;
    unsigned pool_count;
    struct ladder *ladders;
    unsigned ladder_count;
    struct log_settings access_log, error_log;
    struct metrics_settings metrics;
    struct admin_settings admin;
    struct page_book pages;
    struct maintenance maintenance;
    unsigned most_request_edits; /* of any route */
    struct snapshot_pin *pins;   /* [worker] */
};

#endif
