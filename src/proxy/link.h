/*
 * A connection of ours to a server. Between exchanges it lies idle at the worker's desk
 * of that server, for reuse: newest first, so that the surplus ages out. A link is used
 * again only after an exchange that ended cleanly on both sides of it.
 */
#ifndef PROXY_LINK_H
#define PROXY_LINK_H

#include "lb/balance.h"
#include "proxy/h1_end.h"
#include "proxy/worker.h"

struct exchange;

enum { LINK_MAGIC = 0x4c494e4b };

struct link {
    struct list node;      /* idle: at the server's desk */
    struct list of_worker; /* worker->links */
    struct list of_server; /* desk->links */
    unsigned magic;
    uint32_t uses;
    struct worker *worker;
    struct server_live *server; /* held */
    struct exchange *exchange;  /* NULL: idle */
    struct h1_end back;
    struct timer timer; /* idle too long */
};

/* An idle link to the server, or NULL. It is the exchange's now. */
struct link *link_reuse(struct worker *worker, struct server_live *server,
                        struct exchange *exchange);

/* A new one, connecting; conn_connected(&link->back.conn) says how it goes. NULL with
 * *why: could not even begin. */
struct link *link_dial(struct worker *worker, struct server_live *server,
                       struct exchange *exchange, enum err *why);

/* Its exchange ended well: keeps it for the next, or closes it when there are enough. */
void link_release(struct link *link, const struct keepalive *keepalive);

/* Ends it. */
void link_close(struct link *link);

/* Closes all idle links of this worker to a server (it was removed). */
void link_close_idle(struct worker *worker, struct server_live *server);

#endif
