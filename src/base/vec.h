/*
 * A growing array in an arena: `struct vec_of(int) v = {0}; *vec_add(&v, arena) = 3;`
 * Growing copies and leaves the old array to the arena.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "base/arena.h"

#define vec_of(type)        \
    {                       \
        type *items;        \
        size_t count, room; \
    }

/* The place of one more item, cleared. */
#define vec_add(vec, arena)                                            \
    ((vec)->items = vec_grow((vec)->items, (vec)->count, &(vec)->room, \
                             sizeof *(vec)->items, (arena)),           \
     &(vec)->items[(vec)->count++])

static inline void *vec_grow(void *items, size_t count, size_t *room, size_t item_size,
                             struct arena *arena)
{
    char *all = items;

    if (!items || count == *room) {
        *room = *room ? *room * 2 : 1; /* most hold one item, or very many */
        all = arena_alloc(arena, *room * item_size);
        if (items)
            memcpy(all, items, count * item_size);
    }
    memset(all + count * item_size, 0, item_size);
    return all;
}

#endif
