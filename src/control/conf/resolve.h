/* Names become pointers, and what only the whole configuration shows is checked. */
#ifndef CONTROL_CONF_RESOLVE_H
#define CONTROL_CONF_RESOLVE_H

#include "control/conf/draft.h"
#include "control/conf/world.h"

/* Complains of listeners' addresses that other programs hold, where the world can tell. */
void resolve_try_addresses(struct reader *reader, const struct conf_world *world);

/* Complains of names that do not exist and of things given twice. */
void resolve_names(struct reader *reader);

/* Fills the snapshot from a draft without errors. */
void resolve_build(struct reader *reader, struct snapshot *snapshot);

/* Warnings about a whole configuration without errors (lint.c). */
void lint(struct reader *reader, const struct snapshot *snapshot);

#endif
