/*
 * Has this worker more to do than it can do? From the memory it holds, the connections that
 * are busy and how long what is ready waits for its turn comes a level, and the level says
 * whom to turn away: first those of low priority, then all but the critical ones. Memory
 * and connections are believed at once; a wait only when it lasts, because a machine that
 * is busy elsewhere stops everybody for a moment. Down again by steps, each after a quiet
 * second. Pure: samples come in by argument.
 */
#ifndef GUARD_OVERLOAD_H
#define GUARD_OVERLOAD_H

#include "lb/model.h"

enum overload_level {
    OVERLOAD_NONE,
    OVERLOAD_LOW,    /* low priority is turned away */
    OVERLOAD_NORMAL, /* all but critical */
    OVERLOAD_COUNT,
};

enum overload_cause {
    OVERLOAD_BY_NOTHING,
    OVERLOAD_BY_MEMORY,
    OVERLOAD_BY_CONNECTIONS,
    OVERLOAD_BY_LAG,
    OVERLOAD_CAUSES,
};

/* "memory", "connections", "loop lag"; "". */
const char *overload_cause_text(enum overload_cause cause);

struct overload_sample {
    uint64_t now;         /* monotonic ns */
    unsigned memory;      /* thousandths of what may be held */
    unsigned connections; /* busy ones, in thousandths of those there may be */
    uint64_t lag;         /* ns */
};

struct overload_state {
    enum overload_level level;
    enum overload_cause cause;            /* of the level */
    uint64_t lag_since[OVERLOAD_COUNT];   /* as long as that or longer since; 0: not */
    unsigned lag_samples[OVERLOAD_COUNT]; /* since then */
    uint64_t calm_since;                  /* below the level; 0: not */
};

/* True: the level has changed. */
bool overload_look(struct overload_state *state, const struct overload_sample *sample);

/* Is a request of that priority turned away? */
static inline bool overload_sheds(enum overload_level level, enum priority priority)
{
    return level >= OVERLOAD_NORMAL ? priority != PRIORITY_CRITICAL
                                    : level == OVERLOAD_LOW && priority == PRIORITY_LOW;
}

#endif
