/*
 * Windows of times, and what follows from each. Between a new limit and the next window
 * lies the time of an answer, so that what was begun under the old limit is not taken for
 * an effect of the new one. Logarithms are in whole numbers where workers take them, and
 * interpolated between powers of two: they are only compared with each other.
 */
#include "guard/capacity.h"

#include "base/counter.h"

#include <math.h>

enum {
    OCTAVE = 1024,
    PATIENCE = 3, /* windows without a slower one, then it grows in haste */
    FIRST_LIMIT = 16,
    CROWDED_SHARE = 10, /* one in so many, and the limit counts as used */
};

static const uint64_t settle_most_ns = 2000000000;
static const uint64_t look_after_ns = 4000000000; /* and up to as long again */
static const uint64_t look_windows = 8;
static const uint64_t look_again_ns = 500000000; /* where it has found something */
static const double tolerance = 0.25;            /* octaves: a fifth is not slower */
static const double gradient_least = 0.5;
static const double look_least = 0.5;    /* of what the calm time allows, */
static const double look_spread = 0.3;   /* and so much more by chance */
static const double look_bottom = 0.25;  /* of the limit */
static const double lowered_share = 0.8; /* of the load: it was less */
static const double failure_octaves = 2;
static const double found_octaves = 0.1;

/* A window ends when it has lasted for so long and has seen so many. */
static const struct {
    uint64_t ns;
    unsigned samples;
} window_ends[] = {{200000000, 100}, {1000000000, 30}, {5000000000, 10}};

const char *capacity_state_text(enum capacity_state state)
{
    static const char *const texts[CAPACITY_STATES] = {
        [CAPACITY_NEW] = "new",     [CAPACITY_UNUSED] = "unused",
        [CAPACITY_GROWS] = "grows", [CAPACITY_LOWER] = "lower",
        [CAPACITY_LOOKS] = "looks", [CAPACITY_FAILS] = "fails",
    };

    return texts[state];
}

/* ---- counting ---- */

static uint64_t octaves_of(uint64_t ns)
{
    unsigned whole;

    if (ns < OCTAVE)
        ns = OCTAVE; /* a microsecond */
    whole = 63 - (unsigned)__builtin_clzll(ns);
    return (uint64_t)whole * OCTAVE + (ns >> (whole - 10)) - OCTAVE;
}

void capacity_note(struct capacity_counts *own, unsigned limit,
                   const struct outcome *outcome)
{
    uint64_t octaves;

    if (outcome->is_unfinished && !outcome->latency)
        return;
    if (outcome->has_failed) {
        counter_add(&own->failed, 1);
    } else if (outcome->is_unfinished) {
        counter_add(&own->left, 1);
        counter_add(&own->left_octaves, octaves_of(outcome->latency));
    } else {
        counter_add(&own->answers, 1);
        octaves = octaves_of(outcome->latency);
        counter_add(&own->octaves, octaves);
        counter_add(&own->squares, octaves * octaves);
    }
    counter_add(&own->in_flight, outcome->in_flight);
    if ((uint64_t)outcome->in_flight * 3 >= (uint64_t)limit * 2)
        counter_add(&own->crowded, 1);
}

void capacity_add(struct capacity_counts *into, const struct capacity_counts *from)
{
    into->answers += counter_read(&from->answers);
    into->octaves += counter_read(&from->octaves);
    into->squares += counter_read(&from->squares);
    into->left += counter_read(&from->left);
    into->left_octaves += counter_read(&from->left_octaves);
    into->failed += counter_read(&from->failed);
    into->in_flight += counter_read(&from->in_flight);
    into->crowded += counter_read(&from->crowded);
}

static struct capacity_counts since(const struct capacity_counts *now,
                                    const struct capacity_counts *then)
{
    return (struct capacity_counts){
        .answers = now->answers - then->answers,
        .octaves = now->octaves - then->octaves,
        .squares = now->squares - then->squares,
        .left = now->left - then->left,
        .left_octaves = now->left_octaves - then->left_octaves,
        .failed = now->failed - then->failed,
        .in_flight = now->in_flight - then->in_flight,
        .crowded = now->crowded - then->crowded,
    };
}

/* ---- a window ---- */

struct window {
    double time;  /* log2 ns */
    double error; /* the standard error of it */
    double load;  /* in flight, on average */
    bool is_crowded;
    bool fails; /* nothing is known of its time */
};

static double mean_of(uint64_t octaves, uint64_t count)
{
    return (double)octaves / OCTAVE / (double)count;
}

/* Of the mean: so much may be chance. */
static double error_of(const struct capacity_counts *seen)
{
    double mean = mean_of(seen->octaves, seen->answers);
    double variance =
        (double)seen->squares / OCTAVE / OCTAVE / (double)seen->answers - mean * mean;

    return sqrt(fmax(variance, 0) / (double)seen->answers);
}

/* Of those who have left it is known that it takes longer than that: worth something only
 * where that is longer than the others took. */
static void add_left(struct capacity_counts *seen, double usual)
{
    if (!seen->left || mean_of(seen->left_octaves, seen->left) <= usual)
        return;
    seen->answers += seen->left;
    seen->octaves += seen->left_octaves;
}

static struct window window_of(const struct capacity *capacity,
                               struct capacity_counts seen)
{
    uint64_t all = seen.answers + seen.left + seen.failed;
    struct window window = {.load = (double)seen.in_flight / (double)all,
                            .is_crowded = seen.crowded * CROWDED_SHARE >= all};

    if (seen.answers)
        window.error = error_of(&seen);
    add_left(&seen, seen.answers ? mean_of(seen.octaves, seen.answers) : capacity->calm);
    window.fails = seen.failed > seen.answers;
    if (seen.answers)
        window.time = mean_of(seen.octaves, seen.answers);
    else if (capacity->calm > 0)
        window.time = capacity->calm;
    if (window.time > 0 && seen.failed)
        window.time +=
            failure_octaves * (double)seen.failed / (double)(seen.failed + seen.answers);
    return window;
}

/* ---- what follows ---- */

/* Has it become faster by a good part of what less load would make of a full server? */
static bool has_helped(const struct capacity *capacity, const struct window *window)
{
    double expected = log2(window->load / capacity->was_load);

    return window->time - capacity->was_time < expected / 3;
}

static void learn_calm_time(struct capacity *capacity, const struct window *window)
{
    double difference = window->time - capacity->calm;
    bool was_lowered =
        capacity->was_load > 0 && window->load <= lowered_share * capacity->was_load;

    if (window->fails)
        return; /* that is no time at all */
    if (capacity->calm <= 0)
        capacity->calm = window->time;
    else if (difference < 0)
        capacity->calm += capacity->resumed > 0 ? difference : difference / 4;
    else if (was_lowered && !has_helped(capacity, window))
        capacity->calm = window->time;
    else if (!window->is_crowded)
        capacity->calm += difference / 16;
}

static double between(const struct adaptive_concurrency *rule, double limit)
{
    return limit < rule->min ? rule->min : limit > rule->max ? rule->max : limit;
}

static void note_lowered(struct capacity *capacity, const struct window *window,
                         double limit)
{
    bool is_lower = limit < lowered_share * capacity->limit;

    capacity->was_load = is_lower ? window->load : 0;
    capacity->was_time = window->time;
}

/* What was begun before has mostly ended then. */
static uint64_t settle_time(const struct capacity *capacity)
{
    uint64_t time = 2 * capacity_time(capacity);

    return time < settle_most_ns ? time : settle_most_ns;
}

/* Not more often than once in ten windows or so: it costs a part of one. */
static void plan_look(struct capacity *capacity, uint64_t now, struct rand *rand)
{
    uint64_t after = look_windows * (now - capacity->began + settle_time(capacity));

    after = after < look_after_ns ? look_after_ns : after;
    capacity->look_at = now + after + rand_below(rand, after);
}

/* Less for one window; the limit that it would have had comes back after that. */
static double look(struct capacity *capacity, double limit, struct rand *rand)
{
    double share = look_least + look_spread * (double)rand_below(rand, 1000) / 1000;

    capacity->resumed = limit;
    capacity->state = CAPACITY_LOOKS;
    return capacity->limit *
           fmax(look_bottom, share * exp2(capacity->calm - capacity->time));
}

/* Octaves; not above 0: it is not. */
static double slower_by(const struct capacity *capacity, const struct window *window)
{
    return window->time - capacity->calm - tolerance - window->error;
}

static double next_limit(struct capacity *capacity, const struct window *window)
{
    double slower = slower_by(capacity, window);
    double gradient = slower > 0 ? exp2(-slower) : 1, limit, haste;

    if (gradient < gradient_least)
        gradient = gradient_least;
    capacity->has_peaked |= slower > 0 && window->is_crowded;
    capacity->state = window->fails         ? CAPACITY_FAILS
                      : slower > 0          ? CAPACITY_LOWER
                      : !window->is_crowded ? CAPACITY_UNUSED
                                            : CAPACITY_GROWS;
    if (!window->is_crowded) { /* slow, but not because of the limit: keep near the use */
        limit = fmax(capacity->limit * gradient, 2 * window->load);
        return fmin(limit, capacity->limit);
    }
    if (!capacity->has_peaked)
        return 2 * capacity->limit;
    capacity->streak = slower > 0 ? 0 : capacity->streak + 1;
    haste = capacity->streak > PATIENCE ? capacity->streak - PATIENCE : 1;
    return fmin(2 * capacity->limit,
                capacity->limit * gradient + haste * sqrt(capacity->limit));
}

/* It found something: then the next one comes soon. */
static void look_ended(struct capacity *capacity, bool has_found, uint64_t now,
                       struct rand *rand)
{
    capacity->limit = capacity->resumed;
    capacity->resumed = 0;
    capacity->was_load = 0;
    capacity->state = CAPACITY_LOWER;
    plan_look(capacity, now, rand);
    if (has_found)
        capacity->look_at = now + look_again_ns;
}

static void follow(struct capacity *capacity, const struct adaptive_concurrency *rule,
                   const struct window *window, uint64_t now, struct rand *rand)
{
    bool had_peaked = capacity->has_peaked;
    double limit = between(rule, next_limit(capacity, window));

    if (capacity->has_peaked && !had_peaked) /* perhaps it was full from the beginning */
        capacity->look_at = now + look_again_ns;
    if (!window->is_crowded || slower_by(capacity, window) <= 0)
        plan_look(capacity, now, rand);
    else if (now >= capacity->look_at && !window->fails)
        limit = between(rule, look(capacity, limit, rand));
    note_lowered(capacity, window, limit);
    capacity->limit = limit;
}

/* Of the first one only the length counts: the answers in it may be those that were there
 * first, which are the quick ones. */
static void window_ended(struct capacity *capacity,
                         const struct adaptive_concurrency *rule,
                         const struct window *window, uint64_t now, struct rand *rand)
{
    bool is_first = capacity->time <= 0;
    double calm = capacity->calm;

    capacity->time = window->time;
    if (is_first)
        return;
    learn_calm_time(capacity, window);
    if (capacity->calm <= 0)
        return;
    if (capacity->resumed > 0)
        look_ended(capacity, capacity->calm < calm - found_octaves, now, rand);
    else
        follow(capacity, rule, window, now, rand);
}

/* ---- the steward's ---- */

unsigned capacity_begin(struct capacity *capacity,
                        const struct adaptive_concurrency *rule)
{
    if (capacity->limit <= 0)
        capacity->limit = FIRST_LIMIT;
    capacity->limit = between(rule, capacity->limit);
    if (capacity->resumed > 0)
        capacity->resumed = between(rule, capacity->resumed);
    return (unsigned)capacity->limit;
}

bool capacity_is_due(const struct capacity *capacity, uint64_t now)
{
    return now >= capacity->opens &&
           (!capacity->began || now - capacity->began >= window_ends[0].ns);
}

static bool has_ended(uint64_t lasted, uint64_t samples)
{
    for (unsigned i = 0; i < array_len(window_ends); i++)
        if (lasted >= window_ends[i].ns && samples >= window_ends[i].samples)
            return true;
    return false;
}

static void settle(struct capacity *capacity, uint64_t now)
{
    capacity->began = 0;
    capacity->opens = now + settle_time(capacity);
}

unsigned capacity_look(struct capacity *capacity, const struct adaptive_concurrency *rule,
                       const struct capacity_counts *sum, uint64_t now, struct rand *rand)
{
    struct capacity_counts seen = since(sum, &capacity->since);
    uint64_t lasted = now - capacity->began;
    struct window window;

    if (!capacity->began) {
        capacity->began = now;
        capacity->since = *sum;
        return (unsigned)capacity->limit;
    }
    if (has_ended(lasted, seen.answers + seen.left + seen.failed)) {
        window = window_of(capacity, seen);
        if (window.time > 0)
            window_ended(capacity, rule, &window, now, rand);
        settle(capacity, now);
    } else if (lasted >= window_ends[array_len(window_ends) - 1].ns) {
        capacity->began = 0;
        if (capacity->state != CAPACITY_NEW)
            capacity->state = CAPACITY_UNUSED;
    }
    return (unsigned)capacity->limit;
}

static uint64_t time_of(double octaves)
{
    return octaves > 0 ? (uint64_t)exp2(octaves) : 0;
}

uint64_t capacity_calm_time(const struct capacity *capacity)
{
    return time_of(capacity->calm);
}

uint64_t capacity_time(const struct capacity *capacity)
{
    return time_of(capacity->time);
}
