/*
 * Two conns joined: bytes both ways, half-closes passed on, back-pressure in both
 * directions (one chunk or pipe each). Users call it a tunnel. It does not own the conns;
 * whoever does forwards their events and is told when it is over.
 */
#ifndef PROXY_RELAY_H
#define PROXY_RELAY_H

#include "lb/live.h"
#include "lb/model.h"
#include "net/conn.h"
#include "proxy/worker.h"

struct relay;
typedef void relay_done_fn(struct relay *relay);

/* One direction. Holds bytes in a chunk, or in a pipe once it has proved to be bulk. */
struct relay_way {
    struct conn *from, *to;
    struct chunk *chunk;
    struct pipe *pipe;
    uint64_t passed;
    unsigned full_reads; /* in a row that filled a chunk */
    bool is_over;        /* FIN passed on */
};

enum { RELAY_CLIENT, RELAY_SERVER }; /* ways[]: from the client, from the server */

struct relay {
    struct worker *worker;
    struct relay_way ways[2];
    struct timer timer;
    struct deferred again;
    uint64_t idle, half_closed; /* ns; 0: for ever */
    size_t unsent;              /* when the last silence of a half was over */
    relay_done_fn *done;
    void *owner;
    enum cause cause;      /* how it ended */
    bool server_was_first; /* to end its side */
};

/* Begins with what may be there already: chunks of bytes read behind a handshake (taken
 * over; NULL: none). timeouts->tunnel without a byte either way ends it, half_closed when one
 * side has ended already. Runs from the next turn. */
struct relay *relay_new(struct worker *worker, struct conn *client, struct conn *server,
                        const struct timeouts *timeouts, relay_done_fn *done,
                        void *owner);
void relay_begin(struct relay *relay, struct chunk *from_client,
                 struct chunk *from_server);

/* One of the conns has news. May end it: `done` is called, and the relay is gone. */
void relay_wake(struct relay *relay);

/* Ends it at once for that cause. */
void relay_cut(struct relay *relay, enum cause cause);

#endif
