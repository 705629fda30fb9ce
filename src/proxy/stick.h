/*
 * Keeping clients where they were, on the data path: what a request shows of where it was
 * served before becomes a wish in the pool's choice, and what came of it goes back with the
 * answer or into the pool's table. What is forged, expired, of another pool or of a server
 * that is gone is as if it had not been shown.
 */
#ifndef PROXY_STICK_H
#define PROXY_STICK_H

#include "lb/pool.h"
#include "lb/sticky.h"
#include "lb/template.h"

struct exchange;
struct worker;

enum stick_says {
    STICK_NOTHING,    /* nobody was kept and nothing remembered */
    STICK_HIT,        /* it went where it was before */
    STICK_MISS,       /* what it showed is not known, or does not count */
    STICK_NEW,        /* it showed nothing */
    STICK_REBALANCED, /* its server could not take it: another one has */
};

/* What is known of one client. */
struct stick {
    enum stick_says says;
    uint64_t server;       /* where it belongs; 0: nowhere yet */
    uint64_t key;          /* in the pool's table, with has_key */
    uint64_t issued, seen; /* unix seconds: what its cookie says */
    bool has_key;
    bool has_shown;   /* a cookie or a session, good or not */
    bool is_old;      /* its cookie was sealed with a key that is not the newest */
    bool is_wish_all; /* its server could not take it, and no other may */
};

/* "hit", ...: the log's words. */
const char *stick_text(enum stick_says says);

/* For a pool that is sticky: makes x->stick and puts its wish into the ask. */
void stick_wish(struct exchange *x, struct ask *ask);

/*
 * Does the client belong to a server that takes nobody else: one that is draining or has
 * weight 0? Those who wait for a place in the pool do not wait for one of its.
 */
static inline bool stick_is_apart(const struct ask *ask)
{
    return ask->wish && !server_weight(ask->wish, true);
}

/* There is x->stick, and an answer of a server whose head can take one more field. */
void stick_answer(struct exchange *x);

/* The same for a connection to a pool that is sticky by ip. *stick begins zeroed. */
void stick_wish_by_ip(struct stick *stick, struct worker *worker, const struct pool *pool,
                      const struct template_facts *facts, struct ask *ask);
void stick_connected(struct stick *stick, struct worker *worker, const struct pool *pool,
                     const struct server_live *server);

#endif
