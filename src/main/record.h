/*
 * The world a configuration is read from, with a memory: the real files and environment,
 * and a copy of every file and directory that the last reading saw. Because of the copy
 * a dead daemon is started again from the configuration that was accepted last, with all
 * its includes and secrets, whatever has become of the files since.
 */
#ifndef MAIN_RECORD_H
#define MAIN_RECORD_H

#include "base/vec.h"
#include "control/conf/world.h"

struct recorded {
    enum { RECORDED_FILE = 'f', RECORDED_DIRECTORY = 'd' } kind;
    str path;
    str content; /* of a directory: the names, each with a NUL behind it */
};

struct record {
    struct conf_world world; /* to read configurations from */
    str file;                /* whose reading begins a new record */
    struct arena arena;
    struct vec_of(struct recorded) items;
    bool is_played; /* what was recorded is given, and nothing else */
    bool was_read;  /* a reading has begun since this was last cleared */
};

/* Bytes of all files of a configuration. */
enum { RECORD_MOST = 256 << 20 };

/* file: the configuration's name; it must live on. */
void record_init(struct record *record, str file);
void record_close(struct record *record);

/* Lets go of what was read, where somebody else keeps it. */
void record_forget(struct record *record);

/* The record as bytes, in the arena. */
str record_write(const struct record *record, struct arena *arena);

/* Takes what record_write made; false: it is not whole. */
bool record_read(struct record *record, str bytes);

#endif
