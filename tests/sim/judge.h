/*
 * What must always hold of requests and answers. Each request gets exactly one outcome:
 * a server's answer, whole and unmixed; an answer of the daemon's own with its cause; a
 * cut, where a server broke off behind its head or the client earned it; not taken,
 * where the connection had been closed before; or its client has left. No request is
 * seen by two servers unless retrying it is allowed, none after a refusal.
 */
#ifndef SIM_JUDGE_H
#define SIM_JUDGE_H

#include "wire.h"
#include "world.h"

enum fate {
    OUTCOME_NONE,
    OUTCOME_ANSWERED,
    OUTCOME_OWN, /* the daemon's own answer */
    OUTCOME_CUT,
    OUTCOME_UNTAKEN,
    OUTCOME_LEFT,
};

struct query {
    struct query *next;
    uint64_t id, body_size;
    const char *method;
    uint64_t settled_at;
    enum fate outcome;
    unsigned reached;  /* servers that have read its head */
    bool is_forbidden; /* no server may ever see it */
    bool is_for_us;    /* a redirect or a fixed answer of the daemon's */
    bool is_excused;   /* its client does what no answer need survive */
    bool is_broken;    /* a server broke off behind its head */
};

struct answer {
    uint64_t serial, size;
    struct query *query;
    bool is_whole; /* the server sends all of it, rightly framed */
};

/* retries: how often a request may be tried again, a hedge counted as one. is_calm: nothing goes wrong in this
 * world, so every request must be answered by a server. */
void judge_begin(unsigned retries, bool is_calm);

struct query *query_new(const char *method, uint64_t body_size);

/* A server has read a request's head. NULL, and a violation, where there is none. */
struct query *query_reached(uint64_t id, const char *method);

/* A server has read a request to its end. */
void query_read(const struct query *query, const struct wire *wire);

struct answer *answer_new(struct query *query, uint64_t size);

/* A client has read a whole final answer to its query. */
void query_answered(struct query *query, const struct wire *wire);

/* Its tunnel has carried everything both ways and was closed properly. */
void query_tunnelled(struct query *query);

/* The connection ended before that; `had_bytes`: in the middle of it. */
void query_cut(struct query *query, bool had_bytes);
void query_untaken(struct query *query);
void query_left(struct query *query);

/* Must have an outcome by that time. */
void query_must_end(struct query *query, uint64_t by);

/* At the end: every ask has its outcome. */
void judge_end(void);

/* How many asks had each outcome, for the curious. */
void judge_count(unsigned counts[OUTCOME_LEFT + 1]);

#endif
