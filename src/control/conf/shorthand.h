/*
 * Short forms made long, in the tree, before any row is read: so the reader, `expand` and
 * the checks know one form only. What was made keeps the place of what was written.
 */
#ifndef CONTROL_CONF_SHORTHAND_H
#define CONTROL_CONF_SHORTHAND_H

#include "control/conf/tree.h"

/* root is a map. */
void shorthand_expand(struct complaints *complaints, struct node *root);

#endif
