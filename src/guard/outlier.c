/*
 * The median and the median deviation are found by selection, so a look at a pool costs
 * as much as it has servers. They are used rather than mean and standard deviation because
 * the one that is looked for must not move what it is measured by.
 */
#include "guard/outlier.h"

#define MS UINT64_C(1000000)

static uint64_t step_of(const struct passive *passive)
{
    return (uint64_t)passive->within * MS / OUTLIER_SLOTS;
}

void outlier_sample(struct outlier *outlier, const struct passive *passive,
                    const struct outlier_counts *counts, uint64_t now)
{
    unsigned last = (outlier->next + OUTLIER_SLOTS - 1) % OUTLIER_SLOTS;

    if (outlier->past_at[last] && now - outlier->past_at[last] < step_of(passive))
        return;
    outlier->past[outlier->next] = *counts;
    outlier->past_at[outlier->next] = now;
    outlier->next = (outlier->next + 1) % OUTLIER_SLOTS;
}

struct outlier_counts outlier_window(const struct outlier *outlier,
                                     const struct passive *passive,
                                     const struct outlier_counts *counts, uint64_t now)
{
    uint64_t within = (uint64_t)passive->within * MS, oldest = now;
    struct outlier_counts from = *counts;

    for (unsigned i = 0; i < OUTLIER_SLOTS; i++) {
        uint64_t at = outlier->past_at[i];

        if (!at || at > oldest || now - at > within)
            continue;
        oldest = at;
        from = outlier->past[i];
    }
    return (struct outlier_counts){
        counts->total - from.total, counts->failed - from.failed,
        counts->timed - from.timed, counts->time_us - from.time_us};
}

bool outlier_fails_often(const struct passive *passive,
                         const struct outlier_counts *window)
{
    return passive->error_rate && window->total && window->total >= passive->samples &&
           window->failed * 100 > window->total * passive->error_rate;
}

uint64_t outlier_mean(const struct passive *passive, const struct outlier_counts *window)
{
    uint64_t mean;

    if (!window->timed || window->timed < passive->samples)
        return 0;
    mean = window->time_us / window->timed;
    return mean ? mean : 1;
}

static void swap(uint64_t *a, uint64_t *b)
{
    uint64_t kept = *a;

    *a = *b;
    *b = kept;
}

/* The value that would stand at `rank` if they were in order (Hoare's selection). */
static uint64_t select_rank(uint64_t *values, unsigned count, unsigned rank)
{
    unsigned low = 0, high = count - 1;

    while (low < high) {
        uint64_t pivot = values[(low + high) / 2];
        unsigned i = low, j = high;

        for (;;) {
            while (values[i] < pivot)
                i++;
            while (values[j] > pivot)
                j--;
            if (i >= j)
                break;
            swap(&values[i++], &values[j--]);
        }
        if (i == j && values[i] == pivot && rank == i)
            return pivot;
        if (rank <= j)
            high = j;
        else
            low = j + 1;
    }
    return values[low];
}

/* The lower one of two. */
static uint64_t median(uint64_t *values, unsigned count)
{
    return select_rank(values, count, (count - 1) / 2);
}

uint64_t outlier_slow_bound(const struct passive *passive, uint64_t *means,
                            unsigned count)
{
    uint64_t middle, bound, least;

    if (!passive->latency || count < OUTLIER_FELLOWS)
        return UINT64_MAX;
    middle = median(means, count);
    for (unsigned i = 0; i < count; i++)
        means[i] = means[i] > middle ? means[i] - middle : middle - means[i];
    bound = middle + passive->latency * median(means, count);
    least =
        2 * middle > middle + OUTLIER_LEAST_US ? 2 * middle : middle + OUTLIER_LEAST_US;
    return bound > least ? bound : least;
}

bool outlier_may_eject(const struct passive *passive, unsigned all, unsigned ejected,
                       unsigned usable)
{
    return usable > 1 &&
           ((uint64_t)ejected + 1) * 100 <= (uint64_t)all * passive->max_ejected;
}

static void window_begin(struct outlier *outlier)
{
    for (unsigned i = 0; i < OUTLIER_SLOTS; i++)
        outlier->past_at[i] = 0;
    outlier->next = 0;
}

uint64_t outlier_eject(struct outlier *outlier, const struct passive *passive,
                       uint64_t now, struct rand *rand)
{
    uint64_t time;

    outlier->ejections++;
    time = (uint64_t)passive->eject * outlier->ejections;
    if (time >= passive->eject_max) {
        time = passive->eject_max;
        outlier->ejections--; /* more would only take longer to be forgotten */
    }
    time += rand_below(rand, time / 10 + 1);
    outlier->until = now + time * MS;
    window_begin(outlier);
    return time;
}

void outlier_return(struct outlier *outlier, uint64_t now)
{
    outlier->until = 0;
    outlier->eased_at = now;
    window_begin(outlier);
}

void outlier_ease(struct outlier *outlier, const struct passive *passive, uint64_t now)
{
    uint64_t step = (uint64_t)passive->eject * MS;

    if (outlier->until)
        return;
    while (outlier->ejections && now - outlier->eased_at >= step) {
        outlier->ejections--;
        outlier->eased_at += step;
    }
}
