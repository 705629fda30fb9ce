/*
 * The part of the door (sys.h) that only the command line uses: looking into directories
 * and at links. The daemon's data path never does, so the simulation has no twin of it.
 */
#ifndef IO_SYS_FILES_H
#define IO_SYS_FILES_H

#include "base/arena.h"
#include "base/err.h"

/* The names in a directory without "." and "..", in any order, each with a NUL behind. */
MUST_CHECK enum err sys_directory_list(const char *path, struct arena *arena, str **names,
                                       unsigned *count);

/* What a symbolic link says. */
MUST_CHECK enum err sys_link_read(const char *path, struct arena *arena, str *out);

#endif
