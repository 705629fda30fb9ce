/* What may be tried again, said case by case, and the budget. */
#include "guard/retry.c"

#include <stdarg.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct retries defaults = {
    .count = 2,
    .on_errors = RETRY_CONNECT_ERROR | RETRY_RESET_BEFORE_RESPONSE,
    .budget_share = 20,
    .budget_floor = 3,
};

static const enum http_method idempotent[] = {HTTP_GET,    HTTP_HEAD,    HTTP_PUT,
                                              HTTP_DELETE, HTTP_OPTIONS, HTTP_TRACE};
static const enum http_method others[] = {HTTP_POST, HTTP_PATCH, HTTP_CONNECT,
                                          HTTP_METHOD_OTHER};

static void test_nothing_sent_is_free_for_every_method(void **state)
{
    for (int method = HTTP_METHOD_OTHER; method <= HTTP_PATCH; method++) {
        struct retry_case what = {
            .cause = RETRY_CAUSE_CONNECT, .method = (enum http_method)method, .tries = 1};

        assert_int_equal(retry_judge(&defaults, &what), RETRY_FREE);
        what.cause = RETRY_CAUSE_RESET; /* a kept connection, found dead in sending */
        assert_int_equal(retry_judge(&defaults, &what), RETRY_FREE);
        what.tries = 2;
        assert_int_equal(retry_judge(&defaults, &what), RETRY_FREE);
        what.tries = 3; /* the first and `count` more are made */
        assert_int_equal(retry_judge(&defaults, &what), RETRY_NOT);
    }
}

static void test_broken_before_the_response(void **state)
{
    struct retry_case what = {.cause = RETRY_CAUSE_RESET,
                              .tries = 1,
                              .is_request_begun = true,
                              .is_body_whole = true};

    for (size_t i = 0; i < array_len(idempotent); i++) {
        what.method = idempotent[i];
        assert_int_equal(retry_judge(&defaults, &what), RETRY_COSTS);
    }
    for (size_t i = 0; i < array_len(others); i++) {
        what.method = others[i];
        assert_int_equal(retry_judge(&defaults, &what), RETRY_NOT);
    }
}

static void test_never_once_a_response_has_begun(void **state)
{
    struct retry_case what = {.method = HTTP_GET,
                              .tries = 1,
                              .status = 502,
                              .is_request_begun = true,
                              .is_response_begun = true,
                              .is_body_whole = true};
    struct retries all = defaults;

    all.on_errors = UINT32_MAX;
    all.all_methods = true;
    for (int cause = RETRY_CAUSE_CONNECT; cause <= RETRY_CAUSE_OTHER; cause++) {
        what.cause = (enum retry_cause)cause;
        assert_int_equal(retry_judge(&all, &what), RETRY_NOT);
    }
}

static void test_a_body_that_is_gone_is_not_sent_again(void **state)
{
    struct retry_case what = {.cause = RETRY_CAUSE_RESET,
                              .method = HTTP_PUT,
                              .tries = 1,
                              .is_request_begun = true};

    assert_int_equal(retry_judge(&defaults, &what), RETRY_NOT);
    what.cause = RETRY_CAUSE_CONNECT; /* bytes were sent: no longer free */
    assert_int_equal(retry_judge(&defaults, &what), RETRY_NOT);
    what.is_body_whole = true;
    assert_int_equal(retry_judge(&defaults, &what), RETRY_COSTS);
}

static void test_only_what_the_file_names(void **state)
{
    struct retry_case what = {
        .method = HTTP_GET, .tries = 1, .is_request_begun = true, .is_body_whole = true};
    struct retries some = defaults;

    what.cause = RETRY_CAUSE_TIMEOUT;
    assert_int_equal(retry_judge(&defaults, &what), RETRY_NOT);
    some.on_errors = RETRY_RESPONSE_TIMEOUT;
    assert_int_equal(retry_judge(&some, &what), RETRY_COSTS);
    what.cause = RETRY_CAUSE_RESET;
    assert_int_equal(retry_judge(&some, &what), RETRY_NOT);
    what.cause = RETRY_CAUSE_STATUS;
    some.on_errors = RETRY_503 | RETRY_500;
    for (unsigned status = 100; status < 600; status++) {
        what.status = status;
        assert_int_equal(retry_judge(&some, &what),
                         status == 503 || status == 500 ? RETRY_COSTS : RETRY_NOT);
        assert_int_equal(retry_judge(&defaults, &what), RETRY_NOT);
    }
    what.cause = RETRY_CAUSE_OTHER;
    some.on_errors = UINT32_MAX;
    assert_int_equal(retry_judge(&some, &what), RETRY_NOT);
    what.cause = RETRY_CAUSE_STATUS;
    what.status = 504;
    what.method = HTTP_POST;
    assert_int_equal(retry_judge(&some, &what), RETRY_NOT);
    some.all_methods = true;
    assert_int_equal(retry_judge(&some, &what), RETRY_COSTS);
}

static void test_count_zero_is_off(void **state)
{
    struct retry_case what = {
        .cause = RETRY_CAUSE_CONNECT, .method = HTTP_GET, .tries = 1};
    struct retries none = defaults;

    none.count = 0;
    assert_int_equal(retry_judge(&none, &what), RETRY_NOT);
}

static void test_a_back_off_doubles_up_to_its_cap(void **state)
{
    static const uint32_t most[] = {25, 50, 100, 200, 400, 400, 400, 400};
    struct retries slow = defaults;
    struct rand rand;

    rand_seed(&rand, 7);
    slow.backoff = 25;
    for (unsigned i = 0; i < array_len(most); i++) {
        struct retry_case what = {
            .cause = RETRY_CAUSE_RESET, .is_request_begun = true, .tries = i + 1};
        uint32_t longest = 0, ms;
        uint64_t sum = 0;

        for (unsigned n = 0; n < 2000; n++) {
            assert_true(retry_pause(&slow, &what, UINT32_MAX, &rand, &ms));
            assert_in_range(ms, 1, most[i]);
            longest = ms > longest ? ms : longest;
            sum += ms;
        }
        assert_true(longest > most[i] * 9 / 10);
        assert_in_range(sum / 2000, most[i] * 45 / 100, most[i] * 55 / 100 + 1);
    }
}

static void test_a_pause_ends_with_the_deadline(void **state)
{
    struct retry_case what = {
        .cause = RETRY_CAUSE_RESET, .is_request_begun = true, .tries = 1};
    struct retries slow = defaults;
    struct rand rand;
    uint32_t ms;

    rand_seed(&rand, 7);
    assert_true(retry_pause(&defaults, &what, 1000, &rand, &ms));
    assert_int_equal(ms, 0);
    slow.backoff = 1000;
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(retry_pause(&slow, &what, 10, &rand, &ms));
        assert_in_range(ms, 1, 10);
    }
    assert_true(retry_pause(&slow, &what, 0, &rand, &ms));
    assert_int_equal(ms, 0);
    what.is_request_begun = false;
    what.is_link_kept = true;
    assert_true(retry_pause(&slow, &what, 1000, &rand, &ms));
    assert_int_equal(ms, 0);
}

static void test_what_the_server_asks_for(void **state)
{
    static const struct {
        const char *value;
        uint32_t ms;
    } cases[] = {{"0", 0},
                 {"1", 1000},
                 {"120", 120000},
                 {"4294966", 4294966000},
                 {"4294967", UINT32_MAX},
                 {"99999999999999999999", UINT32_MAX},
                 {"", UINT32_MAX},
                 {"-1", UINT32_MAX},
                 {"1.5", UINT32_MAX},
                 {"Fri, 31 Dec 1999 23:59:59 GMT", UINT32_MAX}};
    struct retry_case what = {.cause = RETRY_CAUSE_STATUS, .status = 503, .tries = 1};
    struct retries slow = defaults;
    struct rand rand;
    uint32_t ms;

    rand_seed(&rand, 7);
    for (unsigned i = 0; i < array_len(cases); i++)
        assert_int_equal(retry_after_read(str_of(cases[i].value)), cases[i].ms);
    what.asked_wait = 2000;
    assert_true(retry_pause(&defaults, &what, 2000, &rand, &ms));
    assert_int_equal(ms, 2000);
    assert_false(retry_pause(&defaults, &what, 1999, &rand, &ms));
    slow.backoff = 10;
    assert_true(retry_pause(&slow, &what, 2000, &rand, &ms));
    assert_int_equal(ms, 2000);
}

#define BEGIN (UINT64_C(1000) * 1000000000)

static void test_budget(void **state)
{
    struct pool_live *pool = aligned_alloc(CACHE_LINE, sizeof *pool);
    static const struct {
        unsigned in_flight, allowed;
    } cases[] = {{0, 3},  {1, 3},    {15, 3},   {19, 3},
                 {20, 4}, {100, 20}, {104, 20}, {105, 21}};

    assert_non_null(pool);
    memset(pool, 0, sizeof *pool);
    for (size_t i = 0; i < array_len(cases); i++) {
        atomic_store(&pool->in_flight, cases[i].in_flight);
        for (unsigned taken = 0; taken < cases[i].allowed; taken++)
            assert_true(retry_budget_take(pool, &defaults, BEGIN));
        assert_false(retry_budget_take(pool, &defaults, BEGIN));
        assert_int_equal(pool->retries_in_flight, cases[i].allowed);
        retry_budget_give(pool);
        assert_true(retry_budget_take(pool, &defaults, BEGIN));
        for (unsigned taken = 0; taken < cases[i].allowed; taken++)
            retry_budget_give(pool);
        assert_int_equal(pool->retries_in_flight, 0);
    }
    free(pool);
}

/* What may be retried at that moment, all at once. */
static unsigned retries_of(struct pool_live *pool, uint64_t now)
{
    unsigned taken = 0;

    while (retry_budget_take(pool, &defaults, now))
        taken++;
    return taken;
}

static struct pool_live *busy_pool(struct pool_shard *shards)
{
    struct pool_live *pool = aligned_alloc(CACHE_LINE, sizeof *pool);

    assert_non_null(pool);
    memset(pool, 0, sizeof *pool);
    pool->shards = shards;
    pool->worker_count = 2;
    atomic_store(&pool->in_flight, 40);
    return pool;
}

static void end_retries(struct pool_live *pool)
{
    while (pool->retries_in_flight)
        retry_budget_give(pool);
}

/* A quarter of what is in flight breaks at once: more than the share of it, less than the
 * share of what came in ten seconds. */
static void test_budget_for_a_server_that_dies(void **state)
{
    _Alignas(CACHE_LINE) static struct pool_shard shards[2];
    struct pool_live *pool = busy_pool(shards);

    assert_int_equal(retries_of(pool, BEGIN), 8); /* no request has come yet */
    end_retries(pool);
    shards[0].requests = shards[1].requests = 500;
    assert_int_equal(retries_of(pool, BEGIN + RETRY_WINDOW * MS), 192); /* 8 were there */
    free(pool);
}

/* Twice as many may not be had by asking at the right moments. */
static void test_budget_in_a_storm(void **state)
{
    _Alignas(CACHE_LINE) static struct pool_shard shards[2];
    struct pool_live *pool = busy_pool(shards);
    unsigned retried = 0;

    for (unsigned second = 0; second < 100; second++) {
        shards[0].requests += 600;
        shards[1].requests += 400;
        end_retries(pool);
        retried += retries_of(pool, BEGIN + second * UINT64_C(1000000000));
    }
    assert_in_range(retried, 100000 * 15 / 100, 100000 * 20 / 100 + 100 * 8);
    free(pool);
}

/* Nor by a storm that begins and ends at any moment: a part of the first window, of two, of
 * many. Beside the share there is only what it takes to find out that the pool is busy. */
static void test_budget_in_any_stretch_of_a_storm(void **state)
{
    for (unsigned tenths = 5; tenths < 400; tenths += 7) {
        _Alignas(CACHE_LINE) struct pool_shard shards[2] = {0};
        struct pool_live *pool = busy_pool(shards);
        unsigned retried = 0, most = tenths * 50;

        atomic_store(&pool->retry_window.word, retry_window_at(BEGIN));
        for (unsigned tenth = 1; tenth <= tenths; tenth++) {
            shards[0].requests += 50;
            end_retries(pool);
            retried += retries_of(pool, BEGIN + tenth * 100 * MS);
        }
        assert_in_range(retried, most * 19 / 100, most * 20 / 100 + 1);
        free(pool);
    }
}

/* What was saved in ten quiet seconds is there for the next moment, and less later on. */
static void test_budget_that_was_saved(void **state)
{
    for (unsigned seconds = 0; seconds <= 9; seconds += 3) {
        _Alignas(CACHE_LINE) struct pool_shard shards[2] = {{.requests = 1000}};
        struct pool_live *pool = busy_pool(shards);

        atomic_store(&pool->retry_window.word,
                     retry_window_at(BEGIN - RETRY_WINDOW * MS));
        assert_true(retry_budget_take(pool, &defaults, BEGIN));
        assert_int_equal(retries_of(pool, BEGIN + seconds * 1000 * MS),
                         200 - 20 * seconds - 1);
        free(pool);
    }
}

/* Hedges take what retries have left, and nothing away from them. */
static void test_hedges_come_after_retries(void **state)
{
    _Alignas(CACHE_LINE) struct pool_shard shards[2] = {{.requests = 1000}};
    struct pool_live *pool = busy_pool(shards);
    unsigned hedges = 0;

    atomic_store(&pool->retry_window.word, retry_window_at(BEGIN));
    for (unsigned i = 0; i < 50; i++)
        assert_true(retry_budget_take(pool, &defaults, BEGIN));
    while (retry_budget_take_hedge(pool, &defaults, BEGIN))
        hedges++;
    assert_int_equal(hedges, 150);
    assert_int_equal(retries_of(pool, BEGIN), 150);
    assert_false(retry_budget_take_hedge(pool, &defaults, BEGIN));
    assert_int_equal(pool->retries_in_flight, 50 + 150 + 150);
    free(pool);
}

/* What was saved in an hour is worth ten seconds. */
static void test_budget_does_not_pile_up(void **state)
{
    _Alignas(CACHE_LINE) static struct pool_shard shards[2];
    struct pool_live *pool = busy_pool(shards);

    assert_int_equal(retries_of(pool, BEGIN), 8);
    end_retries(pool);
    shards[0].requests = 3600 * 100;
    assert_int_equal(retries_of(pool, BEGIN + UINT64_C(3600) * 1000000000), 200);
    free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_sent_is_free_for_every_method),
        cmocka_unit_test(test_broken_before_the_response),
        cmocka_unit_test(test_never_once_a_response_has_begun),
        cmocka_unit_test(test_a_body_that_is_gone_is_not_sent_again),
        cmocka_unit_test(test_only_what_the_file_names),
        cmocka_unit_test(test_count_zero_is_off),
        cmocka_unit_test(test_a_back_off_doubles_up_to_its_cap),
        cmocka_unit_test(test_a_pause_ends_with_the_deadline),
        cmocka_unit_test(test_what_the_server_asks_for),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_budget_for_a_server_that_dies),
        cmocka_unit_test(test_budget_in_a_storm),
        cmocka_unit_test(test_budget_in_any_stretch_of_a_storm),
        cmocka_unit_test(test_budget_that_was_saved),
        cmocka_unit_test(test_hedges_come_after_retries),
        cmocka_unit_test(test_budget_does_not_pile_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
