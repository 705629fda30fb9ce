/*
 * Reads the head of an HTTP/1 message (RFC 9112) as strictly as the standard allows:
 * where it offers a choice between mending and refusing, this refuses, so that nobody
 * before or behind us can understand a message otherwise than we do. The result is
 * slices into the bytes; nothing is copied, nothing allocated.
 *
 * The verdict depends on the bytes alone, never on how they were cut into reads: a line
 * is judged when it is complete, the head as a whole when its empty line is there.
 */
#ifndef PROTO_H1_READ_H
#define PROTO_H1_READ_H

#include "proto/head.h"

enum h1_verdict {
    H1_DONE, /* the head is filled; head.bytes belong to it, the body follows */
    H1_MORE, /* not complete; call again with the same bytes and more behind them */
    H1_BAD,  /* reader.status and reader.why say what is wrong; the peer is not in step */
};

struct h1_limits {
    size_t head_most;     /* bytes of the whole head: 431 */
    size_t target_most;   /* bytes of the request target: 414 */
    unsigned fields_most; /* field lines: 431; 0 means head.field_room, as more would */
};

/*
 * How far the reading has come. Zeroed before each message. Holds no pointers: between
 * calls the bytes may move and the head's array may be lent to others.
 */
struct h1_reader {
    size_t line;     /* where the first line that is not complete begins */
    size_t seen;     /* bytes looked at: there is no line end between line and seen */
    unsigned fields; /* complete field lines before `line` */
    unsigned
        status; /* with H1_BAD: 400, 405, 414, 417, 431, 501, 505; 502 for a response */
    const char *why; /* with H1_BAD: a few static words */
};

/*
 * `bytes`: everything from the message's first byte on (more than the head is fine).
 * `head`: fields and field_room are set by the caller; all else is written here and is
 * valid with H1_DONE only. H1_BAD also for CONNECT and TRACE (405).
 *
 * With H1_DONE: fields for this hop only and those named by Connection are marked
 * dropped (see names.h for those that Connection cannot take away), Host stays. A
 * request has framing NONE, LENGTH or CHUNKED.
 */
MUST_CHECK enum h1_verdict h1_read_request(struct h1_reader *reader, str bytes,
                                           const struct h1_limits *limits,
                                           struct head *head);

/*
 * The same for a response to a request with method `asked` (RFC 9112 6.3). Interim
 * answers (1xx) are heads of their own; zero the reader and read on for the next.
 * FRAMING_CLOSE clears HEAD_KEEP_ALIVE. target_most is not used.
 */
MUST_CHECK enum h1_verdict h1_read_response(struct h1_reader *reader, str bytes,
                                            const struct h1_limits *limits,
                                            enum http_method asked, struct head *head);

#endif
