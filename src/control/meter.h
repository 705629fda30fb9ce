/*
 * Rates and quantiles of the last five to ten seconds out of counters that only grow: two
 * samples of the past are kept, and what has been counted since the older one is divided
 * by the time since then. Pure; times come by argument. The steward's own.
 */
#ifndef CONTROL_METER_H
#define CONTROL_METER_H

#include "base/counter.h"

#include <stdbool.h>

#define METER_EVERY_NS UINT64_C(5000000000)
#define METER_LEAST_NS UINT64_C(500000000)

/* Counters at one moment. */
struct meter_sample {
    uint64_t at; /* monotonic ns; 0: never */
    uint64_t count, errors;
    struct histogram latency;
};

/* All zero to begin with. */
struct meter {
    struct meter_sample older, newer;
};

/* To be called about once a second; takes every fifth or so. */
void meter_take(struct meter *meter, const struct meter_sample *now);

struct meter_reading {
    bool is_known;     /* long enough ago that there was a sample */
    bool has_latency;  /* something was timed since then */
    double rate;       /* a second */
    double errors;     /* share of the count, 0 to 1 */
    uint64_t p50, p95; /* microseconds */
};

struct meter_reading meter_read(const struct meter *meter,
                                const struct meter_sample *now);

#endif
