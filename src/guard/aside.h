/*
 * Who waits beside the queue: the servers that have room are all among those that it has
 * tried, so it waits for another one and must not keep those behind it from going on.
 *
 * Whoever has tried the same servers stands together, oldest first: when the first of them
 * finds no place, neither do the others. There are few such groups, so that asking all of
 * them costs the same however many wait; when all are in use, nobody new can step aside.
 *
 * Pure and intrusive as the queue, and servers are only told apart here.
 */
#ifndef GUARD_ASIDE_H
#define GUARD_ASIDE_H

#include "guard/queue.h"
#include "lb/balance.h"

enum { ASIDE_GROUPS = 8 };

/* What those of a group have in common. */
struct aside_kind {
    const struct pool *pool; /* by whose settings they choose */
    enum queue_rank rank;
    unsigned tried_count;
    const struct server_live *tried[TRIED_MOST]; /* in any order */
};

struct aside_group {
    struct list waiters; /* waiter.by_age; empty: the group is not in use */
    struct aside_kind kind;
};

struct aside {
    struct aside_group groups[ASIDE_GROUPS];
    unsigned counts[RANK_COUNT]; /* waiters */
};

void aside_init(struct aside *aside);

/* Is there a group for it? */
bool aside_has_room(struct aside *aside, const struct aside_kind *kind);

/* The waiter has left the queue; only where there is a group for it. */
void aside_join(struct aside *aside, struct waiter *waiter,
                const struct aside_kind *kind);
void aside_leave(struct aside *aside, struct waiter *waiter);

/* The servers that all who stand here have tried, and how many they are: a place at one of
 * them is nothing to anybody here. */
unsigned aside_common(const struct aside *aside,
                      const struct server_live *common[TRIED_MOST]);

/* The most important class in which somebody stands here; RANK_COUNT: none. */
enum queue_rank aside_first_class(const struct aside *aside);

/* The oldest of that group, if it is in use. */
static inline struct waiter *aside_oldest(const struct aside *aside, unsigned group)
{
    const struct list *waiters = &aside->groups[group].waiters;

    return list_is_empty(waiters) ? NULL
                                  : list_entry(waiters->next, struct waiter, by_age);
}

#endif
