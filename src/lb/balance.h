/*
 * The contract that every way of choosing fulfils, and the table of them. A balancer is
 * a pure function: what a decision may depend on comes in by argument (struct ask), so a
 * test states it and looks at the answer. To add one: write a file, add a row to
 * balance.c, and say in CONTRIBUTING's words what its shares must be.
 */
#ifndef LB_BALANCE_H
#define LB_BALANCE_H

#include "base/arena.h"
#include "base/rand.h"
#include "lb/live.h"
#include "lb/model.h"

/* One address that serves, as a member of an endpoint set. */
struct server {
    str name; /* of the entry in the file; several addresses of one name share it */
    struct addr addr;
    str addr_text;          /* printed once */
    unsigned weight;        /* 0: gets nothing */
    unsigned max_in_flight; /* 0: no cap; else server_cap says what it is now */
    unsigned tier;          /* from 1 */
    bool is_draining;       /* for what runs on it and for its own clients, nothing new */
    bool is_drained;        /* its drain is over: nor for its own clients */
    bool is_backup, is_remote;
    struct server_live *live;
};

struct tier_state; /* lb/tier.h */

/*
 * Servers among which one choice is made: those of a pool that stand in the same tier and
 * are equally near, or its backups. `data` is what the balancer has built for them.
 */
struct tier {
    const struct server *servers;
    unsigned count;
    unsigned number; /* as the file counts them, from 1 */
    bool is_backup, is_remote;
    struct tier_state *state;
    const void *data;
    const struct balance_settings *settings;
    size_t scratch_at; /* where this tier's part of a worker's scratch begins */
};

enum { TRIED_MOST = 8 };

/* Everything a choice may depend on. */
struct ask {
    struct rand *rand;
    uint64_t now;       /* monotonic ns */
    uint64_t key;       /* what the choice goes by, with has_key */
    unsigned in_flight; /* in the pool, this one too; for balancers that use a key */
    unsigned worker;    /* whose pick it is: its own shard of the servers' counts */
    char *scratch;      /* this worker's memory for this pool, of scratch_size bytes */
    enum priority priority; /* where the pool adapts to its servers and has no queue */
    bool has_key;
    bool ignore_health;            /* when_all_down: open */
    bool no_probes;                /* nor servers whose breaker is not closed */
    const struct breaker *breaker; /* of the pool's servers; NULL: none */
    bool is_wish_all;              /* that one or nobody */
    bool is_by_rendezvous;         /* by the key alone, whatever the balancer is */
    const struct server *wish;     /* where the client was before; NULL: all the same */
    unsigned tried_count;
    const struct server_live *tried[TRIED_MOST]; /* do not choose them again */
};

typedef void balancer_learn_fn(struct server_shard *own, const struct outcome *outcome);

struct balancer {
    const char *name; /* the value in the configuration */
    const char *doc;  /* one line for the reference */
    bool uses_weight;
    bool uses_key; /* looks at ask->key and ask->in_flight */
    /* Tables for the tier; NULL when none are needed. */
    const void *(*build)(struct arena *arena, const struct tier *tier);
    /* Bytes of scratch that one worker needs for the tier; NULL: none. */
    size_t (*scratch_size)(const struct tier *tier);
    /* Begins the scratch at a random place, so that workers do not march in step. */
    void (*scratch_start)(const struct tier *tier, char *scratch, struct rand *rand);
    /* Index into tier->servers, or -1 when nobody may be chosen. */
    int (*pick)(const struct tier *tier, const struct ask *ask);
    /* Takes in what came of an attempt; `own`: of the server, the worker's. NULL: it does
     * not learn. */
    balancer_learn_fn *learn;
};

/* By its name in the configuration; NULL when there is none. */
const struct balancer *balancer_find(str name);

/* The table, NULL at its end; and its rows, defined in their own files. */
extern const struct balancer *const balancers[];
extern const struct balancer balancer_round_robin, balancer_weighted_round_robin;
extern const struct balancer balancer_least_connections;
extern const struct balancer balancer_weighted_least_connections;
extern const struct balancer balancer_random, balancer_random_two;
extern const struct balancer balancer_least_response_time;
extern const struct balancer balancer_ip_hash, balancer_consistent_hash;
extern const struct balancer balancer_prequal;

/* What it counts for in a choice; 0: nothing new may go there. */
static inline unsigned server_weight(const struct server *server, bool is_weighted)
{
    if (server->is_draining || !server->weight)
        return 0;
    return is_weighted ? server->weight : 1;
}

/* Of RAMP_FULL: the part of its weight that it counts for now. */
static inline unsigned server_ramp(const struct server *server)
{
    return atomic_load_explicit(&server->live->ramp, memory_order_relaxed);
}

/* The weight times the ramp. */
static inline uint64_t server_weight_now(const struct server *server, bool is_weighted)
{
    return (uint64_t)server_weight(server, is_weighted) * server_ramp(server);
}

/* Requests in flight, over all workers. */
static inline unsigned server_load(const struct server *server)
{
    return atomic_load_explicit(&server->live->in_flight, memory_order_relaxed);
}

/* `limit` for requests of that priority: the last quarter is not for low ones, and critical
 * ones may go a quarter beyond. */
static inline unsigned limit_for(unsigned limit, enum priority priority)
{
    if (likely(priority == PRIORITY_NORMAL))
        return limit;
    return priority == PRIORITY_LOW ? limit - limit / 4 : limit + (limit + 3) / 4;
}

/* How many requests may be in flight there at once; only where max_in_flight says that
 * there is such a number. */
static inline unsigned server_cap(const struct server *server, enum priority priority)
{
    unsigned limit = atomic_load_explicit(&server->live->limit, memory_order_seq_cst);

    limit = limit_for(limit, priority);
    return limit && limit < server->max_in_flight ? limit : server->max_in_flight;
}

static inline bool ask_allows_circuit(const struct ask *ask, const struct server *server)
{
    const struct circuit *circuit = &server->live->circuit;

    if (!ask->no_probes)
        return circuit_allows(circuit, ask->breaker, ask->now);
    return circuit_state_of(atomic_load_explicit(&circuit->word, memory_order_relaxed)) ==
           CIRCUIT_CLOSED;
}

/* Is it well enough to serve? Health, breaker. */
static inline bool ask_counts_known(const struct ask *ask, const struct server *server)
{
    if (!ask->ignore_health && !health_is_usable((enum health)atomic_load_explicit(
                                   &server->live->health, memory_order_relaxed)))
        return false;
    return !ask->breaker || ask_allows_circuit(ask, server);
}

/* Is it one of those who serve now? Health, breaker, drain, weight 0. */
static inline bool ask_counts(const struct ask *ask, const struct server *server)
{
    return server_weight(server, true) && ask_counts_known(ask, server);
}

/* Is it neither full nor tried? */
static inline bool ask_has_place(const struct ask *ask, const struct server *server)
{
    if (server->max_in_flight && server_load(server) >= server_cap(server, ask->priority))
        return false;
    for (unsigned i = 0; i < ask->tried_count; i++)
        if (ask->tried[i] == server->live)
            return false;
    return true;
}

/* May this server be given one more request now? It serves, is not full, not tried. */
static inline bool ask_allows(const struct ask *ask, const struct server *server)
{
    return ask_counts(ask, server) && ask_has_place(ask, server);
}

/* The same for a client that it knows: one that is draining or has weight 0 still serves
 * its own, until the drain is over. */
static inline bool ask_allows_known(const struct ask *ask, const struct server *server)
{
    return !server->is_drained && ask_counts_known(ask, server) &&
           ask_has_place(ask, server);
}

/*
 * ask_allows, for tables that are made for the full weights: a server that warms up takes
 * the requests that fall to it as often as its ramp says and leaves the others to the next
 * one, which is the share that its part of the weight would have given it.
 */
static inline bool ask_accepts(const struct ask *ask, const struct server *server)
{
    unsigned ramp = server_ramp(server);

    return ask_allows(ask, server) &&
           (ramp >= RAMP_FULL || rand_below(ask->rand, RAMP_FULL) < ramp);
}

/* Not to be chosen in this ask again; beyond TRIED_MOST nothing more is kept. */
void ask_add_tried(struct ask *ask, const struct server_live *live);

#endif
