/* The sequences of states, exactly; a plain model beside it; and many at once. */
#include "guard/breaker.c"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#define SECOND UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static const struct breaker standard = {
    .failures = 5, .window = 10000, .open = 60000, .half_open = 1, .close_after = 1};

/* A circuit at a time. */
struct stage {
    struct circuit circuit;
    struct breaker breaker;
    uint64_t now;
    struct rand rand;
};

static struct stage stage_of(const struct breaker *breaker)
{
    struct stage stage = {.breaker = *breaker, .now = 1000 * SECOND};

    rand_seed(&stage.rand, 4);
    return stage;
}

static enum circuit_state state_of(const struct stage *s)
{
    return circuit_unpack(atomic_load(&s->circuit.word)).state;
}

static breaker_permit enter(struct stage *s)
{
    enum breaker_change change;

    return breaker_enter(&s->circuit, &s->breaker, s->now, &change);
}

static enum breaker_change leave(struct stage *s, breaker_permit permit,
                                 enum breaker_says says)
{
    return breaker_leave(&s->circuit, &s->breaker, permit, says, s->now, &s->rand);
}

static enum breaker_change request(struct stage *s, enum breaker_says says)
{
    breaker_permit permit = enter(s);

    assert_true(permit != 0);
    return leave(s, permit, says);
}

static void fail_open(struct stage *s)
{
    for (unsigned i = 1; i < s->breaker.failures; i++)
        assert_int_equal(request(s, BREAKER_BAD), BREAKER_SAME);
    assert_int_equal(request(s, BREAKER_BAD), BREAKER_OPENED);
    assert_int_equal(state_of(s), CIRCUIT_OPEN);
}

/* ---- sequences ---- */

static void test_open_half_open_closed(void **state)
{
    struct stage s = stage_of(&standard);
    enum breaker_change change;
    breaker_permit probe;

    fail_open(&s);
    assert_int_equal(enter(&s), 0);
    s.now += 60 * SECOND - MS;
    assert_int_equal(enter(&s), 0);
    s.now += MS;
    probe = breaker_enter(&s.circuit, &s.breaker, s.now, &change);
    assert_int_equal(change, BREAKER_HALF_OPENED);
    assert_true(breaker_is_probe(probe));
    assert_int_equal(enter(&s), 0); /* one at once */
    assert_int_equal(leave(&s, probe, BREAKER_GOOD), BREAKER_CLOSED);
    assert_int_equal(state_of(&s), CIRCUIT_CLOSED);
    assert_false(breaker_is_probe(enter(&s)));
    for (int i = 0; i < 4; i++) /* it has forgotten what was before */
        assert_int_equal(request(&s, BREAKER_BAD), BREAKER_SAME);
    assert_int_equal(request(&s, BREAKER_BAD), BREAKER_OPENED);
    assert_int_equal(s.circuit.entered[CIRCUIT_OPEN], 2);
    assert_int_equal(s.circuit.entered[CIRCUIT_HALF_OPEN], 1);
    assert_int_equal(s.circuit.entered[CIRCUIT_CLOSED], 1);
}

static void test_a_bad_probe_opens_again(void **state)
{
    struct stage s = stage_of(&standard);

    fail_open(&s);
    for (int i = 0; i < 5; i++) {
        s.now += 60 * SECOND;
        assert_int_equal(request(&s, BREAKER_BAD), BREAKER_OPENED);
        assert_int_equal(enter(&s), 0);
        s.now += 59 * SECOND;
        assert_int_equal(enter(&s), 0);
        s.now -= 59 * SECOND;
    }
    s.now += 60 * SECOND;
    assert_int_equal(request(&s, BREAKER_GOOD), BREAKER_CLOSED);
}

/* Good requests in between change nothing: it is failures that are counted. */
static void test_good_ones_in_between(void **state)
{
    struct stage s = stage_of(&standard);

    for (int i = 0; i < 4; i++) {
        assert_int_equal(request(&s, BREAKER_BAD), BREAKER_SAME);
        assert_int_equal(request(&s, BREAKER_GOOD), BREAKER_SAME);
        assert_int_equal(request(&s, BREAKER_NOTHING), BREAKER_SAME);
    }
    assert_int_equal(request(&s, BREAKER_BAD), BREAKER_OPENED);
}

static void test_the_window_slides(void **state)
{
    struct stage s = stage_of(&standard);

    for (int i = 0; i < 3; i++) /* late in one ten seconds, early in the next */
        assert_int_equal(request(&s, BREAKER_BAD), BREAKER_SAME);
    s.now += 8 * SECOND;
    assert_int_equal(request(&s, BREAKER_BAD), BREAKER_SAME);
    assert_int_equal(request(&s, BREAKER_BAD), BREAKER_OPENED);

    s = stage_of(&standard);
    for (int i = 0; i < 4; i++)
        assert_int_equal(request(&s, BREAKER_BAD), BREAKER_SAME);
    s.now += 10 * SECOND; /* forgotten */
    for (int i = 0; i < 4; i++)
        assert_int_equal(request(&s, BREAKER_BAD), BREAKER_SAME);

    s = stage_of(&standard);
    for (int i = 0; i < 1000; i++) { /* four in ten seconds for ever */
        assert_int_equal(request(&s, BREAKER_BAD), BREAKER_SAME);
        s.now += 2500 * MS;
    }
}

static void test_several_probes(void **state)
{
    struct breaker breaker = standard;
    struct stage s;
    breaker_permit probes[3];

    breaker.half_open = 3;
    breaker.close_after = 4;
    s = stage_of(&breaker);
    fail_open(&s);
    s.now += 60 * SECOND;
    for (int i = 0; i < 3; i++)
        assert_true(breaker_is_probe(probes[i] = enter(&s)));
    assert_int_equal(enter(&s), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(leave(&s, probes[i], BREAKER_GOOD), BREAKER_SAME);
    assert_int_equal(request(&s, BREAKER_NOTHING), BREAKER_SAME); /* says nothing */
    assert_int_equal(request(&s, BREAKER_GOOD), BREAKER_CLOSED);

    fail_open(&s);
    s.now += 60 * SECOND;
    for (int i = 0; i < 3; i++)
        probes[i] = enter(&s);
    assert_int_equal(leave(&s, probes[0], BREAKER_GOOD), BREAKER_SAME);
    assert_int_equal(leave(&s, probes[1], BREAKER_BAD), BREAKER_OPENED);
    assert_int_equal(leave(&s, probes[2], BREAKER_BAD), BREAKER_SAME);
    assert_int_equal(state_of(&s), CIRCUIT_OPEN);
}

/* ---- what was begun before ---- */

static void test_late_news_from_before(void **state)
{
    struct stage s = stage_of(&standard);
    breaker_permit old[20], probe;

    for (int i = 0; i < 20; i++)
        old[i] = enter(&s);
    fail_open(&s);
    assert_int_equal(leave(&s, old[0], BREAKER_GOOD), BREAKER_SAME);
    s.now += 60 * SECOND;
    probe = enter(&s);
    assert_int_equal(leave(&s, old[1], BREAKER_GOOD), BREAKER_SAME);
    assert_int_equal(leave(&s, old[2], BREAKER_BAD), BREAKER_SAME);
    assert_int_equal(state_of(&s), CIRCUIT_HALF_OPEN);
    assert_int_equal(leave(&s, probe, BREAKER_GOOD), BREAKER_CLOSED);
    for (int i = 3; i < 20; i++) /* they failed in another time */
        assert_int_equal(leave(&s, old[i], BREAKER_BAD), BREAKER_SAME);
    assert_int_equal(state_of(&s), CIRCUIT_CLOSED);
}

/* A probe that hangs over the end of its round keeps its place and has no more to say. */
static void test_a_probe_of_an_old_round(void **state)
{
    struct breaker breaker = standard;
    struct stage s;
    breaker_permit hangs, other;

    breaker.half_open = 2;
    s = stage_of(&breaker);
    fail_open(&s);
    s.now += 60 * SECOND;
    hangs = enter(&s);
    assert_int_equal(request(&s, BREAKER_BAD), BREAKER_OPENED);
    s.now += 60 * SECOND;
    other = enter(&s);
    assert_true(other != 0);
    assert_int_equal(enter(&s), 0); /* two are there */
    assert_int_equal(leave(&s, hangs, BREAKER_GOOD), BREAKER_SAME);
    assert_int_equal(state_of(&s), CIRCUIT_HALF_OPEN);
    hangs = enter(&s);
    assert_true(hangs != 0);
    assert_int_equal(leave(&s, other, BREAKER_GOOD), BREAKER_CLOSED);
    assert_int_equal(leave(&s, hangs, BREAKER_BAD), BREAKER_SAME);
    assert_int_equal(circuit_unpack(s.circuit.word).probes, 0);
}

static void test_failures_after_the_verdict(void **state)
{
    struct stage s = stage_of(&standard);

    for (int i = 0; i < 4; i++) {
        assert_int_equal(request(&s, BREAKER_GOOD), BREAKER_SAME);
        assert_int_equal(leave(&s, 0, BREAKER_BAD), BREAKER_SAME);
    }
    assert_int_equal(leave(&s, 0, BREAKER_BAD), BREAKER_OPENED);
    assert_int_equal(leave(&s, 0, BREAKER_BAD), BREAKER_SAME);
    s.now += 60 * SECOND;
    assert_true(enter(&s) != 0);
    assert_int_equal(leave(&s, 0, BREAKER_BAD), BREAKER_SAME); /* it is no probe */
    assert_int_equal(state_of(&s), CIRCUIT_HALF_OPEN);
}

/* ---- how long ---- */

static void test_longer_each_time(void **state)
{
    struct breaker breaker = standard;
    uint64_t times[] = {10000, 20000, 40000, 45000, 45000};
    struct stage s;

    breaker.open = 10000;
    breaker.open_max = 45000;
    s = stage_of(&breaker);
    fail_open(&s);
    for (unsigned i = 0; i < array_len(times); i++) {
        uint64_t wait = circuit_wait(&s.circuit, s.now);

        assert_in_range(wait, times[i], times[i] + times[i] / 10);
        s.now += wait * MS;
        assert_int_equal(request(&s, BREAKER_BAD), BREAKER_OPENED);
    }
    s.now += 60 * SECOND;
    assert_int_equal(request(&s, BREAKER_GOOD), BREAKER_CLOSED);
    fail_open(&s);
    assert_in_range(circuit_wait(&s.circuit, s.now), 10000, 11000);
    assert_int_equal(breaker_open_time(&standard, 31, &s.rand), 60000);
}

static void test_many_do_not_try_together(void **state)
{
    struct breaker breaker = standard;
    struct rand rand;
    unsigned different = 0;
    uint64_t last = 0;

    breaker.open_max = 600000;
    rand_seed(&rand, 9);
    for (int i = 0; i < 100; i++) {
        uint64_t time = breaker_open_time(&breaker, 0, &rand);

        assert_in_range(time, 60000, 66000);
        different += time != last;
        last = time;
    }
    assert_true(different > 90);
}

/* ---- by hand ---- */

static void test_by_hand(void **state)
{
    struct stage s = stage_of(&standard);

    breaker_force(&s.circuit, BREAKER_HOLD_OPEN);
    s.now += 100000 * SECOND;
    assert_int_equal(enter(&s), 0);
    breaker_force(&s.circuit, BREAKER_HOLD_CLOSED);
    for (int i = 0; i < 100; i++)
        assert_int_equal(request(&s, BREAKER_BAD), BREAKER_SAME);
    breaker_force(&s.circuit, BREAKER_RESET);
    assert_int_equal(state_of(&s), CIRCUIT_CLOSED);
    fail_open(&s);
    breaker_force(&s.circuit, BREAKER_RESET);
    assert_int_equal(request(&s, BREAKER_GOOD), BREAKER_SAME);
    fail_open(&s);
    assert_int_equal(s.circuit.entered[CIRCUIT_OPEN], 3);
    assert_int_equal(s.circuit.entered[CIRCUIT_CLOSED], 2);
}

static void test_by_hand_while_a_probe_runs(void **state)
{
    struct stage s = stage_of(&standard);
    breaker_permit probe;

    fail_open(&s);
    s.now += 60 * SECOND;
    probe = enter(&s);
    breaker_force(&s.circuit, BREAKER_HOLD_OPEN);
    assert_int_equal(leave(&s, probe, BREAKER_GOOD), BREAKER_SAME);
    assert_int_equal(state_of(&s), CIRCUIT_OPEN);
    assert_int_equal(enter(&s), 0);
    breaker_force(&s.circuit, BREAKER_RESET);
    assert_int_equal(circuit_unpack(s.circuit.word).probes, 0);
}

/* ---- a plain model beside it ---- */

enum { MODEL_PERMITS = 64, MODEL_TIMES = 4096 };

/* The rules in the plainest words: lists and no tricks. */
struct model {
    const struct breaker *breaker;
    enum circuit_state state;
    uint64_t until, failed_at[MODEL_TIMES]; /* in tenths of the window */
    unsigned failed, round, probes, passed;
};

static void model_become(struct model *m, enum circuit_state state, uint64_t now)
{
    m->state = state;
    m->round++;
    m->passed = m->failed = 0;
    m->until = now / MS + m->breaker->open;
}

static bool model_allows(const struct model *m, uint64_t now)
{
    if (m->state == CIRCUIT_CLOSED)
        return true;
    if (m->state == CIRCUIT_OPEN && now / MS < m->until)
        return false;
    return m->probes < m->breaker->half_open;
}

static void model_fail(struct model *m, uint64_t now)
{
    uint64_t tenth = now / (m->breaker->window * MS / 10);
    unsigned inside = 0;

    m->failed_at[m->failed++] = tenth;
    for (unsigned i = 0; i < m->failed; i++)
        inside += m->failed_at[i] + 10 > tenth;
    if (inside >= m->breaker->failures)
        model_become(m, CIRCUIT_OPEN, now);
}

static void model_leave(struct model *m, bool was_probe, unsigned round,
                        enum breaker_says says, uint64_t now)
{
    m->probes -= was_probe;
    if (round != m->round || says == BREAKER_NOTHING)
        return;
    if (!was_probe && says == BREAKER_BAD && m->state == CIRCUIT_CLOSED)
        model_fail(m, now);
    else if (was_probe && says == BREAKER_BAD)
        model_become(m, CIRCUIT_OPEN, now);
    else if (was_probe && ++m->passed == m->breaker->close_after)
        model_become(m, CIRCUIT_CLOSED, now);
}

static void model_run(uint64_t seed)
{
    struct rand rand;
    struct breaker breaker;
    struct stage s;
    struct {
        breaker_permit permit;
        unsigned round;
    } held[MODEL_PERMITS];
    unsigned count = 0;
    struct model *m = calloc(1, sizeof *m);

    rand_seed(&rand, seed);
    breaker = (struct breaker){
        .failures = 1 + (uint32_t)rand_below(&rand, 6),
        .window = 1000 * (1 + (uint32_t)rand_below(&rand, 10)),
        .open = 1000 * (1 + (uint32_t)rand_below(&rand, 20)),
        .half_open = 1 + (uint32_t)rand_below(&rand, 3),
        .close_after = 1 + (uint32_t)rand_below(&rand, 4),
    };
    s = stage_of(&breaker);
    m->breaker = &breaker;
    for (int i = 0; i < 3000; i++) {
        enum breaker_says says = (enum breaker_says)rand_below(&rand, 3);

        s.now += rand_below(&rand, 700) * MS;
        if (count == MODEL_PERMITS || (count && rand_below(&rand, 2))) {
            unsigned at = (unsigned)rand_below(&rand, count);

            leave(&s, held[at].permit, says);
            model_leave(m, breaker_is_probe(held[at].permit), held[at].round, says,
                        s.now);
            held[at] = held[--count];
        } else {
            breaker_permit permit = enter(&s);

            assert_int_equal(permit != 0, model_allows(m, s.now));
            if (!permit)
                continue;
            if (m->state == CIRCUIT_OPEN)
                model_become(m, CIRCUIT_HALF_OPEN, s.now);
            assert_int_equal(breaker_is_probe(permit), m->state == CIRCUIT_HALF_OPEN);
            m->probes += breaker_is_probe(permit);
            held[count].permit = permit;
            held[count++].round = m->round;
        }
        assert_int_equal(state_of(&s), m->state);
        assert_int_equal(circuit_unpack(s.circuit.word).probes, m->probes);
        assert_true(m->failed < MODEL_TIMES);
    }
    free(m);
}

static void test_against_a_plain_model(void **state)
{
    for (uint64_t seed = 0; seed < 200; seed++)
        model_run(seed);
}

/* ---- many at once ---- */

enum { THREADS = 4, ROUNDS = 20000, RACE_PROBES = 3 };

struct race {
    struct circuit circuit;
    struct breaker breaker;
    pthread_barrier_t start;
    _Atomic(uint64_t) now;
    _Atomic(unsigned) probes; /* counted by themselves */
    _Atomic(unsigned) most, opened, closed;
};

struct racer {
    struct race *race;
    struct rand rand;
};

static void note_probe(struct race *race)
{
    unsigned now = atomic_fetch_add(&race->probes, 1) + 1;
    unsigned most = atomic_load(&race->most);

    while (now > most && !atomic_compare_exchange_weak(&race->most, &most, now))
        ;
}

static void *run(void *argument)
{
    struct racer *racer = argument;
    struct race *race = racer->race;

    pthread_barrier_wait(&race->start);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t now = atomic_fetch_add(&race->now, MS);
        enum breaker_change change;
        breaker_permit permit =
            breaker_enter(&race->circuit, &race->breaker, now, &change);

        if (!permit)
            continue;
        if (breaker_is_probe(permit))
            note_probe(race);
        for (uint64_t spin = rand_below(&racer->rand, 100); spin; spin--)
            atomic_signal_fence(memory_order_seq_cst);
        if (breaker_is_probe(permit))
            atomic_fetch_sub(&race->probes, 1); /* before its place is free */
        change = breaker_leave(&race->circuit, &race->breaker, permit,
                               (enum breaker_says)rand_below(&racer->rand, 3), now,
                               &racer->rand);
        atomic_fetch_add(&race->opened, change == BREAKER_OPENED);
        atomic_fetch_add(&race->closed, change == BREAKER_CLOSED);
    }
    return NULL;
}

/* Never more probes at once than are allowed; each move is made by exactly one. */
static void test_never_more_than_allowed(void **state)
{
    struct race race = {.breaker = {.failures = 3,
                                    .window = 100,
                                    .open = 20,
                                    .half_open = RACE_PROBES,
                                    .close_after = 2},
                        .now = SECOND};
    struct racer racers[THREADS];
    pthread_t threads[THREADS];
    struct circuit_view view;

    assert_int_equal(pthread_barrier_init(&race.start, NULL, THREADS), 0);
    for (uint64_t i = 0; i < THREADS; i++) {
        racers[i].race = &race;
        rand_seed(&racers[i].rand, i + 1);
        assert_int_equal(pthread_create(&threads[i], NULL, run, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&race.start);
    view = circuit_unpack(atomic_load(&race.circuit.word));
    assert_int_equal(view.probes, 0);
    assert_in_range(race.most, 1, RACE_PROBES);
    assert_true(race.closed > 0);
    assert_int_equal(race.circuit.entered[CIRCUIT_OPEN], race.opened);
    assert_int_equal(race.circuit.entered[CIRCUIT_CLOSED], race.closed);
    assert_int_equal(view.round,
                     race.opened + race.closed + race.circuit.entered[CIRCUIT_HALF_OPEN]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_half_open_closed),
        cmocka_unit_test(test_a_bad_probe_opens_again),
        cmocka_unit_test(test_good_ones_in_between),
        cmocka_unit_test(test_the_window_slides),
        cmocka_unit_test(test_several_probes),
        cmocka_unit_test(test_late_news_from_before),
        cmocka_unit_test(test_a_probe_of_an_old_round),
        cmocka_unit_test(test_failures_after_the_verdict),
        cmocka_unit_test(test_longer_each_time),
        cmocka_unit_test(test_many_do_not_try_together),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_by_hand_while_a_probe_runs),
        cmocka_unit_test(test_against_a_plain_model),
        cmocka_unit_test(test_never_more_than_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
