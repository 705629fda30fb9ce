/*
 * Passive health: which server differs from its fellows so much that it should rest for a
 * while? Pure judgements over counters that only grow; time and chance come by argument.
 * Three questions: failures in a row (the workers count them), the share of failures
 * within a window, and the time to the first byte beside the pool's median. And the
 * bounds: never more than a share of the pool, never the last one that is usable.
 */
#ifndef GUARD_OUTLIER_H
#define GUARD_OUTLIER_H

#include "base/rand.h"
#include "lb/model.h"

enum { OUTLIER_SLOTS = 10, OUTLIER_FELLOWS = 3, OUTLIER_LEAST_US = 25000 };

/* Of one server since ever. */
struct outlier_counts {
    uint64_t total, failed;  /* requests */
    uint64_t timed, time_us; /* answers, and the sum of their times to first byte */
};

/* What is remembered of one server. All zero to begin with. */
struct outlier {
    struct outlier_counts past[OUTLIER_SLOTS];
    uint64_t past_at[OUTLIER_SLOTS]; /* monotonic ns; 0: none yet */
    unsigned next;
    uint64_t until;     /* monotonic ns: it rests until then; 0: it does not */
    uint64_t eased_at;  /* when its ejections were last looked at */
    unsigned ejections; /* lately */
};

/* Keeps a sample when the last one is a tenth of `within` old. */
void outlier_sample(struct outlier *outlier, const struct passive *passive,
                    const struct outlier_counts *counts, uint64_t now);

/* What has been counted within the window. */
struct outlier_counts outlier_window(const struct outlier *outlier,
                                     const struct passive *passive,
                                     const struct outlier_counts *counts, uint64_t now);

/* Is the share of failures above error_rate? Never with fewer than `samples` requests. */
bool outlier_fails_often(const struct passive *passive,
                         const struct outlier_counts *window);

/* Microseconds; 0: there are fewer than `samples` answers to judge by. */
uint64_t outlier_mean(const struct passive *passive, const struct outlier_counts *window);

/*
 * Above which mean a server is too slow: `latency` times the median deviation above the
 * median of all means, at least twice the median and OUTLIER_LEAST_US more. UINT64_MAX:
 * with fewer than OUTLIER_FELLOWS nothing can be said. `means` is put out of order.
 */
uint64_t outlier_slow_bound(const struct passive *passive, uint64_t *means,
                            unsigned count);

/* May one more rest? all: servers of the pool; usable: of them, now. */
bool outlier_may_eject(const struct passive *passive, unsigned all, unsigned ejected,
                       unsigned usable);

/* It rests: `eject` times its ejections lately, at most eject_max, and up to a tenth more
 * by chance. Its window begins anew. Gives milliseconds. */
uint64_t outlier_eject(struct outlier *outlier, const struct passive *passive,
                       uint64_t now, struct rand *rand);

/* It may serve again. */
void outlier_return(struct outlier *outlier, uint64_t now);

/* To be called now and then: for each `eject` that it has served well one ejection is
 * forgotten. */
void outlier_ease(struct outlier *outlier, const struct passive *passive, uint64_t now);

#endif
