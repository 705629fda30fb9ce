/*
 * For every level there is a clock of how long it has been at least as well as that; the
 * best level whose clock has run for the hold is where to go up to.
 */
#include "guard/degrade.h"

static bool rule_holds(const struct degrade_rule *rule, unsigned healthy, unsigned all)
{
    uint64_t have = rule->is_share ? (uint64_t)healthy * 100 : healthy;
    uint64_t want = rule->is_share ? (uint64_t)rule->least * all : rule->least;

    if (rule->is_share && !all)
        return false; /* a share of nothing */
    return rule->is_beyond ? have > want : have >= want;
}

enum degrade_level degrade_wanted(const struct ladder *ladder, unsigned healthy,
                                  unsigned all)
{
    enum degrade_level last = DEGRADE_FULL;

    for (unsigned level = DEGRADE_FULL; level < DEGRADE_COUNT; level++) {
        const struct degrade_rule *rule = &ladder->rules[level];

        if (!rule->is_there)
            continue;
        if (level == DEGRADE_MAINTENANCE || rule_holds(rule, healthy, all))
            return level;
        last = level;
    }
    return last;
}

static void run_clocks(struct degrade_state *state, enum degrade_level wanted,
                       uint64_t now)
{
    for (unsigned level = DEGRADE_FULL; level < DEGRADE_COUNT; level++) {
        if (wanted > level)
            state->good_since[level] = 0;
        else if (!state->good_since[level])
            state->good_since[level] = now;
    }
}

static uint64_t hold_of(const struct ladder *ladder)
{
    return (uint64_t)ladder->hold * 1000000;
}

/* The best level that has lasted and that the ladder has. */
static enum degrade_level lasting(const struct degrade_state *state,
                                  const struct ladder *ladder, uint64_t now)
{
    for (unsigned level = DEGRADE_FULL; level < state->level; level++)
        if (ladder->rules[level].is_there && state->good_since[level] &&
            now - state->good_since[level] >= hold_of(ladder))
            return level;
    return state->level;
}

bool degrade_look(struct degrade_state *state, const struct ladder *ladder,
                  unsigned healthy, unsigned all, uint64_t now)
{
    enum degrade_level wanted = degrade_wanted(ladder, healthy, all);
    enum degrade_level before = state->level;

    run_clocks(state, wanted, now);
    if (state->is_forced)
        return false;
    if (!state->has_begun || wanted > state->level ||
        !ladder->rules[state->level].is_there) /* a reload took the level away */
        state->level = wanted;
    else
        state->level = lasting(state, ladder, now);
    state->has_begun = true;
    return state->level != before;
}

bool degrade_force(struct degrade_state *state, enum degrade_level level)
{
    enum degrade_level before = state->level;

    state->has_begun = true;
    state->is_forced = true;
    state->level = level;
    return level != before;
}

void degrade_release(struct degrade_state *state)
{
    state->is_forced = false;
}

uint64_t degrade_rises_in(const struct degrade_state *state, const struct ladder *ladder,
                          uint64_t now)
{
    uint64_t nearest = UINT64_MAX;

    for (unsigned level = DEGRADE_FULL; !state->is_forced && level < state->level;
         level++) {
        uint64_t since = state->good_since[level], waited = now - since;

        if (!since || !ladder->rules[level].is_there)
            continue;
        waited = waited < hold_of(ladder) ? hold_of(ladder) - waited : 1;
        nearest = waited < nearest ? waited : nearest;
    }
    return nearest == UINT64_MAX ? 0 : nearest;
}
