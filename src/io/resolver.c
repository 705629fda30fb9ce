/*
 * Two questions make a lookup. Where one family has addresses, a failure in the other
 * does not spoil them; but it is told, so that nobody takes it for "there are none". Only
 * so many lookups are under way at once, that a thousand names do not overrun the socket
 * on which their answers come.
 */
#include "io/resolver.h"

#include "base/check.h"
#include "io/sys_dns.h"

#include <stdlib.h>

enum {
    LOOKUPS_AT_ONCE = 100,
    NEGATIVE_MS = 5000, /* how long "there are none" holds */
    RETRY_FIRST_MS = 1000,
    RETRY_MOST_MS = 32000,
    WAIT_LEAST_MS = 100, /* whatever the settings say */
};

struct resolver {
    struct engine *engine;
    struct sys_dns *dns;
    uint32_t min_ttl_ms, max_ttl_ms;
    struct list asked, waiting; /* struct lookup */
    unsigned asked_count;
};

/* What came of the question about one family. */
struct half {
    struct lookup *lookup;
    enum addr_family family;
    struct sys_dns_question *question; /* open */
    enum err error;
    struct addr *addrs;
    unsigned count;
    uint32_t ttl; /* seconds */
};

struct lookup {
    struct list node;
    struct resolver *resolver;
    lookup_fn *done;
    void *owner;
    unsigned failures;
    struct half halves[2];
    size_t host_length;
    char host[];
};

/* ---- policy ---- */

static uint32_t within_bounds(const struct resolver *resolver, uint64_t ms)
{
    if (ms > resolver->max_ttl_ms)
        ms = resolver->max_ttl_ms;
    if (ms < resolver->min_ttl_ms)
        ms = resolver->min_ttl_ms;
    return ms < WAIT_LEAST_MS ? WAIT_LEAST_MS : (uint32_t)ms;
}

/* 1, 2, 4 ... 32 s, and up to a quarter more by chance, so that names do not come in
 * one herd. */
static uint32_t retry_wait(const struct resolver *resolver, unsigned failures)
{
    uint64_t ms = RETRY_MOST_MS;

    if (failures < 5)
        ms = (uint64_t)RETRY_FIRST_MS << failures;
    ms += rand_below(&resolver->engine->rand, ms / 4);
    return within_bounds(resolver, ms);
}

static bool is_untold(const struct half *half)
{
    return half->error && half->error != ERR_NOT_FOUND;
}

static int compare_addrs(const void *a, const void *b)
{
    return addr_compare(a, b);
}

/* Sorts, and drops what is there twice. */
static unsigned tidy(struct addr *addrs, unsigned count)
{
    unsigned kept = 0;

    qsort(addrs, count, sizeof *addrs, compare_addrs);
    for (unsigned i = 0; i < count; i++)
        if (kept == 0 || !addr_eq(&addrs[kept - 1], &addrs[i]))
            addrs[kept++] = addrs[i];
    return kept;
}

/* Both halves' addresses; free() them. */
static struct addr *join_addrs(const struct lookup *lookup, unsigned *count)
{
    const struct half *a = &lookup->halves[0], *b = &lookup->halves[1];
    struct addr *addrs = calloc(a->count + b->count + 1, sizeof *addrs);

    CHECK(addrs != NULL);
    if (a->count)
        memcpy(addrs, a->addrs, a->count * sizeof *addrs);
    if (b->count)
        memcpy(addrs + a->count, b->addrs, b->count * sizeof *addrs);
    *count = tidy(addrs, a->count + b->count);
    return addrs;
}

/* What the two halves mean together; the addresses are put to it by the caller. */
static struct lookup_answer judge(const struct lookup *lookup)
{
    const struct resolver *resolver = lookup->resolver;
    struct lookup_answer answer = {.wait_ms = UINT32_MAX};
    const struct half *untold = NULL;
    bool is_found = false;

    for (unsigned i = 0; i < 2; i++) {
        const struct half *half = &lookup->halves[i];
        uint32_t ttl_ms = within_bounds(resolver, half->ttl * UINT64_C(1000));

        is_found |= half->count > 0;
        if (half->count && ttl_ms < answer.wait_ms)
            answer.wait_ms = ttl_ms;
        if (is_untold(half) && !untold)
            untold = half;
    }
    if (untold) {
        uint32_t retry_ms = retry_wait(resolver, lookup->failures);

        answer.wait_ms = retry_ms < answer.wait_ms ? retry_ms : answer.wait_ms;
        answer.error = is_found ? ERR_OK : untold->error;
        answer.untold = is_found ? untold->family : ADDR_NONE;
    } else if (!is_found) {
        answer.wait_ms = within_bounds(resolver, NEGATIVE_MS);
    }
    return answer;
}

/* ---- lookups ---- */

static void lookup_free(struct lookup *lookup)
{
    free(lookup->halves[0].addrs);
    free(lookup->halves[1].addrs);
    free(lookup);
}

static sys_dns_fn half_told;

static void lookup_begin(struct lookup *lookup)
{
    struct resolver *resolver = lookup->resolver;
    str host = {lookup->host, lookup->host_length};

    list_add(&resolver->asked, &lookup->node);
    resolver->asked_count++;
    for (unsigned i = 0; i < 2; i++) {
        struct half *half = &lookup->halves[i];

        half->question = sys_dns_ask(resolver->dns, host, half->family, half_told, half);
    }
}

/* Off its list; whoever waits may come forward. */
static void lookup_leave(struct lookup *lookup, bool was_asked)
{
    struct resolver *resolver = lookup->resolver;
    struct list *node;

    list_remove(&lookup->node);
    if (!was_asked)
        return;
    resolver->asked_count--;
    if ((node = list_take(&resolver->waiting)))
        lookup_begin(list_entry(node, struct lookup, node));
}

static void half_told(void *owner, enum err e, const struct addr *addrs, unsigned count,
                      uint32_t ttl)
{
    struct half *half = owner;
    struct lookup *lookup = half->lookup;
    struct lookup_answer answer;
    struct addr *joined;

    half->question = NULL;
    half->error = e;
    half->ttl = ttl;
    if (e == ERR_OK && count) {
        half->addrs = calloc(count, sizeof *addrs);
        CHECK(half->addrs != NULL);
        memcpy(half->addrs, addrs, count * sizeof *addrs);
        half->count = count;
    }
    if (lookup->halves[0].question || lookup->halves[1].question)
        return;
    lookup_leave(lookup, true);
    answer = judge(lookup);
    answer.addrs = joined = join_addrs(lookup, &answer.count);
    lookup->done(lookup->owner, &answer);
    free(joined);
    lookup_free(lookup);
}

struct lookup *resolver_ask(struct resolver *resolver, str host, unsigned failures,
                            lookup_fn *done, void *owner)
{
    struct lookup *lookup = calloc(1, sizeof *lookup + host.n);

    CHECK(lookup != NULL);
    lookup->resolver = resolver;
    lookup->done = done;
    lookup->owner = owner;
    lookup->failures = failures;
    lookup->halves[0] = (struct half){.lookup = lookup, .family = ADDR_IP4};
    lookup->halves[1] = (struct half){.lookup = lookup, .family = ADDR_IP6};
    lookup->host_length = host.n;
    if (host.n)
        memcpy(lookup->host, host.p, host.n);
    list_init(&lookup->node);
    if (resolver->asked_count < LOOKUPS_AT_ONCE)
        lookup_begin(lookup);
    else
        list_add(&resolver->waiting, &lookup->node);
    return lookup;
}

void lookup_cancel(struct lookup *lookup)
{
    bool was_asked = false;

    for (unsigned i = 0; i < 2; i++)
        if (lookup->halves[i].question) {
            sys_dns_cancel(lookup->halves[i].question);
            was_asked = true;
        }
    lookup_leave(lookup, was_asked);
    lookup_free(lookup);
}

/* ---- life ---- */

enum err resolver_new(struct resolver **out, struct engine *engine,
                      const struct addr *servers, unsigned server_count,
                      uint32_t timeout_ms, uint32_t min_ttl_ms, uint32_t max_ttl_ms)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    enum err e;

    CHECK(resolver != NULL);
    e = sys_dns_new(&resolver->dns, &engine->loop, servers, server_count, timeout_ms);
    if (e) {
        free(resolver);
        return e;
    }
    resolver->engine = engine;
    resolver->min_ttl_ms = min_ttl_ms;
    resolver->max_ttl_ms = max_ttl_ms;
    list_init(&resolver->asked);
    list_init(&resolver->waiting);
    *out = resolver;
    return ERR_OK;
}

void resolver_free(struct resolver *resolver)
{
    struct list *node;

    sys_dns_free(resolver->dns); /* and with it all questions */
    while ((node = list_take(&resolver->asked)) || (node = list_take(&resolver->waiting)))
        lookup_free(list_entry(node, struct lookup, node));
    free(resolver);
}
