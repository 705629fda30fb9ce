/*
 * Requests and connections that wait for a place at a pool's servers. Each worker has a
 * queue of its own (guard/queue); what the workers share is how many wait in all, and one
 * word each that says how many wait where. The pool's `size` bounds how many stand in the
 * queues.
 *
 * A place is free when a server's count goes down (place_give), or when the steward finds
 * a server well, lets it in again or raises its cap, or its breaker may be tried again.
 * Somebody then looks: draws a worker by how many wait there (lottery scheduling: Waldspurger
 * and Weihl, OSDI 1994), so that no worker keeps all places for its own, and lets that
 * worker's next waiter try, or posts a mail if it is another one. Whoever looks goes on
 * until a try finds no place, nobody waits any more, or another worker has been told.
 *
 * No wake-up is lost, because whoever gives a place counts it back before he looks whether
 * anybody waits, and whoever is the first to wait at a worker says so before he looks once
 * more for a place; all four in one order (seq_cst). Whether a breaker may be tried is a
 * matter of time: whoever hears of it, and whoever looks once more, reads the clock first.
 *
 * A retry whose turn comes while only servers have room that it has tried steps aside
 * (guard/aside): it still waits, but in nobody's way. When a place is given that is not at
 * a server that all of them have tried, whoever does that lets those aside have a look, and
 * only then: a worker whose waiters aside have found nothing is not drawn for them until
 * the next such place is given, so that workers with nobody else do not send one another
 * about. At a worker that is drawn they come before those of
 * the queue that are not more important. The order that keeps wake-ups is the same: the
 * place is counted back before he looks whether anybody stands aside, and whoever steps
 * aside says so before he looks once more.
 *
 * Those aside take nobody's room in the queue, and while none of them is due somebody new
 * may try at once: what is free then is nothing to them. But whoever is served only to
 * fail and to step aside too would do so for ever: no more than `size` may stand aside
 * either. One too many takes a server that it has tried.
 *
 * It does not choose servers and writes no answers: its owners do.
 */
#ifndef PROXY_WAITING_H
#define PROXY_WAITING_H

#include "guard/aside.h"
#include "guard/queue.h"
#include "lb/pool.h"
#include "proxy/worker.h"

enum wait_state {
    WAIT_NOT,
    WAIT_QUEUED,    /* or it stands aside */
    WAIT_CALLED,    /* it is its turn: one try */
    WAIT_DISPLACED, /* somebody more important has its place in the queue */
};

/* Part of whoever waits. */
struct wait {
    struct waiter waiter;
    struct waiting_desk *desk;
    enum wait_state state;
    bool is_aside;
    uint64_t waited; /* ns, in waits that are over */
    /* Its turn, or displaced: tries once, or ends. Called from the loop. */
    void (*call)(struct wait *wait);
};

/* What one worker has for one pool. Lives as long as the pool's live object. */
struct waiting_desk {
    CACHE_ALIGNED _Atomic(unsigned) standing; /* what the others see; 0: nobody waits */
    _Atomic(unsigned) standing_aside;         /* the same of those aside */
    _Atomic(bool) is_aside_due; /* they have not looked yet; set by anybody */
    /* Servers at which a place is nothing to any of those aside; NULL: none. */
    _Atomic(const struct server_live *) unwanted[TRIED_MOST];
    _Atomic(bool) is_posted;
    struct mail mail; /* under way while is_posted */
    struct worker *worker;
    struct pool_live *pool;
    struct deferred look;
    bool is_looking_soon;
    unsigned gone; /* counts those who no longer wait, or have stepped aside */
    struct list displaced;
    uint64_t seed[2];
    struct queue queue;
    struct aside aside;
};

/* The steward's, before a snapshot with a queue for this pool is published. */
void waiting_desks_new(struct pool_live *pool, struct worker *workers, unsigned count);

/* The workers have ended: takes back what they had still meant to look at. */
void waiting_desks_stop(struct pool_live *pool);
void waiting_desks_free(struct pool_live *pool);

/* Room may have come: whoever waits looks. Any thread; takes no memory. */
void waiting_tell_all(struct pool_live *pool);

/* The same on a worker's thread, by itself later in this turn. server: where the room is;
 * NULL: perhaps anywhere. */
void waiting_place_is_free(struct worker *worker, struct pool_live *pool,
                           const struct server_live *server);

/* server_give, and whoever waits for the place hears of it. Something of the caller's
 * (in_flight, holds) keeps the pool. */
static inline void place_give(struct worker *worker, struct server_live *server)
{
    struct pool_live *pool = server->pool;

    server_give(server);
    if (unlikely(atomic_load_explicit(&pool->waiting, memory_order_seq_cst)))
        waiting_place_is_free(worker, pool, server);
}

/* ---- for whoever may wait ---- */

/* Who wants a place. */
struct wait_claim {
    struct worker *worker;
    const struct pool *pool;
    const struct addr *client;
    enum priority priority;
    bool is_retry;   /* it has had a place: the queue's size does not keep it out */
    struct ask *ask; /* as for the choice */
};

/* How many stand in the queues, which is what `size` bounds: `all` who wait without those
 * aside, who come and go meanwhile. */
static inline unsigned waiting_in_queue(const struct pool_live *pool, unsigned all)
{
    unsigned aside = atomic_load_explicit(&pool->aside, memory_order_seq_cst);

    return all > aside ? all - aside : 0;
}

/* May it try to take a place now? Nobody stands before it, or it is its turn. */
bool waiting_may_try(struct wait *wait, const struct pool *pool);

enum wait_verdict {
    WAIT_GO_ON,   /* it stands in the queue */
    WAIT_IS_VAIN, /* no server is there to wait for */
    WAIT_QUEUE_FULL,
    WAIT_TIME_IS_UP,
};

/* It is its turn, no server that it has not tried has room, and it may not step aside as
 * too many do: it is to take one of those that it has tried. */
bool waiting_must_settle(const struct wait *wait, const struct pool *pool,
                         const struct ask *ask);

/* It could not try, or found no place: into the queue, or what is in the way. With all
 * but WAIT_GO_ON it does not wait any more. */
enum wait_verdict waiting_go_on(struct wait *wait, const struct wait_claim *claim);

/* It has a place. Harmless when it did not wait. */
void waiting_serve(struct wait *wait);

/* It waits no longer, by its own will. Harmless when it did not wait. */
void waiting_leave(struct wait *wait);

/* Its time is up: as waiting_leave, and counted so. */
void waiting_time_out(struct wait *wait);

/* What is left of the time that it may wait, in ms; at least 1. */
uint32_t waiting_time_left(const struct wait *wait, const struct pool *pool);

#endif
