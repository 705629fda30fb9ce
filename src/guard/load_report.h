/*
 * What a server says of itself (by its agent, or in its answers to requests), in the words
 * that HAProxy's agent checks made common:
 * `75%`, `up`, `down`, `fail`, `stopped`, `drain`, `maint`, `ready`, `maxconn:50`, any of
 * them together and in any case, and behind '#' words for people. Pure: the line goes in,
 * and what the server wants from now on comes out.
 */
#ifndef GUARD_LOAD_REPORT_H
#define GUARD_LOAD_REPORT_H

#include "base/err.h"
#include "base/str.h"
#include "lb/live.h"

/* One line, understood. What it does not speak of stays as it was. */
struct load_report {
    bool says_up, says_down;
    bool says_ready, says_drain; /* `maint` drains, too */
    bool has_share, has_cap;
    uint32_t share;           /* of RAMP_FULL; 0 for "0%" */
    uint32_t max_connections; /* 0: as the configuration says */
    str reason;               /* a slice of the line; may be empty */
};

/* Words that mean nothing here are passed over; ERR_INVALID when all do. Of words that
 * contradict each other the last counts. */
MUST_CHECK enum err load_report_parse(str line, struct load_report *report);

/* What all reports so far come to. */
struct load_wish {
    bool is_down, wants_drain;
    uint32_t share;           /* of RAMP_FULL; 0 drains */
    uint32_t max_connections; /* 0: no wish */
};

/* A server that has said nothing yet, or nothing for too long. */
#define LOAD_WISH_NONE ((struct load_wish){.share = RAMP_FULL})

/* Takes a report in. True: something is different now. */
bool load_wish_take(struct load_wish *wish, const struct load_report *report);

static inline bool load_wish_is_none(const struct load_wish *wish)
{
    return !wish->is_down && !wish->wants_drain && wish->share == RAMP_FULL &&
           !wish->max_connections;
}

/* Of a server that speaks in two ways: whichever is the more careful. */
struct load_wish load_wish_join(const struct load_wish *one,
                                const struct load_wish *other);

/* What was said then is void now, for nothing was heard since. Monotonic ns. */
static inline bool load_report_is_void(uint64_t heard_at, uint64_t now)
{
    return now > heard_at && now - heard_at >= UINT64_C(180000000000);
}

/* Nothing new for it: what runs there goes on. */
static inline bool load_wish_drains(const struct load_wish *wish)
{
    return wish->wants_drain || !wish->share;
}

#endif
