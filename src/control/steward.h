/*
 * The control thread: reads the configuration, builds and publishes snapshots and
 * endpoint sets, keeps the account of who is well and why, answers the admin socket, and
 * brings everything to its end. It decides slowly and is never on a request's path. Main
 * starts one and turns it: `while (steward_turn(steward));`.
 */
#ifndef CONTROL_STEWARD_H
#define CONTROL_STEWARD_H

#include "control/conf/conf.h"
#include "control/ports.h"
#include "io/sys.h"

struct steward;

struct steward_options {
    const struct conf_world *world;
    str file; /* the configuration's name */
    str text; /* its text, where it stands in no file; STR_NONE: read `file` */
    struct ports *ports;
    int signals;      /* from sys_signals_open; -1: none */
    unsigned workers; /* 0: as the configuration says */
    /* Called when a configuration was accepted (the supervisor keeps a copy of the text
     * to start a dead child from); may be NULL. */
    void (*accepted)(void *owner, const struct snapshot *snapshot);
    void *owner;
};

/*
 * Loads the configuration, opens all ports and starts all threads; from then on clients
 * are served. ERR_INVALID: `complaints` say why, and nothing was begun. Other errors are
 * in words in `why` (a scroll).
 */
MUST_CHECK enum err steward_new(struct steward **steward,
                                const struct steward_options *options,
                                struct complaints *complaints, struct scroll *why);

/* One turn of its loop; false when all has ended. A sys_turn_fn. */
bool steward_turn(void *steward);

/* After the last turn: joins the threads and frees all. */
void steward_free(struct steward *steward);

/* As the signals do: HUP reloads, TERM and INT drain (a second one ends at once), USR1
 * opens the logs anew. */
void steward_signal(struct steward *steward, enum sys_signal which);

#endif
