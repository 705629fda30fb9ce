/*
 * The rules of retrying, in the order in which they forbid. The budget is two words that
 * all workers share: requests and retries in flight at the pool.
 */
#include "guard/retry.h"

#include "proto/names.h"

enum { RETRY_BUSY = 10 };

#define MS UINT64_C(1000000)
#define RETRY_WINDOW UINT64_C(10000) /* ms */

enum { BACKOFF_DOUBLINGS = 4 };

static uint32_t status_bit(unsigned status)
{
    switch (status) {
    case 429:
        return RETRY_429;
    case 500:
        return RETRY_500;
    case 502:
        return RETRY_502;
    case 503:
        return RETRY_503;
    case 504:
        return RETRY_504;
    default:
        return 0;
    }
}

/* A kept connection that breaks before a byte went out is as one that never stood. */
static bool is_never_begun(const struct retry_case *what)
{
    return !what->is_request_begun &&
           (what->cause == RETRY_CAUSE_CONNECT || what->cause == RETRY_CAUSE_RESET);
}

/* The setting that has to name this failure. */
static uint32_t bit_of(const struct retry_case *what)
{
    if (is_never_begun(what))
        return RETRY_CONNECT_ERROR;
    switch (what->cause) {
    case RETRY_CAUSE_CONNECT:
        return RETRY_CONNECT_ERROR;
    case RETRY_CAUSE_RESET:
        return RETRY_RESET_BEFORE_RESPONSE;
    case RETRY_CAUSE_TIMEOUT:
        return RETRY_RESPONSE_TIMEOUT;
    case RETRY_CAUSE_STATUS:
        return status_bit(what->status);
    case RETRY_CAUSE_OTHER:
        break;
    }
    return 0;
}

enum retry_verdict retry_judge(const struct retries *retries,
                               const struct retry_case *what)
{
    if (!(retries->on_errors & bit_of(what)) || what->tries > retries->count ||
        what->is_response_begun)
        return RETRY_NOT;
    if (is_never_begun(what))
        return RETRY_FREE;
    if (!what->is_body_whole)
        return RETRY_NOT;
    if (!retries->all_methods && !method_is_idempotent(what->method))
        return RETRY_NOT;
    return RETRY_COSTS;
}

bool retry_pause(const struct retries *retries, const struct retry_case *what,
                 uint32_t left, struct rand *rand, uint32_t *ms)
{
    unsigned doublings =
        what->tries < BACKOFF_DOUBLINGS + 1 ? what->tries - 1 : BACKOFF_DOUBLINGS;
    uint64_t most = (uint64_t)retries->backoff << doublings;

    *ms = 0;
    if (what->asked_wait > left)
        return false;
    if (most && !(is_never_begun(what) && what->is_link_kept))
        *ms = 1 + (uint32_t)rand_below(rand, most);
    if (*ms > left)
        *ms = left;
    if (*ms < what->asked_wait)
        *ms = what->asked_wait;
    return true;
}

uint32_t retry_after_read(str value)
{
    uint64_t seconds;

    if (!str_to_u64(value, &seconds) || seconds >= UINT32_MAX / 1000)
        return UINT32_MAX;
    return (uint32_t)seconds * 1000;
}

/* Requests of the pool so far, over all workers. */
static uint64_t requests_of(const struct pool_live *pool)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < pool->worker_count; i++)
        sum += counter_read(&pool->shards[i].requests);
    return sum;
}

static unsigned upto(uint64_t n)
{
    return n < UINT32_MAX ? (unsigned)n : UINT32_MAX;
}

static uint64_t retries_in(uint64_t word)
{
    return word & ((UINT64_C(1) << RETRY_WINDOW_BITS) - 1);
}

/* How long the window of that word has lasted, in ms. The worker that began it may be ahead
 * of ours. */
static uint64_t age_of(uint64_t word, uint64_t now)
{
    uint64_t began = word >> RETRY_WINDOW_BITS;

    return now / MS > began ? now / MS - began : 0;
}

/* The next one begins. What the last ones have had is scaled to the length of one. */
static void window_begin(struct pool_live *pool, const struct retries *retries,
                         uint64_t word, uint64_t now)
{
    struct retry_window *window = &pool->retry_window;
    uint64_t requests = requests_of(pool), age = age_of(word, now);
    uint64_t since =
        requests - atomic_load_explicit(&window->requests, memory_order_relaxed);
    uint64_t allowed =
        (uint64_t)((unsigned __int128)since * retries->budget_share * RETRY_WINDOW / age);

    if (!atomic_compare_exchange_strong_explicit(
            &window->word, &word, retry_window_at(now), memory_order_relaxed,
            memory_order_relaxed))
        return; /* another worker was first */
    atomic_store_explicit(&window->allowed, upto(allowed / 100), memory_order_relaxed);
    atomic_store_explicit(&window->used, upto(retries_in(word) * RETRY_WINDOW / age),
                          memory_order_relaxed);
    atomic_store_explicit(&window->requests, requests, memory_order_relaxed);
    atomic_store_explicit(&window->hedges, 0, memory_order_relaxed);
}

/*
 * How many retries this window may have by now: the share of its own requests, and what the
 * last one has left, less with every moment that goes by. So they are never more than the
 * share of all requests, at whatever moment one looks.
 */
static uint64_t window_room(struct pool_live *pool, const struct retries *retries,
                            uint64_t word, uint64_t now, bool *is_busy)
{
    struct retry_window *window = &pool->retry_window;
    uint64_t allowed = atomic_load_explicit(&window->allowed, memory_order_relaxed);
    uint64_t used = atomic_load_explicit(&window->used, memory_order_relaxed);
    uint64_t before = atomic_load_explicit(&window->requests, memory_order_relaxed);
    uint64_t requests = requests_of(pool); /* another worker may just begin a window */
    uint64_t since = requests > before ? requests - before : 0;
    uint64_t own = since * retries->budget_share / 100, age = age_of(word, now);
    uint64_t left = allowed > used && age < RETRY_WINDOW
                        ? (allowed - used) * (RETRY_WINDOW - age) / RETRY_WINDOW
                        : 0;

    *is_busy = allowed >= RETRY_BUSY || own >= RETRY_BUSY;
    return own + left;
}

/* What this window has room for; UINT64_MAX: it says nothing, for the pool is too quiet, and
 * need not say something. */
static uint64_t room_now(struct pool_live *pool, const struct retries *retries,
                         uint64_t now, bool must_fit)
{
    struct retry_window *window = &pool->retry_window;
    uint64_t word = atomic_load_explicit(&window->word, memory_order_relaxed), room;
    bool is_busy;

    if (age_of(word, now) >= RETRY_WINDOW) {
        window_begin(pool, retries, word, now);
        word = atomic_load_explicit(&window->word, memory_order_relaxed);
    }
    room = window_room(pool, retries, word, now, &is_busy);
    return must_fit || is_busy ? room : UINT64_MAX;
}

static bool count_retry(struct retry_window *window, uint64_t room)
{
    uint64_t word = atomic_load_explicit(&window->word, memory_order_relaxed);

    do {
        if (retries_in(word) >= room)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(
        &window->word, &word, word + 1, memory_order_relaxed, memory_order_relaxed));
    return true;
}

static bool count_hedge(struct retry_window *window, uint64_t room)
{
    uint64_t word = atomic_load_explicit(&window->word, memory_order_relaxed);
    unsigned hedges = atomic_fetch_add_explicit(&window->hedges, 1, memory_order_relaxed);

    if (retries_in(word) + hedges < room)
        return true;
    atomic_fetch_sub_explicit(&window->hedges, 1, memory_order_relaxed);
    return false;
}

static bool take(struct pool_live *pool, const struct retries *retries, uint64_t now,
                 bool (*count)(struct retry_window *window, uint64_t room))
{
    uint64_t requests = atomic_load_explicit(&pool->in_flight, memory_order_relaxed);
    uint64_t most = requests * retries->budget_share / 100;
    unsigned before =
        atomic_fetch_add_explicit(&pool->retries_in_flight, 1, memory_order_relaxed);

    if (most < retries->budget_floor)
        most = retries->budget_floor;
    if (count(&pool->retry_window, room_now(pool, retries, now, before >= most)))
        return true;
    retry_budget_give(pool);
    return false;
}

bool retry_budget_take(struct pool_live *pool, const struct retries *retries,
                       uint64_t now)
{
    return take(pool, retries, now, count_retry);
}

bool retry_budget_take_hedge(struct pool_live *pool, const struct retries *retries,
                             uint64_t now)
{
    return take(pool, retries, now, count_hedge);
}

void retry_budget_give(struct pool_live *pool)
{
    atomic_fetch_sub_explicit(&pool->retries_in_flight, 1, memory_order_relaxed);
}
