/*
 * What one choice costs: bench-picks BALANCER SERVERS PICKS prints the nanoseconds of one
 * pick, the best of five rounds, among servers with weights 1 to 4 and 0 to 3 requests in
 * flight, of which the balancers that learn have learnt something. Keys are drawn before.
 * The picks are those of one function, so that callgrind can count its instructions
 * (--toggle-collect=picks_run*). Without arguments it lists the balancers.
 */
#include "lb/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 5, KEYS = 4096 };

struct bench {
    struct server_live *live;
    struct server_shard *shards;
    struct endpoint_set *set;
    char *scratch;
    struct rand rand;
    uint64_t keys[KEYS];
    unsigned count;
};

/* "consistent_hash/maglev" is a row of its own. */
struct row {
    const char *name, *balancer;
    enum hash_table table;
};

static const struct row tables[] = {
    {"consistent_hash/maglev", "consistent_hash", TABLE_MAGLEV},
    {"consistent_hash/rendezvous", "consistent_hash", TABLE_RENDEZVOUS}};

static void *zeroed(size_t size)
{
    void *p = aligned_alloc(CACHE_LINE, (size + CACHE_LINE) & ~(size_t)(CACHE_LINE - 1));

    if (!p)
        abort();
    return memset(p, 0, size);
}

static void learn(struct bench *bench, const struct balancer *balancer, uint64_t now)
{
    for (unsigned i = 0; balancer->learn && i < bench->count; i++)
        balancer->learn(
            &bench->shards[i],
            &(struct outcome){.now = now,
                              .latency = 5000000 + rand_below(&bench->rand, 10000000),
                              .in_flight = 1 + (unsigned)rand_below(&bench->rand, 4)});
}

static void bench_init(struct bench *bench, const struct row *row, unsigned count)
{
    struct member *members = zeroed(count * sizeof *members);
    struct pool pool = {
        .balancer = balancer_find(str_of(row->balancer)),
        .balance = {
            .table = row->table, .virtual_nodes = 150, .q_rif = 840, .bound = 1250}};

    rand_seed(&bench->rand, 1);
    bench->count = count;
    bench->live = zeroed(count * sizeof *bench->live);
    bench->shards = zeroed(count * sizeof *bench->shards);
    for (unsigned i = 0; i < count; i++) {
        struct server_live *live = &bench->live[i];

        atomic_init(&live->health, HEALTH_UP);
        atomic_init(&live->ramp, RAMP_FULL);
        atomic_init(&live->in_flight, (unsigned)rand_below(&bench->rand, 4));
        live->shards = &bench->shards[i];
        live->shards->estimate.picked_at = 100000000000;
        members[i] = (struct member){.name = STR("s"),
                                     .addr = {.family = ADDR_IP4, .port = 80},
                                     .weight = 1 + i % 4,
                                     .live = live};
        memcpy(members[i].addr.ip, &i, sizeof i);
    }
    bench->set = endpoint_set_new(&pool, members, count);
    bench->scratch = zeroed(bench->set->scratch_size);
    endpoint_set_scratch_start(bench->set, bench->scratch, &bench->rand);
    learn(bench, pool.balancer, 100000000000);
    for (unsigned i = 0; i < KEYS; i++)
        bench->keys[i] = rand_u64(&bench->rand);
    free(members);
}

static const void *volatile picked; /* so that no pick is left out */

__attribute__((noinline)) void picks_run(struct bench *bench, unsigned picks);

void picks_run(struct bench *bench, unsigned picks)
{
    for (unsigned i = 0; i < picks; i++) {
        struct ask ask = {.rand = &bench->rand,
                          .now = 101000000000,
                          .key = bench->keys[i % KEYS],
                          .has_key = true,
                          .in_flight = 2 * bench->count,
                          .scratch = bench->scratch};

        picked = pool_pick(bench->set, &ask);
    }
}

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int list(void)
{
    for (unsigned i = 0; balancers[i]; i++)
        printf("%s\n", balancers[i]->name);
    for (unsigned i = 0; i < array_len(tables); i++)
        printf("%s\n", tables[i].name);
    return 0;
}

static struct row find_row(const char *name)
{
    for (unsigned i = 0; i < array_len(tables); i++)
        if (strcmp(tables[i].name, name) == 0)
            return tables[i];
    return (struct row){name, name, TABLE_RING};
}

int main(int argc, char **argv)
{
    static struct bench bench;
    unsigned count = argc > 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    unsigned picks = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
    double best = 0;
    struct row row;

    if (argc == 1)
        return list();
    row = find_row(argv[1]);
    if (!count || !picks || !balancer_find(str_of(row.balancer))) {
        fprintf(stderr, "bench-picks [BALANCER SERVERS PICKS]\n");
        return 2;
    }
    bench_init(&bench, &row, count);
    for (unsigned round = 0; round < ROUNDS; round++) {
        double began = now_ns(), took;

        picks_run(&bench, picks);
        took = (now_ns() - began) / picks;
        if (!round || took < best)
            best = took;
    }
    printf("%.1f\n", best);
    return 0;
}
