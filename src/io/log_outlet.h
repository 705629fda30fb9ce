/*
 * Where a log's lines leave the process: a file, a pipe or terminal we inherited, syslog.
 * Belongs to io/log_writer, whose thread alone calls these (but _open, and _lost).
 */
#ifndef IO_LOG_OUTLET_H
#define IO_LOG_OUTLET_H

#include "io/log_writer.h"

/* See log_writer_open. ERR_TOO_LARGE: the path is too long. On error nothing is open. */
MUST_CHECK enum err log_outlet_open(struct log_outlet *outlet, enum log_sink sink,
                                    str to);
void log_outlet_close(struct log_outlet *outlet);

/* Goes on at another place. The rest of a line that is half written is given up. */
void log_outlet_replace(struct log_outlet *outlet, const struct log_outlet *with);

/* Writes what goes now of all rings of its sink. True: something was there. */
bool log_outlet_drain(struct log_outlet *outlet, struct log_ring *rings, uint64_t now);

/* Says on the error log that it fails, and once it works again how many lines were lost;
 * also where a ring was too small. */
void log_outlet_report(struct log_outlet *outlet, struct log_writer *writer,
                       uint64_t now);

/* Lines lost so far: no room in a ring, or given up. Any thread. */
uint64_t log_outlet_lost(const struct log_outlet *outlet, const struct log_ring *rings);

#endif
