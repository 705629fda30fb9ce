/* A small house for the tests of metrics and status: one listener, one route, one pool of
 * two servers of which the second is down, two workers. */
#ifndef CONTROL_STAGE_TEST_H
#define CONTROL_STAGE_TEST_H

#include "control/overview.h"
#include "lb/balance.h"

#include <stdio.h>
#include <stdlib.h>

enum { STAGE_WORKERS = 2 };

struct stage {
    struct listener_record listener_record;
    struct route_record route_record;
    struct pool_record pool_record;
    struct server_record servers[2];
    struct server_shard server_shards[2][STAGE_WORKERS];
    struct listener_shard listener_shards[STAGE_WORKERS];
    struct route_shard route_shards[STAGE_WORKERS];
    struct pool_shard pool_shards[STAGE_WORKERS];
    struct server_entry entries[2];
    struct listener listener;
    struct route route;
    struct pool pool;
    struct snapshot snapshot;
    struct memory_area areas[2];
    struct overview view;
};

static void stage_server(struct stage *s, unsigned i, str name, str ip)
{
    struct server_record *server = &s->servers[i];

    s->entries[i] = (struct server_entry){.name = name, .weight = 1};
    server->live.name = name;
    server->live.pool_name = STR("app");
    server->live.shards = s->server_shards[i];
    if (addr_parse_ip(ip, &server->live.addr))
        abort();
    server->live.addr.port = 80;
    server->entry = &s->entries[i];
    server->pool = &s->pool_record;
    list_add(&s->pool_record.servers, &server->node);
}

static void stage_health(struct stage *s, unsigned i, enum health health,
                         const char *reason)
{
    struct health_state *state = &s->servers[i].health;

    state->health = health;
    state->reason_length = (uint32_t)strlen(reason);
    memcpy(state->reason, reason, state->reason_length);
    atomic_store(&s->servers[i].live.health, health);
}

/* A name that servers of the pool bear. */
static inline void stage_name(struct stage *s, struct name_record *name)
{
    list_add(&s->pool_record.names, &name->node);
    map_put(&s->pool_record.by_host, name->host, name);
}

static struct stage *stage_new(void)
{
    size_t size = (sizeof(struct stage) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    struct stage *s = memset(aligned_alloc(CACHE_LINE, size), 0, size);

    list_init(&s->pool_record.servers);
    list_init(&s->pool_record.names);
    list_init(&s->pool_record.weigh_node);
    stage_server(s, 0, STR("one"), STR("10.0.0.1"));
    stage_server(s, 1, STR("two"), STR("10.0.0.2"));
    stage_health(s, 0, HEALTH_UP, "HTTP 200 in 2ms");
    stage_health(s, 1, HEALTH_DOWN, "connection refused");
    s->listener_record.live.name = s->listener.name = STR("web");
    s->listener_record.live.shards = s->listener_shards;
    s->listener.live = &s->listener_record.live;
    s->route.name = STR("all");
    s->route.live = &s->route_record.live;
    s->route_record.live.shards = s->route_shards;
    s->pool.name = s->pool_record.live.name = STR("app");
    s->pool.live = &s->pool_record.live;
    s->pool.balancer = &balancer_least_connections;
    s->pool.servers = s->entries;
    s->pool.server_count = 2;
    s->pool.check = (struct health_check){.is_enabled = true, .timeout = 2000};
    s->pool_record.pool = &s->pool;
    s->pool_record.live.shards = s->pool_shards;
    s->snapshot.number = 42;
    s->snapshot.listeners = &s->listener;
    s->snapshot.listener_count = 1;
    s->snapshot.routes = &s->route;
    s->snapshot.route_count = 1;
    s->snapshot.pools = &s->pool;
    s->snapshot.pool_count = 1;
    s->areas[0] = (struct memory_area){"sessions", 4096};
    s->view = (struct overview){
        .version = "1.2.3",
        .snapshot = &s->snapshot,
        .worker_count = STAGE_WORKERS,
        .started = UINT64_C(1709210096000000000),
        .wall = UINT64_C(1709210096000000000) + UINT64_C(3661000000000),
        .now = UINT64_C(100000000000),
        .last_reload_was_good = true,
        .areas = s->areas,
    };
    return s;
}

static void stage_free(struct stage *s)
{
    map_close(&s->pool_record.by_host);
    free(s);
}

#endif
