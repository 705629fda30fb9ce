/* `runtime.include`: further files, merged into the tree of the first. */
#ifndef CONTROL_CONF_INCLUDE_H
#define CONTROL_CONF_INCLUDE_H

#include "control/conf/tree.h"
#include "control/conf/world.h"

/*
 * Reads the file `name` with all that it includes. NULL: it could not be read as YAML at
 * all, or is not a map. *is_whole is false when an included file could not be read, so
 * that names may be unknown without being wrong.
 */
struct node *include_read(struct complaints *complaints, const struct conf_world *world,
                          uint32_t file, bool *is_whole);

/* Why a file can not be read, for people. */
const char *include_reason(enum err e);

/* Reads a file into a source; complains (C032) at `place`. */
bool include_read_source(struct complaints *complaints, const struct conf_world *world,
                         str name, const struct place *place, uint32_t *file);

#endif
