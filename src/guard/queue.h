/*
 * Who waits for a place at a pool's servers, and who is next. Pure and intrusive: it takes
 * no memory, and each operation costs the same however many wait.
 *
 * - Classes: all of a more important one are served before any of a lesser one.
 * - Clients take turns within a class, so that one who asks a hundred times does not stand
 *   before one who asks once. Clients are told apart by a hash, and those whose hashes meet
 *   share a turn (stochastic fairness queueing: McKenney, INFOCOM 1990).
 * - First in, first out while the longest wait of the class is below the SLO; newest first
 *   past it, for then the oldest have waited for nothing and the newest can still be
 *   served in time (adaptive LIFO: Maurer, "Fail at Scale", ACM Queue 13(8), 2015).
 * - When there is no room the newcomer may take the place of a lesser one, or of one whose
 *   client has more in the queue than its own (longest queue drop: the same McKenney).
 *
 * It does not know who they are, counts nothing for others, and looks at no clock.
 */
#ifndef GUARD_QUEUE_H
#define GUARD_QUEUE_H

#include "base/list.h"

#include <stdint.h>

/* Classes; who matters more comes first. */
enum queue_rank { RANK_CRITICAL, RANK_NORMAL, RANK_LOW, RANK_COUNT };

enum { QUEUE_LINES = 128 }; /* clients that are told apart, per class */

/* Part of whoever waits. */
struct waiter {
    struct list by_age;  /* all of its class, oldest first */
    struct list in_line; /* all of its client, oldest first */
    uint64_t since;      /* monotonic ns */
    uint16_t line;
    uint8_t rank; /* enum queue_rank */
};

struct queue_line {
    struct list waiters;
    struct list turn; /* in queue_class.turns while anybody waits here */
    unsigned count;
};

struct queue_class {
    struct list by_age;
    struct list turns; /* lines that are not empty; the front is next */
    unsigned count;
    struct queue_line lines[QUEUE_LINES];
};

struct queue {
    struct queue_class classes[RANK_COUNT];
    unsigned count;
    uint64_t slo; /* ns; UINT64_MAX: always first in, first out */
};

/* Who comes. */
struct arrival {
    uint64_t now;    /* never before that of an earlier arrival */
    uint64_t client; /* a keyed hash of its address */
    enum queue_rank rank;
};

void queue_init(struct queue *queue);

void queue_join(struct queue *queue, struct waiter *waiter,
                const struct arrival *arrival);

/* Who is to be served next; NULL: nobody waits. */
struct waiter *queue_next(const struct queue *queue, uint64_t now);

/* It is served: its client's next turn comes after those of the others. */
void queue_serve(struct queue *queue, struct waiter *waiter, uint64_t now);

/* It has left by itself. */
void queue_leave(struct queue *queue, struct waiter *waiter);

/* Who must go for that newcomer when there is no room, still in the queue; NULL: nobody,
 * the newcomer itself is too many. */
struct waiter *queue_spare(const struct queue *queue, const struct arrival *arrival);

/* The most important class in which somebody waits; RANK_COUNT: none. */
enum queue_rank queue_first_class(const struct queue *queue);

#endif
