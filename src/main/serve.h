/*
 * Starting the daemon in this process and turning it until it ends: what `run` (in the
 * supervisor's child or without one), `proxy` and `demo` have in common.
 */
#ifndef MAIN_SERVE_H
#define MAIN_SERVE_H

#include "control/steward.h"

struct service {
    struct steward_options options; /* signals are opened by serve */
    /* Everything is open and clients are served; may be NULL. */
    void (*started)(struct service *service);
    /* After each turn of the steward; may be NULL. */
    void (*turned)(struct service *service);
};

/* Complaints and errors go to stderr. Gives the exit status. */
int serve(struct service *service);

/* Prints complaints, if there are any. */
void complaints_show(struct complaints *complaints);

/* One line on stderr as the error log writes it, without ever waiting for a reader.
 * fields as for event_log_add; may be NULL. */
struct log_field;
void say(int level, const char *message, const struct log_field *fields);

#endif
