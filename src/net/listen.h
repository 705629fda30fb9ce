/*
 * Making sockets that listen: in the daemon itself (control/ports) and in the supervisor.
 * It makes one at a time and remembers none; who holds which is theirs to know.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include "base/addr.h"
#include "base/err.h"

/*
 * Is the address free? ERR_IN_USE: somebody listens there, ourselves included, since
 * it asks without SO_REUSEPORT. For a unix path: whether a living process listens is
 * found out by connecting; what a dead one left is removed, anything but a socket is
 * never touched (ERR_IN_USE). Also ERR_DENIED, and ERR_NOT_FOUND: no such directory.
 */
MUST_CHECK enum err listen_probe(const struct addr *addr);

/*
 * A socket that listens at `addr` and shares it (SO_REUSEPORT) with others of this user;
 * backlog 4096, of which the kernel takes as much as it allows. What is accepted has
 * TCP_NODELAY and keepalive. [::] takes IPv4 in too, and is 0.0.0.0 where the system has
 * no IPv6. A unix socket's file is open to its user and group alone (0660) before
 * anybody can connect. Errors as listen_probe; *fd is the caller's.
 */
MUST_CHECK enum err listen_socket_open(const struct addr *addr, int *fd);

#endif
