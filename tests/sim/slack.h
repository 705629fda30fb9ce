/*
 * How late the daemon may be: one tick of its timers, a turn that was scheduled late,
 * and the way of the news to whoever looks.
 */
#ifndef SIM_SLACK_H
#define SIM_SLACK_H

#include "world.h"

#define SLACK ((uint64_t)250 * MS)

#endif
