/* A level is entered at one mark and left at a lower one, so that it does not flutter. */
#include "guard/overload.h"

enum {
    LAG_SAMPLES = 3,
    MS = 1000000,
};

#define LAG_LASTS ((uint64_t)500 * MS)
#define CALM_LASTS ((uint64_t)1000 * MS)

static const struct mark {
    unsigned memory, connections; /* thousandths */
    uint64_t lag;
} enter[OVERLOAD_COUNT] = {[OVERLOAD_LOW] = {750, 800, (uint64_t)250 * MS},
                           [OVERLOAD_NORMAL] = {900, 950, (uint64_t)1000 * MS}},
  stay[OVERLOAD_COUNT] = {[OVERLOAD_LOW] = {650, 700, (uint64_t)125 * MS},
                          [OVERLOAD_NORMAL] = {800, 850, (uint64_t)500 * MS}};

const char *overload_cause_text(enum overload_cause cause)
{
    static const char *const texts[OVERLOAD_CAUSES] = {
        [OVERLOAD_BY_NOTHING] = "",
        [OVERLOAD_BY_MEMORY] = "memory",
        [OVERLOAD_BY_CONNECTIONS] = "connections",
        [OVERLOAD_BY_LAG] = "loop lag",
    };

    return texts[cause];
}

static void note_lag(struct overload_state *state, const struct overload_sample *sample)
{
    for (unsigned level = OVERLOAD_LOW; level < OVERLOAD_COUNT; level++) {
        if (sample->lag < enter[level].lag) {
            state->lag_since[level] = 0;
            state->lag_samples[level] = 0;
            continue;
        }
        if (!state->lag_samples[level]++)
            state->lag_since[level] = sample->now;
    }
}

static bool lag_lasts(const struct overload_state *state, unsigned level, uint64_t now)
{
    return state->lag_samples[level] >= LAG_SAMPLES &&
           now - state->lag_since[level] >= LAG_LASTS;
}

/* The highest level that a sample calls for, and why. */
static enum overload_level called_for(const struct overload_state *state,
                                      const struct overload_sample *sample,
                                      enum overload_cause *cause)
{
    for (unsigned level = OVERLOAD_COUNT - 1; level > OVERLOAD_NONE; level--) {
        *cause = sample->memory >= enter[level].memory ? OVERLOAD_BY_MEMORY
                 : sample->connections >= enter[level].connections
                     ? OVERLOAD_BY_CONNECTIONS
                 : lag_lasts(state, level, sample->now) ? OVERLOAD_BY_LAG
                                                        : OVERLOAD_BY_NOTHING;
        if (*cause != OVERLOAD_BY_NOTHING)
            return level;
    }
    return OVERLOAD_NONE;
}

static bool may_stay(enum overload_level level, const struct overload_sample *sample)
{
    return sample->memory >= stay[level].memory ||
           sample->connections >= stay[level].connections ||
           sample->lag >= stay[level].lag;
}

static bool calm_down(struct overload_state *state, const struct overload_sample *sample)
{
    if (state->level == OVERLOAD_NONE || may_stay(state->level, sample)) {
        state->calm_since = 0;
        return false;
    }
    if (!state->calm_since)
        state->calm_since = sample->now;
    if (sample->now - state->calm_since < CALM_LASTS)
        return false;
    state->calm_since = 0;
    state->level--;
    if (state->level == OVERLOAD_NONE)
        state->cause = OVERLOAD_BY_NOTHING;
    return true;
}

bool overload_look(struct overload_state *state, const struct overload_sample *sample)
{
    enum overload_cause cause;
    enum overload_level level;

    note_lag(state, sample);
    level = called_for(state, sample, &cause);
    if (level <= state->level)
        return calm_down(state, sample);
    state->level = level;
    state->cause = cause;
    state->calm_since = 0;
    return true;
}
