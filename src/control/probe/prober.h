/*
 * The thread that asks servers how they are: all concurrently, never more than one check
 * outstanding at a server, spread by jitter; servers of several pools that have the same
 * address and the same check are asked once. It has an engine of its own, because
 * thousands of checks a second must not wait for a configuration build. It decides
 * nothing: outcomes go to the steward by mail, who keeps the state (guard/health).
 */
#ifndef CONTROL_PROBE_PROBER_H
#define CONTROL_PROBE_PROBER_H

#include "guard/health.h"
#include "io/engine.h"
#include "lb/live.h"
#include "lb/model.h"

/* One server to watch, with its agent where check.agent says one. Strings and lists in `check` are copied by prober_watch. */
struct probe_target {
    struct server_live *server; /* identity; held by the caller until the farewell */
    struct health_check check;
    enum proxy_protocol proxy_protocol; /* then the check speaks it too (LOCAL) */
};

/* Mail to the steward: how one check went. Freed by its receiver with free(). */
struct probe_report {
    struct mail mail; /* mail.open was given to prober_init */
    void *owner;      /* as given to prober_init */
    struct server_live *server;
    struct check_outcome outcome;
    bool is_agent;    /* of its agent: with CHECK_PASSED, what it said is the detail */
    bool is_farewell; /* the target was forgotten: no report of it comes after this one */
};

struct prober;

/* report: called on the thread that owns `home` with a struct probe_report. */
MUST_CHECK enum err prober_new(struct prober **prober, struct mailbox *home,
                               mail_fn *report, void *owner);

/* Starts its thread (name "weir-prober"). */
MUST_CHECK enum err prober_start(struct prober *prober);

/* From the steward's thread: watch this server from now on (first check at once), or
 * under a changed check. Repeating it with an equal check changes nothing. */
void prober_watch(struct prober *prober, const struct probe_target *target);

/* No more checks of it; a farewell report follows. */
void prober_forget(struct prober *prober, struct server_live *server);

/* Ends the thread and frees all. Running checks are dropped without a report. */
void prober_stop(struct prober *prober);

#endif
