/*
 * One question to a running daemon, over its admin socket. Waits for the answer: for
 * command lines, never for threads that serve.
 */
#ifndef MAIN_ASK_H
#define MAIN_ASK_H

#include "base/arena.h"
#include "cli/cli.h"

/*
 * path: of the unix socket. ERR_OK: *status and *body (in the arena) are the answer.
 * ERR_NOT_FOUND, ERR_REFUSED: nobody listens there; ERR_DENIED; ERR_TIMEOUT: no answer in
 * time; ERR_INVALID: what listens there is not weir.
 */
MUST_CHECK enum err ask(const char *path, const struct question *question,
                        struct arena *arena, unsigned *status, str *body);

#endif
