/*
 * The twin of src/io/sys_dns.c: answers come from a small table, a little later, by a
 * timer of the asker's loop.
 */
#include "io/sys_dns.h"

#include "base/check.h"
#include "names.h"
#include "world.h"

#include <stdlib.h>

enum { NAMES_MOST = 8 };

static struct name {
    const char *host;
    enum name_mood mood;
    struct addr addrs[NAME_ADDRESSES_MOST];
    unsigned count;
    uint32_t ttl;
} names[NAMES_MOST];
static unsigned name_count;

struct sys_dns {
    struct loop *loop;
    uint32_t timeout_ms;
    struct list questions;
};

struct sys_dns_question {
    struct list node;
    struct sys_dns *dns;
    const struct name *name; /* NULL: unknown */
    enum addr_family family;
    sys_dns_fn *done;
    void *owner;
    struct timer timer;
};

/* ---- the table ---- */

void names_begin(void)
{
    name_count = 0;
    memset(names, 0, sizeof names);
}

static struct name *find_host(str host)
{
    for (unsigned i = 0; i < name_count; i++)
        if (str_eq(str_of(names[i].host), host))
            return &names[i];
    return NULL;
}

void name_set(const char *host, const struct addr *addrs, unsigned count, uint32_t ttl)
{
    struct name *name = find_host(str_of(host));

    if (!name) {
        CHECK(name_count < NAMES_MOST);
        name = &names[name_count++];
    }
    *name = (struct name){.host = host, .mood = name->mood, .count = count, .ttl = ttl};
    memcpy(name->addrs, addrs, count * sizeof *addrs);
    trace("name", name_count, count);
}

void name_set_mood(const char *host, enum name_mood mood)
{
    struct name *name = find_host(str_of(host));

    if (name)
        name->mood = mood;
}

/* ---- questions ---- */

enum err sys_dns_new(struct sys_dns **dns, struct loop *loop, const struct addr *servers,
                     unsigned server_count, uint32_t timeout_ms)
{
    (void)servers;
    (void)server_count;
    *dns = malloc(sizeof **dns);
    CHECK(*dns != NULL);
    **dns = (struct sys_dns){.loop = loop, .timeout_ms = timeout_ms};
    list_init(&(*dns)->questions);
    return ERR_OK;
}

void sys_dns_cancel(struct sys_dns_question *question)
{
    timer_remove(&question->dns->loop->timers, &question->timer);
    list_remove(&question->node);
    free(question);
}

void sys_dns_free(struct sys_dns *dns)
{
    while (!list_is_empty(&dns->questions))
        sys_dns_cancel(list_entry(dns->questions.next, struct sys_dns_question, node));
    free(dns);
}

static void answer(struct timer *timer)
{
    struct sys_dns_question question =
        *container_of(timer, struct sys_dns_question, timer);
    const struct name *name = question.name;
    struct addr found[NAME_ADDRESSES_MOST];
    unsigned count = 0;

    sys_dns_cancel(container_of(timer, struct sys_dns_question, timer));
    if (!name || name->mood != NAME_WELL) {
        question.done(question.owner,
                      !name                       ? ERR_NOT_FOUND
                      : name->mood == NAME_SILENT ? ERR_TIMEOUT
                                                  : ERR_IO,
                      NULL, 0, 0);
        return;
    }
    for (unsigned i = 0; i < name->count; i++)
        if (name->addrs[i].family == question.family)
            found[count++] = name->addrs[i];
    question.done(question.owner, count ? ERR_OK : ERR_NOT_FOUND, found, count,
                  name->ttl);
}

struct sys_dns_question *sys_dns_ask(struct sys_dns *dns, str host,
                                     enum addr_family family, sys_dns_fn *done,
                                     void *owner)
{
    struct sys_dns_question *question = calloc(1, sizeof *question);
    uint64_t delay = draw(50 * MS);

    CHECK(question != NULL);
    question->dns = dns;
    question->name = find_host(host);
    question->family = family;
    question->done = done;
    question->owner = owner;
    if (question->name && question->name->mood == NAME_SILENT)
        delay = (uint64_t)dns->timeout_ms * 2 * MS;
    list_add(&dns->questions, &question->node);
    timer_init(&question->timer, answer);
    timer_set(&dns->loop->timers, &question->timer, world.now + delay);
    return question;
}
