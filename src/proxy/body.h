/*
 * A body on its way from one end to the other. It moves as far as the receiver has room,
 * so memory is bounded by one chunk in each direction whatever its size. Long unframed
 * bodies go through a kernel pipe (splice) and are never copied.
 */
#ifndef PROXY_BODY_H
#define PROXY_BODY_H

#include "proto/chunked.h"
#include "proxy/http_end.h"

enum { BODY_TRAILER_ROOM = 2048 };

struct body {
    struct http_end *from, *to;
    enum framing framing;    /* how it comes */
    enum framing to_framing; /* how it goes */
    uint64_t left;           /* FRAMING_LENGTH: payload still to be read */
    uint64_t passed;         /* payload bytes read so far */
    uint64_t most;           /* more than this is refused */
    struct chunked chunked;  /* FRAMING_CHUNKED */
    struct pipe *pipe;       /* while splicing has bytes inside */
    bool is_read;            /* the last byte was read */
    bool is_sent;            /* ... and handed to the receiving end */
};

enum body_state {
    BODY_DONE,       /* all of it has left for the socket */
    BODY_WAITS_FROM, /* for bytes of the sender */
    BODY_WAITS_TO,   /* for room at the receiver */
    BODY_GOES_ON,    /* its turn is over; call again in the next one */
    BODY_FROM_BROKEN,
    BODY_FROM_INVALID,
    BODY_TO_BROKEN,
    BODY_TOO_LARGE,
};

/* from/to framing NONE: nothing will come. trailer_memory: BODY_TRAILER_ROOM bytes that
 * live as long, or NULL to drop trailers. */
void body_init(struct body *body, struct http_end *from, const struct head *head,
               uint64_t most, char *trailer_memory);

/* Nothing will come. */
static inline void body_init_none(struct body *body)
{
    body->framing = body->to_framing = FRAMING_NONE;
    body->passed = 0;
    body->pipe = NULL;
    body->is_read = body->is_sent = true;
}

/* Moves what can be moved now, then flushes the receiver. */
enum body_state body_pump(struct body *body);

/* Gives a pipe back. Harmless when there is none. */
void body_close(struct body *body);

#endif
