/* The difference of two samples. */
#include "control/meter.h"

void meter_take(struct meter *meter, const struct meter_sample *now)
{
    if (meter->newer.at == 0) {
        meter->older = meter->newer = *now;
    } else if (now->at - meter->newer.at >= METER_EVERY_NS) {
        meter->older = meter->newer;
        meter->newer = *now;
    }
}

struct meter_reading meter_read(const struct meter *meter, const struct meter_sample *now)
{
    const struct meter_sample *then = &meter->older;
    struct meter_reading reading = {0};
    struct histogram lately;
    uint64_t count;

    if (then->at == 0 || now->at < then->at + METER_LEAST_NS)
        return reading;
    count = now->count - then->count;
    reading.is_known = true;
    reading.rate = (double)count * 1e9 / (double)(now->at - then->at);
    if (count)
        reading.errors = (double)(now->errors - then->errors) / (double)count;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        lately.buckets[i] = now->latency.buckets[i] - then->latency.buckets[i];
    reading.has_latency = histogram_count(&lately) > 0;
    reading.p50 = histogram_quantile(&lately, 0.5);
    reading.p95 = histogram_quantile(&lately, 0.95);
    return reading;
}
