/*
 * The workers' overload as people see it: what the workers say of themselves, looked at
 * once a second, becomes events, a line of status and numbers.
 */
#ifndef CONTROL_LOAD_H
#define CONTROL_LOAD_H

#include "control/overview.h"
#include "control/steward_inside.h"

/* Before the workers run. most: client connections there may be. */
void load_begin(struct steward *steward, unsigned most);

void load_look(struct steward *steward);

struct load_view load_view(const struct steward *steward);

#endif
