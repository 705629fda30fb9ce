/*
 * Simulated servers. An origin is an address with a mood; each connection to it is served
 * by itself, and how well is drawn for each request: promptly or slowly, in one piece or
 * in crumbs, or not at all: hanging, resetting, dying in the middle, telling lies.
 */
#ifndef SIM_ORIGIN_H
#define SIM_ORIGIN_H

#include "base/text.h"
#include "host.h"
#include "judge.h"

struct origin {
    struct host host;
    unsigned index;
    unsigned trouble; /* percent of the requests that end badly */
    bool is_hanging;  /* accepts and says nothing */
    bool is_echo;     /* no HTTP: sends back what it gets */
    unsigned connections;
};

enum death { DEATH_NONE, DEATH_FIN, DEATH_RESET, DEATH_HANG };

/* One connection to an origin. */
struct serving {
    struct player player;
    struct origin *origin;
    struct side *side;
    struct wire wire;
    struct query *query;
    struct text out; /* what is to be sent, and how far it is */
    size_t out_at;
    size_t piece; /* bytes at a time; 0: all */
    uint64_t gap; /* ns between pieces */
    size_t dies_at;
    enum death death;
    bool closes;    /* behind this answer */
    bool has_begun; /* to answer this request */
    bool is_answering, is_paused, is_hung;
    bool is_echo;
    uint64_t echoed;
    bool echo_is_named; /* the id at the start of a TCP stream was read */
};

struct origin *origin_new(unsigned index, bool is_echo);

/* Draws how to answer the request whose head is in serving->wire and writes it into
 * serving->out. */
void answer_draw(struct serving *serving);

/* From now on it waits to be closed, which must happen within that time. */
void serving_hang(struct serving *serving, uint64_t within);

/* Moods that come and go until the end of the visits. */
void origin_live(struct origin *origin);

#endif
