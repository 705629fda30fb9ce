/*
 * The thresholds are those of guard/health, but fed by checks alone: a server that a run
 * of failed requests has taken down is asked at its usual interval until the checks see
 * it too, which does no harm.
 */
#include "guard/rhythm.h"

void rhythm_note(struct rhythm *rhythm, const struct health_check *check, bool has_passed)
{
    uint32_t *streak = has_passed ? &rhythm->passed : &rhythm->failed;
    uint32_t needed = has_passed ? check->healthy_after : check->unhealthy_after;

    *(has_passed ? &rhythm->failed : &rhythm->passed) = 0;
    if (*streak < UINT32_MAX)
        ++*streak;
    if (!rhythm->is_known || *streak >= needed)
        rhythm->is_down = !has_passed;
    rhythm->is_known = true;
}

/* Has the last check said the opposite of what is decided? */
static bool is_in_doubt(const struct rhythm *rhythm)
{
    return rhythm->is_down ? rhythm->passed > 0 : rhythm->failed > 0;
}

/* Without jitter. */
static uint32_t due_interval(const struct rhythm *rhythm,
                             const struct health_check *check)
{
    uint64_t interval = check->interval;

    if (is_in_doubt(rhythm))
        return check->fast_interval && check->fast_interval < check->interval
                   ? check->fast_interval
                   : check->interval;
    if (check->max_interval <= check->interval)
        return check->interval;
    for (uint32_t calm = rhythm->passed / RHYTHM_CALM; calm; calm--) {
        interval *= 2;
        if (interval >= check->max_interval)
            return check->max_interval;
    }
    return (uint32_t)interval;
}

uint32_t rhythm_next(const struct rhythm *rhythm, const struct health_check *check,
                     struct rand *rand)
{
    uint64_t interval = due_interval(rhythm, check);
    uint64_t spread = interval * check->jitter / 100;
    uint64_t next = interval - (spread < interval ? spread : interval);

    next += rand_below(rand, 2 * spread + 1);
    return next ? (uint32_t)next : 1;
}
