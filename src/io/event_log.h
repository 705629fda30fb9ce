/*
 * Events for people, from one thread into its ring: a server went down, a configuration
 * was refused. Not for what a client or server did wrong in one request: that is the
 * access log's, because whoever can cause a line here could fill the disk.
 */
#ifndef IO_EVENT_LOG_H
#define IO_EVENT_LOG_H

#include "io/log_writer.h"

/* One thread's end of the error log. */
struct event_log {
    struct log_ring *ring;  /* NULL: nothing is told */
    enum log_format format; /* set both whenever the settings change */
    enum log_level level;   /* what is less grave is left out */
    struct log_repeats repeats;
};

/* fields: up to one whose key is NULL; NULL: none. Reads the clock. */
void event_log_add(struct event_log *log, enum log_level level, const char *message,
                   const struct log_field *fields);

/* EVENT(log, LOG_WARN, "server is down", {"server", name}, {"reason", why}); */
#define EVENT(log, level, message, ...) \
    event_log_add(                      \
        (log), (level), (message),      \
        (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){NULL, {NULL, 0}}})

#endif
