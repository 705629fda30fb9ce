/* The few files of the simulated world: configuration to be read, logs that are written. */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "base/str.h"

void disk_begin(void);

/* Puts a text there; it must outlive the world. */
void disk_put(const char *path, str text);
void disk_remove(const char *path);

/* What is read from there; STR_NONE: no such file. */
str disk_text(const char *path);

/* A lasting copy of the path. */
const char *disk_name(const char *path);
const char *disk_name_of(str path);

/* Is handed every text that is written to `path`. */
void disk_append(const char *path, str text);

#endif
