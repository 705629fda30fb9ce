/*
 * What metrics and status are made of, all of it by argument: the snapshot in use with the
 * live objects behind it, and what the steward knows besides. Both are pure functions of
 * this, so tests state it and look at the text.
 */
#ifndef CONTROL_OVERVIEW_H
#define CONTROL_OVERVIEW_H

#include "control/carry.h"
#include "control/conf/scroll.h"
#include "guard/overload.h"
#include "io/log_writer.h"
#include "lb/model.h"

struct memory_area {
    const char *name;
    uint64_t bytes;
};

/* Closed for maintenance? control/maintenance.h */
struct maintenance_view {
    bool is_on, is_ordered;
    unsigned by; /* a user id, where it was ordered */
    str reason;  /* theirs; may be empty */
    str page;    /* empty: the built-in text */
    unsigned except_count;
    uint64_t since; /* wall ns; 0: never was on */
};

/* Are requests turned away for our own sake? control/load.h */
struct load_view {
    enum overload_level level;
    enum overload_cause cause;
    struct histogram loop_time;
};

struct overview {
    const char *version;
    const struct snapshot *snapshot;
    unsigned worker_count;
    uint64_t started, wall; /* wall ns */
    uint64_t now;           /* monotonic ns */
    uint64_t reloads_succeeded, reloads_failed;
    bool last_reload_was_good;
    bool is_draining;
    uint64_t last_reload_at; /* wall ns */
    uint64_t log_dropped[LOG_SINK_COUNT];
    struct sys_usage usage;
    struct maintenance_view maintenance;
    struct load_view load;
    uint64_t shed[PRIORITY_COUNT];
    const struct list *ladders;      /* struct ladder_record; NULL: none */
    const struct memory_area *areas; /* up to one whose name is NULL; NULL: none */
};

/* ---- from the public part of a live object to the steward's own ---- */

static inline struct pool_record *record_of_pool(const struct pool *pool)
{
    return container_of(pool->live, struct pool_record, live);
}

static inline struct listener_record *record_of_listener(const struct listener *listener)
{
    return container_of(listener->live, struct listener_record, live);
}

/* Is it in the current snapshot, and is there something to be reached? */
static inline bool server_is_shown(const struct server_record *server)
{
    return server->entry != NULL;
}

/* ---- sums over the workers ---- */

/* A server's times to first byte. */
void overview_server_times(const struct overview *view, const struct server_live *server,
                           struct histogram *out);

/* Sums for all listeners at once, into the `sample` of their records. */
void overview_listeners(const struct overview *view);

/* What a meter samples of each. */
struct meter_sample overview_pool(const struct overview *view, const struct pool *pool);
struct meter_sample overview_server(const struct overview *view,
                                    const struct server_live *server);

/* Samples everything; to be called every five seconds. Only snapshot, worker_count and
 * now are looked at. */
void overview_take(const struct overview *view);

#endif
