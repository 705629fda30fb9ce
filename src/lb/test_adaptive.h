/*
 * What every balancer that learns must do, as numbers. Small worlds (test_traffic.h) with
 * 4 workers; bounds are stated at each.
 */
#ifndef LB_TEST_ADAPTIVE_H
#define LB_TEST_ADAPTIVE_H

#include "lb/test_traffic.h"

#include <stdarg.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

static inline double adaptive_short(struct rand *rand)
{
    return traffic_exponential(rand, 0.010);
}

static inline double adaptive_share(const struct traffic_result *result, unsigned server)
{
    return (double)result->requests[server] / result->total;
}

static inline void assert_within(double value, double least, double most)
{
    if (value < least || value > most)
        fail_msg("%g is not within %g and %g", value, least, most);
}

static inline struct traffic adaptive_world(const char *balancer,
                                            const struct traffic_server *servers,
                                            unsigned count, double rate)
{
    return (struct traffic){
        .balancer = balancer,
        .servers = servers,
        .server_count = count,
        .worker_count = 4,
        .rate = rate,
        .seconds = 60,
        .count_from = 20,
        .service = adaptive_short,
        .seed = 11,
    };
}

/*
 * One of two takes twice as long: at 90 % of what both can do together (2:1), the faster
 * gets 2/3 of the requests, 6 points up or down, and nobody waits as he would by turns.
 */
static inline void check_shares_by_capacity(const char *balancer)
{
    static const struct traffic_server servers[] = {{.slots = 8},
                                                    {.slots = 8, .slowness = 2}};
    struct traffic world = adaptive_world(balancer, servers, 2, 0.9 * 1200);
    struct traffic_result result, turns;

    traffic_run(&world, &result);
    assert_within(adaptive_share(&result, 0), 0.607, 0.727);
    world.balancer = "round_robin";
    traffic_run(&world, &turns);
    assert_true(result.p99 < turns.p99 / 10);
}

/* One of four fails at once whatever it is sent: at most 1 % of all go there. */
static inline void check_black_hole(const char *balancer)
{
    static const struct traffic_server servers[] = {
        {.slots = 8}, {.slots = 8}, {.slots = 8}, {.slots = 8, .bad_until = 1000}};
    struct traffic world = adaptive_world(balancer, servers, 4, 1000);
    struct traffic_result result;

    traffic_run(&world, &result);
    assert_within(adaptive_share(&result, 3), 0, 0.01);
    world.rate = 50; /* no queues: the others are always idle, too */
    world.seconds = 200;
    traffic_run(&world, &result);
    assert_within(adaptive_share(&result, 3), 0, 0.02);
}

/* Slow (x 20) for twenty seconds, then well: twenty seconds later it has its share again,
 * 5 points up or down. */
static inline void check_found_again(const char *balancer)
{
    static const struct traffic_server servers[] = {
        {.slots = 8},
        {.slots = 8},
        {.slots = 8},
        {.slots = 8, .bad_from = 10, .bad_until = 30, .bad_slowness = 20}};
    struct traffic world = adaptive_world(balancer, servers, 4, 1600);
    struct traffic_result result;

    world.seconds = 29;
    traffic_run(&world, &result);
    assert_within(adaptive_share(&result, 3), 0, 0.05);
    world.seconds = 70;
    world.count_from = 50;
    traffic_run(&world, &result);
    assert_within(adaptive_share(&result, 3), 0.20, 0.30);
}

/* Ten times as slow as the others, who are nearly idle: it is still tried, at least every
 * twenty seconds by somebody, and has at most 3 % of all. */
static inline void check_no_starvation(const char *balancer)
{
    static const struct traffic_server servers[] = {
        {.slots = 8}, {.slots = 8}, {.slots = 8}, {.slots = 8, .slowness = 10}};
    struct traffic world = adaptive_world(balancer, servers, 4, 100);
    struct traffic_result result;

    world.seconds = 420;
    traffic_run(&world, &result);
    assert_true(result.requests[3] >= 20);
    assert_within(adaptive_share(&result, 3), 0, 0.03);
}

#endif
