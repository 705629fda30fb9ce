/*
 * The bump allocator's slow half. Blocks hang in a list; an allocation larger than a
 * quarter of a block gets a block of its own, so that the rest of the current one is
 * not lost.
 */
#include "base/arena.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct arena_block {
    struct arena_block *next;
    size_t size;
    _Alignas(16) char bytes[];
};

enum { DEFAULT_BLOCK = 8192 };

static void begin(struct arena *arena)
{
    arena->at = arena->first;
    arena->end = arena->first ? arena->first + arena->first_size : NULL;
    arena->blocks = NULL;
    arena->total = 0;
}

void arena_init_in(struct arena *arena, void *memory, size_t size, size_t block_size)
{
    CHECK(((uintptr_t)memory & 15) == 0);
    arena->first = memory;
    arena->first_size = size & ~(size_t)15;
    arena->block_size = block_size ? block_size : DEFAULT_BLOCK;
    begin(arena);
}

void arena_init(struct arena *arena, size_t block_size)
{
    arena_init_in(arena, NULL, 0, block_size);
}

void arena_reset(struct arena *arena)
{
    struct arena_block *block = arena->blocks;

    while (block) {
        struct arena_block *next = block->next;

        free(block);
        block = next;
    }
    begin(arena);
}

void arena_wipe(struct arena *arena)
{
    if (arena->first)
        explicit_bzero(arena->first, arena->first_size);
    for (struct arena_block *block = arena->blocks; block; block = block->next)
        explicit_bzero(block->bytes, block->size);
    arena_reset(arena);
}

static struct arena_block *take_block(struct arena *arena, size_t size)
{
    struct arena_block *block = malloc(sizeof *block + size);

    if (!block)
        check_failed(__FILE__, __LINE__, "the system has memory left");
    block->size = size;
    arena->total += size;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *arena_grow(struct arena *arena, size_t size)
{
    struct arena_block *block;
    size_t rounded = (size + 15 + (size == 0)) & ~(size_t)15;

    CHECK(size <= SIZE_MAX / 2);
    if (rounded > arena->block_size / 4)
        return take_block(arena, rounded)->bytes;
    block = take_block(arena, arena->block_size);
    arena->at = block->bytes + rounded;
    arena->end = block->bytes + block->size;
    return block->bytes;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    void *p = arena_alloc(arena, size);

    return memset(p, 0, size);
}

str arena_copy(struct arena *arena, str s)
{
    char *p = arena_alloc(arena, s.n + 1);

    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return (str){p, s.n};
}

str arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    char *p;
    int n;

    va_start(args, format);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(n >= 0);
    p = arena_alloc(arena, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return (str){p, (size_t)n};
}
