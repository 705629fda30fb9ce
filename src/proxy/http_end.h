/*
 * The contract that every HTTP version fulfils, on either side of an exchange: any front
 * meets any back because the exchange knows ends only by these calls.
 *
 * - Reading is a pull: the exchange asks, the end gives what it has or says ERR_AGAIN;
 *   after that it will be called when there is more. So there is no wake-up to lose.
 * - Sending marks the end dirty; `flush` at the end of the batch lets everything leave in
 *   one call to the kernel. Bytes given to send_* are taken as a whole: what the socket
 *   does not want is kept (bounded: the exchange asks has_room first).
 * - An end never calls its exchange from inside a call that the exchange made.
 */
#ifndef PROXY_HTTP_END_H
#define PROXY_HTTP_END_H

#include "net/conn.h"
#include "proto/head.h"

struct body;
struct http_end;

/* What a head must say about the connection, decided by the exchange. */
struct head_send {
    const struct head *head;
    str target; /* requests: normalised path and query */
    bool is_response;
    bool closes;      /* no further exchange on this connection */
    bool is_old_peer; /* an HTTP/1.0 peer: keeping alive must be said */
    bool upgrades;    /* to WebSocket */
};

struct http_end_ops {
    void (*send_head)(struct http_end *end, const struct head_send *what);

    /* The next piece of the body's payload: ERR_OK with *data (valid until the next call
     * to this end), ERR_AGAIN, ERR_EOF when the body is complete, ERR_INVALID broken
     * framing, ERR_RESET when it ended too early. */
    enum err (*read_body)(struct http_end *end, struct body *body, str *data);

    /* Its body will not be read before the other side has taken what it has: memory that
     * holds nothing is given back meanwhile. */
    void (*rest)(struct http_end *end);

    /* Are there bytes received that nobody has read? Then they go first, by copying. */
    bool (*has_input)(const struct http_end *end);

    /* Payload to the peer, framed as body->to_framing says. `last`: the body ends. After
     * the end of a response that closes, the connection is closed or shut in the same turn:
     * the end may wait for that, to leave in one segment with our FIN. */
    void (*send_body)(struct http_end *end, struct body *body, str data, bool last);

    /* May send_body be called? False while bytes wait for the socket. */
    bool (*has_room)(const struct http_end *end);

    /* Sends what waits: ERR_OK all gone, ERR_AGAIN, or what broke. */
    enum err (*flush)(struct http_end *end, bool more);
};

struct http_end {
    const struct http_end_ops *ops;
    struct conn *conn; /* for splicing bodies that are not framed */
};

#endif
