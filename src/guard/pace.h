/*
 * Is a client too slow in sending its request's body? Silence is the timeouts' business;
 * this is about the trickle that never falls silent. From the end of the grace on, the
 * time behind it as long as the grace (but at least a second) must have brought min_rate
 * on average: a long upload with pauses passes, a trickle ends with the grace. Time in
 * which we ourselves did not want its bytes (back-pressure) does not count. Pure:
 * milliseconds by argument, from any origin, never going back.
 */
#ifndef GUARD_PACE_H
#define GUARD_PACE_H

#include "lb/model.h"

enum { PACE_SLOTS = 8 };

struct pace {
    uint64_t began;             /* less the time on hold */
    uint64_t held_at;           /* UINT64_MAX: not on hold */
    uint64_t slot;              /* the one being filled, counted from the start */
    uint32_t bytes[PACE_SLOTS]; /* each at most UINT32_MAX */
};

void pace_begin(struct pace *pace, uint64_t now_ms);

/* That many bytes came. */
void pace_add(struct pace *pace, const struct slow_client *rule, uint64_t bytes,
              uint64_t now_ms);

/* From now on it is us who wait; and: we want its bytes again. Each may be repeated. */
void pace_hold(struct pace *pace, uint64_t now_ms);
void pace_go_on(struct pace *pace, uint64_t now_ms);

/*
 * In how many milliseconds it will be too slow if nothing more comes: 0 is now,
 * UINT64_MAX never (no rule, or on hold). Set a timer for that and ask again.
 */
uint64_t pace_left(const struct pace *pace, const struct slow_client *rule,
                   uint64_t now_ms);

#endif
