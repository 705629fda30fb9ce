/*
 * Degradation ladders as the steward sees them: their live objects outlast reloads, found
 * by name; the counts of their pools go in, a level comes out that workers read.
 */
#ifndef CONTROL_DEGRADE_H
#define CONTROL_DEGRADE_H

#include "control/overview.h"
#include "control/steward_inside.h"
#include "guard/degrade.h"

struct ladder_record {
    struct ladder_live live;
    struct list node;            /* steward->ladders.records */
    const struct ladder *ladder; /* in the current snapshot; NULL: removed */
    struct degrade_state state;
    unsigned healthy, all; /* as of the last look */
    uint64_t since;        /* wall ns; of the level */
    uint64_t rises_in;     /* ns, as of the last look; 0: it does not */
    unsigned by;           /* a user id, where the level is forced */
    str reason;            /* theirs, on the heap; empty: none */
};

void degrade_init(struct ladders *ladders);

/* Gives every ladder of the snapshot its live object; marks what is gone. */
void degrade_attach(struct steward *steward, struct snapshot *snapshot);

/* Counts, and tells workers and people of levels that have changed. */
void degrade_look_all(struct steward *steward);

/* Somebody's health has changed: the same, later in this turn. */
void degrade_look_soon(struct steward *steward);

/* While no snapshot but the current one is in use: frees what was removed. */
void degrade_sweep(struct steward *steward);

/* At the end; no worker runs. */
void degrade_close(struct steward *steward);

/* As admin_house.put_degrade. */
unsigned degrade_put(struct steward *steward, str name, const struct degrade_patch *patch,
                     struct scroll *answer);

/* "2 of 4 healthy (50%)", and what else is to be said of its level. */
void degrade_reason(const struct ladder_record *record, struct scroll *out);

#endif
