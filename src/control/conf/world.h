/*
 * What a configuration may ask of the world: files and the environment. Given in by the
 * caller, so that a test and the simulation bring their own.
 */
#ifndef CONTROL_CONF_WORLD_H
#define CONTROL_CONF_WORLD_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"

struct conf_world {
    void *owner;

    /* The whole file; *out lives in the arena, or longer. */
    enum err (*read_file)(void *owner, str path, struct arena *arena, str *out);

    /* The names in a directory, in any order, in the arena. */
    enum err (*list_directory)(void *owner, str path, struct arena *arena, str **names,
                               unsigned *count);

    /* False: not set. */
    bool (*get_variable)(void *owner, str name, str *out);

    /* Does another program hold this address for certain? *holder says who, in the arena:
     * "process 812 (nginx)". NULL: addresses are not tried. */
    bool (*find_holder)(void *owner, const struct addr *addr, struct arena *arena,
                        str *holder);
};

#endif
