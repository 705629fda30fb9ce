/*
 * The rules of retrying, in the order in which they forbid. The budget is two words that
 * all workers share: requests and retries in flight at the pool.
 */
#include "guard/retry.h"

#include "proto/names.h"

enum { RETRY_BUSY = 10 };

#define RETRY_WINDOW_NS (UINT64_C(10) * 1000000000)

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

/* A new window begins with what the requests since the last one began allow for. */
static void window_begin(struct pool_live *pool, const struct retries *retries,
                         uint64_t word, uint64_t now)
{
    struct retry_window *window = &pool->retry_window;
    uint64_t requests = requests_of(pool);
    uint64_t began = atomic_load_explicit(&window->began, memory_order_relaxed);
    uint64_t since =
        requests - atomic_load_explicit(&window->requests, memory_order_relaxed);
    uint64_t share = since * retries->budget_share / 100;

    if (began && now - began > RETRY_WINDOW_NS)
        share = (uint64_t)((unsigned __int128)share * RETRY_WINDOW_NS / (now - began));
    if (!atomic_compare_exchange_strong_explicit(
            &window->word, &word, (now / RETRY_WINDOW_NS) << 32, memory_order_relaxed,
            memory_order_relaxed))
        return; /* another worker was first */
    atomic_store_explicit(&window->allowed,
                          share < UINT32_MAX ? (unsigned)share : UINT32_MAX,
                          memory_order_relaxed);
    atomic_store_explicit(&window->began, now, memory_order_relaxed);
    atomic_store_explicit(&window->requests, requests, memory_order_relaxed);
}

/* Counts a retry in; where `must_fit`, or where the pool is busy enough for the window to
 * say something, only if it allows for one more. */
static bool window_take(struct pool_live *pool, const struct retries *retries,
                        uint64_t now, bool must_fit)
{
    struct retry_window *window = &pool->retry_window;
    uint64_t word = atomic_load_explicit(&window->word, memory_order_relaxed);

    if (word >> 32 != now / RETRY_WINDOW_NS) {
        window_begin(pool, retries, word, now);
        word = atomic_load_explicit(&window->word, memory_order_relaxed);
    }
    must_fit |=
        atomic_load_explicit(&window->allowed, memory_order_relaxed) >= RETRY_BUSY;
    do {
        if (must_fit && (uint32_t)word >=
                            atomic_load_explicit(&window->allowed, memory_order_relaxed))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(
        &window->word, &word, word + 1, memory_order_relaxed, memory_order_relaxed));
    return true;
}

bool retry_budget_take(struct pool_live *pool, const struct retries *retries,
                       uint64_t now)
{
    uint64_t requests = atomic_load_explicit(&pool->in_flight, memory_order_relaxed);
    uint64_t most = requests * retries->budget_share / 100;
    unsigned before =
        atomic_fetch_add_explicit(&pool->retries_in_flight, 1, memory_order_relaxed);

    if (most < retries->budget_floor)
        most = retries->budget_floor;
    if (window_take(pool, retries, now, before >= most))
        return true;
    retry_budget_give(pool);
    return false;
}

void retry_budget_give(struct pool_live *pool)
{
    atomic_fetch_sub_explicit(&pool->retries_in_flight, 1, memory_order_relaxed);
}
