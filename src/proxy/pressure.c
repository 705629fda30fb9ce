/*
 * The wait is worked out from the length of a turn: what is ready stands in the kernel's
 * queue, of which a turn takes LOOP_EVENTS. As long as turns are full, it has waited since
 * the first of them, but never longer than all our connections would take.
 */
#include "proxy/pressure.h"

#include "proxy/worker.h"

enum { LOOK_MS = 10, CALM_MS = 100, MS = 1000000 };

static uint64_t measure_lag(struct worker *worker)
{
    struct pressure *pressure = &worker->pressure;
    const struct loop *loop = &worker->engine.loop;
    uint64_t end = sys_now(), turn = end - loop->now, lag, most;

    if (!pressure->backlog_since)
        pressure->backlog_since = loop->now;
    lag = end - pressure->backlog_since;
    most = turn * (1 + 2 * (uint64_t)worker->session_count / LOOP_EVENTS);
    if (loop->told < LOOP_EVENTS)
        pressure->backlog_since = 0;
    histogram_add(&pressure->loop_time, turn);
    return lag < most ? lag : most;
}

/* In thousandths. */
static unsigned memory_share(const struct engine *engine)
{
    uint64_t used = (uint64_t)engine->small.in_use * CHUNK_SMALL +
                    (uint64_t)engine->large.in_use * CHUNK_LARGE;

    return engine->memory_most ? (unsigned)(used * 1000 / engine->memory_most) : 0;
}

/* Busy is who is being served; those who wait for their next request make room when it is
 * needed (worker_end_idle_client). */
static unsigned connection_share(struct worker *worker)
{
    struct pressure *pressure = &worker->pressure;
    struct busy_board *board = pressure->board;
    unsigned mine = (unsigned)(worker->exchange_slab.in_use + worker->tcp_slab.in_use);
    unsigned all;

    if (!board || !board->most)
        return 0;
    if (mine != pressure->counted)
        atomic_fetch_add_explicit(&board->busy, mine - pressure->counted,
                                  memory_order_relaxed);
    pressure->counted = mine;
    all = atomic_load_explicit(&board->busy, memory_order_relaxed);
    return (unsigned)((uint64_t)all * 1000 / board->most);
}

static void publish(struct worker *worker, enum overload_level was)
{
    struct pressure *pressure = &worker->pressure;
    enum overload_level level = pressure->state.level;

    if (level == OVERLOAD_NONE)
        worker->curbs &= ~(unsigned)CURB_LOADED;
    else
        worker->curbs |= CURB_LOADED;
    if (was == OVERLOAD_NONE)
        atomic_fetch_add_explicit(&pressure->episodes, 1, memory_order_relaxed);
    atomic_store_explicit(&pressure->word, level | (unsigned)pressure->state.cause << 8,
                          memory_order_relaxed);
}

static void judge(struct worker *worker, uint64_t now, uint64_t lag)
{
    struct pressure *pressure = &worker->pressure;
    struct timer_wheel *timers = &worker->engine.loop.timers;
    enum overload_level was = pressure->state.level;
    struct overload_sample sample = {now, memory_share(&worker->engine),
                                     connection_share(worker), lag};

    pressure->look_at = now + (uint64_t)LOOK_MS * MS;
    if (!overload_look(&pressure->state, &sample))
        return;
    publish(worker, was);
    if (pressure->state.level != OVERLOAD_NONE)
        timer_set(timers, &pressure->timer, now + (uint64_t)CALM_MS * MS);
}

/* Nothing may come any more that would make it look. */
static void look_again(struct timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, pressure.timer);
    struct loop *loop = &worker->engine.loop;

    judge(worker, loop->now, 0);
    if (worker->pressure.state.level != OVERLOAD_NONE)
        timer_set(&loop->timers, timer, loop->now + (uint64_t)CALM_MS * MS);
}

void pressure_init(struct worker *worker)
{
    timer_init(&worker->pressure.timer, look_again);
}

void pressure_close(struct worker *worker)
{
    timer_remove(&worker->engine.loop.timers, &worker->pressure.timer);
}

NEVER_INLINE void pressure_look(struct worker *worker)
{
    const struct loop *loop = &worker->engine.loop;
    uint64_t lag = 0;

    if (loop->told >= PRESSURE_EVENTS)
        lag = measure_lag(worker);
    else
        worker->pressure.backlog_since = 0;
    judge(worker, loop->now, lag);
}
