/* The full form of a configuration, with where each value came from. */
#ifndef CONTROL_CONF_EXPAND_H
#define CONTROL_CONF_EXPAND_H

#include "base/rows.h"
#include "control/conf/tree.h"

/* root: a map whose short forms were made long, and which has no mistakes. */
void expand(struct complaints *complaints, const struct conf_row *rows,
            const struct node *root, struct scroll *out);

#endif
