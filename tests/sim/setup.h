/* The configuration of the daemon in this world, and the changes that reloads bring. */
#ifndef SIM_SETUP_H
#define SIM_SETUP_H

#include "base/str.h"

#define SETUP_FILE "weir.yaml"

enum {
    SETUP_POOL_MAIN = 8,
    SETUP_POOL_SPARE = 3,
    SETUP_POOL_TCP = 3,
    SETUP_POOL_NAMED = 3
};
enum {
    SETUP_ORIGINS =
        SETUP_POOL_MAIN + SETUP_POOL_SPARE + SETUP_POOL_TCP + SETUP_POOL_NAMED,
};

/* Draws a configuration and puts it on the disk. The first server of each pool and the
 * listeners 80 and 9000 are in all of them; the rest comes and goes. */
void setup_write(void);

/* Puts one there that must be refused. */
void setup_write_wrong(void);

/* Which origins speak no HTTP. */
bool setup_is_echo(unsigned origin);

/* The name "web.sim" gets other addresses now and then. */
void setup_live_names(void);

#endif
