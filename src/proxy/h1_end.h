/*
 * One side of an exchange that speaks HTTP/1: a connection, the bytes received and not
 * yet taken, the bytes that wait for the socket. The same code serves clients and
 * servers; only which heads are read differs.
 */
#ifndef PROXY_H1_END_H
#define PROXY_H1_END_H

#include "proto/h1_read.h"
#include "proxy/http_end.h"

struct h1_end {
    struct http_end end;
    struct conn conn;
    struct chunk *in;   /* received, not yet taken; may be the head's chunk too */
    struct chunk *head; /* holds the head that was read last: slices point into it */
    struct chunk *out;  /* waits for the socket, oldest first */
    struct h1_reader reader;
    unsigned body_at;    /* where in the head's chunk the body begins */
    unsigned pending;    /* bytes of a head in the engine's scratch; gone with a send */
    bool is_past_head;   /* the body has gone on in another chunk */
    bool is_last_answer; /* our FIN follows its end at once, and may leave with it */
};

/* The conn must have been initialised (conn_init or conn_dial). */
void h1_end_init(struct h1_end *h1);

/* Gives all memory back and closes the conn. */
void h1_end_close(struct h1_end *h1);

/*
 * Receives and reads on until a head is complete. ERR_OK: *verdict is H1_DONE or H1_BAD
 * (h1->reader says why). ERR_AGAIN: not complete. ERR_EOF or what broke otherwise.
 * asked: HTTP_METHOD_OTHER + is_response false reads a request.
 */
MUST_CHECK enum err h1_end_read_request(struct h1_end *h1, const struct h1_limits *limits,
                                        struct head *head, enum h1_verdict *verdict);
MUST_CHECK enum err h1_end_read_response(struct h1_end *h1,
                                         const struct h1_limits *limits,
                                         enum http_method asked, struct head *head,
                                         enum h1_verdict *verdict);

/* Has the peer sent bytes that nobody has taken? */
static inline bool h1_end_has_input(const struct h1_end *h1)
{
    return h1->in && h1->in->at < h1->in->end;
}

/* Is a read worth a try? */
static inline bool h1_end_may_have(const struct h1_end *h1)
{
    return h1->conn.can_read || h1_end_has_input(h1);
}

/* Is a part of a head here? */
static inline bool h1_end_has_partial(const struct h1_end *h1)
{
    return h1->reader.seen > 0 || h1_end_has_input(h1);
}

/* The head is not looked at any more: its memory may go. Bytes behind it stay. */
void h1_end_drop_head(struct h1_end *h1);

/* Goes back to the first byte behind the head, if all that was read since lies in the
 * head's chunk: `passed` bytes of payload, not one of which was spliced. False: it does
 * not, and nothing changes. */
bool h1_end_rewind(struct h1_end *h1, uint64_t passed);

/* Would h1_end_rewind do it? */
bool h1_end_can_rewind(const struct h1_end *h1, uint64_t passed);

/* Raw bytes to the peer, as send_body without framing: interim answers, PROXY headers. */
void h1_end_send_raw(struct h1_end *h1, str bytes);

/* Reads and throws away what the peer still sends. ERR_AGAIN: nothing more for now.
 * ERR_TOO_LARGE: conn.received has come to `most`. */
MUST_CHECK enum err h1_end_discard(struct h1_end *h1, uint64_t most);

#endif
