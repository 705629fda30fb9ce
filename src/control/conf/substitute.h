/*
 * ${NAME}, ${NAME:-default} and ${file:/path} in values, after the file was read as YAML:
 * what a variable holds is text and can never become a key, a list or a quote.
 */
#ifndef CONTROL_CONF_SUBSTITUTE_H
#define CONTROL_CONF_SUBSTITUTE_H

#include "control/conf/tree.h"
#include "control/conf/world.h"

void substitute(struct complaints *complaints, const struct conf_world *world,
                struct node *root);

#endif
