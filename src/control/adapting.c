/* Sums, and what follows from them. */
#include "control/adapting.h"

#include "guard/capacity.h"
#include "proxy/waiting.h"

enum { TICK_MS = 100 };

static void set_timer(struct steward *steward)
{
    struct loop *loop = &steward->engine.loop;

    timer_set(&loop->timers, &steward->adapting, loop->now + (uint64_t)TICK_MS * 1000000);
}

static bool is_on(const struct pool_record *pool)
{
    return pool->pool && pool->pool->adaptive.is_enabled;
}

/* Who waits hears of a place. 0: no limit. */
static void publish(struct server_record *record, unsigned limit)
{
    unsigned before = atomic_load_explicit(&record->live.limit, memory_order_relaxed);

    if (limit == before)
        return;
    atomic_store_explicit(&record->live.limit, limit, memory_order_seq_cst);
    if (!limit || limit > before)
        waiting_tell_all(&record->pool->live);
}

static void look_at(struct steward *steward, struct server_record *record)
{
    uint64_t now = steward->engine.loop.now;
    struct capacity_counts sum = {0};

    if (!record->entry || !capacity_is_due(&record->capacity, now))
        return;
    for (unsigned i = 0; i < steward->worker_count; i++)
        capacity_add(&sum, &record->live.shards[i].capacity);
    publish(record, capacity_look(&record->capacity, &record->pool->pool->adaptive, &sum,
                                  now, &steward->engine.rand));
}

static void tick(struct timer *timer)
{
    struct steward *steward = container_of(timer, struct steward, adapting);
    bool is_needed = false;

    list_each(node, &steward->registry.pools) {
        struct pool_record *pool = list_entry(node, struct pool_record, node);

        if (!is_on(pool))
            continue;
        is_needed = true;
        list_each(at, &pool->servers) {
            look_at(steward, list_entry(at, struct server_record, node));
        }
    }
    if (is_needed)
        set_timer(steward);
}

void adapting_init(struct timer *timer)
{
    timer_init(timer, tick);
}

void adapting_look(struct steward *steward, struct pool_record *pool)
{
    bool is_needed = is_on(pool);

    list_each(node, &pool->servers) {
        struct server_record *record = list_entry(node, struct server_record, node);

        if (is_needed && record->entry)
            publish(record, capacity_begin(&record->capacity, &pool->pool->adaptive));
        if (is_needed)
            continue;
        record->capacity = (struct capacity){0};
        publish(record, 0);
    }
    if (is_needed && steward->adapting.due == TIMER_NEVER)
        set_timer(steward);
}

/* ---- words ---- */

static void add_time(struct scroll *out, uint64_t ns)
{
    if (ns < 1000000)
        scroll_add(out, STR("<1ms"));
    else if (ns < 1000000000)
        scroll_format(out, "%.0fms", (double)ns / 1e6);
    else
        scroll_format(out, "%.1fs", (double)ns / 1e9);
}

/* "answers take 31ms, 12ms without load" */
static void add_times(struct scroll *out, const struct capacity *capacity)
{
    scroll_add(out, STR("answers take "));
    add_time(out, capacity_time(capacity));
    scroll_add(out, STR(", "));
    add_time(out, capacity_calm_time(capacity));
    scroll_add(out, STR(" without load"));
}

void adapting_reason(const struct server_record *record, struct scroll *out)
{
    static const char *const words[CAPACITY_STATES] = {
        [CAPACITY_NEW] = "too little was asked to know more",
        [CAPACITY_UNUSED] = "there are not so many requests",
        [CAPACITY_GROWS] = "more may come: ",
        [CAPACITY_LOWER] = "",
        [CAPACITY_LOOKS] = "lower for a moment, to see what load has to do with it: ",
        [CAPACITY_FAILS] = "most requests fail",
    };
    enum capacity_state state = record->capacity.state;

    scroll_add(out, str_of(words[state]));
    if (state == CAPACITY_GROWS || state == CAPACITY_LOWER || state == CAPACITY_LOOKS)
        add_times(out, &record->capacity);
}
