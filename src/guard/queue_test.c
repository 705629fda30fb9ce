/*
 * The queue against an oracle that keeps everybody in one array and looks at all of them
 * for each answer, over random comings, servings and leavings; and each rule by itself.
 */
#include "guard/queue.c"

#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST = 200 };

static struct queue queue;

struct person {
    struct waiter waiter;
    bool is_waiting;
    uint64_t since, client;
    uint64_t serial;
    enum queue_rank rank;
};

static struct person people[MOST];
static uint64_t serial;

static struct person *person_of(struct waiter *waiter)
{
    return waiter ? container_of(waiter, struct person, waiter) : NULL;
}

static void come(unsigned i, uint64_t now, uint64_t client, enum queue_rank rank)
{
    struct arrival arrival = {now, client, rank};

    people[i] = (struct person){.is_waiting = true,
                                .since = now,
                                .client = client,
                                .serial = serial++,
                                .rank = rank};
    queue_join(&queue, &people[i].waiter, &arrival);
}

static struct person *next_at(uint64_t now)
{
    return person_of(queue_next(&queue, now));
}

static struct person *serve_at(uint64_t now)
{
    struct person *person = next_at(now);

    if (person) {
        queue_serve(&queue, &person->waiter, now);
        person->is_waiting = false;
    }
    return person;
}

static int begin(void **state)
{
    (void)state;
    queue_init(&queue);
    memset(people, 0, sizeof people);
    serial = 0;
    return 0;
}

/* ---- rules, one by one ---- */

static void test_nobody(void **state)
{
    (void)state;
    assert_null(queue_next(&queue, 5));
    assert_int_equal(queue_first_class(&queue), RANK_COUNT);
    assert_null(queue_spare(&queue, &(struct arrival){5, 1, RANK_CRITICAL}));
}

static void test_first_in_first_out(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        come(i, i, i, RANK_NORMAL);
    for (unsigned i = 0; i < 20; i++)
        assert_ptr_equal(serve_at(1000), &people[i]);
    assert_int_equal(queue.count, 0);
}

static void test_newest_first_past_the_slo(void **state)
{
    (void)state;
    queue.slo = 100;
    for (unsigned i = 0; i < 10; i++)
        come(i, i * 10, i, RANK_NORMAL);
    assert_ptr_equal(serve_at(99), &people[0]); /* the oldest has waited 99 */
    assert_ptr_equal(next_at(109), &people[1]);
    assert_ptr_equal(serve_at(110), &people[9]); /* now 100, since 10 */
    assert_ptr_equal(serve_at(110), &people[8]);
    queue_leave(&queue, &people[1].waiter); /* and who had waited so long leaves */
    assert_ptr_equal(next_at(110), &people[2]);
    assert_ptr_equal(next_at(120), &people[7]);
}

static void test_classes(void **state)
{
    (void)state;
    come(0, 0, 0, RANK_LOW);
    come(1, 1, 1, RANK_NORMAL);
    come(2, 2, 2, RANK_CRITICAL);
    come(3, 3, 3, RANK_CRITICAL);
    assert_int_equal(queue_first_class(&queue), RANK_CRITICAL);
    assert_ptr_equal(serve_at(9), &people[2]);
    assert_ptr_equal(serve_at(9), &people[3]);
    assert_ptr_equal(serve_at(9), &people[1]);
    assert_int_equal(queue_first_class(&queue), RANK_LOW);
    assert_ptr_equal(serve_at(9), &people[0]);
}

/* Lateness is of a class: that of low ones does not turn the order of others round. */
static void test_a_class_is_late_by_itself(void **state)
{
    (void)state;
    queue.slo = 100;
    come(0, 0, 0, RANK_LOW);
    come(1, 500, 1, RANK_NORMAL);
    come(2, 501, 2, RANK_NORMAL);
    assert_ptr_equal(serve_at(510), &people[1]);
}

static void test_clients_take_turns(void **state)
{
    bool is_newest[] = {false, true};

    (void)state;
    for (unsigned k = 0; k < array_len(is_newest); k++) {
        unsigned before = 0;

        begin(NULL);
        queue.slo = is_newest[k] ? 0 : UINT64_MAX;
        come(100, 0, 8, RANK_NORMAL);
        for (unsigned i = 0; i < 100; i++)
            come(i, 1, 7, RANK_NORMAL);
        come(101, 2, 9, RANK_NORMAL);
        while (people[100].is_waiting || people[101].is_waiting)
            before += serve_at(3)->client == 7;
        assert_true(before <= 1);
    }
}

/* A client that asks again as soon as it is served does not get before one that waits. */
static void test_who_comes_again_stands_behind(void **state)
{
    unsigned before = 0;

    (void)state;
    come(0, 0, 1, RANK_NORMAL);
    come(1, 0, 1, RANK_NORMAL);
    come(2, 0, 2, RANK_NORMAL);
    while (people[2].is_waiting) {
        struct person *person = serve_at(1);

        before += person != &people[2];
        come((unsigned)(person - people) + 50, 1, 1, RANK_NORMAL);
        assert_true(before < 3);
    }
    assert_int_equal(before, 1);
}

static void test_spare(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++)
        come(i, i, 1, RANK_NORMAL);
    come(5, 5, 2, RANK_NORMAL);
    /* Who has five gives one up for whom there is none, the one to be served last. */
    assert_ptr_equal(person_of(queue_spare(&queue, &(struct arrival){9, 3, RANK_NORMAL})),
                     &people[4]);
    /* But not for itself, nor for lesser ones. */
    assert_null(queue_spare(&queue, &(struct arrival){9, 1, RANK_NORMAL}));
    assert_null(queue_spare(&queue, &(struct arrival){9, 3, RANK_LOW}));
    come(6, 6, 3, RANK_LOW);
    assert_ptr_equal(person_of(queue_spare(&queue, &(struct arrival){9, 1, RANK_NORMAL})),
                     &people[6]);
    queue.slo = 1; /* then the oldest of the many is served last */
    assert_ptr_equal(
        person_of(queue_spare(&queue, &(struct arrival){9, 1, RANK_CRITICAL})),
        &people[6]);
    queue_leave(&queue, &people[6].waiter);
    assert_ptr_equal(
        person_of(queue_spare(&queue, &(struct arrival){9, 1, RANK_CRITICAL})),
        &people[0]);
}

/* One each: a newcomer has no better right than whoever is there. */
static void test_no_spare_among_equals(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++)
        come(i, i, i, RANK_NORMAL);
    assert_null(queue_spare(&queue, &(struct arrival){9, 77, RANK_NORMAL}));
}

/* ---- the oracle ---- */

/* Turns as one list of clients for each class, in an array. */
static struct {
    uint64_t turns[RANK_COUNT][QUEUE_LINES];
    unsigned count[RANK_COUNT];
} oracle;

static void turns_remove(enum queue_rank class, uint64_t client)
{
    unsigned at = 0;

    while (oracle.turns[class][at] != client)
        at++;
    oracle.count[class]--;
    for (; at < oracle.count[class]; at++)
        oracle.turns[class][at] = oracle.turns[class][at + 1];
}

static void turns_insert(enum queue_rank class, uint64_t client, unsigned at)
{
    for (unsigned i = oracle.count[class]++; i > at; i--)
        oracle.turns[class][i] = oracle.turns[class][i - 1];
    oracle.turns[class][at] = client;
}

static unsigned waiting_of(enum queue_rank class, uint64_t client)
{
    unsigned count = 0;

    for (unsigned i = 0; i < MOST; i++)
        count +=
            people[i].is_waiting && people[i].rank == class && people[i].client == client;
    return count;
}

/* The oldest or the newest; of one client, or of all (UINT64_MAX). */
static struct person *extreme(enum queue_rank class, uint64_t client, bool newest)
{
    struct person *best = NULL;

    for (unsigned i = 0; i < MOST; i++) {
        struct person *p = &people[i];

        if (!p->is_waiting || p->rank != class ||
            (client != UINT64_MAX && p->client != client))
            continue;
        if (!best || (newest ? p->serial > best->serial : p->serial < best->serial))
            best = p;
    }
    return best;
}

static bool is_late(enum queue_rank class, uint64_t now)
{
    return now - extreme(class, UINT64_MAX, false)->since >= queue.slo;
}

static struct person *expected_next(uint64_t now)
{
    for (unsigned c = 0; c < RANK_COUNT; c++) {
        enum queue_rank class = (enum queue_rank)c;
        bool late;

        if (!oracle.count[c])
            continue;
        late = is_late(class, now);
        return extreme(class, oracle.turns[c][late ? oracle.count[c] - 1 : 0], late);
    }
    return NULL;
}

static void goes(struct person *person, bool is_served, bool late)
{
    unsigned left = waiting_of(person->rank, person->client) - 1;

    person->is_waiting = false;
    if (!left || is_served)
        turns_remove(person->rank, person->client);
    if (left && is_served)
        turns_insert(person->rank, person->client, late ? 0 : oracle.count[person->rank]);
}

static void check_spare(const struct arrival *arrival)
{
    struct person *spare = person_of(queue_spare(&queue, arrival));
    unsigned own, most = 0, lowest = RANK_COUNT - 1;

    while (lowest > (unsigned)arrival->rank && !oracle.count[lowest])
        lowest--;
    for (unsigned i = 0; i < oracle.count[lowest]; i++) {
        unsigned count = waiting_of((enum queue_rank)lowest, oracle.turns[lowest][i]);

        most = count > most ? count : most;
    }
    own = waiting_of(arrival->rank, arrival->client);
    if (!oracle.count[lowest] || (unsigned)arrival->rank > lowest ||
        (lowest == (unsigned)arrival->rank && most <= own + 1)) {
        assert_null(spare);
        return;
    }
    assert_non_null(spare);
    assert_int_equal(spare->rank, lowest);
    assert_int_equal(waiting_of(spare->rank, spare->client), most);
    assert_ptr_equal(
        spare, extreme(spare->rank, spare->client, !is_late(spare->rank, arrival->now)));
}

static void one_step(struct rand *rand, uint64_t now)
{
    struct person *p = &people[rand_below(rand, MOST)];
    struct arrival arrival = {now, rand_below(rand, 1 + rand_below(rand, 12)),
                              (enum queue_rank)rand_below(rand, RANK_COUNT)};
    struct person *next = expected_next(now);

    check_spare(&arrival);
    assert_ptr_equal(next_at(now), next);
    if (!p->is_waiting) {
        if (!waiting_of(arrival.rank, arrival.client))
            turns_insert(arrival.rank, arrival.client, oracle.count[arrival.rank]);
        come((unsigned)(p - people), now, arrival.client, arrival.rank);
    } else if (next && rand_below(rand, 3)) {
        bool late = is_late(next->rank, now);

        queue_serve(&queue, &next->waiter, now);
        goes(next, true, late);
    } else {
        queue_leave(&queue, &p->waiter);
        goes(p, false, false);
    }
}

static void test_against_the_oracle(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct rand rand;
        uint64_t now = 1000;
        unsigned waiting = 0;

        begin(NULL);
        memset(&oracle, 0, sizeof oracle);
        rand_seed(&rand, seed);
        queue.slo = seed % 3 ? rand_below(&rand, 400) : UINT64_MAX;
        for (unsigned step = 0; step < 1500; step++) {
            now += rand_below(&rand, 5);
            one_step(&rand, now);
        }
        for (unsigned i = 0; i < MOST; i++)
            waiting += people[i].is_waiting;
        assert_int_equal(queue.count, waiting);
        while (serve_at(now))
            waiting--;
        assert_int_equal(waiting, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nobody, begin),
        cmocka_unit_test_setup(test_first_in_first_out, begin),
        cmocka_unit_test_setup(test_newest_first_past_the_slo, begin),
        cmocka_unit_test_setup(test_classes, begin),
        cmocka_unit_test_setup(test_a_class_is_late_by_itself, begin),
        cmocka_unit_test_setup(test_clients_take_turns, begin),
        cmocka_unit_test_setup(test_who_comes_again_stands_behind, begin),
        cmocka_unit_test_setup(test_spare, begin),
        cmocka_unit_test_setup(test_no_spare_among_equals, begin),
        cmocka_unit_test_setup(test_against_the_oracle, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
