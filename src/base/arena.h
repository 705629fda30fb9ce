/*
 * A bump allocator: many allocations, one release. One arena per lifetime (snapshot,
 * exchange, an endpoint set). Nobody frees anything inside it. Memory of our own cannot
 * fail in the middle of work (admission asks the budget first), so arena_alloc never
 * returns NULL: an exhausted system ends the process.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena_block;

struct arena {
    char *at;  /* next free byte */
    char *end; /* end of the block in use */
    struct arena_block *blocks;
    char *first; /* memory lent by the owner, used before any block; may be NULL */
    size_t first_size;
    size_t block_size;
    size_t total; /* bytes held in blocks */
};

/* block_size: how much is taken from the heap at a time (0: 8 KiB). */
void arena_init(struct arena *arena, size_t block_size);

/* As arena_init, but starts in `size` bytes at `memory`, which must outlive the arena. */
void arena_init_in(struct arena *arena, void *memory, size_t size, size_t block_size);

/* Gives all blocks back; the arena may be used again as after init. */
void arena_reset(struct arena *arena);

/* As arena_reset, for what held secrets: its bytes are overwritten first. */
void arena_wipe(struct arena *arena);

/* The slow path of arena_alloc: takes a new block. */
void *arena_grow(struct arena *arena, size_t size);

/* Aligned to 16 bytes, not cleared. size 0 gives a unique valid pointer. */
static inline void *arena_alloc(struct arena *arena, size_t size)
{
    size_t rounded = (size + 15 + (size == 0)) & ~(size_t)15;
    char *p = arena->at;

    if (unlikely((size_t)(arena->end - p) < rounded || rounded < size))
        return arena_grow(arena, size);
    arena->at = p + rounded;
    return p;
}

/* Cleared to zero. */
void *arena_zalloc(struct arena *arena, size_t size);

/* A copy of the bytes, with a NUL behind them that the length does not count. */
str arena_copy(struct arena *arena, str s);

/* printf into the arena. */
str arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

#define ARENA_NEW(arena, type) ((type *)arena_zalloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) \
    ((type *)arena_zalloc((arena), sizeof(type) * (size_t)(count)))

#endif
