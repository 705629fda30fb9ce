/*
 * The daemon in the simulated world: put together, watched from inside at the end, and
 * taken apart. The only file here that knows how the daemon is assembled is house.c.
 */
#ifndef SIM_HOUSE_H
#define SIM_HOUSE_H

#include "rules.h"

/* Builds the daemon as the rules say, listening and with its threads registered, and the
 * origins behind it. */
void house_open(void);

/* All visitors are gone and all idle links have aged out: nothing may be left. */
void house_check_rest(void);

/* Ends the daemon and its memory. */
void house_close(void);

#endif
