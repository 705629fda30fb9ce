/*
 * The book counts answers by eighths of octaves of their time, so that a quantile is at
 * most an eighth too long. When it holds two thousand, all counts are halved: it knows the
 * last one to two thousand answers.
 */
#include "guard/hedging.h"

enum {
    REFRESH_NS = 1000000000,
    SAMPLES_LEAST = 100,
    SAMPLES_MOST = 2000,
    PRICE = 100,       /* a request pays max_share percent of it */
    SAVED_MOST = 1000, /* ten hedges */
    SHIFT = 13,        /* 8 us are the unit */
};

static unsigned bucket_of(uint64_t ns)
{
    uint64_t units = ns >> SHIFT;
    unsigned octave, at;

    if (units < 8)
        return (unsigned)units;
    octave = 63 - (unsigned)__builtin_clzll(units);
    at = (octave - 2) * 8 + (unsigned)(units >> (octave - 3) & 7);
    return at < HEDGE_BUCKETS ? at : HEDGE_BUCKETS - 1;
}

/* Its upper end, in ns. */
static uint64_t bucket_end(unsigned at)
{
    if (at < 8)
        return (uint64_t)(at + 1) << SHIFT;
    return (uint64_t)(at % 8 + 9) << (at / 8 - 1 + SHIFT);
}

void hedging_count(struct hedge_book *book, const struct hedging *rule)
{
    book->saved += rule->max_share;
    if (book->saved > SAVED_MOST)
        book->saved = SAVED_MOST;
}

bool hedging_take(struct hedge_book *book)
{
    if (book->saved < PRICE)
        return false;
    book->saved -= PRICE;
    return true;
}

void hedging_give(struct hedge_book *book)
{
    book->saved += PRICE;
}

static uint64_t quantile(const struct hedge_book *book, unsigned percent)
{
    uint64_t wanted = ((uint64_t)book->samples * percent + 99) / 100, seen = 0;
    unsigned at = 0;

    while (at < HEDGE_BUCKETS - 1 && (seen += book->buckets[at]) < wanted)
        at++;
    return bucket_end(at);
}

uint64_t hedging_delay(struct hedge_book *book, const struct hedging *rule, uint64_t now)
{
    if (!rule->quantile)
        return (uint64_t)rule->after * 1000000;
    if (now >= book->refresh_at && book->samples >= SAMPLES_LEAST) {
        book->delay = quantile(book, rule->quantile);
        book->refresh_at = now + REFRESH_NS;
    }
    return book->delay;
}

void hedging_learn(struct hedge_book *book, uint64_t ns)
{
    if (book->samples >= SAMPLES_MOST) {
        book->samples = 0;
        for (unsigned i = 0; i < HEDGE_BUCKETS; i++)
            book->samples += book->buckets[i] /= 2;
    }
    book->buckets[bucket_of(ns)]++;
    book->samples++;
}
