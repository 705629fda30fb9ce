/*
 * What was drawn for one world: how the daemon is set up and how wild its visitors and
 * origins are. The players know the daemon's settings, because a deadline can be judged
 * only by who knows it.
 */
#ifndef SIM_RULES_H
#define SIM_RULES_H

#include "lb/model.h"
#include "slack.h"

struct rules {
    struct timeouts timeouts; /* the same everywhere */
    struct sizes sizes;
    struct retries retries;
    uint32_t hedge_after; /* ms; 0: never */
    struct slow_client slow_client;
    struct keepalive keepalive;
    uint32_t half_closed; /* ms for which a client that has sent its FIN is waited for */
    bool is_calm;         /* nothing and nobody misbehaves */
    bool is_crowded;      /* limits that are learnt are what all wait for */
    unsigned workers;
    uint32_t grace;         /* shutdown_grace, ms */
    uint32_t drain_timeout; /* what runs on a removed server may go on for, ms */
    uint64_t drain_begins;  /* UINT64_MAX: only when all have gone */
    unsigned reloads;       /* while visitors are there */
    unsigned servers;       /* of the main pool, at the most */
    unsigned visitors;
    unsigned queues;        /* percent of the pools that have one */
    uint32_t queue_timeout; /* ms */
    unsigned adaptive;      /* percent of the pools that adapt to their servers */
    unsigned descriptors;
    unsigned connections; /* at a listener; 0: no cap of its own */
    uint64_t memory;      /* bytes that the process may use */
    uint64_t lasts;       /* ns in which visitors come */
};

extern struct rules rules;

/* From the seed. */
void rules_draw(void);

/* Longer than any exchange may take from the moment when its client does nothing more. */
uint64_t rules_all_deadlines(void);

static inline uint64_t ns_of(uint32_t ms)
{
    return (uint64_t)ms * MS;
}

/* Visitors may be turned away at the door. */
static inline bool rules_are_tight(void)
{
    return rules.connections || rules.memory < (uint64_t)1 << 30;
}

/* From when on a draining daemon may cut what still runs. */
static inline uint64_t rules_cut(void)
{
    return rules.drain_begins == UINT64_MAX ? UINT64_MAX
                                            : rules.drain_begins + ns_of(rules.grace);
}

#endif
