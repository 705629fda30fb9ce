/*
 * Objects of one size, given out and taken back in O(1) from a free list. One owner
 * thread. Memory is taken from the heap in slabs and kept until slab_close, so that a
 * burst's memory is there for the next one.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include "base/compiler.h"

#include <stdbool.h>

struct slab_item;
struct slab_page;

struct slab {
    struct slab_item *free;
    struct slab_page *pages;
    const char *name; /* for the memory metric */
    size_t item_size;
    size_t per_page;
    size_t in_use;
    size_t held; /* bytes taken from the heap; others may read it by slab_held */
};

/* name: static text. item_size in bytes. */
void slab_init(struct slab *slab, const char *name, size_t item_size);

/* Not cleared. Never NULL (see arena.h on memory). Most recently freed first. */
void *slab_take(struct slab *slab);

/* item came from slab_take of the same slab. */
void slab_give(struct slab *slab, void *item);

/* Any thread, while the slab is there. */
static inline size_t slab_held(const struct slab *slab)
{
    return __atomic_load_n(&slab->held, __ATOMIC_RELAXED);
}

/* Everything must have been given back. */
void slab_close(struct slab *slab);

#endif
