/*
 * The window is a ring of eight slots. It is looked at where a slot ends, so the rule is
 * kept to an eighth of the window; nothing is ever summed while bytes come in.
 */
#include "guard/pace.h"

enum { WINDOW_LEAST_MS = 1000 };

static uint64_t slot_ms(const struct slow_client *rule)
{
    uint32_t window = rule->grace > WINDOW_LEAST_MS ? rule->grace : WINDOW_LEAST_MS;

    return window / PACE_SLOTS;
}

/* How long it has been the client's turn. */
static uint64_t pace_active(const struct pace *pace, uint64_t now_ms)
{
    return (pace->held_at == UINT64_MAX ? now_ms : pace->held_at) - pace->began;
}

void pace_begin(struct pace *pace, uint64_t now_ms)
{
    *pace = (struct pace){.began = now_ms, .held_at = UINT64_MAX};
}

void pace_add(struct pace *pace, const struct slow_client *rule, uint64_t bytes,
              uint64_t now_ms)
{
    uint64_t slot = pace_active(pace, now_ms) / slot_ms(rule);
    uint32_t *here = &pace->bytes[slot % PACE_SLOTS];

    if (slot - pace->slot >= PACE_SLOTS)
        memset(pace->bytes, 0, sizeof pace->bytes);
    else
        for (uint64_t i = pace->slot + 1; i <= slot; i++)
            pace->bytes[i % PACE_SLOTS] = 0;
    pace->slot = slot;
    *here = bytes > UINT32_MAX - *here ? UINT32_MAX : *here + (uint32_t)bytes;
}

void pace_hold(struct pace *pace, uint64_t now_ms)
{
    if (pace->held_at == UINT64_MAX)
        pace->held_at = now_ms;
}

void pace_go_on(struct pace *pace, uint64_t now_ms)
{
    if (pace->held_at == UINT64_MAX)
        return;
    pace->began += now_ms - pace->held_at;
    pace->held_at = UINT64_MAX;
}

/* Bytes of the window that ends where slot `end` begins; its first slot is still there. */
static uint64_t window_bytes(const struct pace *pace, uint64_t end)
{
    uint64_t sum = 0;

    for (uint64_t i = end - PACE_SLOTS; i < end && i <= pace->slot; i++)
        sum += pace->bytes[i % PACE_SLOTS];
    return sum;
}

uint64_t pace_left(const struct pace *pace, const struct slow_client *rule,
                   uint64_t now_ms)
{
    uint64_t slot = slot_ms(rule), needed = rule->min_rate * slot * PACE_SLOTS / 1000;
    uint64_t active = pace_active(pace, now_ms), end = active / slot;

    if (!needed || pace->held_at != UINT64_MAX)
        return UINT64_MAX;
    if (end <= pace->slot)
        end = pace->slot + 1; /* the window before has lost its first slot */
    if (end < PACE_SLOTS)
        end = PACE_SLOTS;
    while (window_bytes(pace, end) >= needed)
        end++;
    return end * slot <= active ? 0 : end * slot - active;
}
