/*
 * The configuration: from a file to a snapshot, or to complaints. This header is all that
 * the rest of the house needs.
 */
#ifndef CONTROL_CONF_CONF_H
#define CONTROL_CONF_CONF_H

#include "control/conf/complaint.h"
#include "control/conf/world.h"
#include "lb/model.h"

/*
 * Reads a configuration and builds a snapshot from it. Everything that is wrong, or looks
 * so, is in `complaints`, which the caller has begun and closes. ERR_OK: *out is a
 * snapshot, given back by conf_release. ERR_INVALID: there are errors.
 *
 * In the snapshot all `live` pointers, `pins` and `number` are left empty: they are the
 * steward's. A listener on ":80" has the address [::] and serves IPv4 as well.
 */
MUST_CHECK enum err conf_load(const struct conf_world *world, str file_name,
                              struct complaints *complaints, struct snapshot **out);

/* The same of a text that stands in no file; `name` is what complaints call it. */
MUST_CHECK enum err conf_load_text(const struct conf_world *world, str name, str text,
                                   struct complaints *complaints, struct snapshot **out);

/* Ends a snapshot that nobody uses any more. NULL is fine. */
void conf_release(struct snapshot *snapshot);

/*
 * The full form of a configuration: every setting, each with where it came from. It is
 * itself a configuration that means the same. Written only without errors.
 */
MUST_CHECK enum err conf_expand(const struct conf_world *world, str file_name,
                                struct complaints *complaints, struct scroll *out);

/* JSON Schema (draft-07); the reference as Markdown; the manual page weir.yaml(5). */
void conf_schema(struct scroll *out);
void conf_reference(struct scroll *out);
void conf_manual(struct scroll *out);

#endif
