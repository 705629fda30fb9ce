/*
 * The daemon in a simulated world, many worlds after each other. Each seed is a world of
 * its own: how the daemon is set up, who comes, what goes wrong and when. Prints a line
 * with the seed for what fails; some seeds are run twice and must leave the same trace.
 */
#include "files.h"
#include "disk.h"
#include "host.h"
#include "house.h"
#include "names.h"
#include "threads.h"
#include "visitor.h"

#include <stdio.h>
#include <stdlib.h>

enum { TWICE_EVERY = 10 };

struct result {
    unsigned violations;
    uint64_t trace_hash;
    unsigned outcomes[OUTCOME_LEFT + 1];
};

static void comes(void *who, uint64_t number)
{
    (void)who;
    visitor_come((unsigned)number);
}

static void invite(void)
{
    for (unsigned i = 0; i < rules.visitors; i++)
        world_after((rules.is_calm ? SECOND : 0) + draw(rules.lasts), comes, NULL, i);
}

/* Until all visitors are gone; then until idle links have aged out. */
static void live(void)
{
    uint64_t step = rules_all_deadlines();

    house_live();
    world_run(world.now + rules.lasts);
    for (int i = 0; i < 20 && visitors_present(); i++)
        world_run(world.now + step);
    if (visitors_present())
        violation("%u visitors are still there", visitors_present());
    world_run(world.now + step);
}

static struct result run_seed(uint64_t seed, bool prints)
{
    struct result result = {0};

    world_begin(seed, prints);
    rules_draw();
    files_begin(rules.descriptors);
    disk_begin();
    threads_begin();
    visitors_begin();
    judge_begin(rules.retries.count + (rules.hedge_after > 0), rules.is_calm);
    names_begin();
    hosts_begin(ns_of(rules.timeouts.connect));
    if (house_open()) {
        invite();
        live();
        judge_end();
        house_check_rest();
        house_close();
    }
    judge_count(result.outcomes);
    result.violations = world.violations;
    result.trace_hash = world.trace_hash;
    files_end();
    streams_free();
    world_end();
    return result;
}

static bool is_sound(uint64_t seed, unsigned outcomes[OUTCOME_LEFT + 1])
{
    struct result first = run_seed(seed, false);

    for (unsigned i = 0; i <= OUTCOME_LEFT; i++)
        outcomes[i] += first.outcomes[i];
    if (seed % TWICE_EVERY == 0 && first.trace_hash != run_seed(seed, false).trace_hash) {
        printf("seed %llu does not leave the same trace twice\n",
               (unsigned long long)seed);
        return false;
    }
    return first.violations == 0;
}

/* stops: at the first seed that fails. */
static int run_many(uint64_t count, bool stops)
{
    unsigned outcomes[OUTCOME_LEFT + 1] = {0};
    uint64_t failed = 0;

    for (uint64_t seed = 1; seed <= count && !(stops && failed); seed++)
        failed += !is_sound(seed, outcomes);
    printf("requests: %u answered by servers, %u by the daemon, %u cut, %u not taken, "
           "%u left\n",
           outcomes[OUTCOME_ANSWERED], outcomes[OUTCOME_OWN], outcomes[OUTCOME_CUT],
           outcomes[OUTCOME_UNTAKEN], outcomes[OUTCOME_LEFT]);
    printf("%llu passed, %llu failed\n", (unsigned long long)(count - failed),
           (unsigned long long)failed);
    return failed != 0;
}

int main(int count, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count == 3 && strcmp(words[1], "--seed") == 0) {
        struct result result = run_seed(strtoull(words[2], NULL, 10), true);

        printf("%d passed, %d failed\n", result.violations == 0, result.violations != 0);
        return result.violations != 0;
    }
    if (count == 1)
        return run_many(100, false);
    if (count >= 3 && strcmp(words[1], "--seeds") == 0)
        return run_many(strtoull(words[2], NULL, 10),
                        count > 3 && strcmp(words[3], "--stop") == 0);
    fprintf(stderr, "usage: sim [--seeds COUNT [--stop] | --seed NUMBER]\n");
    return 2;
}
