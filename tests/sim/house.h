/*
 * The daemon in the simulated world: put together, bothered by signals, watched from
 * inside at the end, and taken apart. The only file here that knows how the daemon is
 * assembled is house.c.
 */
#ifndef SIM_HOUSE_H
#define SIM_HOUSE_H

#include "rules.h"

/* Builds the daemon as the rules say, listening and with its threads registered, and the
 * origins behind it. False: it does not begin, and that was said. */
bool house_open(void);

/* Reloads, a drain, steps of the wall clock: to come while the visitors are there. */
void house_live(void);

/* All visitors are gone and all idle links have aged out: nothing may be left. */
void house_check_rest(void);

/* Asks the daemon to end and frees it: nothing at all may be left. */
void house_close(void);

#endif
