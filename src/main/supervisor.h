/*
 * The small parent process: holds the listening sockets and the privileges, and starts
 * the serving process anew when it dies, from the configuration that was accepted last.
 * It parses nothing that comes from outside. While there is no child, connections wait in
 * the queues of sockets that stay open here, so none is refused.
 */
#ifndef MAIN_SUPERVISOR_H
#define MAIN_SUPERVISOR_H

#include "base/str.h"

/*
 * Runs the configuration in `file` until it is told to stop (SIGTERM, SIGINT), or until
 * the first child fails before any configuration was accepted. Passes SIGHUP and SIGUSR1
 * on. Gives the exit status. A forked child does not return from here: it exits.
 */
int supervisor_run(str file);

#endif
