/*
 * What the serving process asks of its supervisor, over a pair of sockets. Fixed
 * structures, no text to parse; each plea is answered before the next is made. Both are
 * the same program, so there is no version to agree on.
 */
#ifndef MAIN_PLEA_H
#define MAIN_PLEA_H

#include "control/ports.h"

enum plea_kind {
    PLEA_OPEN,     /* addr, count: listening descriptors, please */
    PLEA_CLOSE,    /* addr: is not wanted any more */
    PLEA_USER,     /* text: I will become this user */
    PLEA_LOG,      /* text: I will write this file as that user; let me */
    PLEA_ACCEPTED, /* with a descriptor: the configuration to start anew from */
    PLEA_READY,    /* what was asked of me (start, reload) is done */
    PLEA_KINDS,
};

enum { PLEA_TEXT_MOST = 255 };

struct plea {
    unsigned kind; /* enum plea_kind */
    unsigned count;
    struct addr addr;
    char text[PLEA_TEXT_MOST + 1];
};

struct plea_answer {
    enum err error;
    unsigned fds; /* so many descriptors follow */
};

/* Makes a plea and waits for its answer. fd: passed along, -1 for none. fds: room for
 * plea->count descriptors with PLEA_OPEN, else NULL. Errors: the answer's, and ERR_EOF
 * when the supervisor has gone. */
MUST_CHECK enum err plea_make(int channel, const struct plea *plea, int fd, int *fds);

/* A plea of that kind with a text; false: the text is too long. */
bool plea_of_text(struct plea *plea, enum plea_kind kind, str text);

/* The answer, and the descriptors behind it. The caller closes its own. */
MUST_CHECK enum err plea_answer(int channel, enum err error, const int *fds,
                                unsigned count);

/* Ports that are asked for over the channel. One in a process. */
struct ports *plea_ports(int channel);

#endif
