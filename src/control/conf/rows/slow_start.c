/* The rows of a pool's slow start. Its short form, a duration, is made long in shorthand.c. */
#include "control/conf/draft.h"

const struct conf_row slow_start_rows[] = {
    {.name = "window",
     .type = CONF_DURATION,
     CONF_AT(struct slow_start, window),
     .fallback = "30s",
     .min = 100,
     .max = 24 * (uint64_t)HOUR,
     .doc = "How long it takes to come to its whole weight."},
    {.name = "aggression",
     .type = CONF_FACTOR,
     CONF_AT(struct slow_start, aggression),
     .fallback = "1.0",
     .min = 100,
     .max = 10000,
     .doc = "1 grows evenly, more grows early, less grows late."},
    {.name = "min_weight",
     .type = CONF_PERCENT,
     CONF_AT(struct slow_start, min_weight),
     .fallback = "10%",
     .max = 100,
     .doc = "What it begins with."},
    {.name = NULL},
};
