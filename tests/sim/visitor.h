/*
 * Simulated clients. A visitor comes once, over one connection, asks some things and
 * leaves, well-behaved or not: in crumbs, all at once, without reading, without an end,
 * without a word, or with words that are no HTTP.
 */
#ifndef SIM_VISITOR_H
#define SIM_VISITOR_H

#include "base/text.h"
#include "judge.h"
#include "stream.h"

enum { ASKS_MOST = 8 };

enum visit { VISIT_HTTP, VISIT_HOSTILE, VISIT_WEBSOCKET, VISIT_TCP };

struct visitor {
    struct player player;
    struct side *side; /* NULL: over */
    unsigned number;
    enum visit visit;
    struct query *asks[ASKS_MOST];
    unsigned planned, written, answered;
    struct text out;
    size_t out_at;
    size_t hold_at; /* the body behind Expect begins here; SIZE_MAX: go on */
    struct wire wire;
    size_t piece, sip; /* bytes at a time, sent and read; 0: all */
    uint64_t gap, sip_gap;
    size_t stuck_at;    /* sends no more from there on */
    size_t deaf_at;     /* reads no more from there on */
    size_t sent, read;  /* in all */
    size_t read_before; /* when its end was last waited for */
    uint64_t idle_since, asked_at, shut_at;
    uint64_t tunnel_size, tunnel_sent, tunnel_read;
    bool is_piped, is_half_closing, waits_for_end;
    bool is_send_paused, is_read_paused, is_tunnel, was_told_close, is_stuck;
    bool is_guest_of_other; /* of the listener that comes and goes */
};

/* Somebody comes now, drawn from the seed. */
void visitor_come(unsigned number);

/* Writes the next request into visitor->out. */
void request_write(struct visitor *visitor);

/* Something that must be refused, and a request behind it that nobody may see. */
void hostile_write(struct visitor *visitor);

/* Room for n more bytes behind what is to be sent. */
void visitor_room(struct visitor *visitor, size_t n);

/* How many visitors are still there. */
unsigned visitors_present(void);
void visitors_begin(void);

#endif
