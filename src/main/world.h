/* The files and the environment of this process, as the configuration asks for them. */
#ifndef MAIN_WORLD_H
#define MAIN_WORLD_H

#include "control/conf/world.h"

/* The name under which standard input is read, and by which complaints call it. */
#define WORLD_STDIN "<stdin>"

/* For the daemon: an address in use is found out by opening it. */
extern const struct conf_world world_of_process;

/* For `weir check`: addresses that another program holds are told too. */
extern const struct conf_world world_of_checker;

#endif
