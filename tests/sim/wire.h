/*
 * HTTP/1.1 as the players read it: a small reader of its own, so that the daemon's parser
 * is not judged by itself. It takes what an honest peer sends and calls all else bad.
 * Bodies are patterns made from a key, so that one byte of somebody else's is seen.
 */
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include "base/str.h"

enum { WIRE_HEAD_MOST = 24 * 1024 };

enum wire_state { WIRE_HEAD, WIRE_BODY, WIRE_DONE, WIRE_BAD };

enum wire_framing { WIRE_NONE, WIRE_LENGTH, WIRE_CHUNKED, WIRE_CLOSE };

struct wire {
    enum wire_state state;
    bool is_response, asked_head;
    char *head; /* WIRE_HEAD_MOST bytes */
    size_t head_n;
    /* of the head */
    unsigned status;
    char method[12], cause[24];
    uint64_t id, serial; /* X-Sim-Id and X-Sim-Serial; 0: none */
    bool closes, expects, upgrades;
    enum wire_framing framing;
    /* of the body */
    uint64_t left, body_n;
    unsigned chunk_state, line_n;
    bool is_foreign; /* a byte that does not belong to the pattern */
};

/* The body's byte i under a key. */
char pattern_byte(uint64_t key, uint64_t i);
void pattern_fill(uint64_t key, uint64_t from, char *p, size_t n);
bool pattern_holds(uint64_t key, uint64_t from, const char *p, size_t n);

/* Before each message. Keeps the memory of the head. */
void wire_begin(struct wire *wire, bool is_response, bool asked_head);

/* Reads on; how many of the bytes belong to this message. */
size_t wire_feed(struct wire *wire, const char *p, size_t n);

/* The stream has ended: true where that ends a body as it should. */
bool wire_ended(struct wire *wire);

/* The value of a field of the head; STR_NONE: there is none. */
str wire_field(const struct wire *wire, const char *name);

#endif
