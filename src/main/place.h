/*
 * Where things lie by default: the admin socket under /run/weir for root, under their own
 * runtime directory for everybody else, who may not write to /run.
 */
#ifndef MAIN_PLACE_H
#define MAIN_PLACE_H

#include "control/ports.h"

#define PLACE_CONFIG "/etc/weir/weir.yaml"
#define PLACE_ADMIN_SOCKET "/run/weir/admin.sock"

/* The admin socket of this user; in static memory, ends with a NUL. */
const char *place_admin_socket(void);

/* An admin socket for this process alone, "…/weir-WHAT-PID.sock", ending with a NUL. */
str place_own_socket(const char *what, char *memory, size_t room);

/*
 * Ports from `below`, but the default admin socket is put where this user may make one,
 * and the directory of a unix socket is made where it is missing. One in a process.
 */
struct ports *place_ports(struct ports *below);

#endif
