/*
 * What the supervisor does for its child and keeps for the next one: listening sockets,
 * the right to write its logs, the last accepted configuration.
 *
 * Until the first configuration is accepted the child has seen nothing but its own
 * command line and files, and is trusted with a choice of user and of log files. From
 * then on it may be anybody's: it is given listening sockets, at most PORTS_MOST
 * addresses, unix sockets only where its user may make them, and nothing else. It can
 * listen on any free TCP port, privileged ones too: which ones a later configuration
 * names is known only by the child's own word.
 */
#ifndef MAIN_SERVICES_H
#define MAIN_SERVICES_H

#include "base/vec.h"
#include "control/ports.h"
#include "io/sys_host.h"

enum { PORTS_MOST = 1024, WORKERS_MOST = 1024, LOGS_MOST = 4 };

struct served_port {
    struct addr addr;
    bool is_wanted; /* by the child of today */
    bool is_users;  /* a unix socket made, and to be removed, with its user's rights */
};

struct services {
    struct ports *ports;
    struct served_port *served; /* PORTS_MOST */
    unsigned served_count;
    struct sys_user user;
    char logs[LOGS_MOST][256];
    unsigned log_count;
    int record;    /* the accepted configuration, a file in memory; -1: none yet */
    bool is_ready; /* the child has said so since this was last cleared */
    bool has_user;
};

/* ports: where sockets come from; must outlive it. */
void services_init(struct services *services, struct ports *ports);
/* Gives all ports back to where they came from, too. */
void services_close(struct services *services);

/* A child begins: it has asked for nothing yet. */
void services_begin(struct services *services);

/* Answers every plea that waits in the channel. */
void services_serve(struct services *services, int channel);

/* Before the child opens its logs anew: what was moved away is made again for its user. */
void services_prepare_logs(const struct services *services);

#endif
