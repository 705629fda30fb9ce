/* The curve, in floating point: it is asked ten times a second for a few servers. */
#include "guard/slow_start.h"

#include <math.h>

unsigned slow_start_ramp(const struct slow_start *settings, uint64_t elapsed_ms)
{
    double part, least;
    unsigned ramp;

    if (!settings->is_enabled || elapsed_ms >= settings->window)
        return RAMP_FULL;
    part = pow((double)elapsed_ms / settings->window, 1000.0 / settings->aggression);
    least = settings->min_weight / 100.0;
    ramp = (unsigned)((part > least ? part : least) * RAMP_FULL);
    return ramp ? ramp : 1;
}
