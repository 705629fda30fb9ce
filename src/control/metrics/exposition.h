/*
 * Prometheus' text format 0.0.4: families with HELP and TYPE, samples with labels. Order
 * and names are the caller's part; escaping and numbers are done here.
 */
#ifndef CONTROL_EXPOSITION_H
#define CONTROL_EXPOSITION_H

#include "base/counter.h"
#include "control/conf/scroll.h"

/* A key of ours and a value; NULL as key ends a list. */
struct label {
    const char *key;
    str value;
};

#define LABELS(...) ((const struct label[]){__VA_ARGS__, {NULL, {NULL, 0}}})
#define NO_LABELS ((const struct label[]){{NULL, {NULL, 0}}})

/* type: "counter", "gauge", "histogram". All samples of a family follow it at once. */
void exposition_family(struct scroll *out, const char *name, const char *type,
                       const char *help);

void exposition_u64(struct scroll *out, const char *name, const struct label *labels,
                    uint64_t value);
void exposition_double(struct scroll *out, const char *name, const struct label *labels,
                       double value);

/* Nanoseconds, said as seconds. */
void exposition_seconds(struct scroll *out, const char *name, const struct label *labels,
                        uint64_t ns);

/* name_bucket for each bound, cumulative, then name_sum and name_count. */
void exposition_histogram(struct scroll *out, const char *name,
                          const struct label *labels, const struct histogram *histogram);

#endif
