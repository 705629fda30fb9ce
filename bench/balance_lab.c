/*
 * The lab: every balancer of the table (lb/balance.c), its own code and no copy, under the
 * same streams of requests in virtual time (lb/test_traffic.h), and what came of it as the
 * tables of docs/algorithms.md. The same seed gives the same page. It measures choosing
 * alone: no retries, no checks, no breakers help a bad choice.
 */
#include "lb/test_traffic.h"

#include <stdio.h>

enum {
    LAB_SEED = 2026,
    LAB_WORKERS = 4,
    KEYS = 1000,
    MOVED_KEYS = 20000,
    ENDLESS = 1000000
};

struct mix {
    const char *name, *what;
    const struct traffic_server *servers;
    unsigned server_count;
    double rate, burst;
    double (*service)(struct rand *rand);
    bool has_keys;
    bool is_endless; /* times say nothing: only who holds how many */
};

/* ---- service times ---- */

static double draw_short(struct rand *rand)
{
    return traffic_exponential(rand, 0.010);
}

/* Mean 12 ms: most are quick, one in a hundred takes a hundred times as long. */
static double draw_heavy(struct rand *rand)
{
    uint64_t dice = rand_below(rand, 100);

    return traffic_exponential(rand, dice == 0 ? 0.500 : dice < 10 ? 0.030 : 0.005);
}

static double draw_long(struct rand *rand)
{
    return traffic_exponential(rand, 30);
}

/* ---- mixes ---- */

static const struct traffic_server alike[] = {{.slots = 8}, {.slots = 8}, {.slots = 8},
                                              {.slots = 8}, {.slots = 8}, {.slots = 8},
                                              {.slots = 8}, {.slots = 8}};
static const struct traffic_server slow_2[] = {
    {.slots = 8}, {.slots = 8}, {.slots = 8}, {.slots = 8, .slowness = 2}};
static const struct traffic_server slow_10[] = {
    {.slots = 8}, {.slots = 8}, {.slots = 8}, {.slots = 8, .slowness = 10}};
static const struct traffic_server dying[] = {
    {.slots = 8},
    {.slots = 8},
    {.slots = 8},
    {.slots = 8, .bad_from = 20, .bad_until = 1000}};
static const struct traffic_server stalling[] = {
    {.slots = 8},
    {.slots = 8},
    {.slots = 8},
    {.slots = 8, .bad_from = 20, .bad_until = 30, .bad_slowness = 20}};
static const struct traffic_server uneven[] = {
    {.slots = 4, .weight = 1}, {.slots = 8, .weight = 2}, {.slots = 16, .weight = 4}};
static const struct traffic_server untold[] = {{.slots = 4}, {.slots = 8}, {.slots = 16}};
static const struct traffic_server endless[] = {
    {.slots = ENDLESS},
    {.slots = ENDLESS},
    {.slots = ENDLESS},
    {.slots = ENDLESS, .bad_until = 20, .bad_slowness = -1}};
static const struct traffic_server many[] = {
    {.slots = 8}, {.slots = 8}, {.slots = 8}, {.slots = 8}, {.slots = 8}, {.slots = 8},
    {.slots = 8}, {.slots = 8}, {.slots = 8}, {.slots = 8}, {.slots = 8}, {.slots = 8},
    {.slots = 8}, {.slots = 8}, {.slots = 8}, {.slots = 8}};

#define SERVERS(array) array, array_len(array)

static const struct mix mixes[] = {
    {"short", "8 servers alike, 10 ms on average (exponential), 75 % of what they can do",
     SERVERS(alike), 4800, 0, draw_short, false, false},
    {"heavy tail", "the same servers; 90 % take 5 ms, 9 % 30 ms, 1 % 500 ms; 70 %",
     SERVERS(alike), 3560, 0, draw_heavy, false, false},
    {"one of four takes twice as long",
     "10 ms and 20 ms; 80 % of what they can do together", SERVERS(slow_2), 2240, 0,
     draw_short, false, false},
    {"one of four takes ten times as long", "10 ms and 100 ms; 65 %", SERVERS(slow_10),
     1600, 0, draw_short, false, false},
    {"one of four stalls",
     "it takes 20 times as long from the 20th to the 30th second; 60 %",
     SERVERS(stalling), 1900, 0, draw_short, false, false},
    {"one of four fails fast",
     "from the 20th second on, at once; 60 % of what three can do", SERVERS(dying), 1440,
     0, draw_short, false, false},
    {"uneven servers", "4, 8 and 16 places, weights 1, 2 and 4; 80 %", SERVERS(uneven),
     2240, 0, draw_short, false, false},
    {"uneven servers, no weights", "the same, and nobody has said so", SERVERS(untold),
     2240, 0, draw_short, false, false},
    {"bursts", "8 servers alike at 40 %, and at 120 % in every tenth second",
     SERVERS(alike), 2560, 3, draw_short, false, false},
    {"long-lived",
     "connections of 30 s; one of four servers comes back in the 20th second",
     SERVERS(endless), 100, 0, draw_long, false, true},
    {"keys", "16 servers, 1,000 keys of which the n-th is asked for 1/n as often; 50 %",
     SERVERS(many), 6400, 0, draw_short, true, false},
};

/* ---- keys ---- */

static double zipf_sum[KEYS];

static void zipf_begin(void)
{
    double sum = 0;

    for (unsigned i = 0; i < KEYS; i++)
        zipf_sum[i] = sum += 1.0 / (i + 1);
}

static uint64_t key_hash(uint64_t n)
{
    struct rand rand;

    rand_seed(&rand, n);
    return rand_u64(&rand);
}

static void draw_key(struct ask *ask, struct rand *rand)
{
    double at = traffic_chance(rand) * zipf_sum[KEYS - 1];
    unsigned low = 0, high = KEYS - 1;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (zipf_sum[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    ask->key = key_hash(low);
    ask->has_key = true;
}

/* ---- rows of the table ---- */

/* A balancer as it stands in the tables. */
struct row {
    const char *name;
    const struct balancer *balancer;
    struct pool settings;
};

enum { ROWS_MOST = 32 };

static unsigned rows_fill(struct row *rows)
{
    static const struct {
        const char *name;
        enum hash_table table;
    } tables[] = {{"consistent_hash, ring", TABLE_RING},
                  {"consistent_hash, maglev", TABLE_MAGLEV},
                  {"consistent_hash, rendezvous", TABLE_RENDEZVOUS}};
    unsigned count = 0;

    for (unsigned i = 0; balancers[i]; i++) {
        bool has_tables = strcmp(balancers[i]->name, "consistent_hash") == 0;

        for (unsigned t = 0; t < (has_tables ? array_len(tables) : 1); t++)
            rows[count++] = (struct row){
                .name = has_tables ? tables[t].name : balancers[i]->name,
                .balancer = balancers[i],
                .settings = {.balance = {.table = tables[t].table,
                                         .virtual_nodes = 150,
                                         .q_rif = 840,
                                         .bound = has_tables ? 1250 : 0}},
            };
    }
    return count;
}

/* ---- moved keys ---- */

static void members_fill(struct member *members, struct server_live *live, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        atomic_init(&live[i].health, HEALTH_UP);
        atomic_init(&live[i].ramp, RAMP_FULL);
        members[i] = (struct member){.name = STR("s"),
                                     .weight = 1,
                                     .live = &live[i],
                                     .addr = {.family = ADDR_IP4}};
        members[i].addr.port = (uint16_t)(i + 1);
    }
}

/* The share of keys that have another server once one of 16 has left. */
static double moved_share(const struct row *row)
{
    struct server_live *live = traffic_zeroed(16 * sizeof *live);
    struct pool pool = row->settings;
    struct member members[16];
    struct endpoint_set *before, *after;
    struct rand rand;
    unsigned moved = 0;

    rand_seed(&rand, LAB_SEED);
    members_fill(members, live, 16);
    pool.balancer = row->balancer;
    before = endpoint_set_new(&pool, members, 16);
    after = endpoint_set_new(&pool, members, 15);
    for (unsigned i = 0; i < MOVED_KEYS; i++) {
        struct ask ask = {
            .rand = &rand, .key = key_hash(i), .has_key = true, .in_flight = 1};
        const struct server *was = pool_pick(before, &ask), *is = pool_pick(after, &ask);

        moved += was->live != is->live;
    }
    endpoint_set_free(before);
    endpoint_set_free(after);
    free(live);
    return (double)moved / MOVED_KEYS;
}

/* ---- the page ---- */

static void print_time(double seconds)
{
    double ms = seconds * 1000;

    printf(ms < 100 ? " %.1f |" : " %.0f |", ms);
}

static void print_row(const struct mix *mix, const struct row *row, double seconds)
{
    struct traffic traffic = {
        .balancer = row->balancer->name,
        .settings = &row->settings,
        .servers = mix->servers,
        .server_count = mix->server_count,
        .worker_count = LAB_WORKERS,
        .rate = mix->rate,
        .burst = mix->burst,
        .seconds = seconds,
        .count_from = seconds / 4,
        .service = mix->service,
        .is_tcp = mix->is_endless,
        .prepare = mix->has_keys ? draw_key : NULL,
        .seed = LAB_SEED,
    };
    struct traffic_result result;

    traffic_run(&traffic, &result);
    printf("| %s |", row->name);
    if (!mix->is_endless) {
        print_time(result.p50);
        print_time(result.p99);
        printf(" %.2f %% |", 100.0 * (result.failed + result.refused) / result.total);
    }
    printf(" %.2f |", result.imbalance);
    if (mix->has_keys && row->balancer->uses_key)
        printf(" %.1f %% |", 100 * moved_share(row));
    else if (mix->has_keys)
        printf(" – |");
    printf("\n");
}

static void print_mix(const struct mix *mix, const struct row *rows, unsigned row_count,
                      double seconds)
{
    printf("\n### %s\n\n%s.\n\n", mix->name, mix->what);
    if (mix->is_endless)
        printf("| balance | busiest / mean |\n| --- | --: |\n");
    else
        printf("| balance | p50 ms | p99 ms | failed | busiest / mean |%s\n"
               "| --- | --: | --: | --: | --: |%s\n",
               mix->has_keys ? " keys moved |" : "", mix->has_keys ? " --: |" : "");
    for (unsigned i = 0; i < row_count; i++)
        if (mix->has_keys || !rows[i].balancer->uses_key)
            print_row(mix, &rows[i], seconds);
}

static void print_head(double seconds)
{
    printf(
        "# The ways of choosing, side by side\n\n"
        "Written by `tools/balance-lab`: each `balance` of weir, its own code, under the same\n"
        "streams of requests in virtual time. %u workers, %.0f s of which the first quarter is\n"
        "not counted; a server has so many places and a queue before them, without end. Nothing\n"
        "helps a bad choice: no checks, no retries, no breakers. Times are those of requests\n"
        "that went well, their wait in the queue included. *Busiest / mean* compares how full\n"
        "the servers' places were. Ways that go by a key have one only in the last table.\n"
        "What each of them is for says [balancing.md](balancing.md).\n",
        LAB_WORKERS, seconds);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 60;
    struct row rows[ROWS_MOST];
    unsigned row_count = rows_fill(rows);

    if (seconds < 1) {
        fprintf(stderr, "balance-lab [SECONDS]: seconds of virtual time, at least 1\n");
        return 2;
    }
    zipf_begin();
    print_head(seconds);
    for (unsigned i = 0; i < array_len(mixes); i++)
        print_mix(&mixes[i], rows, row_count, seconds);
    return 0;
}
