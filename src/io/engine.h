/*
 * What a thread needs to run protocols: a loop, memory for bytes in flight, chance and a
 * place to build messages in. Workers, the prober and the steward each have one, so the
 * same HTTP code serves clients, checks and the admin socket alike. One owner thread.
 */
#ifndef IO_ENGINE_H
#define IO_ENGINE_H

#include "base/rand.h"
#include "base/slab.h"
#include "io/loop.h"

/* Receive buffers. A small one takes a usual head; a large one the largest head there
 * may be, or a piece of a body. */
enum {
    CHUNK_SMALL = 16 * 1024,
    CHUNK_LARGE = 64 * 1024,
    SCRATCH_SIZE = 160 * 1024,
    PIPE_SIZE = 1024 * 1024,
    PIPES_KEPT = 16,
};

/*
 * A buffer with the bytes from `at` to `end` waiting in it. Whoever holds slices into a
 * chunk holds the chunk.
 */
struct chunk {
    struct chunk *next; /* where several wait in a row */
    unsigned at, end, room;
    char bytes[];
};

/* A kernel pipe for splicing; held only while bytes are inside. */
struct pipe {
    struct list node;
    int fds[2];
    size_t held; /* bytes inside */
};

struct engine {
    struct loop loop;
    struct rand rand;
    struct slab small, large;
    struct list pipes; /* idle ones */
    unsigned pipe_count;
    uint64_t memory_most; /* for chunks; 0: no bound of its own */
    unsigned index;       /* among workers; counts and shards are kept under it */
    char *scratch;        /* SCRATCH_SIZE bytes; nobody's after a wait */
};

MUST_CHECK enum err engine_init(struct engine *engine, unsigned index);
void engine_close(struct engine *engine);

/* Is so much in use that no new work should be taken in? What has begun may go on: each
 * exchange is bounded by itself. */
static inline bool engine_is_full(const struct engine *engine)
{
    uint64_t used = (uint64_t)engine->small.in_use * CHUNK_SMALL +
                    (uint64_t)engine->large.in_use * CHUNK_LARGE;

    return engine->memory_most && used > engine->memory_most;
}

/* A buffer's size where `size` would be best: a small one when memory is short. */
static inline unsigned engine_room(const struct engine *engine, unsigned size)
{
    return engine_is_full(engine) ? CHUNK_SMALL : size;
}

/* An empty chunk. */
struct chunk *chunk_new(struct engine *engine, unsigned size);
void chunk_free(struct engine *engine, struct chunk *chunk);

static inline str chunk_bytes(const struct chunk *chunk)
{
    return (str){chunk->bytes + chunk->at, chunk->end - chunk->at};
}

/* An empty pipe, NULL where the system gives none (copy instead). */
struct pipe *pipe_take(struct engine *engine);

/* Back to the idle ones; one with bytes left inside is closed. */
void pipe_give(struct engine *engine, struct pipe *pipe);

#endif
