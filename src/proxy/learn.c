/* From the times of an attempt to an outcome. */
#include "proxy/learn.h"

#include "guard/capacity.h"

static void learn(struct exchange *x, const struct attempt *attempt,
                  struct outcome outcome)
{
    struct server_shard *own = &attempt->server->shards[x->worker->index];
    balancer_learn_fn *balancer_learns = x->pool->balancer->learn;

    outcome.now = exchange_now(x);
    outcome.in_flight = attempt->in_flight;
    if (balancer_learns)
        balancer_learns(own, &outcome);
    if (x->pool->adaptive.is_enabled)
        capacity_note(&own->capacity,
                      atomic_load_explicit(&attempt->server->limit, memory_order_relaxed),
                      &outcome);
}

static bool is_refusal(unsigned status)
{
    return status == 500 || (status >= 502 && status <= 504);
}

void learn_answer_always(struct exchange *x)
{
    const struct attempt *attempt = &x->attempt;
    struct outcome outcome = {.has_failed = is_refusal(x->response.status)};

    if (x->flags & EXCHANGE_UPLOADING)
        outcome.is_unfinished = !outcome.has_failed;
    else
        outcome.latency =
            attempt->connected - attempt->began + exchange_now(x) - attempt->asked;
    learn(x, attempt, outcome);
}

void learn_failure_always(struct exchange *x, const struct attempt *attempt)
{
    uint64_t since = attempt->asked ? attempt->asked : attempt->began;

    learn(x, attempt,
          (struct outcome){
              .has_failed = true,
              .latency = x->flags & EXCHANGE_UPLOADING ? 0 : exchange_now(x) - since});
}

void learn_departure_always(struct exchange *x)
{
    const struct attempt *attempt = &x->attempt;
    uint64_t since = attempt->asked ? attempt->asked : attempt->began;

    if (!(x->flags & EXCHANGE_UPLOADING))
        learn(
            x, attempt,
            (struct outcome){.is_unfinished = true, .latency = exchange_now(x) - since});
}
