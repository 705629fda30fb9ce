/*
 * A timetable of names. Each (pool, host) stands for itself, even where two pools share a
 * host: it is rare, and the answers cost little. The last good answer stays for as long as
 * there is no other, be it that nobody can tell, that the name has lost its addresses or
 * that none of the new ones may be used: whether its servers still serve is what health
 * checks are for. Only a new policy takes addresses away that were good under the old.
 */
#include "control/discovery/dns.h"

#include "base/check.h"
#include "base/map.h"
#include "base/text.h"
#include "control/discovery/dns_policy.h"

#include <stdlib.h>

enum {
    OPEN_RETRY_MS = 1000,
    REFUSED_MS = 5000, /* the TTL of an answer that nobody may use is not believed */
};

#define NS_PER_MS UINT64_C(1000000)

struct dns_watch {
    struct engine *engine;
    dns_changed_fn *changed;
    void *owner;
    struct resolver *resolver;         /* NULL until the first name */
    struct resolver_settings settings; /* its lists are copies */
    struct map names;                  /* pool NUL host -> struct name */
    struct list all;                   /* the same, for walking */
    uint64_t round;                    /* counts dns_watch_apply */
};

struct words {
    char memory[DNS_WORDS_MOST];
    size_t length;
};

struct name {
    struct list node;
    struct dns_watch *watch;
    struct lookup *lookup; /* under way */
    struct timer again;
    struct addr *addrs; /* what the owner was told */
    unsigned count;
    bool is_told;
    struct words refused, cut; /* as the owner was told */
    unsigned failures;         /* in a row */
    uint64_t round;            /* the last one that named it */
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

static str said(const struct words *words)
{
    return (str){words->memory, words->length};
}

/* `now` may be what it says already. */
static void keep_words(struct words *words, str now)
{
    now = str_upto(now, sizeof words->memory);
    if (now.n)
        memmove(words->memory, now.p, now.n);
    words->length = now.n;
}

static void keep_addrs(struct name *name, const struct addr *addrs, unsigned count)
{
    struct addr *copy = NULL;

    if (count) {
        copy = calloc(count, sizeof *copy);
        CHECK(copy != NULL);
        memcpy(copy, addrs, count * sizeof *copy);
    }
    free(name->addrs);
    name->addrs = copy;
    name->count = count;
    name->is_told = true;
}

static void tell(const struct name *name, bool is_changed, str why)
{
    struct dns_watch *watch = name->watch;

    watch->changed(watch->owner, &(struct dns_news){
                                     .pool = name->pool,
                                     .host = name->host,
                                     .addrs = name->addrs,
                                     .count = name->count,
                                     .is_changed = is_changed,
                                     .why = name->count ? STR_NONE : why,
                                     .refused = said(&name->refused),
                                     .cut = said(&name->cut),
                                 });
}

/* The answer's addresses, and those known of a family that nobody could tell about; both
 * are sorted, and families do not mix in the order. `out` has room for all. */
static unsigned merge(const struct name *name, const struct lookup_answer *answer,
                      struct addr *out)
{
    unsigned n = 0, known = 0, told = 0;

    for (;;) {
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

/* What is known of a name from now on; as in struct dns_news. */
struct finding {
    const struct addr *addrs;
    unsigned count;
    str why, refused, cut;
};

/* Tells what is new of this, if anything is. */
static void learn(struct name *name, const struct finding *now)
{
    bool is_changed = !is_known(name, now->addrs, now->count);
    bool is_said =
        str_eq(now->refused, said(&name->refused)) && str_eq(now->cut, said(&name->cut));

    if (!is_changed && is_said)
        return;
    keep_words(&name->refused, now->refused);
    keep_words(&name->cut, now->cut);
    if (is_changed)
        keep_addrs(name, now->addrs, now->count);
    tell(name, is_changed, now->why);
}

/* ---- what may be used ---- */

/* What the policy has left of some addresses. */
struct sieved {
    struct addr *addrs; /* free() them */
    unsigned count, refused;
    struct addr first; /* of the refused */
    const char *by;    /* what refuses it */
};

static void sieve(const struct dns_watch *watch, const struct addr *addrs, unsigned count,
                  struct sieved *out)
{
    *out = (struct sieved){.addrs = calloc(count + 1, sizeof *addrs)};
    CHECK(out->addrs != NULL);
    for (unsigned i = 0; i < count; i++) {
        const char *by = dns_policy_refuses(&watch->settings, &addrs[i]);

        if (!by) {
            out->addrs[out->count++] = addrs[i];
            continue;
        }
        if (out->refused++ == 0) {
            out->first = addrs[i];
            out->by = by;
        }
    }
}

/* "169.254.169.254 and 2 more are refused: in resolvers.deny; the last good addresses stay". */
static str say_refused(const struct sieved *sieved, const char *then,
                       char memory[DNS_WORDS_MOST])
{
    struct text text = text_in(memory, DNS_WORDS_MOST);
    char ip[ADDR_TEXT_MOST];

    if (!sieved->refused)
        return STR_NONE;
    text_add(&text, addr_print_ip(&sieved->first, ip, sizeof ip));
    if (sieved->refused > 1)
        text_format(&text, " and %u more are", sieved->refused - 1);
    else
        text_add(&text, STR(" is"));
    text_format(&text, " refused: %s; %s", sieved->by, then);
    return text_str(&text);
}

/* "only the first 64 of 100 addresses are used". */
static str say_cut(unsigned count, char memory[DNS_WORDS_MOST])
{
    struct text text = text_in(memory, DNS_WORDS_MOST);

    if (count <= DNS_ADDRS_MOST)
        return STR_NONE;
    text_format(&text, "only the first %u of %u addresses are used",
                (unsigned)DNS_ADDRS_MOST, count);
    return text_str(&text);
}

/* ---- asking ---- */

static void ask_after(struct name *name, uint32_t ms)
{
    struct loop *loop = &name->watch->engine->loop;

    timer_set(&loop->timers, &name->again, loop->now + ms * NS_PER_MS);
}

/* Somebody answers, but with nothing that may be used: as if nobody did. */
static void answer_refused(struct name *name, const struct sieved *sieved)
{
    char memory[DNS_WORDS_MOST];
    str words = say_refused(sieved,
                            name->count ? "the last good addresses stay"
                                        : "no other address is known",
                            memory);

    learn(name,
          &(struct finding){name->addrs, name->count, words, words, said(&name->cut)});
}

/* So long an answer holds. */
static uint32_t wait_of(const struct dns_watch *watch, const struct lookup_answer *answer,
                        const struct sieved *sieved)
{
    uint32_t most =
        watch->settings.min_ttl > REFUSED_MS ? watch->settings.min_ttl : REFUSED_MS;

    return sieved->refused && answer->wait_ms > most ? most : answer->wait_ms;
}

/* Addresses that may be used, beside what is known of a family that is untold; none were
 * answered, or some are good. The policy comes first: what it refuses takes no place. */
static void answer_good(struct name *name, const struct lookup_answer *answer,
                        const struct sieved *sieved)
{
    struct lookup_answer usable = *answer;
    struct addr *addrs = calloc(name->count + sieved->count + 1, sizeof *addrs);
    char refused[DNS_WORDS_MOST], cut[DNS_WORDS_MOST];
    unsigned count;

    CHECK(addrs != NULL);
    usable.addrs = sieved->addrs;
    usable.count = sieved->count;
    count = merge(name, &usable, addrs);
    if (count || !name->count) /* an emptied zone is a mistake more often than a wish:
                                  checks decide */
        learn(name, &(struct finding){
                        .addrs = addrs,
                        .count = count < DNS_ADDRS_MOST ? count : DNS_ADDRS_MOST,
                        .why = STR("the DNS knows no address for this name"),
                        .refused = say_refused(sieved, "the others are used", refused),
                        .cut = say_cut(count, cut),
                    });
    free(addrs);
}

static void answered(void *owner, const struct lookup_answer *answer)
{
    struct name *name = owner;
    struct sieved sieved;

    name->lookup = NULL;
    name->failures = answer->error || answer->untold ? name->failures + 1 : 0;
    sieve(name->watch, answer->addrs, answer->error ? 0 : answer->count, &sieved);
    ask_after(name, wait_of(name->watch, answer, &sieved));
    if (!answer->error && sieved.refused && !sieved.count)
        answer_refused(name, &sieved);
    else if (!answer->error)
        answer_good(name, answer, &sieved);
    else if (!name->is_told)
        learn(name, &(struct finding){.why = str_of(why_untold(answer->error))});
    free(sieved.addrs);
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
        a->min_ttl != b->min_ttl || a->max_ttl != b->max_ttl ||
        !prefixes_eq(&a->allow, &b->allow) || !prefixes_eq(&a->deny, &b->deny))
        return false;
    for (unsigned i = 0; i < a->server_count; i++)
        if (!addr_eq(&a->servers[i], &b->servers[i]))
            return false;
    return true;
}

static void settings_free(struct resolver_settings *settings)
{
    free((void *)settings->servers);
    prefixes_free(&settings->allow);
    prefixes_free(&settings->deny);
}

static void settings_copy(struct dns_watch *watch, const struct resolver_settings *from)
{
    struct addr *servers =
        calloc(from->server_count ? from->server_count : 1, sizeof *servers);

    CHECK(servers != NULL);
    if (from->server_count)
        memcpy(servers, from->servers, from->server_count * sizeof *servers);
    settings_free(&watch->settings);
    watch->settings = *from;
    watch->settings.servers = servers;
    watch->settings.allow = prefixes_copy(&from->allow);
    watch->settings.deny = prefixes_copy(&from->deny);
}

/* What is known may be what the file refuses from now on. */
static void sift_known(struct name *name)
{
    struct sieved sieved;
    char memory[DNS_WORDS_MOST];
    str words;

    sieve(name->watch, name->addrs, name->count, &sieved);
    words = say_refused(
        &sieved, sieved.count ? "the others are used" : "no other address is known",
        memory);
    if (sieved.refused)
        learn(name, &(struct finding){sieved.addrs, sieved.count, words, words,
                                      said(&name->cut)});
    free(sieved.addrs);
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
    bool is_other = !settings_eq(&watch->settings, &snapshot->resolvers);

    watch->round++;
    if (is_other)
        change_resolver(watch, &snapshot->resolvers);
    for (unsigned i = 0; i < snapshot->pool_count; i++) {
        const struct pool *pool = &snapshot->pools[i];

        for (unsigned k = 0; k < pool->server_count; k++)
            if (pool->servers[k].addr.family == ADDR_NONE)
                name_want(watch, pool->name, pool->servers[k].host);
    }
    drop_unwanted(watch);
    if (!is_other)
        return;
    list_each(node, &watch->all)
        sift_known(list_entry(node, struct name, node));
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
    settings_free(&watch->settings);
    free(watch);
}
