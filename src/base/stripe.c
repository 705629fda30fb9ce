/*
 * A word is {40 bits of hash, 24 bits of count}, or zero when it is free. Nothing is ever
 * locked. Two threads that make a key's first entry at the same moment may take a word
 * each; therefore a key's count is the sum over all words that bear its hash, who adds
 * looks once more afterwards and steps back when it has become too many, and who gives
 * back takes it from any of them. A second word goes as any other: when it is down to zero.
 *
 * Why that never ends above `most`: all accesses are sequentially consistent; of those
 * that stay, the last to swap looks again after every other has swapped, so it counts all.
 * A step back is taken from the word just added to, so that nothing wanders, in the eyes
 * of a third that is looking, from a word not yet seen to one already passed.
 */
#include "base/stripe.h"

#include "base/check.h"
#include "base/hash.h"

#include <stdbool.h>
#include <stdlib.h>

enum { WORDS = CACHE_LINE / sizeof(uint64_t), COUNT_BITS = 24, GIVE_TRIES = 1000000 };

/* Where a key may stand. */
struct place {
    _Atomic(uint64_t) *words[2]; /* its two stripes, never the same */
    uint64_t tag;                /* its hash in the upper 40 bits, never zero */
};

/* What stands there at a glance. */
struct sight {
    _Atomic(uint64_t) *word; /* one that bears the tag, else a free one, else NULL */
    uint64_t value;          /* what it held */
    uint64_t sum;
};

void stripe_init(struct stripe *stripe, size_t keys, const uint64_t seed[2])
{
    size_t size;

    *stripe = (struct stripe){.stripes = 2, .seed = {seed[0], seed[1]}};
    while (stripe->stripes * WORDS / 2 < keys)
        stripe->stripes *= 2;
    size = stripe->stripes * CACHE_LINE;
    stripe->words = aligned_alloc(CACHE_LINE, size);
    if (!stripe->words)
        check_failed(__FILE__, __LINE__, "the system has memory left");
    for (size_t i = 0; i < stripe->stripes * WORDS; i++)
        atomic_init(&stripe->words[i], 0);
}

void stripe_close(struct stripe *stripe)
{
    free(stripe->words);
    *stripe = (struct stripe){0};
}

static struct place find_place(const struct stripe *stripe, const unsigned char *key)
{
    uint64_t hash = siphash13(stripe->seed, (str){(const char *)key, STRIPE_KEY_SIZE});
    size_t first = hash & (stripe->stripes - 1);
    size_t second = (first ^ (hash_u64(hash) | 1)) & (stripe->stripes - 1);
    uint64_t tag = hash >> COUNT_BITS << COUNT_BITS;

    return (struct place){
        .words = {&stripe->words[first * WORDS], &stripe->words[second * WORDS]},
        .tag = tag ? tag : (uint64_t)1 << COUNT_BITS,
    };
}

static uint32_t count_of(uint64_t word)
{
    return (uint32_t)(word & STRIPE_COUNT_MOST);
}

/* Of the free words it takes one in the emptier stripe, so that both fill evenly. */
static struct sight look(const struct place *place)
{
    struct sight sight = {0};
    _Atomic(uint64_t) *found = NULL;
    unsigned most_free = 0;

    for (unsigned i = 0; i < 2; i++) {
        _Atomic(uint64_t) *spare = NULL;
        unsigned spares = 0;

        for (unsigned j = 0; j < WORDS; j++) {
            uint64_t value = atomic_load(&place->words[i][j]);

            if (value == 0) {
                spare = &place->words[i][j];
                spares++;
            } else if ((value ^ place->tag) <= STRIPE_COUNT_MOST) {
                found = &place->words[i][j];
                sight.value = value;
                sight.sum += count_of(value);
            }
        }
        if (!found && spares > most_free) {
            most_free = spares;
            sight.word = spare;
        }
    }
    if (found)
        sight.word = found;
    return sight;
}

/* One less in this word; false when it bears the tag no more. */
static bool take_from(_Atomic(uint64_t) *word, uint64_t tag)
{
    uint64_t value = atomic_load(word);

    while ((value ^ tag) <= STRIPE_COUNT_MOST) {
        uint64_t less = count_of(value) == 1 ? 0 : value - 1;

        if (atomic_compare_exchange_weak(word, &value, less))
            return true;
    }
    return false;
}

/* Others may move the count from word to word under our eyes, but not for ever. */
static void give_back(const struct place *place)
{
    for (unsigned tries = 0;; tries++) {
        struct sight sight = look(place);

        CHECK(tries < GIVE_TRIES);
        if (sight.value && take_from(sight.word, place->tag))
            return;
    }
}

enum stripe_answer stripe_add(struct stripe *stripe,
                              const unsigned char key[STRIPE_KEY_SIZE], uint32_t most)
{
    struct place place = find_place(stripe, key);
    struct sight sight;
    uint64_t more;

    if (most > STRIPE_COUNT_MOST)
        most = STRIPE_COUNT_MOST;
    do {
        sight = look(&place);
        if (sight.sum >= most)
            return STRIPE_OVER;
        if (!sight.word)
            return STRIPE_NO_ROOM;
        more = (sight.value ? sight.value : place.tag) + 1;
    } while (!atomic_compare_exchange_strong(sight.word, &sight.value, more));
    if (look(&place).sum <= most)
        return STRIPE_ADDED;
    if (!take_from(sight.word, place.tag))
        give_back(&place);
    return STRIPE_OVER;
}

void stripe_give(struct stripe *stripe, const unsigned char key[STRIPE_KEY_SIZE])
{
    struct place place = find_place(stripe, key);

    give_back(&place);
}

uint32_t stripe_count(const struct stripe *stripe,
                      const unsigned char key[STRIPE_KEY_SIZE])
{
    struct place place = find_place(stripe, key);

    return (uint32_t)look(&place).sum;
}
