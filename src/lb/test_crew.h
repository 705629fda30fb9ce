/*
 * For the tests of balancers: a few servers behind one balancer, with all that a pick
 * needs. Everything comes from the seed.
 */
#ifndef LB_TEST_CREW_H
#define LB_TEST_CREW_H

#include "lb/pool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

enum { CREW_MOST = 1000 };

struct crew {
    struct server_live live[CREW_MOST];
    struct server_shard shards[CREW_MOST]; /* one worker */
    struct member members[CREW_MOST];
    unsigned count;
    struct pool pool; /* more can be said of it before crew_start */
    struct endpoint_set *set;
    char *scratch;
    struct rand rand;
    struct ask ask;
};

/* Members with these weights; more can be said of crew->members before crew_start. */
static inline struct crew *crew_new(const unsigned *weights, unsigned count)
{
    struct crew *crew = aligned_alloc(CACHE_LINE, sizeof *crew);

    assert_non_null(crew);
    memset(crew, 0, sizeof *crew);
    crew->count = count;
    for (unsigned i = 0; i < count; i++) {
        atomic_init(&crew->live[i].health, HEALTH_UP);
        atomic_init(&crew->live[i].ramp, RAMP_FULL);
        crew->live[i].shards = &crew->shards[i];
        crew->members[i] = (struct member){
            .name = STR("s"),
            .addr = {.family = ADDR_IP4, .port = (uint16_t)(i + 1)},
            .weight = weights ? weights[i] : 1,
            .live = &crew->live[i],
        };
    }
    crew->pool.balance = (struct balance_settings){.virtual_nodes = 150, .q_rif = 840};
    return crew;
}

static inline void crew_start(struct crew *crew, const char *balancer, uint64_t seed)
{
    rand_seed(&crew->rand, seed);
    crew->pool.balancer = balancer_find(str_of(balancer));
    crew->set = endpoint_set_new(&crew->pool, crew->members, crew->count);
    crew->scratch = calloc(1, crew->set->scratch_size + 1);
    assert_non_null(crew->scratch);
    endpoint_set_scratch_start(crew->set, crew->scratch, &crew->rand);
    crew->ask = (struct ask){.rand = &crew->rand, .scratch = crew->scratch};
}

static inline void crew_free(struct crew *crew)
{
    endpoint_set_free(crew->set);
    free(crew->scratch);
    free(crew);
}

static inline void crew_set_health(struct crew *crew, unsigned i, enum health health)
{
    atomic_store(&crew->live[i].health, health);
}

/* The index of the member that was picked, -1 for nobody. */
static inline int crew_pick(struct crew *crew)
{
    const struct server *server = pool_pick(crew->set, &crew->ask);

    return server ? (int)(server->live - crew->live) : -1;
}

/* Picks that many times; how often each was picked. */
static inline void crew_count(struct crew *crew, unsigned picks, unsigned *counts)
{
    memset(counts, 0, crew->count * sizeof *counts);
    for (unsigned i = 0; i < picks; i++) {
        int at = crew_pick(crew);

        assert_true(at >= 0);
        counts[at]++;
    }
}

/*
 * Is `count` of `picks` what chance with this share would bring? Five standard deviations
 * to each side: with a fixed seed it either holds for ever or never.
 */
static inline void assert_share(unsigned count, unsigned picks, double share)
{
    double expected = picks * share, off = count - expected;

    if (off * off > 25 * (expected * (1 - share) + 1))
        fail_msg("%u of %u, expected %.0f", count, picks, expected);
}

#endif
