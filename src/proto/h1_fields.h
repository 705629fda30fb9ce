/*
 * What the fields of an HTTP/1 head mean together: framing, the connection's fate, Host,
 * Expect, and which fields are for this hop only. A part of h1_read, by itself because
 * reading lines and judging their meaning are two thoughts.
 */
#ifndef PROTO_H1_FIELDS_H
#define PROTO_H1_FIELDS_H

#include "proto/head.h"

struct h1_fault {
    unsigned status;
    const char *why; /* NULL: no fault */
};

/*
 * `head` has its start line and fields, `known` has the bit 1 << name for each known
 * name among them. Writes framing, content_length, flags, authority and the dropped
 * marks.
 */
struct h1_fault h1_judge_request(struct head *head, uint64_t known);
struct h1_fault h1_judge_response(struct head *head, uint64_t known,
                                  enum http_method asked);

#endif
