/*
 * The admin server: HTTP/1.1 on a unix socket (peer credentials: root, the daemon's own
 * user, or its group may change things) and on a loopback address that serves /metrics,
 * /healthz and /readyz only. Runs on the steward's engine. What it shows and does comes
 * by the functions of admin_house, so it can be tested without a daemon.
 */
#ifndef CONTROL_ADMIN_H
#define CONTROL_ADMIN_H

#include "control/ports.h"
#include "io/engine.h"
#include "lb/model.h"

/* Text that grows on the heap: control/conf/scroll.h. */
struct scroll;

struct admin_request; /* one that waits for its answer */

/* What somebody wants of a server, live: control/orders.h. */
struct server_patch {
    enum { PATCH_STATE_KEEP, PATCH_DRAIN, PATCH_UP } state;
    bool has_weight;
    uint32_t weight;
    str reason;  /* in their words; empty: none given */
    unsigned by; /* their user id */
};

/* Somebody wants a circuit breaker forced: control/circuits.h. */
struct breaker_order {
    str pool, server; /* by name or by address; or STR_NONE, and */
    str route;
    str action; /* open, close, reset */
};

/* The same of maintenance: control/maintenance.h. Where page or except are empty, the file
 * speaks. */
struct maintenance_patch {
    bool is_enabled;
    str page;
    struct prefixes except;
    str reason;
    unsigned by;
};

/* The level of a ladder: control/degrade.h. */
struct degrade_patch {
    str level; /* or auto */
    str reason;
    unsigned by;
};

/* What the admin server asks of the steward. All are called on the steward's thread. */
struct admin_house {
    void *owner;
    void (*write_metrics)(void *owner, struct scroll *out);
    void (*write_status)(void *owner, struct scroll *out); /* JSON */
    bool (*is_ready)(void *owner, struct scroll *why_not); /* one line of words */
    /* Reads the configuration anew and says by admin_answer what came of it: in the call
     * or later, in any case once for each request. */
    void (*reload)(void *owner, struct admin_request *request);
    /* Carries the patch out. 200 and JSON in `answer`, or a status of refusal and the
     * reason in words. */
    unsigned (*patch_server)(void *owner, str pool, str server,
                             const struct server_patch *patch, struct scroll *answer);
    unsigned (*force_breaker)(void *owner, const struct breaker_order *order,
                              struct scroll *answer);
    /* In the same manner. */
    unsigned (*put_maintenance)(void *owner, const struct maintenance_patch *patch,
                                struct scroll *answer);
    unsigned (*put_degrade)(void *owner, str name, const struct degrade_patch *patch,
                            struct scroll *answer);
};

struct admin;

/* Takes nothing over; all three must outlive it. Listens nowhere until admin_apply. */
MUST_CHECK enum err admin_new(struct admin **admin, struct engine *engine,
                              struct ports *ports, const struct admin_house *house);

/*
 * Listens as the settings say from now on; what is unchanged stays open. A socket that
 * cannot be opened is a warning in words (why, a line each), not the end: the one before
 * stays open in its place, and the next call tries again. May be called by house.reload.
 */
void admin_apply(struct admin *admin, const struct admin_settings *settings,
                 const struct metrics_settings *metrics, struct scroll *why);

/* The answer to a request that waited (reload): status and a JSON body, which is copied.
 * Its client may have left and even the server be freed meanwhile; then it is lost. */
void admin_answer(struct admin_request *request, unsigned status, str json);

/* Ends all clients at once and closes the sockets; the file of the unix socket goes. */
void admin_free(struct admin *admin);

#endif
