/* The serving process below a supervisor. */
#ifndef MAIN_CHILD_H
#define MAIN_CHILD_H

#include "main/services.h"

/*
 * Serves until the end and gives the exit status. file: the configuration's. channel: to
 * the supervisor, which is process `parent`. services: as the supervisor left them at the
 * fork; a record in there is served in place of the files.
 */
int child_run(str file, int channel, int parent, const struct services *services);

#endif
