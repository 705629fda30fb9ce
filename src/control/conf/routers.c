/*
 * Which routes the router of each listener holds. Listeners that no route names have the
 * same ones and share one router, but for where a listener sends the rest: with hundreds of
 * listeners and thousands of routes, tables for each of them would be millions of entries.
 */
#include "control/conf/resolve.h"
#include "lb/router.h"

struct numbers vec_of(uint32_t);

struct sorted {
    struct numbers common; /* routes that name no listener */
    struct numbers *own;   /* [listener]: those that name it */
};

static void sort_out(struct reader *reader, const struct snapshot *snapshot,
                     struct sorted *sorted)
{
    struct arena *scratch = &reader->complaints->arena;

    sorted->own = ARENA_ARRAY(scratch, struct numbers, snapshot->listener_count);
    for (unsigned i = 0; i < reader->draft->route_count; i++) {
        const struct match *match = snapshot->routes[i].match;

        if (!match || !match->listeners) {
            *vec_add(&sorted->common, scratch) = i;
            continue;
        }
        for (unsigned word = 0; word < match->listener_words; word++)
            for (uint64_t left = match->listeners[word]; left; left &= left - 1)
                *vec_add(&sorted->own[word * 64 + (unsigned)__builtin_ctzll(left)],
                         scratch) = i;
    }
}

/* Both in the order of the file. */
static unsigned merge(const struct numbers *a, const struct numbers *b, uint32_t *out)
{
    size_t i = 0, j = 0;

    while (i < a->count || j < b->count)
        if (j == b->count || (i < a->count && a->items[i] < b->items[j]))
            out[i + j] = a->items[i], i++;
        else
            out[i + j] = b->items[j], j++;
    return (unsigned)(i + j);
}

void routers_build(struct reader *reader, struct snapshot *snapshot)
{
    struct sorted sorted = {0};
    struct router *shared = NULL;
    unsigned last = reader->draft->route_count;
    uint32_t *merged = ARENA_ARRAY(&reader->complaints->arena, uint32_t, last);

    sort_out(reader, snapshot, &sorted);
    for (unsigned i = 0; i < snapshot->listener_count; i++) {
        struct listener *listener = &snapshot->listeners[i];
        bool is_named = sorted.own[i].count > 0;

        if (listener->kind != LISTENER_HTTP)
            continue;
        if (is_named || !shared)
            listener->router = router_of(reader->arena, snapshot->routes, merged,
                                         merge(&sorted.common, &sorted.own[i], merged));
        else
            listener->router = shared;
        if (!is_named)
            shared = listener->router;
        if (listener->to)
            listener->router = router_ending_in(reader->arena, listener->router, last++);
    }
}
