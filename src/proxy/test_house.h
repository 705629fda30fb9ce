/*
 * For the tests of the data path: one worker between real loopback sockets, in one thread.
 * Clients and servers are descriptors that the test writes to and reads from; whenever it
 * waits, the worker turns.
 */
#ifndef PROXY_TEST_HOUSE_H
#define PROXY_TEST_HOUSE_H

#include "lb/pool.h"
#include "lb/router.h"
#include "proxy/door.h"
#include "proxy/exchange.h"
#include "proxy/tcp_session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/socket.h>
#include <setjmp.h>
#include <cmocka.h>

enum { HOUSE_SERVERS = 3, PATIENCE = 400, HEARD_MOST = 1 << 16 };

struct house {
    struct steward_desk steward;
    unsigned farewells, failures, left;
    struct conn_limit conn_limit;
    struct snapshot snapshot, empty; /* empty: without listeners */
    struct snapshot_pin pins[1], empty_pins[1];
    struct listener listener;
    struct route route;
    struct pool pool;
    struct share share;
    struct listener_live listener_live;
    struct listener_shard listener_shards[1];
    struct route_live route_live;
    struct route_shard route_shards[1];
    struct route_desk route_desks[1];
    struct pool_live pool_live;
    struct pool_shard pool_shards[1];
    struct pool_desk pool_desks[1];
    struct server_live servers[HOUSE_SERVERS];
    struct server_shard server_shards[HOUSE_SERVERS][1];
    struct server_desk server_desks[HOUSE_SERVERS][1];
    int listening[HOUSE_SERVERS]; /* the servers' */
    unsigned server_count;
    struct addr addr; /* the door's */
    struct worker worker;
    char heard[HEARD_MOST + 1];
    size_t heard_n;
};

static struct house *house;

static inline void house_fails(struct steward_desk *desk, struct server_live *server,
                               enum err why)
{
    (void)desk;
    (void)server;
    (void)why;
    house->failures++;
}

static inline void house_left(struct steward_desk *desk, struct snapshot *snapshot,
                              unsigned worker)
{
    (void)desk;
    (void)worker;
    assert_ptr_equal(snapshot, &house->snapshot);
    house->left++;
}

static inline void house_empty(struct steward_desk *desk, unsigned worker)
{
    (void)desk;
    (void)worker;
    house->farewells++;
}

static inline void no_block(int fd)
{
    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

static inline int listen_here(struct addr *addr)
{
    int fd;

    assert_int_equal(addr_parse_ip(STR("127.0.0.1"), addr), ERR_OK);
    addr->port = 0;
    assert_int_equal(sys_socket(ADDR_IP4, &fd), ERR_OK);
    assert_int_equal(sys_bind(fd, addr), ERR_OK);
    assert_int_equal(sys_listen(fd, 256), ERR_OK);
    assert_int_equal(sys_local_addr(fd, addr), ERR_OK);
    return fd;
}

/* A house with that many servers, ready to be changed before house_open. */
static inline void house_build(unsigned servers)
{
    struct timeouts t = {1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000};
    struct sizes sizes = {32768, 100, 8192, 65536, UINT64_MAX};

    signal(SIGPIPE, SIG_IGN);
    house = aligned_alloc(CACHE_LINE, sizeof *house);
    assert_non_null(house);
    memset(house, 0, sizeof *house);
    house->server_count = servers;
    house->steward = (struct steward_desk){.server_fails = house_fails,
                                           .snapshot_left = house_left,
                                           .worker_empty = house_empty};
    house->listener_live.shards = house->listener_shards;
    house->route_live.shards = house->route_shards;
    house->route_live.desks = house->route_desks;
    house->pool_live.shards = house->pool_shards;
    house->pool_live.desks = house->pool_desks;
    house->pool_live.worker_count = 1;
    house->pool = (struct pool){.name = STR("pool"),
                                .balancer = balancer_find(STR("round_robin")),
                                .keepalive = {16, 1000, 1000},
                                .check = {.unhealthy_after = 3},
                                .retries = {.budget_share = 20, .budget_floor = 3},
                                .live = &house->pool_live};
    house->share = (struct share){&house->pool, 1};
    house->route = (struct route){
        .name = STR("route"),
        .action = ROUTE_TO_POOL,
        .shares = &house->share,
        .share_count = 1,
        .share_total = 1,
        .timeouts = t,
        .sizes = sizes,
        .retries = {.count = 2,
                    .on_errors = RETRY_CONNECT_ERROR | RETRY_RESET_BEFORE_RESPONSE},
        .slow_client = {1, 60000},
        .live = &house->route_live};
    house->listener = (struct listener){.name = STR("listener"),
                                        .kind = LISTENER_HTTP,
                                        .addresses = &house->addr,
                                        .address_count = 1,
                                        .to = &house->pool,
                                        .timeouts = t,
                                        .sizes = sizes,
                                        .live = &house->listener_live};
    house->snapshot = (struct snapshot){.magic = SNAPSHOT_MAGIC,
                                        .listeners = &house->listener,
                                        .listener_count = 1,
                                        .routes = &house->route,
                                        .route_count = 1,
                                        .pools = &house->pool,
                                        .pool_count = 1,
                                        .pins = house->pins};
    house->empty = (struct snapshot){.magic = SNAPSHOT_MAGIC, .pins = house->empty_pins};
}

static inline void house_open(void)
{
    struct member members[HOUSE_SERVERS];
    uint64_t seed[2] = {1, 2};
    struct endpoint_set *set;
    int fd;

    for (unsigned i = 0; i < house->server_count; i++) {
        struct server_live *live = &house->servers[i];

        atomic_init(&live->ramp, RAMP_FULL);
        live->pool = &house->pool_live;
        live->shards = house->server_shards[i];
        live->desks = house->server_desks[i];
        live->name = STR("server");
        server_desk_init(live->desks);
        house->listening[i] = listen_here(&live->addr);
        members[i] = (struct member){
            .name = live->name, .addr = live->addr, .weight = 1, .live = live};
    }
    arena_init(&house->snapshot.arena, 0);
    house->listener.router = router_new(&house->snapshot.arena, &house->route, 1, 0);
    set = endpoint_set_new(&house->pool, members, house->server_count);
    house->pool_desks[0].set = set;
    house->pool_desks[0].scratch = calloc(1, set->scratch_size + 1);
    conn_limit_init(&house->conn_limit, 0, seed);
    assert_int_equal(worker_init(&house->worker, 0, &house->snapshot, &house->conn_limit,
                                 &house->steward),
                     ERR_OK);
    endpoint_set_scratch_start(set, house->pool_desks[0].scratch,
                               &house->worker.engine.rand);
    fd = listen_here(&house->addr);
    assert_int_equal(door_open(&house->worker, &house->listener, &house->addr, fd, false),
                     ERR_OK);
    /* Clients come in before they speak. */
    assert_int_equal(sys_set(fd, SOCK_DEFER_ACCEPT, 0), ERR_OK);
}

/* Ends what still runs and looks whether everything was given back. */
static inline void house_close(void)
{
    worker_cut(&house->worker);
    assert_int_equal(house->pins[0].count, 0);
    assert_int_equal(house->pool_live.in_flight, 0);
    assert_int_equal(house->pool_live.retries_in_flight, 0);
    assert_int_equal(house->route_shards[0].in_flight, 0);
    assert_int_equal(house->worker.engine.small.in_use, 0);
    assert_int_equal(house->worker.engine.large.in_use, 0);
    assert_int_equal(house->worker.exchange_slab.in_use, 0);
    for (unsigned i = 0; i < house->server_count; i++) {
        assert_int_equal(house->servers[i].in_flight, 0);
        assert_int_equal(house->servers[i].holds, 0);
        if (house->listening[i] >= 0)
            close(house->listening[i]);
    }
    worker_close(&house->worker);
    assert_int_equal(house->listener_live.connections, 0);
    free(house->pool_desks[0].scratch);
    endpoint_set_free(house->pool_desks[0].set);
    conn_limit_close(&house->conn_limit);
    arena_reset(&house->snapshot.arena);
    free(house);
}

static inline void alarm_rings(struct timer *timer)
{
    (void)timer;
}

/* One turn of at most 5 ms. */
static inline void turn(void)
{
    struct loop *loop = &house->worker.engine.loop;
    struct timer alarm;

    timer_init(&alarm, alarm_rings);
    timer_set(&loop->timers, &alarm, sys_now() + 5 * 1000000);
    worker_turn(&house->worker);
    timer_remove(&loop->timers, &alarm);
}

static inline void turns(unsigned count)
{
    while (count--)
        turn();
}

static inline int client_new(void)
{
    enum err e;
    int fd;

    assert_int_equal(sys_socket(ADDR_IP4, &fd), ERR_OK);
    e = sys_connect(fd, &house->addr);
    assert_true(e == ERR_OK || e == ERR_AGAIN);
    usleep(500);
    return fd;
}

static inline bool is_waiting(int listening)
{
    struct addr peer;
    int fd;
    enum err e = sys_accept(listening, &fd, &peer);

    if (!e)
        close(fd);
    return !e;
}

/* The next connection to that server. */
static inline int server_take_one(unsigned index)
{
    struct addr peer;
    int fd = -1;

    for (int i = 0; i < PATIENCE && sys_accept(house->listening[index], &fd, &peer); i++)
        turn();
    assert_true(fd >= 0);
    return fd;
}

/* The next connection to any server. */
static inline int server_take_any(unsigned *index)
{
    struct addr peer;
    int fd = -1;

    for (int i = 0; i < PATIENCE; i++) {
        for (*index = 0; *index < house->server_count; ++*index)
            if (house->listening[*index] >= 0 &&
                !sys_accept(house->listening[*index], &fd, &peer))
                return fd;
        turn();
    }
    fail_msg("nobody connects to a server");
    return -1;
}

static inline void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static inline void reset(int fd)
{
    assert_int_equal(sys_set(fd, SOCK_RESET_ON_CLOSE, 1), ERR_OK);
    close(fd);
}

/* Reads until what was heard since the last call contains `text`. */
static inline const char *hear(int fd, const char *text)
{
    house->heard_n = 0;
    for (int i = 0; i < PATIENCE; i++) {
        ssize_t n = read(fd, house->heard + house->heard_n, HEARD_MOST - house->heard_n);

        house->heard_n += n > 0 ? (size_t)n : 0;
        house->heard[house->heard_n] = '\0';
        if (strstr(house->heard, text))
            return house->heard;
        if (n == 0)
            break;
        turn();
    }
    fail_msg("'%s' was not heard but: %s", text, house->heard);
    return NULL;
}

/* Reads to the end; ERR_EOF or ERR_RESET. What came is in house->heard. */
static inline enum err hear_end(int fd)
{
    house->heard_n = 0;
    for (int i = 0; i < PATIENCE; i++) {
        ssize_t n = read(fd, house->heard + house->heard_n, HEARD_MOST - house->heard_n);

        house->heard_n += n > 0 ? (size_t)n : 0;
        house->heard[house->heard_n] = '\0';
        if (n == 0)
            return ERR_EOF;
        if (n < 0 && errno != EAGAIN)
            return ERR_RESET;
        turn();
    }
    fail_msg("no end was heard but: %s", house->heard);
    return ERR_TIMEOUT;
}

static inline bool has_heard(const char *text)
{
    return strstr(house->heard, text) != NULL;
}

#define ANSWER(n, text) "HTTP/1.1 200 OK\r\nContent-Length: " #n "\r\n\r\n" text

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

/* Says one request, lets one server answer it and gives the client's connection. */
static inline int exchange_once(const char *request, const char *answer, int *server)
{
    int client = client_new();

    say(client, request);
    *server = server_take_one(0);
    hear(*server, "\r\n\r\n");
    say(*server, answer);
    return client;
}

/* A body of which every byte says where it stands. */
static inline unsigned char byte_at(uint64_t i)
{
    return (unsigned char)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

/* Writes bytes [from, to) of that body as far as the socket takes them; where it stopped. */
static inline uint64_t pour(int fd, uint64_t from, uint64_t to)
{
    unsigned char block[16384];

    while (from < to) {
        size_t n = to - from < sizeof block ? (size_t)(to - from) : sizeof block;
        ssize_t sent;

        for (size_t i = 0; i < n; i++)
            block[i] = byte_at(from + i);
        sent = write(fd, block, n);
        if (sent <= 0)
            break;
        from += (uint64_t)sent;
    }
    return from;
}

/* Reads and checks what has come, beginning at `from`; where it stopped. */
static inline uint64_t drink(int fd, uint64_t from, uint64_t most)
{
    unsigned char block[16384];
    ssize_t n;

    while (most && (n = read(fd, block, most < sizeof block ? most : sizeof block)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(block[i], byte_at(from + (uint64_t)i));
        from += (uint64_t)n;
        most -= (uint64_t)n;
    }
    return from;
}

#endif
