/*
 * Writes the head of an HTTP/1.1 message from our own understanding of it: start line,
 * the fields that are not dropped, framing fields from head.framing, connection fields
 * from `after`. Whatever a peer wrote into framing and connection fields never gets
 * through. Text that does not fit sets out->overflow; the caller sees to it.
 *
 * Does not check what it writes: names, values and targets were checked by the reader
 * or by the configuration.
 */
#ifndef PROTO_H1_WRITE_H
#define PROTO_H1_WRITE_H

#include "base/text.h"
#include "proto/head.h"

/* What becomes of the connection after this message. */
enum h1_after {
    H1_KEEP,      /* stays open, as HTTP/1.1 takes for granted: no field */
    H1_KEEP_SAID, /* stays open and says so: for HTTP/1.0 clients */
    H1_CLOSE,
    H1_UPGRADE, /* Connection: upgrade, Upgrade: websocket */
};

/*
 * `target`: origin form, normalised path and query. Host is written from head.authority
 * (put there what the server is to see; left out only when empty), fields of that name
 * are passed over. With HEAD_TE_TRAILERS also "TE: trailers". A request with
 * FRAMING_NONE gets no Content-Length, but for POST, PUT and PATCH a 0.
 */
void h1_write_request(struct text *out, const struct head *head, str target,
                      enum h1_after after);

/*
 * Framing: LENGTH writes Content-Length, CHUNKED Transfer-Encoding. NONE writes the
 * length that HEAD_LENGTH_SAID stands for, nothing with HEAD_NO_LENGTH or where the
 * status forbids it (1xx, 204, 304), else Content-Length: 0. CLOSE writes nothing: it
 * goes with H1_CLOSE. The reader sets these flags by itself.
 */
void h1_write_response(struct text *out, const struct head *head, enum h1_after after);

/* The line before a chunk of n bytes (n > 0); behind the chunk comes "\r\n". */
void h1_write_chunk_size(struct text *out, uint64_t n);

enum { H1_CHUNK_SIZE_MOST = 18 }; /* bytes that h1_write_chunk_size takes at the most */

/*
 * The last chunk, the trailer fields that are not dropped, and the empty line; pass
 * NULL, 0 when there are none. The fields come from trailer_next, which lets only
 * allowed ones through.
 */
void h1_write_last_chunk(struct text *out, const struct field *trailers, unsigned count);

#endif
