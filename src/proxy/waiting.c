/*
 * The protocol of free places (see the header). A look that is under way, be it deferred
 * or posted, holds the pool's live object, for the last request may end meanwhile and the
 * pool be gone from the configuration.
 */
#include "proxy/waiting.h"

#include "base/check.h"
#include "base/hash.h"

#include <stdlib.h>

/* ---- what the others see ---- */

enum { STANDING_BITS = 28 };

/* A class, and how many wait in it. */
static unsigned standing_word(enum queue_rank rank, unsigned count)
{
    return (unsigned)(RANK_COUNT - rank) << STANDING_BITS | count;
}

static unsigned class_of(unsigned standing)
{
    return standing >> STANDING_BITS;
}

/* The most important class in which somebody waits here. */
static void publish_standing(struct waiting_desk *desk)
{
    enum queue_rank first = queue_first_class(&desk->queue);
    unsigned now =
        first < RANK_COUNT ? standing_word(first, desk->queue.classes[first].count) : 0;

    atomic_store_explicit(&desk->standing, now, memory_order_seq_cst);
}

static void publish_unwanted(struct waiting_desk *desk)
{
    const struct server_live *common[TRIED_MOST] = {0};

    (void)aside_common(&desk->aside, common);
    for (unsigned i = 0; i < TRIED_MOST; i++)
        atomic_store_explicit(&desk->unwanted[i], common[i], memory_order_seq_cst);
}

static bool is_unwanted(struct waiting_desk *desk, const struct server_live *server)
{
    for (unsigned i = 0; i < TRIED_MOST; i++)
        if (atomic_load_explicit(&desk->unwanted[i], memory_order_seq_cst) == server)
            return true;
    return false;
}

/* What they do not want first: who sees that somebody stands here may go by it. */
static void publish_aside(struct waiting_desk *desk)
{
    enum queue_rank first = aside_first_class(&desk->aside);
    unsigned now =
        first < RANK_COUNT ? standing_word(first, desk->aside.counts[first]) : 0;

    publish_unwanted(desk);
    atomic_store_explicit(&desk->standing_aside, now, memory_order_seq_cst);
}

static unsigned aside_of(struct waiting_desk *desks, unsigned i)
{
    return atomic_load_explicit(&desks[i].standing_aside, memory_order_seq_cst);
}

static bool is_aside_due(struct waiting_desk *desk)
{
    return atomic_load_explicit(&desk->is_aside_due, memory_order_seq_cst);
}

/* An exchange, not a store: what is looked at after it is not loaded before it. */
static void set_aside_due(struct waiting_desk *desk, bool is_due)
{
    (void)atomic_exchange_explicit(&desk->is_aside_due, is_due, memory_order_seq_cst);
}

/* Those aside count while they have not looked for the last place that was given. */
static unsigned standing_of(struct waiting_desk *desks, unsigned i)
{
    unsigned queued = atomic_load_explicit(&desks[i].standing, memory_order_seq_cst);
    unsigned aside = is_aside_due(&desks[i]) ? aside_of(desks, i) : 0;

    if (class_of(queued) != class_of(aside))
        return queued > aside ? queued : aside;
    return queued + (aside & ((1u << STANDING_BITS) - 1));
}

/* A place was given there; NULL: perhaps anywhere. */
static void let_aside_look(struct waiting_desk *desk, const struct server_live *server)
{
    if (atomic_load_explicit(&desk->standing_aside, memory_order_seq_cst) &&
        !(server && is_unwanted(desk, server)))
        set_aside_due(desk, true);
}

/* Each worker of the best class by how many wait there. False: nobody waits anywhere. */
static bool draw_desk(struct waiting_desk *desk, struct waiting_desk **out)
{
    const struct pool_live *pool = desk->pool;
    struct waiting_desk *desks = desk - desk->worker->index;
    const unsigned count_mask = (1u << STANDING_BITS) - 1;
    unsigned best = 0, total = 0, at;

    *out = NULL;
    for (unsigned i = 0; i < pool->worker_count; i++) {
        unsigned standing = standing_of(desks, i), class = class_of(standing);

        if (class > best)
            total = 0;
        best = class > best ? class : best;
        total += class == best ? standing & count_mask : 0;
    }
    if (!total)
        return false;
    at = (unsigned)rand_below(&desk->worker->engine.rand, total);
    for (unsigned i = 0; i < pool->worker_count && !*out; i++) {
        unsigned standing = standing_of(desks, i);

        if (class_of(standing) != best)
            continue;
        if (at < (standing & count_mask))
            *out = &desks[i];
        else
            at -= standing & count_mask;
    }
    return true; /* *out NULL: they have moved meanwhile, draw again */
}

/* ---- looking ---- */

static void hold_pool(struct pool_live *pool)
{
    atomic_fetch_add_explicit(&pool->holds, 1, memory_order_relaxed);
}

static void drop_pool(struct pool_live *pool)
{
    atomic_fetch_sub_explicit(&pool->holds, 1, memory_order_release);
}

/* Whoever sees that it is posted already is seen by the look that is still to come. */
static void post(struct waiting_desk *desk)
{
    if (atomic_exchange_explicit(&desk->is_posted, true, memory_order_seq_cst))
        return;
    hold_pool(desk->pool);
    mailbox_post(&desk->worker->engine.loop.mailbox, &desk->mail);
}

static void end_displaced(struct waiting_desk *desk)
{
    while (!list_is_empty(&desk->displaced)) {
        struct waiter *waiter = list_entry(desk->displaced.next, struct waiter, by_age);
        struct wait *wait = container_of(waiter, struct wait, waiter);

        wait->call(wait);
        CHECK(desk->displaced.next != &waiter->by_age);
    }
}

/* It tries. False: it still stands where it stood. */
static bool call(struct waiting_desk *desk, struct waiter *waiter)
{
    struct wait *wait = container_of(waiter, struct wait, waiter);
    unsigned gone = desk->gone;

    wait->state = WAIT_CALLED;
    wait->call(wait);
    return desk->gone != gone;
}

/* One of those aside, where nobody more important stands in the queue. Each group is asked
 * once; they are due until all have been. False: none has found a place. */
static bool call_aside(struct waiting_desk *desk)
{
    enum queue_rank worst = queue_first_class(&desk->queue);
    bool were_all_asked = true;

    set_aside_due(desk, false);
    for (unsigned i = 0; i < ASIDE_GROUPS; i++) {
        struct waiter *waiter = aside_oldest(&desk->aside, i);

        if (waiter && waiter->rank > worst) {
            were_all_asked = false;
        } else if (waiter && call(desk, waiter)) {
            let_aside_look(desk, NULL); /* another one */
            return true;
        }
    }
    if (!were_all_asked)
        let_aside_look(desk, NULL);
    return false;
}

/* The next one tries. False: there is no place. */
static bool call_next(struct waiting_desk *desk)
{
    struct waiter *waiter;

    if (unlikely(is_aside_due(desk)) && call_aside(desk))
        return true;
    waiter = queue_next(&desk->queue, desk->worker->engine.loop.now);
    return !waiter || call(desk, waiter);
}

static void look(struct waiting_desk *desk)
{
    struct waiting_desk *next;

    while (draw_desk(desk, &next)) {
        if (next && next != desk) {
            post(next);
            return;
        }
        if (next && !call_next(desk))
            return;
    }
}

static void look_now(struct deferred *deferred)
{
    struct waiting_desk *desk = container_of(deferred, struct waiting_desk, look);
    struct pool_live *pool = desk->pool;

    desk->is_looking_soon = false;
    end_displaced(desk);
    look(desk);
    drop_pool(pool);
}

static void look_soon(struct waiting_desk *desk)
{
    if (desk->is_looking_soon)
        return;
    desk->is_looking_soon = true;
    hold_pool(desk->pool);
    loop_defer(&desk->worker->engine.loop, &desk->look);
}

static void mail_arrived(struct mail *mail)
{
    struct waiting_desk *desk = container_of(mail, struct waiting_desk, mail);
    struct pool_live *pool = desk->pool;

    atomic_exchange_explicit(&desk->is_posted, false, memory_order_seq_cst);
    loop_look_at_clock(&desk->worker->engine.loop);
    if (call_next(desk)) /* it was drawn already */
        look(desk);
    drop_pool(pool);
}

static struct waiting_desk *desks_of(const struct pool_live *pool)
{
    return atomic_load_explicit(&pool->queues, memory_order_acquire);
}

void waiting_tell_all(struct pool_live *pool)
{
    struct waiting_desk *desks = desks_of(pool);

    for (unsigned i = 0; desks && i < pool->worker_count; i++) {
        let_aside_look(&desks[i], NULL);
        if (standing_of(desks, i))
            post(&desks[i]);
    }
}

void waiting_place_is_free(struct worker *worker, struct pool_live *pool,
                           const struct server_live *server)
{
    struct waiting_desk *desks = desks_of(pool);

    for (unsigned i = 0; desks && i < pool->worker_count; i++)
        let_aside_look(&desks[i], server);
    if (desks)
        look_soon(&desks[worker->index]);
}

/* ---- desks ---- */

void waiting_desks_new(struct pool_live *pool, struct worker *workers, unsigned count)
{
    struct waiting_desk *desks;

    if (desks_of(pool))
        return;
    desks = aligned_alloc(CACHE_LINE, count * sizeof *desks);
    CHECK(desks != NULL);
    memset(desks, 0, count * sizeof *desks);
    for (unsigned i = 0; i < count; i++) {
        desks[i].worker = &workers[i];
        desks[i].pool = pool;
        desks[i].mail.open = mail_arrived;
        deferred_init(&desks[i].look, look_now);
        list_init(&desks[i].displaced);
        queue_init(&desks[i].queue);
        aside_init(&desks[i].aside);
        sys_random(desks[i].seed, sizeof desks[i].seed);
    }
    atomic_store_explicit(&pool->queues, desks, memory_order_release);
}

void waiting_desks_stop(struct pool_live *pool)
{
    struct waiting_desk *desks = desks_of(pool);

    for (unsigned i = 0; desks && i < pool->worker_count; i++) {
        CHECK(desks[i].queue.count == 0);
        CHECK(aside_first_class(&desks[i].aside) == RANK_COUNT);
        if (atomic_exchange_explicit(&desks[i].is_posted, false, memory_order_acquire))
            drop_pool(pool);
        if (desks[i].is_looking_soon)
            drop_pool(pool);
        desks[i].is_looking_soon = false;
    }
}

void waiting_desks_free(struct pool_live *pool)
{
    free(desks_of(pool));
    atomic_store_explicit(&pool->queues, NULL, memory_order_relaxed);
}

/* ---- waiting ---- */

/* Of an IPv6 client the network: a host has as many addresses in it as it likes. */
static uint64_t client_hash(const struct waiting_desk *desk, const struct addr *client)
{
    size_t n = client->family == ADDR_IP6 ? 8 : client->family == ADDR_IP4 ? 4 : 0;

    return siphash13(desk->seed, (str){(const char *)client->ip, n});
}

static struct pool_shard *shard_of(const struct waiting_desk *desk)
{
    return &desk->pool->shards[desk->worker->index];
}

/* Out of the queue, where it may not be served any more, or no longer aside. */
static void note_gone(struct wait *wait)
{
    struct waiting_desk *desk = wait->desk;

    desk->gone++;
    atomic_fetch_sub_explicit(&desk->pool->waiting, 1, memory_order_seq_cst);
    if (wait->is_aside) {
        publish_aside(desk);
        atomic_fetch_sub_explicit(&desk->pool->aside, 1, memory_order_seq_cst);
    } else {
        publish_standing(desk);
    }
    wait->is_aside = false;
}

static void wait_is_over(struct wait *wait)
{
    struct waiting_desk *desk = wait->desk;
    uint64_t waited = desk->worker->engine.loop.now - wait->waiter.since;

    wait->state = WAIT_NOT;
    wait->waited += waited;
    histogram_add(&shard_of(desk)->waited, waited);
}

void waiting_serve(struct wait *wait)
{
    if (wait->state == WAIT_NOT)
        return;
    if (wait->is_aside)
        aside_leave(&wait->desk->aside, &wait->waiter);
    else
        queue_serve(&wait->desk->queue, &wait->waiter,
                    wait->desk->worker->engine.loop.now);
    note_gone(wait);
    wait_is_over(wait);
}

void waiting_leave(struct wait *wait)
{
    if (wait->state == WAIT_NOT)
        return;
    if (wait->state == WAIT_DISPLACED) {
        list_remove(&wait->waiter.by_age);
    } else {
        if (wait->is_aside)
            aside_leave(&wait->desk->aside, &wait->waiter);
        else
            queue_leave(&wait->desk->queue, &wait->waiter);
        note_gone(wait);
    }
    wait_is_over(wait);
}

void waiting_time_out(struct wait *wait)
{
    struct waiting_desk *desk = wait->desk;

    waiting_leave(wait);
    counter_add(&shard_of(desk)->queue_timeout, 1);
}

static void displace(struct waiting_desk *desk, struct waiter *waiter)
{
    struct wait *wait = container_of(waiter, struct wait, waiter);

    queue_leave(&desk->queue, waiter);
    note_gone(wait);
    wait->state = WAIT_DISPLACED;
    list_add(&desk->displaced, &waiter->by_age);
    look_soon(desk);
}

static enum queue_rank rank_of(enum priority priority)
{
    return priority == PRIORITY_CRITICAL ? RANK_CRITICAL
           : priority == PRIORITY_LOW    ? RANK_LOW
                                         : RANK_NORMAL;
}

static bool join(struct wait *wait, const struct wait_claim *claim)
{
    struct waiting_desk *desk = wait->desk;
    const struct queueing *rule = &claim->pool->queue;
    struct pool_live *pool = desk->pool;
    struct arrival arrival = {.now = claim->worker->engine.loop.now,
                              .client = client_hash(desk, claim->client),
                              .rank = rank_of(claim->priority)};
    struct waiter *spare;
    unsigned before;

    desk->queue.slo = rule->slo ? (uint64_t)rule->slo * 1000000 : UINT64_MAX;
    before = atomic_fetch_add_explicit(&pool->waiting, 1, memory_order_seq_cst);
    if (waiting_in_queue(pool, before) >= rule->size && !claim->is_retry) {
        spare = queue_spare(&desk->queue, &arrival);
        if (!spare) {
            atomic_fetch_sub_explicit(&pool->waiting, 1, memory_order_seq_cst);
            return false;
        }
        displace(desk, spare);
    }
    queue_join(&desk->queue, &wait->waiter, &arrival);
    wait->state = WAIT_QUEUED;
    publish_standing(desk);
    return true;
}

/* Those aside who have looked for the last place that was given want none that is free. */
static bool is_nobody_before(const struct pool_live *pool)
{
    struct waiting_desk *desks = desks_of(pool);

    for (unsigned i = 0; i < pool->worker_count; i++)
        if (standing_of(desks, i))
            return false;
    return true;
}

bool waiting_may_try(struct wait *wait, const struct pool *pool)
{
    if (wait->state != WAIT_NOT)
        return wait->state == WAIT_CALLED;
    return !atomic_load_explicit(&pool->live->waiting, memory_order_relaxed) ||
           is_nobody_before(pool->live);
}

static struct aside_kind kind_of(const struct wait *wait, const struct pool *pool,
                                 const struct ask *ask)
{
    struct aside_kind kind = {.pool = pool,
                              .rank = (enum queue_rank)wait->waiter.rank,
                              .tried_count = ask->tried_count};

    memcpy(kind.tried, ask->tried, sizeof kind.tried);
    return kind;
}

bool waiting_must_settle(const struct wait *wait, const struct pool *pool,
                         const struct ask *ask)
{
    struct aside_kind kind;

    if (wait->state != WAIT_CALLED || wait->is_aside || !ask->tried_count)
        return false;
    kind = kind_of(wait, pool, ask);
    return atomic_load_explicit(&pool->live->aside, memory_order_seq_cst) >=
               pool->queue.size ||
           !aside_has_room(&wait->desk->aside, &kind);
}

/* Has any server room, tried or not? */
static bool has_anybody_room(const struct endpoint_set *set,
                             const struct wait_claim *claim)
{
    struct ask ask = *claim->ask;

    ask.tried_count = 0;
    return pool_look_for_room(set, &ask) == POOL_HAS_ROOM;
}

/* A breaker that may be tried since this turn began has room too: whom the steward tells of
 * that was waiting by then, but perhaps not yet where it waits now. */
static void look_at_clock(const struct wait_claim *claim)
{
    struct loop *loop = &claim->worker->engine.loop;

    loop_look_at_clock(loop);
    claim->ask->now = loop->now;
}

/* Where all groups are in use it stays in the queue. */
static void step_aside(struct wait *wait, const struct endpoint_set *set,
                       const struct wait_claim *claim)
{
    struct waiting_desk *desk = wait->desk;
    struct aside_kind kind = kind_of(wait, claim->pool, claim->ask);

    if (!aside_has_room(&desk->aside, &kind))
        return;
    queue_leave(&desk->queue, &wait->waiter);
    aside_join(&desk->aside, &wait->waiter, &kind);
    wait->is_aside = true;
    atomic_fetch_add_explicit(&desk->pool->aside, 1, memory_order_seq_cst);
    desk->gone++;
    publish_standing(desk);
    publish_aside(desk);
    look_at_clock(claim);
    if (pool_look_for_room(set, claim->ask) == POOL_HAS_ROOM)
        set_aside_due(desk, true); /* whoever gave it has perhaps not seen it there */
}

/* In the queue, and run again: by an event of its client's, or to try. */
static enum wait_verdict stay(struct wait *wait, const struct endpoint_set *set,
                              const struct wait_claim *claim)
{
    struct waiting_desk *desk = wait->desk;
    enum pool_room room = pool_look_for_room(set, claim->ask);
    bool has_tried = claim->ask->tried_count > 0;

    if (wait->state == WAIT_DISPLACED) {
        waiting_leave(wait);
        counter_add(&shard_of(desk)->queue_full, 1);
        return WAIT_QUEUE_FULL;
    }
    if (wait->state == WAIT_CALLED && room == POOL_HAS_NOBODY) {
        waiting_leave(wait);
        return WAIT_IS_VAIN;
    }
    if (wait->state == WAIT_CALLED && !wait->is_aside && room == POOL_IS_FULL &&
        has_tried && has_anybody_room(set, claim))
        step_aside(wait, set, claim);
    wait->state = WAIT_QUEUED;
    return WAIT_GO_ON;
}

/* A place where only others may go counts: it is to step aside for them. */
static bool look_once_more(const struct endpoint_set *set, const struct wait_claim *claim)
{
    look_at_clock(claim);
    return has_anybody_room(set, claim);
}

enum wait_verdict waiting_go_on(struct wait *wait, const struct wait_claim *claim)
{
    struct pool_live *pool = claim->pool->live;
    const struct endpoint_set *set = pool->desks[claim->worker->index].set;

    if (wait->state == WAIT_QUEUED)
        return WAIT_GO_ON;
    if (wait->state != WAIT_NOT)
        return stay(wait, set, claim);
    wait->desk = &desks_of(pool)[claim->worker->index];
    if (pool_look_for_room(set, claim->ask) == POOL_HAS_NOBODY)
        return WAIT_IS_VAIN;
    if (wait->waited >= (uint64_t)claim->pool->queue.timeout * 1000000) {
        counter_add(&shard_of(wait->desk)->queue_timeout, 1);
        return WAIT_TIME_IS_UP;
    }
    if (!join(wait, claim)) {
        counter_add(&shard_of(wait->desk)->queue_full, 1);
        return WAIT_QUEUE_FULL;
    }
    if (wait->desk->queue.count == 1 && look_once_more(set, claim))
        look_soon(wait->desk);
    return WAIT_GO_ON;
}

uint32_t waiting_time_left(const struct wait *wait, const struct pool *pool)
{
    uint64_t waited = wait->waited / 1000000;

    return waited >= pool->queue.timeout ? 1 : pool->queue.timeout - (uint32_t)waited;
}
