/* Slabs of chunks and a small stock of pipes around a loop. */
#include "io/engine.h"

#include "base/check.h"

#include <stdlib.h>

enum err engine_init(struct engine *engine, unsigned index)
{
    uint64_t seed;
    enum err e;

    *engine = (struct engine){.index = index};
    if ((e = loop_init(&engine->loop)))
        return e;
    sys_random(&seed, sizeof seed);
    rand_seed(&engine->rand, seed);
    slab_init(&engine->small, "chunk_small", sizeof(struct chunk) + CHUNK_SMALL);
    slab_init(&engine->large, "chunk_large", sizeof(struct chunk) + CHUNK_LARGE);
    list_init(&engine->pipes);
    engine->scratch = malloc(SCRATCH_SIZE);
    CHECK(engine->scratch != NULL);
    return ERR_OK;
}

static void pipe_close(struct pipe *pipe)
{
    sys_close(pipe->fds[0]);
    sys_close(pipe->fds[1]);
    free(pipe);
}

void engine_close(struct engine *engine)
{
    struct list *node;

    while ((node = list_take(&engine->pipes)))
        pipe_close(list_entry(node, struct pipe, node));
    slab_close(&engine->small);
    slab_close(&engine->large);
    free(engine->scratch);
    loop_close(&engine->loop);
}

struct chunk *chunk_new(struct engine *engine, unsigned size)
{
    bool is_small = size <= CHUNK_SMALL;
    struct chunk *chunk = slab_take(is_small ? &engine->small : &engine->large);

    CHECK(size <= CHUNK_LARGE);
    chunk->next = NULL;
    chunk->at = chunk->end = 0;
    chunk->room = is_small ? CHUNK_SMALL : CHUNK_LARGE;
    return chunk;
}

void chunk_free(struct engine *engine, struct chunk *chunk)
{
    slab_give(chunk->room == CHUNK_SMALL ? &engine->small : &engine->large, chunk);
}

struct pipe *pipe_take(struct engine *engine)
{
    struct list *node = list_take(&engine->pipes);
    struct pipe *pipe;

    if (node) {
        engine->pipe_count--;
        return list_entry(node, struct pipe, node);
    }
    pipe = calloc(1, sizeof *pipe);
    if (!pipe)
        return NULL;
    list_init(&pipe->node);
    if (sys_pipe(pipe->fds, PIPE_SIZE)) {
        free(pipe);
        return NULL;
    }
    return pipe;
}

void pipe_give(struct engine *engine, struct pipe *pipe)
{
    if (pipe->held || engine->pipe_count >= PIPES_KEPT) {
        pipe_close(pipe);
        return;
    }
    engine->pipe_count++;
    list_push(&engine->pipes, &pipe->node);
}
