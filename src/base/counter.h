/*
 * Counts and latency histograms. A shard has one writer (a worker) with plain adds; a
 * reader on another thread sums. Words are aligned and 64 bits wide, so a reader sees a
 * value that was there at some moment; nothing stronger is needed or promised. Reads go
 * through counter_read, writes through counter_add, which the thread sanitizer respects.
 */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include "base/compiler.h"

#include <stdint.h>

enum { HISTOGRAM_BOUNDS = 14, HISTOGRAM_BUCKETS = HISTOGRAM_BOUNDS + 1 };

/* Upper bounds in microseconds: 5 ms to 10 s, as OpenTelemetry advises for HTTP. */
extern const uint64_t histogram_bounds_us[HISTOGRAM_BOUNDS];

struct histogram {
    uint64_t buckets[HISTOGRAM_BUCKETS]; /* not cumulative; the last: over all bounds */
    uint64_t sum_us;
};

static inline void counter_add(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline uint64_t counter_read(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static inline void histogram_add(struct histogram *histogram, uint64_t ns)
{
    uint64_t us = ns / 1000;
    unsigned at = 0;

    while (at < HISTOGRAM_BOUNDS && us > histogram_bounds_us[at])
        at++;
    counter_add(&histogram->buckets[at], 1);
    counter_add(&histogram->sum_us, us);
}

/* Adds `from` (being written by another thread) to `into` (the reader's own). */
void histogram_sum(struct histogram *into, const struct histogram *from);

/* How many values it holds. */
uint64_t histogram_count(const struct histogram *histogram);

/*
 * An estimate of quantile q (0..1) in microseconds by linear interpolation inside the
 * bucket; 0 when empty, the last bound when it lies beyond.
 */
uint64_t histogram_quantile(const struct histogram *histogram, double q);

#endif
