/*
 * A timetable of names. Each (pool, host) stands for itself, even where two pools share a
 * host: it is rare, and the answers cost little. The last good answer stays for as long as
 * there is no other, be it that nobody can tell or that the name has lost its addresses:
 * whether its servers still serve is what health checks are for.
 */
#include "control/discovery/dns.h"

#include "base/check.h"
#include "base/map.h"

#include <stdlib.h>

enum { OPEN_RETRY_MS = 1000 };

#define NS_PER_MS UINT64_C(1000000)

struct dns_watch {
    struct engine *engine;
    dns_changed_fn *changed;
    void *owner;
    struct resolver *resolver;         /* NULL until the first name */
    struct resolver_settings settings; /* its servers are a copy */
    struct map names;                  /* pool NUL host -> struct name */
    struct list all;                   /* the same, for walking */
    uint64_t round;                    /* counts dns_watch_apply */
};

struct name {
    struct list node;
    struct dns_watch *watch;
    struct lookup *lookup; /* under way */
    struct timer again;
    struct addr *addrs; /* what the owner was told */
    unsigned count;
    bool is_told;
    unsigned failures; /* in a row */
    uint64_t round;    /* the last one that named it */
    str pool, host;
    size_t key_length;
    char key[];
};

/* ---- what is known ---- */

static const char *why_untold(enum err e)
{
    switch (e) {
    case ERR_TIMEOUT:
        return "no answer from the DNS servers";
    case ERR_INVALID:
        return "the DNS servers' answer makes no sense";
    case ERR_IO:
        return "the DNS servers fail, refuse or cannot be reached";
    default:
        return err_text(e);
    }
}

static void tell(struct name *name, const struct addr *addrs, unsigned count,
                 const char *why)
{
    struct dns_watch *watch = name->watch;

    free(name->addrs);
    name->addrs = NULL;
    if (count) {
        name->addrs = calloc(count, sizeof *addrs);
        CHECK(name->addrs != NULL);
        memcpy(name->addrs, addrs, count * sizeof *addrs);
    }
    name->count = count;
    name->is_told = true;
    watch->changed(watch->owner, name->pool, name->host, name->addrs, count,
                   count ? STR_NONE : str_of(why));
}

/* The answer's addresses, and those known of a family that nobody could tell about; both
 * are sorted, and families do not mix in the order. */
static unsigned merge(const struct name *name, const struct lookup_answer *answer,
                      struct addr out[LOOKUP_ADDRS_MOST])
{
    unsigned n = 0, known = 0, told = 0;

    while (n < LOOKUP_ADDRS_MOST) {
        while (known < name->count && name->addrs[known].family != answer->untold)
            known++;
        if (known < name->count &&
            (told == answer->count ||
             addr_compare(&name->addrs[known], &answer->addrs[told]) < 0))
            out[n++] = name->addrs[known++];
        else if (told < answer->count)
            out[n++] = answer->addrs[told++];
        else
            break;
    }
    return n;
}

static bool is_known(const struct name *name, const struct addr *addrs, unsigned count)
{
    if (!name->is_told || name->count != count)
        return false;
    for (unsigned i = 0; i < count; i++)
        if (!addr_eq(&name->addrs[i], &addrs[i]))
            return false;
    return true;
}

/* ---- asking ---- */

static void ask_after(struct name *name, uint32_t ms)
{
    struct loop *loop = &name->watch->engine->loop;

    timer_set(&loop->timers, &name->again, loop->now + ms * NS_PER_MS);
}

static void answered(void *owner, const struct lookup_answer *answer)
{
    struct name *name = owner;
    struct addr addrs[LOOKUP_ADDRS_MOST];
    unsigned count;

    name->lookup = NULL;
    name->failures = answer->error || answer->untold ? name->failures + 1 : 0;
    ask_after(name, answer->wait_ms);
    if (answer->error) {
        if (!name->is_told)
            tell(name, NULL, 0, why_untold(answer->error));
        return;
    }
    count = merge(name, answer, addrs);
    if (count == 0 && name->count > 0)
        return; /* an emptied zone is a mistake more often than a wish: checks decide */
    if (!is_known(name, addrs, count))
        tell(name, addrs, count, "the DNS knows no address for this name");
}

static enum err need_resolver(struct dns_watch *watch)
{
    const struct resolver_settings *settings = &watch->settings;

    if (watch->resolver)
        return ERR_OK;
    return resolver_new(&watch->resolver, watch->engine, settings->servers,
                        settings->server_count, settings->timeout, settings->min_ttl,
                        settings->max_ttl);
}

static void ask(struct name *name)
{
    struct dns_watch *watch = name->watch;

    if (name->lookup)
        return;
    if (need_resolver(watch))
        ask_after(name, OPEN_RETRY_MS);
    else
        name->lookup =
            resolver_ask(watch->resolver, name->host, name->failures, answered, name);
}

static void ask_again(struct timer *timer)
{
    ask(container_of(timer, struct name, again));
}

/* ---- names ---- */

static str key_of(const struct name *name)
{
    return (str){name->key, name->key_length};
}

static struct name *name_new(struct dns_watch *watch, str pool, str host)
{
    struct name *name = calloc(1, sizeof *name + pool.n + 1 + host.n);

    CHECK(name != NULL);
    name->watch = watch;
    name->key_length = pool.n + 1 + host.n;
    memcpy(name->key, pool.p, pool.n);
    memcpy(name->key + pool.n + 1, host.p, host.n);
    name->pool = (str){name->key, pool.n};
    name->host = (str){name->key + pool.n + 1, host.n};
    list_init(&name->node);
    timer_init(&name->again, ask_again);
    return name;
}

static void name_free(struct name *name)
{
    if (name->lookup)
        lookup_cancel(name->lookup);
    timer_remove(&name->watch->engine->loop.timers, &name->again);
    list_remove(&name->node);
    free(name->addrs);
    free(name);
}

static void name_want(struct dns_watch *watch, str pool, str host)
{
    struct name *new = name_new(watch, pool, host);
    struct name *name = map_get(&watch->names, key_of(new));

    if (name) {
        name_free(new);
    } else {
        name = new;
        map_put(&watch->names, key_of(name), name);
        list_add(&watch->all, &name->node);
        ask(name);
    }
    name->round = watch->round;
}

static void drop_unwanted(struct dns_watch *watch)
{
    list_each_safe(node, &watch->all) {
        struct name *name = list_entry(node, struct name, node);

        if (name->round == watch->round)
            continue;
        map_remove(&watch->names, key_of(name));
        name_free(name);
    }
}

/* ---- settings ---- */

static bool settings_eq(const struct resolver_settings *a,
                        const struct resolver_settings *b)
{
    if (a->server_count != b->server_count || a->timeout != b->timeout ||
        a->min_ttl != b->min_ttl || a->max_ttl != b->max_ttl)
        return false;
    for (unsigned i = 0; i < a->server_count; i++)
        if (!addr_eq(&a->servers[i], &b->servers[i]))
            return false;
    return true;
}

static void settings_copy(struct dns_watch *watch, const struct resolver_settings *from)
{
    struct addr *servers =
        calloc(from->server_count ? from->server_count : 1, sizeof *servers);

    CHECK(servers != NULL);
    if (from->server_count)
        memcpy(servers, from->servers, from->server_count * sizeof *servers);
    free((void *)watch->settings.servers);
    watch->settings = *from;
    watch->settings.servers = servers;
}

/* Others are asked from now on, and everything is asked anew. */
static void change_resolver(struct dns_watch *watch,
                            const struct resolver_settings *settings)
{
    if (watch->resolver)
        resolver_free(watch->resolver);
    watch->resolver = NULL;
    settings_copy(watch, settings);
    list_each(node, &watch->all) {
        struct name *name = list_entry(node, struct name, node);

        name->lookup = NULL;
        name->failures = 0;
        ask_after(name, 0);
    }
}

void dns_watch_apply(struct dns_watch *watch, const struct snapshot *snapshot)
{
    watch->round++;
    if (!settings_eq(&watch->settings, &snapshot->resolvers))
        change_resolver(watch, &snapshot->resolvers);
    for (unsigned i = 0; i < snapshot->pool_count; i++) {
        const struct pool *pool = &snapshot->pools[i];

        for (unsigned k = 0; k < pool->server_count; k++)
            if (pool->servers[k].addr.family == ADDR_NONE)
                name_want(watch, pool->name, pool->servers[k].host);
    }
    drop_unwanted(watch);
}

/* ---- life ---- */

enum err dns_watch_new(struct dns_watch **out, struct engine *engine,
                       dns_changed_fn *changed, void *owner)
{
    struct dns_watch *watch = calloc(1, sizeof *watch);
    uint64_t seed[2] = {rand_u64(&engine->rand), rand_u64(&engine->rand)};

    CHECK(watch != NULL);
    watch->engine = engine;
    watch->changed = changed;
    watch->owner = owner;
    map_init(&watch->names, seed);
    list_init(&watch->all);
    *out = watch;
    return ERR_OK;
}

void dns_watch_free(struct dns_watch *watch)
{
    list_each_safe(node, &watch->all)
        name_free(list_entry(node, struct name, node));
    map_close(&watch->names);
    if (watch->resolver)
        resolver_free(watch->resolver);
    free((void *)watch->settings.servers);
    free(watch);
}
