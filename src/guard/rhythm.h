/*
 * When is a server checked next? Soon while its state is in doubt (a server that was well
 * has failed once; one that was down has passed once), rarely when all has long been
 * well, and never two servers in step. Pure: results go in, milliseconds come out.
 */
#ifndef GUARD_RHYTHM_H
#define GUARD_RHYTHM_H

#include "base/rand.h"
#include "lb/health_check.h"

enum { RHYTHM_CALM = 10 }; /* checks passed in a row that double the interval */

struct rhythm {
    uint32_t passed, failed; /* in a row; one of them is 0 */
    bool is_known;           /* some check has been made */
    bool is_down;            /* as the thresholds decide, by these checks alone */
};

void rhythm_note(struct rhythm *rhythm, const struct health_check *check,
                 bool has_passed);

/* Milliseconds from the beginning of the last check to that of the next one, at least 1:
 * the interval that is due, with the check's jitter to both sides. */
uint32_t rhythm_next(const struct rhythm *rhythm, const struct health_check *check,
                     struct rand *rand);

#endif
