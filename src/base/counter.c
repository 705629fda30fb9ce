/* The bounds of the histograms, and reading them: sums, and quantiles by estimate. */
#include "base/counter.h"

const uint64_t histogram_bounds_us[HISTOGRAM_BOUNDS] = {
    5000,   10000,  25000,   50000,   75000,   100000,  250000,
    500000, 750000, 1000000, 2500000, 5000000, 7500000, 10000000,
};

void histogram_sum(struct histogram *into, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += counter_read(&from->buckets[i]);
    into->sum_us += counter_read(&from->sum_us);
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        count += counter_read(&histogram->buckets[i]);
    return count;
}

uint64_t histogram_quantile(const struct histogram *histogram, double q)
{
    double rank = q * (double)histogram_count(histogram), below = 0;
    uint64_t from = 0;

    if (histogram_count(histogram) == 0)
        return 0;
    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
        double here = (double)counter_read(&histogram->buckets[i]);
        uint64_t to = histogram_bounds_us[i];

        if (here > 0 && below + here >= rank)
            return from + (uint64_t)((double)(to - from) * (rank - below) / here);
        below += here;
        from = to;
    }
    return from;
}
