/*
 * One question to a running daemon, over its admin socket. Waits for the answer: for
 * command lines, never for threads that serve.
 */
#ifndef MAIN_ASK_H
#define MAIN_ASK_H

#include "base/arena.h"

/*
 * method and target as in a request ("GET", "/v1/status"). path: of the unix socket.
 * ERR_OK: *status and *body (in the arena) are the answer. ERR_NOT_FOUND, ERR_REFUSED:
 * nobody listens there; ERR_DENIED; ERR_TIMEOUT: no answer within `seconds`;
 * ERR_INVALID: what listens there is not weir.
 */
MUST_CHECK enum err ask(const char *path, const char *method, const char *target,
                        unsigned seconds, struct arena *arena, unsigned *status,
                        str *body);

#endif
