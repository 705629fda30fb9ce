/*
 * A group is in use while somebody stands in it; who has left needs not know which it was.
 * The groups are looked through one by one: they are few.
 */
#include "guard/aside.h"

#include "base/check.h"

void aside_init(struct aside *aside)
{
    for (unsigned i = 0; i < ASIDE_GROUPS; i++)
        list_init(&aside->groups[i].waiters);
    for (unsigned i = 0; i < RANK_COUNT; i++)
        aside->counts[i] = 0;
}

static bool has_tried(const struct aside_kind *kind, const struct server_live *server)
{
    for (unsigned i = 0; i < kind->tried_count; i++)
        if (kind->tried[i] == server)
            return true;
    return false;
}

/* Has one tried all that the other has? */
static bool includes(const struct aside_kind *one, const struct aside_kind *other)
{
    for (unsigned i = 0; i < other->tried_count; i++)
        if (!has_tried(one, other->tried[i]))
            return false;
    return true;
}

static bool is_same(const struct aside_kind *a, const struct aside_kind *b)
{
    return a->pool == b->pool && a->rank == b->rank && includes(a, b) && includes(b, a);
}

/* That of this kind, or a free one; NULL: neither. */
static struct aside_group *find(struct aside *aside, const struct aside_kind *kind)
{
    struct aside_group *unused = NULL;

    for (unsigned i = 0; i < ASIDE_GROUPS; i++) {
        struct aside_group *group = &aside->groups[i];

        if (list_is_empty(&group->waiters))
            unused = unused ? unused : group;
        else if (is_same(&group->kind, kind))
            return group;
    }
    return unused;
}

bool aside_has_room(struct aside *aside, const struct aside_kind *kind)
{
    return find(aside, kind) != NULL;
}

void aside_join(struct aside *aside, struct waiter *waiter, const struct aside_kind *kind)
{
    struct aside_group *group = find(aside, kind);

    CHECK(group && waiter->rank == kind->rank);
    if (list_is_empty(&group->waiters))
        group->kind = *kind;
    list_add(&group->waiters, &waiter->by_age);
    aside->counts[kind->rank]++;
}

void aside_leave(struct aside *aside, struct waiter *waiter)
{
    CHECK(aside->counts[waiter->rank] > 0);
    list_remove(&waiter->by_age);
    aside->counts[waiter->rank]--;
}

static const struct aside_kind *first_kind(const struct aside *aside)
{
    for (unsigned i = 0; i < ASIDE_GROUPS; i++)
        if (!list_is_empty(&aside->groups[i].waiters))
            return &aside->groups[i].kind;
    return NULL;
}

static bool have_all_tried(const struct aside *aside, const struct server_live *server)
{
    for (unsigned i = 0; i < ASIDE_GROUPS; i++)
        if (!list_is_empty(&aside->groups[i].waiters) &&
            !has_tried(&aside->groups[i].kind, server))
            return false;
    return true;
}

unsigned aside_common(const struct aside *aside,
                      const struct server_live *common[TRIED_MOST])
{
    const struct aside_kind *first = first_kind(aside);
    unsigned count = 0;

    for (unsigned i = 0; first && i < first->tried_count; i++)
        if (have_all_tried(aside, first->tried[i]))
            common[count++] = first->tried[i];
    return count;
}

enum queue_rank aside_first_class(const struct aside *aside)
{
    unsigned i = 0;

    while (i < RANK_COUNT && !aside->counts[i])
        i++;
    return (enum queue_rank)i;
}
