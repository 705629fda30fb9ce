/*
 * Workers around a snapshot built by hand: two pools of HTTP servers, one of them with a
 * backup, a pool for TCP, a handful of routes.
 */
#include "house.h"

#include "base/check.h"
#include "files.h"
#include "lb/pool.h"
#include "lb/router.h"
#include "lb/template.h"
#include "origin.h"
#include "proxy/door.h"
#include "proxy/exchange.h"
#include "proxy/relay.h"
#include "proxy/tcp_session.h"
#include "threads.h"

#include <stdlib.h>

enum { POOLS = 3, SERVERS_MOST = 4, WORKERS_MOST = 3, ROUTES = 5, LISTENERS = 2 };
enum { POOL_MAIN, POOL_SPARE, POOL_TCP };

static struct house {
    struct steward_desk steward;
    struct conn_limit conn_limit;
    struct snapshot snapshot;
    struct pool_live *pool_live[POOLS];
    struct endpoint_set *sets[POOLS];
    struct server_live *server_live[POOLS * SERVERS_MOST];
    unsigned server_count;
    struct route_live *route_live[ROUTES];
    struct listener_live *listener_live[LISTENERS];
    struct worker *workers[WORKERS_MOST];
} house;

static void *zalloc(size_t size)
{
    void *p =
        aligned_alloc(CACHE_LINE, (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1));

    CHECK(p != NULL);
    memset(p, 0, size);
    return p;
}

/* ---- the steward's part ---- */

static void comes_back(void *who, uint64_t what)
{
    struct server_live *live = who;

    (void)what;
    atomic_store(&live->health, HEALTH_UP);
}

static void server_fails(struct steward_desk *desk, struct server_live *server,
                         enum err why)
{
    (void)desk;
    trace("fails", server->addr.ip[3], why);
    atomic_store(&server->connect_failures, 0);
    if (atomic_exchange(&server->health, HEALTH_DOWN) != HEALTH_DOWN)
        world_after(draw(SECOND), comes_back, server, 0);
}

static void snapshot_left(struct steward_desk *desk, struct snapshot *snapshot,
                          unsigned worker)
{
    (void)desk;
    (void)snapshot;
    violation("worker %u left a snapshot that is in use", worker);
}

static void worker_empty(struct steward_desk *desk, unsigned worker)
{
    (void)desk;
    trace("empty", worker, 0);
}

/* ---- live objects ---- */

static struct server_live *server_live_new(const struct addr *addr)
{
    struct server_live *live = zalloc(sizeof *live);

    atomic_init(&live->health, HEALTH_UP);
    live->shards = zalloc(rules.workers * sizeof *live->shards);
    live->desks = zalloc(rules.workers * sizeof *live->desks);
    for (unsigned i = 0; i < rules.workers; i++)
        list_init(&live->desks[i].idle);
    live->name = STR("server");
    live->addr = *addr;
    house.server_live[house.server_count++] = live;
    return live;
}

static void pool_members(unsigned index, const struct balancer *balancer)
{
    struct pool_live *live = house.pool_live[index];
    unsigned count =
        index == POOL_MAIN ? 2 + (unsigned)draw(SERVERS_MOST - 1) : 1 + (unsigned)draw(2);
    struct member members[SERVERS_MOST];

    for (unsigned i = 0; i < count; i++) {
        struct origin *origin = origin_new(house.server_count, index == POOL_TCP);

        members[i] = (struct member){
            .name = STR("server"),
            .addr = origin->host.addr,
            .weight = 1 + (unsigned)draw(3),
            .max_in_flight =
                rules.is_calm || draw_percent(80) ? 0 : 1 + (unsigned)draw(8),
            .is_backup = index == POOL_SPARE && i > 0,
            .live = server_live_new(&origin->host.addr),
        };
        origin_live(origin);
    }
    house.sets[index] = endpoint_set_new(
        balancer, draw_percent(50) ? ALL_DOWN_FAIL : ALL_DOWN_OPEN, members, count);
    for (unsigned i = 0; i < rules.workers; i++) {
        struct pool_desk *desk = &live->desks[i];

        desk->set = house.sets[index];
        desk->scratch = zalloc(desk->set->scratch_size + 1);
        endpoint_set_scratch_start(desk->set, desk->scratch, &world.rand);
    }
}

static const struct balancer *draw_balancer(void)
{
    unsigned count = 0;

    while (balancers[count])
        count++;
    return balancers[draw(count)];
}

static struct pool pool_make(unsigned index)
{
    struct pool_live *live = zalloc(sizeof *live);
    const struct balancer *balancer = draw_balancer();

    live->shards = zalloc(rules.workers * sizeof *live->shards);
    live->desks = zalloc(rules.workers * sizeof *live->desks);
    live->worker_count = rules.workers;
    house.pool_live[index] = live;
    pool_members(index, balancer);
    return (struct pool){.name = STR("pool"),
                         .index = index,
                         .balancer = balancer,
                         .keepalive = rules.keepalive,
                         .check = {.unhealthy_after = 3},
                         .retries = rules.retries,
                         .timeouts = rules.timeouts,
                         .live = live};
}

/* ---- the snapshot ---- */

static const struct match *match_path(struct arena *arena, const char *path)
{
    struct match *match = ARENA_NEW(arena, struct match);
    struct path_match *paths = ARENA_NEW(arena, struct path_match);
    struct pattern_error error;

    CHECK(path_match_parse(arena, str_of(path), paths, &error) == ERR_OK);
    match->paths = paths;
    match->path_count = 1;
    return match;
}

static void route_make(struct snapshot *snapshot, unsigned index, const char *path)
{
    struct route_live *live = zalloc(sizeof *live);

    live->shards = zalloc(rules.workers * sizeof *live->shards);
    house.route_live[index] = live;
    snapshot->routes[index] = (struct route){
        .name = STR("route"),
        .index = index,
        .match = path ? match_path(&snapshot->arena, path) : NULL,
        .timeouts = rules.timeouts,
        .retries = rules.retries,
        .sizes = rules.sizes,
        .forwarded = {.x_forwarded = true, .request_id = STR("X-Request-Id")},
        .slow_client = rules.slow_client,
        .live = live,
    };
}

static void route_to(struct snapshot *snapshot, unsigned index, unsigned first,
                     unsigned count)
{
    struct route *route = &snapshot->routes[index];
    struct share *shares = ARENA_ARRAY(&snapshot->arena, struct share, count);

    for (unsigned i = 0; i < count; i++)
        shares[i] = (struct share){&snapshot->pools[first + i], 1 + i};
    route->action = count > 1 ? ROUTE_SPLIT : ROUTE_TO_POOL;
    route->shares = shares;
    route->share_count = count;
    route->share_total = count * (count + 1) / 2;
}

static void routes_make(struct snapshot *snapshot)
{
    struct template_error error;

    snapshot->routes = ARENA_ARRAY(&snapshot->arena, struct route, ROUTES);
    snapshot->route_count = ROUTES;
    route_make(snapshot, 0, "/split/*");
    route_to(snapshot, 0, POOL_MAIN, 2);
    route_make(snapshot, 1, "/spare/*");
    route_to(snapshot, 1, POOL_SPARE, 1);
    snapshot->routes[1].strip_prefix = STR("/spare");
    route_make(snapshot, 2, "/redirect/*");
    snapshot->routes[2].action = ROUTE_REDIRECT;
    snapshot->routes[2].redirect = (struct redirect){
        .status = 301,
        .compiled = template_compile(&snapshot->arena, STR("https://sim{uri}"),
                                     TEMPLATE_URL, &error)};
    route_make(snapshot, 3, "/respond");
    snapshot->routes[3].action = ROUTE_RESPOND;
    snapshot->routes[3].respond =
        (struct respond){200, STR("hello\n"), STR("text/plain")};
    route_make(snapshot, 4, NULL);
    route_to(snapshot, 4, POOL_MAIN, 1);
}

static void listener_make(struct snapshot *snapshot, unsigned index, uint16_t port)
{
    struct listener_live *live = zalloc(sizeof *live);
    struct addr *addr = ARENA_NEW(&snapshot->arena, struct addr);
    bool is_tcp = port == 9000;

    *addr = (struct addr){.family = ADDR_IP4, .port = port};
    live->shards = zalloc(rules.workers * sizeof *live->shards);
    house.listener_live[index] = live;
    snapshot->listeners[index] = (struct listener){
        .name = STR("listener"),
        .kind = is_tcp ? LISTENER_TCP : LISTENER_HTTP,
        .addresses = addr,
        .address_count = 1,
        .index = index,
        .to = is_tcp ? &snapshot->pools[POOL_TCP] : NULL,
        .router = is_tcp ? NULL
                         : router_new(&snapshot->arena, snapshot->routes,
                                      snapshot->route_count, index),
        .timeouts = rules.timeouts,
        .sizes = rules.sizes,
        .live = live,
    };
}

static void snapshot_make(void)
{
    struct snapshot *snapshot = &house.snapshot;

    arena_init(&snapshot->arena, 0);
    snapshot->magic = SNAPSHOT_MAGIC;
    snapshot->number = 1;
    snapshot->pins = zalloc(rules.workers * sizeof *snapshot->pins);
    snapshot->pools = ARENA_ARRAY(&snapshot->arena, struct pool, POOLS);
    snapshot->pool_count = POOLS;
    for (unsigned i = 0; i < POOLS; i++)
        snapshot->pools[i] = pool_make(i);
    routes_make(snapshot);
    snapshot->listeners = ARENA_ARRAY(&snapshot->arena, struct listener, LISTENERS);
    snapshot->listener_count = LISTENERS;
    listener_make(snapshot, 0, 80);
    listener_make(snapshot, 1, 9000);
}

/* ---- workers ---- */

static void open_doors(struct worker *worker)
{
    for (unsigned i = 0; i < LISTENERS; i++) {
        const struct listener *listener = &house.snapshot.listeners[i];
        int fd;

        CHECK(sys_socket(ADDR_IP4, &fd) == ERR_OK);
        CHECK(sys_set(fd, SOCK_REUSE_PORT, 1) == ERR_OK);
        CHECK(sys_bind(fd, listener->addresses) == ERR_OK);
        CHECK(sys_listen(fd, 64) == ERR_OK);
        CHECK(door_open(worker, listener, listener->addresses, fd, false) == ERR_OK);
    }
}

void house_open(void)
{
    uint64_t seed[2] = {draw(UINT64_MAX), draw(UINT64_MAX)};

    memset(&house, 0, sizeof house);
    rules.half_closed = HALF_CLOSED_MS;
    house.steward.server_fails = server_fails;
    house.steward.snapshot_left = snapshot_left;
    house.steward.worker_empty = worker_empty;
    conn_limit_init(&house.conn_limit, 1000, seed);
    snapshot_make();
    for (unsigned i = 0; i < rules.workers; i++) {
        struct worker *worker = zalloc(sizeof *worker);

        house.workers[i] = worker;
        CHECK(worker_init(worker, i, &house.snapshot, &house.conn_limit,
                          &house.steward) == ERR_OK);
        open_doors(worker);
        CHECK(sys_thread_start(&worker->thread, "worker", worker_turn, worker) == ERR_OK);
    }
}

/* ---- what is left ---- */

static void must_be(const char *what, uint64_t is, uint64_t should_be)
{
    if (is != should_be)
        violation("%s: %lld left, not %lld", what, (long long)is, (long long)should_be);
}

static void check_worker(const struct worker *worker)
{
    const struct engine *engine = &worker->engine;

    must_be("sessions", worker->session_count, 0);
    must_be("session memory", worker->session_slab.in_use, 0);
    must_be("exchanges", worker->exchange_slab.in_use, 0);
    must_be("links", worker->link_slab.in_use, 0);
    must_be("relays", worker->relay_slab.in_use, 0);
    must_be("tcp sessions", worker->tcp_slab.in_use, 0);
    must_be("small chunks", engine->small.in_use, 0);
    must_be("large chunks", engine->large.in_use, 0);
    must_be("pins", house.snapshot.pins[worker->index].count, 0);
}

/* Two for the engine, one for each door, two for each idle pipe. */
static unsigned descriptors_of(const struct worker *worker)
{
    return 2 + LISTENERS + 2 * worker->engine.pipe_count;
}

static void check_routes(void)
{
    for (unsigned i = 0; i < ROUTES; i++) {
        int64_t sum = 0;

        for (unsigned k = 0; k < rules.workers; k++)
            sum += house.route_live[i]->shards[k].in_flight;
        must_be("requests in flight on a route", (uint64_t)sum, 0);
    }
}

void house_check_rest(void)
{
    unsigned descriptors = 0;

    for (unsigned i = 0; i < rules.workers; i++) {
        check_worker(house.workers[i]);
        descriptors += descriptors_of(house.workers[i]);
    }
    for (unsigned i = 0; i < POOLS; i++) {
        must_be("requests in flight at a pool", house.pool_live[i]->in_flight, 0);
        must_be("retries in flight", house.pool_live[i]->retries_in_flight, 0);
    }
    for (unsigned i = 0; i < house.server_count; i++) {
        must_be("requests in flight at a server", house.server_live[i]->in_flight, 0);
        must_be("holds on a server", house.server_live[i]->holds, 0);
    }
    check_routes();
    for (unsigned i = 0; i < LISTENERS; i++)
        must_be("connections at a listener", house.listener_live[i]->connections, 0);
    must_be("connections", house.conn_limit.open, 0);
    must_be("descriptors", files_open(), descriptors);
    if (files_open() != descriptors && world.prints)
        files_print();
}

/* ---- the end ---- */

static void free_live(void)
{
    for (unsigned i = 0; i < house.server_count; i++) {
        free(house.server_live[i]->shards);
        free(house.server_live[i]->desks);
        free(house.server_live[i]);
    }
    for (unsigned i = 0; i < ROUTES; i++) {
        free(house.route_live[i]->shards);
        free(house.route_live[i]);
    }
    for (unsigned i = 0; i < LISTENERS; i++) {
        free(house.listener_live[i]->shards);
        free(house.listener_live[i]);
    }
}

static void free_pools(void)
{
    for (unsigned i = 0; i < POOLS; i++) {
        struct pool_live *live = house.pool_live[i];

        for (unsigned k = 0; k < rules.workers; k++)
            free(live->desks[k].scratch);
        endpoint_set_free(house.sets[i]);
        free(live->shards);
        free(live->desks);
        free(live);
    }
}

void house_close(void)
{
    for (unsigned i = 0; i < rules.workers; i++) {
        worker_drain(house.workers[i]);
        worker_cut(house.workers[i]);
        worker_close(house.workers[i]);
        free(house.workers[i]);
    }
    must_be("descriptors at the end", files_open(), 0);
    conn_limit_close(&house.conn_limit);
    free_pools();
    free_live();
    free(house.snapshot.pins);
    arena_reset(&house.snapshot.arena);
}
