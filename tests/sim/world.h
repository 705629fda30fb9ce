/*
 * The simulated world's ground: one seed, one clock that only the world moves, things
 * that will happen, and the account of what has happened. There is one world at a time;
 * it is begun and ended for each seed, and everything allocated for it goes with it.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/arena.h"
#include "base/rand.h"

enum { MS = 1000000 };
#define SECOND UINT64_C(1000000000)

struct happening;
typedef void happen_fn(void *who, uint64_t what);

struct world {
    uint64_t seed;
    uint64_t now;         /* monotonic ns */
    uint64_t wall_offset; /* wall clock minus monotonic: may be stepped */
    struct rand rand;
    struct arena arena; /* players, streams: all that the world forgets at its end */
    struct happening *heap;
    size_t count, room;
    uint64_t serial;     /* of happenings: the order among those of one moment */
    uint64_t trace_hash; /* of all that was traced */
    bool prints;         /* the trace goes to stdout too */
    unsigned violations;
};

extern struct world world;

void world_begin(uint64_t seed, bool prints);
void world_end(void);

/* Uniform in [0, n), n > 0; [low, high]; true in `percent` of all cases. */
uint64_t draw(uint64_t n);
uint64_t draw_between(uint64_t low, uint64_t high);
bool draw_percent(unsigned percent);

/* Calls happen(who, what) at that time or as soon as the world comes to it. */
void world_at(uint64_t when, happen_fn *happen, void *who, uint64_t what);
void world_after(uint64_t delay, happen_fn *happen, void *who, uint64_t what);

/* The time of the next happening; UINT64_MAX: none. */
uint64_t world_next(void);

/* Lets the next one happen. */
void world_happen(void);

/* One line of the trace. `word` is static text. */
void trace(const char *word, uint64_t a, uint64_t b);

/* Something that must always hold does not. Says so with the seed that replays it. */
void violation(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
