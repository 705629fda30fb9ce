/*
 * A simulated server that works on so many requests at once and shares itself among more
 * (processor sharing), behind a limit that is learnt from it alone.
 */
#include "guard/capacity.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define MS ((uint64_t)1000000)

enum { JOBS_MOST = 2000, STEP_US = 1000, TICK_STEPS = 100, WORKERS = 3 };

struct job {
    double left; /* ms of work */
    uint64_t began;
    unsigned in_flight;
};

struct world {
    struct adaptive_concurrency rule;
    struct capacity capacity;
    struct capacity_counts shards[WORKERS];
    struct rand rand;
    uint64_t now, steps;
    unsigned limit, count;
    double owed; /* arrivals */
    uint64_t refused, served, failed;
    double served_time; /* ms */
    unsigned least, most;
    struct job jobs[JOBS_MOST];
    /* the server */
    unsigned capacity_of; /* requests that do not disturb each other */
    double takes;         /* ms of an undisturbed one, on average */
    double cached;        /* so many of them take a millisecond only */
    bool is_varied;       /* exponentially so, else by a tenth */
    bool fails;           /* everything at once */
    double rate; /* requests a ms; 0: each place is taken as soon as it is free */
};

static struct world *world_new(unsigned capacity, double takes, uint64_t seed)
{
    struct world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    world->rule = (struct adaptive_concurrency){true, 4, 1000};
    world->capacity_of = capacity;
    world->takes = takes;
    rand_seed(&world->rand, seed);
    world->now = 1000 * MS;
    world->limit = capacity_begin(&world->capacity, &world->rule);
    return world;
}

static double uniform(struct world *world)
{
    return ((double)rand_below(&world->rand, 1000000) + 0.5) / 1000000;
}

static double work_of(struct world *world)
{
    if (uniform(world) < world->cached)
        return 1;
    return world->takes *
           (world->is_varied ? -log(uniform(world)) : 0.9 + 0.2 * uniform(world));
}

static void tell(struct world *world, const struct job *job)
{
    struct outcome outcome = {.now = world->now,
                              .latency = world->now - job->began,
                              .in_flight = job->in_flight,
                              .has_failed = world->fails};

    capacity_note(&world->shards[rand_below(&world->rand, WORKERS)], world->limit,
                  &outcome);
    world->served++;
    world->failed += world->fails;
    world->served_time += (double)outcome.latency / MS;
}

static void clients_come(struct world *world)
{
    world->owed += world->rate * STEP_US / 1000 * -log(uniform(world));
    for (; world->rate == 0 ? world->count < world->limit : world->owed >= 1;
         world->owed -= 1) {
        if (world->count >= world->limit) {
            world->refused++;
            continue;
        }
        world->jobs[world->count] =
            (struct job){work_of(world), world->now, world->count + 1};
        world->count++;
    }
}

static void server_works(struct world *world)
{
    double share =
        world->count > world->capacity_of ? (double)world->capacity_of / world->count : 1;

    world->now += STEP_US * 1000;
    for (unsigned i = 0; i < world->count;) {
        struct job *job = &world->jobs[i];

        job->left -= share * STEP_US / 1000;
        if (job->left > 0 && !world->fails) {
            i++;
            continue;
        }
        tell(world, job);
        *job = world->jobs[--world->count];
    }
}

static void steward_looks(struct world *world)
{
    struct capacity_counts sum = {0};

    if (!capacity_is_due(&world->capacity, world->now))
        return;
    for (unsigned i = 0; i < WORKERS; i++)
        capacity_add(&sum, &world->shards[i]);
    world->limit =
        capacity_look(&world->capacity, &world->rule, &sum, world->now, &world->rand);
}

/* So many ms go by; least, most, served and so on are of this time. */
static void pass(struct world *world, unsigned ms)
{
    uint64_t end = world->now + ms * MS;

    world->least = UINT32_MAX;
    world->most = 0;
    world->refused = world->served = world->failed = 0;
    world->served_time = 0;
    while (world->now < end) {
        clients_come(world);
        server_works(world);
        if (++world->steps % TICK_STEPS == 0)
            steward_looks(world);
        assert_true(world->limit >= world->rule.min && world->limit <= world->rule.max);
        world->least = world->limit < world->least ? world->limit : world->least;
        world->most = world->limit > world->most ? world->limit : world->most;
    }
}

static double served_time(const struct world *world)
{
    return world->served_time / (double)world->served;
}

/* On average over so many seconds. */
static double limit_over(struct world *world, unsigned seconds)
{
    double sum = 0;

    for (unsigned i = 0; i < seconds * 10; i++) {
        pass(world, 100);
        sum += world->limit;
    }
    return sum / (seconds * 10);
}

/* ---- under pressure ---- */

static void test_the_limit_settles_near_the_knee(void **state)
{
    static const unsigned knees[] = {4, 8, 16, 64, 256};

    (void)state;
    for (unsigned i = 0; i < 2 * array_len(knees); i++) {
        unsigned knee = knees[i / 2];
        struct world *world = world_new(knee, 50, i);
        double sum = 0, served = 0, takes = 0;

        world->is_varied = i % 2;
        pass(world, 40000);
        for (unsigned k = 0; k < 60; k++) {
            pass(world, 1000);
            assert_in_range(world->least, knee / 4, 8 * knee);
            assert_in_range(world->most, knee / 4, 8 * knee);
            takes += served_time(world);
            sum += world->limit;
            served += (double)world->served;
        }
        assert_in_range(sum / 60, knee, 2 * knee + 2);
        assert_true(takes / 60 < 3 * world->takes);
        assert_true(served > 0.9 * 60000 * knee / world->takes);
        free(world);
    }
}

static void test_it_follows_a_server_that_bears_less_and_more(void **state)
{
    struct world *world = world_new(64, 50, 1);

    (void)state;
    pass(world, 20000);
    assert_in_range(limit_over(world, 10), 58, 100);
    world->capacity_of = 32;
    pass(world, 2000);
    assert_in_range(world->least, 16, 50);
    pass(world, 10000);
    assert_in_range(world->most, 32, 70);
    world->capacity_of = 256;
    pass(world, 10000);
    assert_true(world->most > 250);
    pass(world, 10000);
    assert_true(world->most < 450);
    free(world);
}

static void test_no_spiral_follows_when_all_answers_take_longer(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        struct world *world = world_new(64, 50, i);

        world->is_varied = i % 2;
        pass(world, 20000);
        world->takes *= i < 4 ? 2 : 10; /* each alone: no fault of the load's */
        pass(world, i < 4 ? 3000 : 8000);
        assert_true(world->least >= 8);
        pass(world, i < 4 ? 10000 : 60000);
        assert_in_range(limit_over(world, 10), 54, 150);
        assert_in_range(capacity_calm_time(&world->capacity), 0.35 * world->takes * MS,
                        2 * world->takes * MS);
        free(world);
    }
}

static void test_it_goes_down_while_everything_fails_and_comes_back(void **state)
{
    struct world *world = world_new(64, 50, 1);

    (void)state;
    pass(world, 20000);
    world->fails = true;
    pass(world, 5000);
    assert_true(world->limit < 32);
    assert_int_equal(world->capacity.state, CAPACITY_FAILS);
    world->fails = false;
    pass(world, 15000);
    pass(world, 3000);
    assert_in_range(world->most, 64, 130);
    free(world);
}

static void test_cached_answers_are_not_what_the_others_are_measured_by(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 5; i++) {
        struct world *world = world_new(64, 100, i);

        world->cached = 0.15 * i;
        pass(world, 40000);
        assert_in_range(limit_over(world, 20), 54, 200);
        free(world);
    }
}

static void test_it_stays_between_min_and_max(void **state)
{
    struct world *world = world_new(2, 50, 1);

    (void)state;
    world->rule.min = 10;
    pass(world, 40000);
    assert_in_range(limit_over(world, 20), 10,
                    16); /* pass looks at the bounds all the time */
    world->capacity_of = 100;
    world->rule.max = 30;
    world->limit = capacity_begin(&world->capacity, &world->rule);
    pass(world, 20000);
    assert_true(world->most == 30);
    world->rule = (struct adaptive_concurrency){true, 2, 5};
    world->limit = capacity_begin(&world->capacity, &world->rule);
    assert_int_equal(world->limit, 5);
    free(world);
}

/* ---- without ---- */

static void test_what_is_not_used_does_not_grow(void **state)
{
    struct world *world = world_new(64, 50, 1);

    (void)state;
    world->rate = 0.06; /* three in flight */
    pass(world, 60000);
    assert_int_equal(world->most, FIRST_LIMIT);
    assert_int_equal(world->capacity.state, CAPACITY_UNUSED);
    assert_int_equal(world->refused, 0);
    world->rate = 0.00001;
    pass(world, 60000);
    assert_int_equal(world->limit, FIRST_LIMIT);
    free(world);
}

static void test_whoever_has_room_is_refused_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct world *world = world_new(64, 50, i);

        world->is_varied = i % 2;
        world->rate = 0.7 * 64 / 50;
        pass(world, 10000);
        pass(world, 60000);
        assert_true(world->refused * 200 < world->served);
        free(world);
    }
}

static void test_a_longer_time_without_load_is_learnt_too(void **state)
{
    struct world *world = world_new(64, 50, 1);

    (void)state;
    world->rate = 0.16; /* eight in flight */
    pass(world, 10000);
    world->takes = 150;
    pass(world, 40000);
    assert_in_range(capacity_calm_time(&world->capacity), 120 * MS, 160 * MS);
    world->rate = 0;
    pass(world, 20000);
    assert_in_range(limit_over(world, 20), 58, 130);
    free(world);
}

/* ---- counting ---- */

static void test_octaves_grow_with_time(void **state)
{
    uint64_t before = 0;

    (void)state;
    for (uint64_t ns = 1; ns < (uint64_t)1 << 60; ns += ns / 3 + 1) {
        assert_true(octaves_of(ns) >= before);
        before = octaves_of(ns);
    }
    assert_int_equal(octaves_of(4096), 12 * OCTAVE);
    assert_int_equal(octaves_of(6144), 12 * OCTAVE + OCTAVE / 2);
}

static void test_who_left_counts_where_he_waited_for_long(void **state)
{
    struct capacity capacity = {0};
    struct capacity_counts seen = {0};
    struct outcome answer = {.latency = 16 * MS, .in_flight = 4};
    struct outcome early = {.latency = MS, .in_flight = 4, .is_unfinished = true};
    struct outcome late = {.latency = 256 * MS, .in_flight = 4, .is_unfinished = true};
    struct outcome nothing = {.in_flight = 4, .is_unfinished = true};
    struct outcome failure = {.in_flight = 8, .has_failed = true};
    double usual;

    (void)state;
    capacity_note(&seen, 10, &answer);
    usual = window_of(&capacity, seen).time;
    capacity_note(&seen, 10, &early);
    capacity_note(&seen, 10, &nothing);
    assert_true(window_of(&capacity, seen).time == usual);
    assert_int_equal(seen.left, 1);
    assert_int_equal(seen.crowded, 0);
    capacity_note(&seen, 10, &late);
    capacity_note(&seen, 10, &late);
    assert_true(window_of(&capacity, seen).time > usual);
    usual = window_of(&capacity, seen).time;
    capacity_note(&seen, 10, &failure);
    assert_true(window_of(&capacity, seen).time > usual);
    assert_int_equal(seen.crowded, 1);
    assert_true(window_of(&capacity, seen).is_crowded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_limit_settles_near_the_knee),
        cmocka_unit_test(test_it_follows_a_server_that_bears_less_and_more),
        cmocka_unit_test(test_no_spiral_follows_when_all_answers_take_longer),
        cmocka_unit_test(test_it_goes_down_while_everything_fails_and_comes_back),
        cmocka_unit_test(test_cached_answers_are_not_what_the_others_are_measured_by),
        cmocka_unit_test(test_it_stays_between_min_and_max),
        cmocka_unit_test(test_what_is_not_used_does_not_grow),
        cmocka_unit_test(test_whoever_has_room_is_refused_nothing),
        cmocka_unit_test(test_a_longer_time_without_load_is_learnt_too),
        cmocka_unit_test(test_octaves_grow_with_time),
        cmocka_unit_test(test_who_left_counts_where_he_waited_for_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
