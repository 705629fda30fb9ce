/*
 * The live objects (lb/live.h) and how they outlast snapshots: found again by identity
 * when a new snapshot comes (listener, route, pool by name; server by pool, name and
 * address), made where they are new, freed when no snapshot, endpoint set, link, door or
 * relay holds them. The steward's own; other threads see only the live words.
 */
#ifndef CONTROL_CARRY_H
#define CONTROL_CARRY_H

#include "base/map.h"
#include "control/meter.h"
#include "guard/capacity.h"
#include "guard/health.h"
#include "guard/load_report.h"
#include "guard/outlier.h"
#include "lb/live.h"
#include "lb/pool.h"

/* Of something that was removed, or ordered to drain: control/drain.c. */
struct drain {
    uint64_t since;   /* monotonic ns; 0: not seen to leave yet */
    uint32_t timeout; /* ms, as the last snapshot that knew it had it */
    bool is_over;     /* its members' set must say so before they are cut */
    bool is_cut;      /* once; and whenever something is in flight again */
};

/* Why a circuit breaker is as it is (control/circuits.c), or why a server rests. */
struct circuit_note {
    uint64_t since; /* wall ns; 0: it has never moved */
    uint32_t length;
    char words[120];
};

/* One way in which a server says how much it can take: what came by it. */
struct voice {
    struct load_wish wish;
    uint64_t heard_at; /* monotonic ns; 0: never, or too long ago */
    uint64_t failed;   /* times in a row that it was not understood, or silent */
    uint32_t said_length;
    char said[CHECK_DETAIL_MOST]; /* the last line */
};

/* Its voice in the answers to requests (control/load_header). */
struct header_voice {
    struct voice voice;
    uint64_t taken_at;       /* monotonic ns: when a slip was last looked at */
    struct load_slip *waits; /* came too soon after that; of several, the newest */
};

/* What the steward knows of a server beyond what workers see. */
struct server_record {
    struct server_live live; /* what others point to */
    struct list node;        /* pool_record->servers */
    struct pool_record *pool;
    str key;                          /* in pool_record->by_key */
    struct health_state health;       /* the reason in words, too */
    const struct server_entry *entry; /* in the current snapshot; NULL: removed */
    struct voice agent;
    struct header_voice header;
    struct check_outcome last_check;     /* valid when checked_at != 0 */
    uint64_t checked_at;                 /* wall ns */
    uint64_t changed_at;                 /* wall ns: when it came into its state */
    uint64_t good_at;                    /* wall ns of the last passed check; 0: never */
    uint64_t checks[CHECK_RESULT_COUNT]; /* by enum check_result */
    struct histogram check_time;
    uint64_t transitions[HEALTH_COUNT]; /* into that state */
    struct circuit_note circuit;
    struct capacity capacity;    /* while its pool adapts to its servers */
    struct outlier *outlier;     /* while its pool has passive health; else NULL */
    struct circuit_note ejected; /* why, while it rests */
    struct meter meter;
    struct drain drain;
    struct list warm_node; /* steward->warming.servers; alone: it is not there */
    uint64_t warm_since;   /* monotonic ns; 0: it does not warm up */
    bool is_cold;          /* warms up when it is usable (again) */
    bool is_listed;        /* seen while the members are being gone through */
    unsigned farewells;    /* that the prober still owes for it */
    uint64_t watched_by;   /* number of the snapshot that the prober was told of it by */
    bool is_watched;       /* the prober was last told to watch it */
};

/*
 * What somebody has ordered of a server by hand (control/orders.h). It holds for all
 * addresses of that name, outlasts reloads, and ends with the process or when the file's
 * own value has changed since.
 */
struct order {
    str server; /* its own copy */
    bool is_draining;
    bool has_weight;
    uint32_t weight;
    uint32_t file_weight;             /* what the file said when it was given */
    str reason;                       /* its own copy */
    unsigned by;                      /* user id */
    uint64_t since;                   /* wall ns */
    const struct server_entry *entry; /* only while the servers are being gone through */
};

/* Name resolution of one entry that is a host name: control/discovery fills it. */
struct name_record {
    struct list node; /* pool_record->names */
    str host;
    struct addr *addrs; /* last good answer, on the heap */
    unsigned addr_count;
    str why;       /* its own copy: why it has none */
    str refused;   /* its own copy: what of its last answer may not be used; or empty */
    str cut;       /* its own copy: that its last answer held too many; or empty */
    bool is_borne; /* seen while the servers are being gone through */
};

/* Servers of a pool by how workers see them: control/ejection.h. */
struct census {
    unsigned all, usable, ejected;
    bool is_known; /* else they must be gone through */
};

struct pool_record {
    struct pool_live live;
    struct list node;               /* registry->pools */
    struct list servers;            /* struct server_record */
    struct map by_key;              /* the same, by name and address */
    struct list names;              /* struct name_record */
    struct map by_host;             /* the same, by host */
    struct map orders;              /* struct order, by the server's name */
    const struct pool *pool;        /* in the current snapshot; NULL: removed */
    struct endpoint_set *published; /* what workers use or will use next */
    struct tiers_standing standing; /* of its tiers, as last weighed */
    struct list weigh_node;         /* steward->weighing.pools; alone: it is not there */
    struct census census;
    bool has_outliers; /* its servers have memory for passive health */
    bool is_stale;     /* a set is due: reload_members_soon */
    struct meter meter;
};

struct listener_record {
    struct listener_live live;
    struct list node;
    bool is_current;            /* in the current snapshot */
    struct meter_sample sample; /* the latest sums: overview_listeners */
    struct meter meter;
    struct drain drain;
};

struct route_record {
    struct route_live live;
    struct list node;
    bool is_current;
    struct circuit_note circuit;
};

struct registry {
    struct list pools, listeners, routes; /* records */
    struct map pools_by_name, listeners_by_name, routes_by_name;
    unsigned worker_count;
    bool has_begun; /* servers made from now on start as HEALTH_STARTING */
};

void registry_init(struct registry *registry, unsigned worker_count,
                   const uint64_t seed[2]);
void registry_close(struct registry *registry);

/* Fills every `live` pointer of the snapshot, makes what is new, marks what is gone. */
void registry_attach(struct registry *registry, struct snapshot *snapshot);

/*
 * Builds the endpoint set of a pool from its entries in the current snapshot and the
 * addresses that its names have. New servers get a record. The caller publishes it.
 */
struct endpoint_set *registry_build_set(struct registry *registry,
                                        struct pool_record *pool, uint64_t wall);

/* Frees a set that all workers have left, with its holds. */
void registry_free_set(struct endpoint_set *set);

/* Frees what was removed and is held by nobody any more. Only while no snapshot but the
 * current one is in use: they point to live objects without a hold. */
void registry_sweep(struct registry *registry);

/* NULL: there is none of that name. */
struct pool_record *registry_pool(struct registry *registry, str name);

/* The record of a host name among the pool's servers; made where it is new. */
struct name_record *pool_name(struct pool_record *pool, str host);

/* Forgets the names that no server of the pool bears any more: what was known of one that
 * comes back may not be what the DNS, or our policy, says by then. */
void names_sweep(struct pool_record *pool);

/* A new answer for it: the addresses are copied. */
void name_learn(struct name_record *name, const struct addr *addrs, unsigned count);

/* Why it has no address, what was refused, and what was too much: all are copied. */
void name_explain(struct name_record *name, str why, str refused, str cut);

/* What was ordered of the server; NULL: nothing. */
static inline struct order *order_of(const struct pool_record *pool, str server)
{
    return map_get(&pool->orders, server);
}

/* What people are shown as the server's state. */
static inline enum health record_state(const struct server_record *record,
                                       enum health health)
{
    const struct order *order = order_of(record->pool, record->live.name);

    return order && order->is_draining && health_is_usable(health) ? HEALTH_DRAINING
                                                                   : health;
}

/* What it is to get, next to its fellows. */
static inline uint32_t record_weight(const struct server_record *record)
{
    const struct order *order = order_of(record->pool, record->live.name);

    return order && order->has_weight ? order->weight : record->entry->weight;
}

/* What its checks say, unless it is ejected all the same. */
static inline enum health record_health(const struct server_record *record)
{
    return health_is_usable(record->health.health) && record->outlier &&
                   record->outlier->until
               ? HEALTH_EJECTED
               : record->health.health;
}

static inline str record_reason(const struct server_record *record)
{
    if (record->live.addr.family == ADDR_NONE && record->entry) {
        str why = pool_name(record->pool, record->entry->host)->why;

        if (why.n)
            return why;
    }
    return record_health(record) == HEALTH_EJECTED
               ? (str){record->ejected.words, record->ejected.length}
               : health_reason(&record->health);
}

/* What it says it can take, in both ways together. */
static inline struct load_wish record_wish(const struct server_record *record)
{
    return load_wish_join(&record->agent.wish, &record->header.voice.wish);
}

/* The record around a live object. */
static inline struct server_record *record_of(struct server_live *live)
{
    return container_of(live, struct server_record, live);
}

#endif
