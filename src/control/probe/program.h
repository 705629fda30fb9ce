/*
 * Checks by a program of the user's: its exit status is the verdict, the last line that it
 * writes is the reason. A program that has not ended when its check is over is killed, with
 * all that it has started; it stays on the prober's list until the kernel has let it go.
 */
#ifndef CONTROL_PROBE_PROGRAM_H
#define CONTROL_PROBE_PROGRAM_H

#include "control/probe/probe.h"

enum { PROGRAMS_AT_ONCE = 16 };

/* Programs that run or are still to be reaped; the owner of the probes has one. */
struct program_list {
    struct list all;
    unsigned count;
};

void program_list_init(struct program_list *list);

/* Kills what is left, and waits for nothing. */
void program_list_close(struct program_list *list);

/* The words of the configuration, with {address} and so on in their places, and the
 * environment. */
void program_prepare(struct probe_question *question, const struct server_live *server);

extern const struct probe_kind probe_program;

#endif
