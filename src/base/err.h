/*
 * One enum for everything that can fail because of the world: the network, the
 * kernel, a library, a peer. Our own mistakes are CHECKs (check.h); mistakes of the
 * person who wrote the configuration are complaints (control/conf).
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/compiler.h"

enum err {
    ERR_OK = 0,
    ERR_AGAIN,       /* would block: wait for readiness, then try again */
    ERR_EOF,         /* the peer has ended its stream properly */
    ERR_RESET,       /* the peer has torn the connection down */
    ERR_REFUSED,     /* nobody listens there */
    ERR_UNREACHABLE, /* no route to the host or network */
    ERR_TIMEOUT,
    ERR_INVALID,   /* bytes that break the protocol */
    ERR_TOO_LARGE, /* over a configured or built-in bound */
    ERR_NO_MEMORY,
    ERR_NO_FDS, /* the process or the system has no file descriptor left */
    ERR_IN_USE, /* address in use */
    ERR_DENIED, /* no permission */
    ERR_NOT_FOUND,
    ERR_CANCELLED,
    ERR_UNSUPPORTED,
    ERR_NO_SPACE, /* the disk or a quota is full */
    ERR_IO,       /* anything else the kernel says */
    ERR_COUNT,
};

/* A few words for people; never NULL, static storage. */
const char *err_text(enum err e);

/* Folds errno into the enum. ERR_IO for what we do not tell apart. 0 gives ERR_OK. */
enum err err_from_errno(int number);

#endif
