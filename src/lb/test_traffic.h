/*
 * A small world of servers for judging balancers: requests arrive at several workers by
 * chance, each balancer chooses by its own code, servers have so many places and a queue
 * before them. Discrete events in virtual time; everything comes from the seed. For the
 * property tests of this room and for the lab (bench/lab.c), so it needs no cmocka.
 */
#ifndef LB_TEST_TRAFFIC_H
#define LB_TEST_TRAFFIC_H

#include "lb/pool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRAFFIC_SERVERS = 128, TRAFFIC_WORKERS = 8 };

/* A server and its one bad time, in seconds from the beginning. */
struct traffic_server {
    unsigned slots;  /* requests that are worked on at once; others queue */
    unsigned weight; /* 0: 1 */
    double slowness; /* every service time is multiplied by it; 0: 1 */
    double bad_from, bad_until;
    double bad_slowness; /* then; 0: it fails at once; below 0: known to be down */
};

struct traffic {
    const char *balancer;
    const struct pool *settings; /* the balancer's; NULL: none */
    const struct traffic_server *servers;
    unsigned server_count, worker_count;
    double rate;                /* requests a second; Poisson */
    double burst;               /* in every tenth second so many times the rate */
    double seconds, count_from; /* what comes before is not counted */
    double (*service)(struct rand *rand); /* draws a service time, in seconds */
    void (*prepare)(struct ask *ask, struct rand *rand); /* says more; NULL: nothing */
    bool is_tcp; /* learnt is the connecting, at once, not how long it stays */
    uint64_t seed;
};

struct traffic_result {
    unsigned requests[TRAFFIC_SERVERS], failures[TRAFFIC_SERVERS];
    unsigned total, failed, refused;
    double p50, p99;  /* seconds, of those that went well */
    double imbalance; /* of the servers' busy places, max / mean */
};

/* ---- the inside ---- */

struct traffic_job {
    uint64_t at;    /* when it ends */
    uint64_t began; /* when it arrived */
    unsigned server, worker, in_flight;
    bool has_failed, holds_slot;
    double service;
};

struct traffic_queue {
    struct traffic_job *jobs; /* a ring */
    unsigned begin, count, room, busy;
    uint64_t busy_since; /* as many as now; from then on not in busy_time */
    double busy_time;    /* sum over the places, in the time that counts */
};

struct traffic_world {
    const struct traffic *traffic;
    struct traffic_result *result;
    struct rand rand, worker_rand[TRAFFIC_WORKERS];
    struct endpoint_set *set;
    char *scratch[TRAFFIC_WORKERS];
    struct server_live *live;
    struct traffic_queue queues[TRAFFIC_SERVERS];
    struct traffic_job *heap; /* running jobs, the next to end first */
    unsigned heap_count, heap_room;
    float *times;
    unsigned time_count, time_room;
};

static inline void *traffic_grow(void *items, unsigned *room, unsigned count, size_t size)
{
    if (count < *room)
        return items;
    *room = *room ? *room * 2 : 256;
    items = realloc(items, *room * size);
    if (!items)
        abort();
    return items;
}

static inline double traffic_chance(struct rand *rand) /* 0 < x <= 1 */
{
    return (double)((rand_u64(rand) >> 11) + 1) / 9007199254740992.0;
}

static inline double traffic_exponential(struct rand *rand, double mean)
{
    return -log(traffic_chance(rand)) * mean;
}

enum { TRAFFIC_BEGIN_S = 1000 }; /* clocks do not begin at 0 */

static inline uint64_t traffic_ns(double seconds)
{
    return (uint64_t)((TRAFFIC_BEGIN_S + seconds) * 1e9);
}

static inline void traffic_push(struct traffic_world *world, struct traffic_job job)
{
    unsigned at = world->heap_count;

    world->heap = traffic_grow(world->heap, &world->heap_room, at, sizeof job);
    world->heap_count++;
    while (at && world->heap[(at - 1) / 2].at > job.at) {
        world->heap[at] = world->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    world->heap[at] = job;
}

static inline struct traffic_job traffic_pop(struct traffic_world *world)
{
    struct traffic_job first = world->heap[0], last = world->heap[--world->heap_count];
    unsigned at = 0;

    for (;;) {
        unsigned child = 2 * at + 1;

        if (child >= world->heap_count)
            break;
        if (child + 1 < world->heap_count &&
            world->heap[child + 1].at < world->heap[child].at)
            child++;
        if (world->heap[child].at >= last.at)
            break;
        world->heap[at] = world->heap[child];
        at = child;
    }
    world->heap[at] = last;
    return first;
}

static inline bool traffic_counts(const struct traffic_world *world, uint64_t at)
{
    return at >= traffic_ns(world->traffic->count_from);
}

/* To be called before queue->busy changes. */
static inline void traffic_add_busy(const struct traffic_world *world,
                                    struct traffic_queue *queue, uint64_t now)
{
    uint64_t begin = traffic_ns(world->traffic->count_from);
    uint64_t end = traffic_ns(world->traffic->seconds);
    uint64_t from = queue->busy_since < begin ? begin : queue->busy_since;
    uint64_t until = now > end ? end : now;

    if (until > from)
        queue->busy_time += (double)(until - from) * queue->busy;
    queue->busy_since = now;
}

static inline void traffic_serve(struct traffic_world *world, struct traffic_job job,
                                 uint64_t now)
{
    struct traffic_queue *queue = &world->queues[job.server];

    traffic_add_busy(world, queue, now);
    queue->busy++;
    job.at = now + (uint64_t)(job.service * 1e9);
    job.holds_slot = true;
    traffic_push(world, job);
}

static inline void traffic_enqueue(struct traffic_queue *queue, struct traffic_job job)
{
    if (queue->count == queue->room) {
        unsigned room = queue->room ? queue->room * 2 : 64;
        struct traffic_job *jobs = malloc(room * sizeof *jobs);

        if (!jobs)
            abort();
        for (unsigned i = 0; i < queue->count; i++)
            jobs[i] = queue->jobs[(queue->begin + i) % queue->room];
        free(queue->jobs);
        queue->jobs = jobs;
        queue->room = room;
        queue->begin = 0;
    }
    queue->jobs[(queue->begin + queue->count++) % queue->room] = job;
}

static inline bool traffic_is_bad(const struct traffic_server *facts, uint64_t now)
{
    return now >= traffic_ns(facts->bad_from) && now < traffic_ns(facts->bad_until);
}

/* As a health check would see it. */
static inline void traffic_look(struct traffic_world *world, uint64_t now)
{
    for (unsigned i = 0; i < world->traffic->server_count; i++) {
        const struct traffic_server *facts = &world->traffic->servers[i];

        if (facts->bad_slowness < 0)
            atomic_store(&world->live[i].health,
                         traffic_is_bad(facts, now) ? HEALTH_DOWN : HEALTH_UP);
    }
}

static inline void traffic_arrive(struct traffic_world *world, uint64_t now)
{
    static const double fast_failure = 0.0002;
    const struct traffic *traffic = world->traffic;
    unsigned worker = (unsigned)rand_below(&world->rand, traffic->worker_count);
    struct ask ask = {.rand = &world->worker_rand[worker],
                      .now = now,
                      .worker = worker,
                      .scratch = world->scratch[worker]};
    struct traffic_job job = {.began = now, .worker = worker};
    const struct traffic_server *facts;
    const struct server *server;
    struct traffic_queue *queue;
    bool is_bad;

    job.service = traffic->service(&world->rand); /* the same stream for each balancer */
    if (traffic->prepare)
        traffic->prepare(&ask, &world->rand);
    traffic_look(world, now);
    server = pool_take(world->set, &ask);
    if (traffic_counts(world, now))
        world->result->total++;
    if (!server) {
        world->result->refused += traffic_counts(world, now);
        return;
    }
    job.server = (unsigned)(server->live - world->live);
    job.in_flight = server_load(server);
    facts = &traffic->servers[job.server];
    queue = &world->queues[job.server];
    is_bad = traffic_is_bad(facts, now);
    job.service *= facts->slowness > 0 ? facts->slowness : 1;
    if (is_bad && facts->bad_slowness > 0)
        job.service *= facts->bad_slowness;
    if (traffic_counts(world, now))
        world->result->requests[job.server]++;
    if (traffic->is_tcp && world->set->balancer->learn)
        world->set->balancer->learn(
            &server->live->shards[worker],
            &(struct outcome){.now = now,
                              .latency = (uint64_t)(traffic_chance(&world->rand) * 1e6),
                              .in_flight = job.in_flight});
    if (is_bad && facts->bad_slowness == 0) {
        job.has_failed = true;
        job.at = now + (uint64_t)(fast_failure * 1e9);
        traffic_push(world, job);
    } else if (queue->busy < facts->slots) {
        traffic_serve(world, job, now);
    } else {
        traffic_enqueue(queue, job);
    }
}

static inline void traffic_end(struct traffic_world *world, const struct traffic_job *job)
{
    struct traffic_queue *queue = &world->queues[job->server];
    struct server_live *live = &world->live[job->server];
    struct outcome outcome = {.now = job->at,
                              .latency = job->at - job->began,
                              .in_flight = job->in_flight,
                              .has_failed = job->has_failed};

    server_give(live);
    if (world->set->balancer->learn && !world->traffic->is_tcp)
        world->set->balancer->learn(&live->shards[job->worker], &outcome);
    if (traffic_counts(world, job->began)) {
        world->result->failures[job->server] += job->has_failed;
        world->result->failed += job->has_failed;
        if (!job->has_failed) {
            world->times = traffic_grow(world->times, &world->time_room,
                                        world->time_count, sizeof *world->times);
            world->times[world->time_count++] = (float)((double)outcome.latency / 1e9);
        }
    }
    if (!job->holds_slot)
        return;
    traffic_add_busy(world, queue, job->at);
    queue->busy--;
    if (queue->count) {
        struct traffic_job next = queue->jobs[queue->begin];

        queue->begin = (queue->begin + 1) % queue->room;
        queue->count--;
        traffic_serve(world, next, job->at);
    }
}

static inline void *traffic_zeroed(size_t size)
{
    size_t rounded = (size + CACHE_LINE) & ~(size_t)(CACHE_LINE - 1);
    void *p = aligned_alloc(CACHE_LINE, rounded);

    if (!p)
        abort();
    return memset(p, 0, rounded);
}

static inline void traffic_begin(struct traffic_world *world)
{
    const struct traffic *traffic = world->traffic;
    struct pool pool =
        traffic->settings
            ? *traffic->settings
            : (struct pool){.balance = {.virtual_nodes = 150, .q_rif = 840}};
    struct member members[TRAFFIC_SERVERS];

    pool.balancer = balancer_find(str_of(traffic->balancer));
    rand_seed(&world->rand, traffic->seed);
    world->live = traffic_zeroed(traffic->server_count * sizeof *world->live);
    for (unsigned i = 0; i < traffic->server_count; i++) {
        struct server_live *live = &world->live[i];

        atomic_init(&live->health, HEALTH_UP);
        atomic_init(&live->ramp, RAMP_FULL);
        live->shards = traffic_zeroed(traffic->worker_count * sizeof *live->shards);
        members[i] = (struct member){
            .name = STR("s"),
            .addr = {.family = ADDR_IP4, .port = (uint16_t)(i + 1)},
            .weight = traffic->servers[i].weight ? traffic->servers[i].weight : 1,
            .live = live,
        };
        members[i].addr.ip[0] = 10;
        members[i].addr.ip[3] = (unsigned char)i;
    }
    world->set = endpoint_set_new(&pool, members, traffic->server_count);
    for (unsigned i = 0; i < traffic->worker_count; i++) {
        rand_seed(&world->worker_rand[i], traffic->seed * 1000 + i);
        world->scratch[i] = traffic_zeroed(world->set->scratch_size);
        endpoint_set_scratch_start(world->set, world->scratch[i], &world->worker_rand[i]);
    }
}

static inline int traffic_compare(const void *a, const void *b)
{
    float left = *(const float *)a, right = *(const float *)b;

    return (left > right) - (left < right);
}

static inline void traffic_judge(struct traffic_world *world)
{
    const struct traffic *traffic = world->traffic;
    struct traffic_result *result = world->result;
    double most = 0, sum = 0;

    if (world->time_count) {
        qsort(world->times, world->time_count, sizeof *world->times, traffic_compare);
        result->p50 = (double)world->times[world->time_count / 2];
        result->p99 = (double)world->times[(size_t)(world->time_count * 0.99)];
    }
    for (unsigned i = 0; i < traffic->server_count; i++) {
        double busy = world->queues[i].busy_time / traffic->servers[i].slots;

        most = busy > most ? busy : most;
        sum += busy;
    }
    result->imbalance = sum > 0 ? most * traffic->server_count / sum : 0;
}

static inline void traffic_close(struct traffic_world *world)
{
    for (unsigned i = 0; i < world->traffic->server_count; i++) {
        free(world->live[i].shards);
        free(world->queues[i].jobs);
    }
    for (unsigned i = 0; i < world->traffic->worker_count; i++)
        free(world->scratch[i]);
    endpoint_set_free(world->set);
    free(world->live);
    free(world->heap);
    free(world->times);
}

/* When the next request comes after this one. */
static inline uint64_t traffic_next(struct traffic_world *world, uint64_t now)
{
    const struct traffic *traffic = world->traffic;
    uint64_t second = now / 1000000000;
    double rate = traffic->rate;

    if (traffic->burst > 0 && second % 10 == 0)
        rate *= traffic->burst;
    return now + (uint64_t)(traffic_exponential(&world->rand, 1 / rate) * 1e9) + 1;
}

/* Runs it all; what is still under way at the end is counted when it ends. */
static inline void traffic_run(const struct traffic *traffic,
                               struct traffic_result *result)
{
    struct traffic_world *world = traffic_zeroed(sizeof *world);
    uint64_t arrival, end = traffic_ns(traffic->seconds);

    *result = (struct traffic_result){{0}};
    world->traffic = traffic;
    world->result = result;
    traffic_begin(world);
    arrival = traffic_next(world, traffic_ns(0));
    while (arrival < end || world->heap_count) {
        if (world->heap_count && (arrival >= end || world->heap[0].at <= arrival)) {
            struct traffic_job job = traffic_pop(world);

            traffic_end(world, &job);
        } else {
            traffic_arrive(world, arrival);
            arrival = traffic_next(world, arrival);
        }
    }
    traffic_judge(world);
    traffic_close(world);
    free(world);
}

#endif
