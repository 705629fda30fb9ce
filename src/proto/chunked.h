/*
 * Reads a chunked body (RFC 9112 7.1) piece by piece, strictly: CRLF only, sizes in
 * plain hexadecimal, well-formed extensions (thrown away, their sum bounded), trailers
 * of valid fields (their sum bounded). The payload comes out as slices of the input.
 * Does not decode any other coding and does not interpret trailers.
 */
#ifndef PROTO_CHUNKED_H
#define PROTO_CHUNKED_H

#include "base/text.h"
#include "proto/head.h"

enum {
    CHUNKED_EXTENSIONS_MOST = 16 * 1024, /* bytes of extensions in one body */
    CHUNKED_TRAILERS_MOST = 8 * 1024,    /* bytes of a trailer section */
};

enum chunked_verdict {
    CHUNKED_MORE, /* all input is consumed; read on */
    CHUNKED_DATA, /* *data is the next piece of payload, never empty */
    CHUNKED_DONE, /* the body ended; what is left of *in belongs to the next message */
    CHUNKED_BAD,  /* chunked.why says what is wrong; the peer is not in step any more */
};

struct chunked {
    uint64_t left; /* payload bytes of this chunk still to come (for splice) */
    const char *why;
    struct text trailers; /* the trailer section as it came, valid; see chunked_init */
    unsigned extension_bytes;
    unsigned trailer_bytes;
    unsigned char state;
    unsigned char digits;
};

/*
 * `trailer_room` bytes at `trailer_memory` keep the trailer section; with 0 it is
 * checked and thrown away, with too few the body is refused.
 */
void chunked_init(struct chunked *chunked, char *trailer_memory, size_t trailer_room);

/*
 * Consumes from the front of *in. Call until it does not say CHUNKED_DATA. May not be
 * called again after DONE or BAD.
 */
MUST_CHECK enum chunked_verdict chunked_read(struct chunked *chunked, str *in, str *data);

/*
 * Cuts the next allowed field (trailer_is_allowed) off the front of *rest, which begins
 * as text_str(&chunked->trailers); false when there are no more. Slices of that text.
 */
bool trailer_next(str *rest, struct field *field);

#endif
