/*
 * Well-known words of HTTP: field names and methods to their enums and back, and what
 * the standards say about each name. One table (names.c) holds all of it. Names are
 * compared without case, methods with it.
 */
#ifndef PROTO_NAMES_H
#define PROTO_NAMES_H

#include "proto/head.h"

/* The enum of a field name; NAME_OTHER when it is none of ours. `name` is a token. */
enum field_name name_find(str name);

/* The lower-case text; "" for NAME_OTHER. */
str name_text(enum field_name name);

/* Names as bits of a word, for sets of them. */
#define NAME_BIT(name) ((uint64_t)1 << (name))

_Static_assert(NAME_COUNT <= 64, "names fit into a word of bits");

#define NAMES_HOP_BY_HOP                                                      \
    (NAME_BIT(NAME_CONNECTION) | NAME_BIT(NAME_CONTENT_LENGTH) |              \
     NAME_BIT(NAME_HTTP2_SETTINGS) | NAME_BIT(NAME_KEEP_ALIVE) |              \
     NAME_BIT(NAME_PROXY_AUTHENTICATE) | NAME_BIT(NAME_PROXY_AUTHORIZATION) | \
     NAME_BIT(NAME_PROXY_CONNECTION) | NAME_BIT(NAME_TE) |                    \
     NAME_BIT(NAME_TRANSFER_ENCODING) | NAME_BIT(NAME_UPGRADE) |              \
     NAME_BIT(NAME_LOOKALIKE))

/*
 * Meant for the next hop only, or describing the framing, which the writer states anew:
 * Connection, Keep-Alive, Proxy-*, TE, Transfer-Encoding, Upgrade, HTTP2-Settings,
 * Content-Length (RFC 9110 7.6.1). Readers mark them dropped, writers pass over them. So
 * they do with names that differ from those of framing and of proxies by '_' for '-' alone:
 * in a variable of CGI they are the same.
 */
static inline bool name_is_hop_by_hop(enum field_name name)
{
    return NAMES_HOP_BY_HOP >> name & 1;
}

/*
 * May not be taken away by naming it in Connection: fields that decide about framing,
 * routing, identity and rights, or that a proxy before us has added.
 */
bool name_is_protected(str name);

/*
 * May this field stand in a trailer section that is passed on? An allow-list (digests,
 * Server-Timing, ETag, grpc-*), since a
 * receiver may merge trailers into the head (RFC 9110 6.5.1).
 */
bool trailer_is_allowed(str name);

/* HTTP_METHOD_OTHER for any other token. */
enum http_method method_find(str token);

/* "GET" and so on; "" for HTTP_METHOD_OTHER (head.method_text has the word itself). */
str method_text(enum http_method method);

/* RFC 9110 9.2.2: doing it twice is the same as once. */
bool method_is_idempotent(enum http_method method);

/* The usual words for a status ("Not Found"); "" for one without. */
str status_reason(unsigned status);

#endif
